"""A generator's processes: started on their cores, asked what they use, told to stop, and gone afterwards.

All of it, for every peer alike. A generator is whatever was started in its session: what counts is the CPU time and
the memory of all its processes and threads.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from bench.machine.cores import kept_to
from bench.machine.system import has_process_clocks, process_clock
from bench.server.error import shortened
from bench.validation.peers.peer import Command, LeftOut

_STOP_TIMEOUT_S = 60.0
_LAST_LINES = 3


class Generator:
    """Runs a peer's command on the given cores (empty: anywhere); what it prints goes to `log`: `with`."""

    def __init__(self, command: Command, cores: Sequence[int], log: Path) -> None:
        self._command = command
        self._cores = cores
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace")

    def check(self) -> None:
        """Raises LeftOut, with what it wrote last, where it does not run any more."""
        code = self._running.poll()
        if code is not None:
            last = " | ".join(line for line in self.output.strip().splitlines()[-_LAST_LINES:] if line.strip())
            raise LeftOut(f"it ended with exit code {code}; it wrote last: {shortened(last) or 'nothing'}")

    def cpu_ns(self) -> dict[int, int]:
        """The CPU time that each of its processes has used so far, by process id."""
        used = {}
        for process in self._processes():
            with contextlib.suppress(OSError, psutil.Error):
                used[process.pid] = _cpu_ns(process)
        return used

    def memory_bytes(self) -> int:
        """The memory of all its processes. What several share counts once (PSS), or not at all if that is not told."""
        total = 0
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                memory = process.memory_full_info()
                total += getattr(memory, "pss", memory.uss)
        return total

    def stop(self) -> None:
        """Tell it to stop, and wait until it has reported and ended. Raises LeftOut where it does not."""
        process, stop = self._running, self._command.stop
        if isinstance(stop, Path):
            stop.touch()
        else:
            process.send_signal(stop)
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise LeftOut(f"it did not stop within {_STOP_TIMEOUT_S:g} s") from None

    def __enter__(self) -> Self:
        try:
            with self._log.open("wb") as log, kept_to(tuple(self._cores)):  # it inherits them
                self._process = subprocess.Popen(
                    self._command.arguments,
                    cwd=self._command.directory,
                    env=os.environ | dict(self._command.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # a Ctrl-C in the terminal is for the owner
                )
        except OSError as error:
            raise LeftOut(f"it does not start: {error}") from None
        except BaseException:  # an interrupt
            self._bury()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bury()

    def _bury(self) -> None:
        """End by force whatever is left of it, and reap it."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "started"
        return self._process

    def _processes(self) -> list[psutil.Process]:
        try:
            first = psutil.Process(self._running.pid)
            return [first, *first.children(recursive=True)]
        except psutil.Error:
            return []


def _cpu_ns(process: psutil.Process) -> int:
    """Return the CPU time of all threads of a process; raise OSError or psutil.Error."""
    if has_process_clocks():
        return time.clock_gettime_ns(process_clock(process.pid))
    times = process.cpu_times()
    return round((times.user + times.system) * 1e9)
