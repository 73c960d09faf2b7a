"""A generator's processes: started on their cores, asked for their use of CPU and memory, and stopped.

They are gone afterwards, whatever happens. The same code serves every peer. A generator is everything that was started
in its session: the CPU time and the memory of all its processes and threads count.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from bench.machine.child import Child, last_lines, process_cpu_ns
from bench.validation.peers.peer import Command, LeftOut

_STOP_TIMEOUT_S = 60.0


class Generator:
    """A running command of a peer on the given cores (empty: anywhere); its output goes to `log`. Use it in `with`."""

    def __init__(self, command: Command, cores: Sequence[int], log: Path) -> None:
        self._command = command
        self._cores = cores
        self._log = log
        self._child: Child | None = None

    @property
    def output(self) -> str:
        """The text that it has printed so far."""
        return self._log.read_text(errors="replace")

    def check(self) -> None:
        """Raise LeftOut, with the last lines of its output, if it does not run any more."""
        if not self._running.is_running:
            last = last_lines(self.output) or "nothing"
            raise LeftOut(f"it ended with exit code {self._running.exit_code}; it wrote last: {last}")

    def cpu_ns(self) -> dict[int, int]:
        """Return the CPU time in ns that each of its processes has used so far, by process id."""
        used = {}
        for process in self._processes():
            with contextlib.suppress(OSError):
                used[process.pid] = process_cpu_ns(process.pid)
        return used

    def memory_bytes(self) -> int:
        """Return the memory of all its processes. Shared memory counts once (PSS), or not at all without PSS."""
        total = 0
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                memory = process.memory_full_info()
                total += getattr(memory, "pss", memory.uss)
        return total

    def stop(self, timeout_s: float = _STOP_TIMEOUT_S) -> None:
        """Tell it to stop, and wait until it has reported and ended. Raises LeftOut if it does not end in that time."""
        stop = self._command.stop
        if isinstance(stop, Path):
            stop.touch()
        else:
            self._running.signal(stop)
        if not self._running.wait(timeout_s):
            raise LeftOut(f"it did not stop within {timeout_s:g} s")

    def __enter__(self) -> Self:
        try:
            with self._log.open("wb") as log:
                self._child = Child(
                    self._command.arguments,
                    log=log,
                    directory=self._command.directory,
                    environment=self._command.environment,
                    cores=self._cores,
                )
        except OSError as error:
            raise LeftOut(f"it does not start: {error}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.kill_and_reap()

    @property
    def _running(self) -> Child:
        assert self._child is not None, "started"
        return self._child

    def _processes(self) -> list[psutil.Process]:
        try:
            first = psutil.Process(self._running.pid)
            return [first, *first.children(recursive=True)]
        except psutil.Error:
            return []


class Program(Generator):
    """A generator that ends by itself."""

    def wait(self, limit_s: float) -> int:
        """Return its exit code, once it has ended. Raises LeftOut if it does not end in time."""
        if not self._running.wait(limit_s):
            raise LeftOut(f"it did not end within {limit_s:g} s")
        return self._running.return_code
