"""A child process: in a session of its own, with a log, a CPU clock, and an end.

Rules of this file: whatever a child has started in its session ends with it. A child is reaped as soon as its end is
known, and its session is killed then: later, another process could have its number. Nothing here waits without an end.
No thread and no event loop: `subprocess` is looked up when it is called, so that gevent's version is cooperative.
"""

import contextlib
import errno
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, BinaryIO

from bench.machine.cores import pinned_to
from bench.machine.system import has_process_clocks, process_clock
from bench.printable import one_line

#: The end of a log that is read, in bytes.
LOG_LIMIT_BYTES = 1 << 20
#: The lines of a log that an error shows.
_LAST_LINES = 3
_SHOWN_CHARACTERS = 500


class Child:
    """A process that this one has started, from its start on.

    Its standard output and error go to `log`, an open file, or nowhere. It runs in `directory` (default: the current
    one) with `environment` added to this process's, on these `cores` only (empty: where this process may run). A Ctrl-C
    in the terminal does not reach it: that is for the owner, who then decides. Raises OSError where it does not start.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        log: BinaryIO | None = None,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        cores: Sequence[int] = (),
        pass_descriptors: Sequence[int] = (),
        with_pipes: bool = False,
    ) -> None:
        output = subprocess.DEVNULL if log is None else log
        self._log = log
        self._is_gone = False
        with pinned_to(tuple(cores)):  # it inherits them
            self._process = subprocess.Popen(
                arguments,
                cwd=directory,
                env=os.environ | dict(environment or {}),
                stdin=subprocess.PIPE if with_pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if with_pipes else output,
                stderr=output,
                pass_fds=pass_descriptors,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its number, kept after it ended."""
        return self._process.pid

    @property
    def pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        """Its standard input and output, of a child with pipes."""
        assert self._process.stdin is not None, "with pipes"
        assert self._process.stdout is not None, "with pipes"
        return self._process.stdin, self._process.stdout

    @property
    def is_running(self) -> bool:
        """Whether it lives. If it does not, it is reaped, and nothing is left of its session."""
        if not self._is_gone and self._process.poll() is not None:
            self.kill_and_reap()
        return not self._is_gone

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.is_running:
            self._process.send_signal(number)

    def wait(self, timeout_s: float) -> bool:
        """Wait until it ends, and return whether it did within that time, in seconds."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return not self.is_running

    def kill_and_reap(self) -> None:
        """End by force what is left of it and of what it has started, and reap it. Does nothing if that was done."""
        if self._is_gone:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._is_gone = True

    def close_pipes(self) -> None:
        """Close its standard input and output, which a child with pipes takes for a request to end."""
        for pipe in self.pipes:
            pipe.close()

    @property
    def exit_code(self) -> str:
        """The exit code of a child that has ended, with the signal's name if a signal ended it."""
        code = self._process.returncode
        if code is None or code >= 0:
            return str(code)
        try:
            return f"{code} ({signal.Signals(-code).name})"
        except ValueError:
            return str(code)

    @property
    def log(self) -> str:
        """The end of what it wrote to its log: at most the last MiB."""
        return "" if self._log is None else tail(self._log)


def process_cpu_ns(pid: int) -> int:
    """Return the CPU time that a process has used, of all its threads, in nanoseconds. Raises OSError.

    The kernel brings the clock of another process up to date when that process goes to sleep, and with each tick of the
    timer while it runs.
    """
    if has_process_clocks():
        return time.clock_gettime_ns(process_clock(pid))
    import psutil  # late: a server's launcher imports this module, in environments that may not have it

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error as error:
        raise ProcessLookupError(errno.ESRCH, str(error)) from error
    return round((times.user + times.system) * 1e9)


def last_lines(log: str) -> str:
    """Return the end of a log in one line, such as the end of a traceback; empty if nothing was written."""
    lines = [line for line in log.strip().splitlines()[-_LAST_LINES:] if line.strip()]
    return one_line(" | ".join(lines), _SHOWN_CHARACTERS)


def tail(log: BinaryIO) -> str:
    """Return the end of an open log.

    By offset: the child writes through the same open file, whose position must not move.
    """
    size = os.fstat(log.fileno()).st_size
    return os.pread(log.fileno(), LOG_LIMIT_BYTES, max(0, size - LOG_LIMIT_BYTES)).decode(errors="replace")
