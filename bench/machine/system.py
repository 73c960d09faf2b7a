"""The calls that a measurement uses and only some systems have.

Linux has all of them. If a call is missing, the measurement goes on without it, and `missing` says so in words.
"""

import functools
import os
import sys
import time
from pathlib import Path

#: The first part of the line about what is missing.
LACKS = "this system cannot "


def unsupported() -> str | None:
    """Return why nothing here runs on this system, in one line; None if it does."""
    if sys.platform in ("win32", "cygwin"):
        return f"socketio-bench runs on Linux and macOS, and not on this system ({sys.platform})"
    return None


def can_pin() -> bool:
    """Return true if processes can be kept to cores."""
    return hasattr(os, "sched_setaffinity")


def can_idle() -> bool:
    """Return true if a process can run at a priority that yields to anything."""
    return can_pin() and hasattr(os, "SCHED_IDLE")


@functools.cache
def has_process_clocks() -> bool:
    """Return true if the CPU clock of another process can be read, to the nanosecond."""
    try:
        time.clock_gettime_ns(process_clock(os.getpid()))
    except (OSError, AttributeError):
        return False
    return True


def process_clock(pid: int) -> int:
    """Return the CPU clock of any process (clock_getcpuclockid(3), MAKE_PROCESS_CPUCLOCK in Linux's posix-timers.h).

    It counts all threads, in nanoseconds. /proc/PID/stat has hundredths of a second only, and /proc/PID/schedstat has
    one thread only.
    """
    return (~pid << 3) | 2


def has_proc() -> bool:
    """Return true if the kernel tells of processes in /proc."""
    return Path("/proc/self/status").exists()


def has_kernel_timers() -> bool:
    """Return true if the kernel wakes a loop to the microsecond (timerfd)."""
    import ctypes  # late: every process imports this module, and few ask

    return hasattr(ctypes.PyDLL(None), "timerfd_create")


def missing() -> str | None:
    """Return what this system cannot do for a measurement, in one line; None if nothing is missing."""
    lacking = [
        words
        for words, is_there in (
            ("pin processes to cores", can_pin()),
            ("keep cores awake", can_idle()),
            ("tell a server's CPU time to the nanosecond", has_process_clocks()),
            ("keep a schedule to the microsecond", has_kernel_timers()),
        )
        if not is_there
    ]
    return f"{LACKS}{', '.join(lacking)}: its figures are coarser" if lacking else None
