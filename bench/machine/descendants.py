"""A tree of processes: who belongs to it, the CPU time and the memory that it has used.

The standard library alone is imported here where the system has /proc, because a service's supervisor imports this
module. Other systems need psutil.
"""

import contextlib
import os
import sys
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """Return `pid` and the processes below it, parents first. Those that end meanwhile may be missing or included."""
    if not _has_lists_of_children():
        return _descendants_by_psutil(pid)
    family = [pid]
    for member in family:
        try:
            threads = os.listdir(f"/proc/{member}/task")  # noqa: PTH208 - a tenth of the time
        except OSError:  # it has ended
            continue
        for thread in threads:
            with contextlib.suppress(OSError), open(f"/proc/{member}/task/{thread}/children", "rb") as listed:  # noqa: PTH123
                family += map(int, listed.read().split())
    return family


def reaped_cpu_ns(pid: int) -> int:
    """Return the CPU time of the children that a process has reaped, and of theirs, in nanoseconds.

    The kernel tells it in hundredths of a second. It is 0 if the process has ended, or if the system does not tell.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return 0
    fields = stat.rpartition(")")[2].split()  # from the third on: the second is a name, and may hold anything
    return sum(map(int, fields[13:15])) * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def memory_bytes(pid: int) -> tuple[int, int]:
    """Return the memory of a process now, and at most so far. Both are 0 if it has ended, or if that is not known."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return _memory_by_psutil(pid)
    kib = {line.split()[0]: int(line.split()[1]) for line in status.splitlines() if line.startswith(("VmRSS", "VmHWM"))}
    now = kib.get("VmRSS:", 0) * 1024
    return now, max(now, kib.get("VmHWM:", 0) * 1024)


def _has_lists_of_children() -> bool:
    return sys.platform == "linux" and Path("/proc/thread-self/children").exists()


def _descendants_by_psutil(pid: int) -> list[int]:
    import psutil  # late: it is missing where the supervisor's interpreter has no packages

    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return [pid]


def _memory_by_psutil(pid: int) -> tuple[int, int]:
    if sys.platform == "linux":
        return 0, 0
    import psutil

    try:
        now = psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0, 0
    return now, now
