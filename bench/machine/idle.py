"""Cores that do not halt between messages.

A core with nothing to do halts. On a virtual machine, waking it takes tens of microseconds that belong neither to the
service nor to the client. So a process spins on each core under SCHED_IDLE: it yields to anything else that wants the
core, and needs no privilege.

Rules of this file: a spinner is a process of its own. So its CPU time is nobody else's, and counts as "nice" in the
kernel's sums. It never outlives the process that started it, however that ends, because it asks for its parent's number
again and again. A death signal (PR_SET_PDEATHSIG) would not do: the kernel sends it when the *thread* that started the
process ends.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.machine.cgroups import cpu_quota
from bench.machine.child import Child
from bench.machine.system import can_idle

# The owner pins it and makes it idle from outside, so that there is no moment at which it would have to report. It asks
# for its parent about every 0.2 ms of spinning: asking each time round would spend most of its time in the kernel.
_SPIN = """
import os, sys
owner = int(sys.argv[1])
while os.getppid() == owner:
    for _ in range(10_000):
        pass
"""
_LOWEST_NICE = 19
_GROUP_ATTEMPTS = 3
#: The time in which the kernel accepts a single change of a group's weight without privilege (autogroup.c).
_GROUP_PAUSE_S = 0.1


class NoIdleError(Exception):
    """An error that tells why the cores cannot be kept awake, in one line."""


class NoIdle:
    """Spinners that keep `cores` from halting: `start`, `stop`, `with`. Without cores there are none.

    If something else wants a core, the spinner takes next to nothing of it (docs/measurements.md). But the cores never
    rest: the machine gets warm, and the load average rises by 1 per core. If two cores share their units (SMT), each
    spinner slows the other core down. It can be started again after it was stopped.
    """

    def __init__(self, cores: Iterable[int]) -> None:
        self.cores = tuple(sorted(set(cores)))
        self._spinners: list[Child] = []

    @property
    def is_running(self) -> bool:
        """Return true if all its cores are kept awake; false before `start`, and if a spinner was killed."""
        return len(self._spinners) == len(self.cores) and all(spinner.is_running for spinner in self._spinners)

    def start(self) -> Self:
        """Start to keep them awake; do nothing if they are.

        Raises NoIdleError with the reason if that is impossible (see `idle_reason`); then no process is left behind.
        """
        if self._spinners and self.is_running:
            return self
        self.stop()
        if reason := idle_reason(self.cores):
            raise NoIdleError(f"cannot keep cores awake: {reason}")
        try:
            for core in self.cores:
                self._spin(core)
        except OSError as cause:
            self.stop()
            raise NoIdleError(f"cannot keep cores {_listed(self.cores)} awake: {cause}") from cause
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Let them halt again, and return when the spinners are gone; do nothing if there are none."""
        for spinner in self._spinners:
            if not spinner.is_running:  # reaped: its number may be another's by now
                continue
            # To die, it must run, and on a busy core something idle waits long for that.
            with contextlib.suppress(OSError):
                os.sched_setaffinity(spinner.pid, range(os.cpu_count() or 1))
            with contextlib.suppress(OSError):  # without privilege the kernel lets nothing be less idle again
                os.sched_setscheduler(spinner.pid, os.SCHED_OTHER, os.sched_param(0))
        for spinner in self._spinners:
            spinner.kill_and_reap()
        self._spinners.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _spin(self, core: int) -> None:
        """Start the spinner of a core. Raises OSError, perhaps after the spinner has started."""
        spinner = Child([sys.executable, "-I", "-S", "-c", _SPIN, str(os.getpid())])
        self._spinners.append(spinner)
        with contextlib.suppress(ProcessLookupError):  # killed already; is_running tells
            os.sched_setaffinity(spinner.pid, {core})
            os.sched_setscheduler(spinner.pid, os.SCHED_IDLE, os.sched_param(0))
            os.setpriority(os.PRIO_PROCESS, spinner.pid, _LOWEST_NICE)
            _make_group_light(spinner.pid)


@contextlib.contextmanager
def kept_awake(cores: Sequence[int], tell: Callable[[str], None]) -> Iterator[tuple[int, ...]]:
    """Keep the cores awake, and yield them. Where that cannot be, `tell` hears why, and it yields none.

    Raises NoIdleError if it could be, and fails.
    """
    if reason := idle_reason(cores):
        tell(f"cores are not kept awake: {reason}")
        yield ()
        return
    with NoIdle(cores):
        yield tuple(cores)


def idle_reason(cores: Iterable[int], *, root: Path = Path("/")) -> str | None:
    """Return why these cores cannot be kept awake here, in a few words; None if they can.

    Ask before this process is pinned: a core that it may not use counts as forbidden. `root` is the folder with /proc
    and /sys.
    """
    cores = tuple(cores)
    if not cores:
        return None
    if not can_idle():
        return f"{sys.platform} has no SCHED_IDLE"
    allowed = os.sched_getaffinity(0)
    if forbidden := sorted(set(cores) - allowed):
        return f"this process may not use core {_listed(forbidden)} (only {_listed(sorted(allowed))})"
    quota = cpu_quota(root)
    # A quota of as many cores as there are is never used up. Any other is shared by the spinners and the service.
    if quota is not None and quota < (os.cpu_count() or 1):
        return f"spinning would use up the CPU quota of {quota:g} cores that this control group has"
    return None


def _make_group_light(pid: int) -> None:
    """Give the spinner's session the lowest weight that a session can have, 15 of 1024.

    Under autogroups (sched(7)), SCHED_IDLE counts within a session only, and sessions share a core evenly. The server
    has a session of its own. Beside it, a spinner in its owner's session takes nearly half of a core.
    """
    for _ in range(_GROUP_ATTEMPTS):
        try:
            Path(f"/proc/{pid}/autogroup").write_text(str(_LOWEST_NICE))
        except BlockingIOError:
            time.sleep(_GROUP_PAUSE_S)
        except OSError:  # there are no such groups here, or it has ended
            return
        else:
            return


def _listed(cores: Iterable[int]) -> str:
    return ", ".join(map(str, cores))
