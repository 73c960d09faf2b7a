"""A child process: in a session of its own, with a log, a CPU clock, and an end.

Rules of this file: all that a child has started in its session ends with it. `Child` reaps its process, and kills the
session, as soon as the end is known: later, another process could have its number. Nothing here waits without an end.
There is no thread and no event loop. `subprocess` is looked up when it is called, so that gevent's version is
cooperative.
"""

import contextlib
import errno
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, BinaryIO

from bench.machine.cores import pinned_to
from bench.machine.system import has_process_clocks, process_clock
from bench.printable import one_line

#: The size of a log's end that is read, in bytes.
LOG_LIMIT_BYTES = 1 << 20
#: The lines of a log that an error shows.
_LAST_LINES = 3
#: The lines at the end of a log in which an error is looked for.
_SEARCHED_LINES = 60
#: The lines above a stack of Node in which the name of its error is looked for.
_HEAD_LINES = 12
#: The name that an error of Node's stack begins with: `TypeError: …`, `Error [ERR_MODULE_NOT_FOUND]: …`.
_ERROR_NAME = re.compile(r"\s*(Uncaught )?[\w.$]*(Error|Exception)( \[\w+\])?: ")
#: The beginning of each line of an error of npm.
_OF_NPM = re.compile(r"npm (error|ERR!)")
#: The line above frames that are of no error: they say where Node emitted the error whose stack is above.
_NO_ERROR = re.compile(r"Emitted '.*' event")
_SHOWN_CHARACTERS = 500


class Child:
    """A process that this process has started, from its start on.

    Its standard output and error go to `log`, an open file, or nowhere. It runs in `directory` (default: the current
    folder) with `environment` added to this process's, on these `cores` only (empty: all that this process may use). A
    Ctrl-C in the terminal does not reach it: its owner decides when it ends. Raises OSError if it does not start.
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
        """Return its process id, also after it ended."""
        return self._process.pid

    @property
    def pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        """Return the standard input and output of a child with pipes."""
        assert self._process.stdin is not None, "with pipes"
        assert self._process.stdout is not None, "with pipes"
        return self._process.stdin, self._process.stdout

    @property
    def is_running(self) -> bool:
        """Return true if it lives. If it does not, reap it, and leave nothing of its session."""
        if not self._is_gone and self._process.poll() is not None:
            self.kill_and_reap()
        return not self._is_gone

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.is_running:
            self._process.send_signal(number)

    def wait(self, timeout_s: float) -> bool:
        """Wait until it ends; return true if it ended within that time, in seconds."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return not self.is_running

    def kill_and_reap(self) -> None:
        """Kill it and all that it has started, and reap it. Do nothing if it is reaped already."""
        if self._is_gone:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._is_gone = True

    def close_pipes(self) -> None:
        """Close its standard input and output, which asks a child with pipes to end."""
        for pipe in self.pipes:
            pipe.close()

    @property
    def return_code(self) -> int:
        """The exit code of a child that has ended; negative if a signal ended it."""
        code = self._process.returncode
        assert code is not None, "it has ended"
        return code

    @property
    def exit_code(self) -> str:
        """The exit code of a child that has ended, as text, with the signal's name if a signal ended it."""
        return exit_text(self.return_code)

    @property
    def log(self) -> str:
        """Return the end of its log: at most the last MiB."""
        return "" if self._log is None else tail(self._log)


def exit_text(code: int) -> str:
    """Return an exit code as text, with the signal's name if a signal ended the process: the code is negative then."""
    if code >= 0:
        return str(code)
    try:
        return f"{code} ({signal.Signals(-code).name})"
    except ValueError:
        return str(code)


def process_cpu_ns(pid: int) -> int:
    """Return the CPU time that a process has used, of all its threads, in nanoseconds. Raises OSError if it has ended.

    The kernel brings the clock of another process up to date when that process goes to sleep. While it runs, each
    tick of the timer does that.
    """
    if has_process_clocks():
        return time.clock_gettime_ns(process_clock(pid))
    import psutil  # late: a server's launcher imports this module, in environments that may not have it

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error as error:
        raise ProcessLookupError(errno.ESRCH, str(error)) from error
    return round((times.user + times.system) * 1e9)


def opened_log(path: Path | None) -> BinaryIO:
    """Open the log of a process that is about to start: that file, emptied, or an unnamed file. Raises OSError."""
    return tempfile.TemporaryFile() if path is None else path.open("w+b")


def changed_at_ns(log: BinaryIO | None) -> int:
    """Return when something was last written to an open log, in nanoseconds of Unix time; 0 without a log."""
    return 0 if log is None else os.fstat(log.fileno()).st_mtime_ns


def last_lines(log: str) -> str:
    """Return the end of a log in one line; empty if nothing was written.

    A traceback of Python, or an error of Node with its stack, may be further up in the log, because a server may go on
    writing after it. Then the end of that is returned instead. npm ends with advice and the name of a file: the
    beginning of its error is returned.
    """
    lines = [line for line in log.strip().splitlines()[-_SEARCHED_LINES:] if line.strip()]
    found = _last_traceback(lines) or _last_stack(lines) or _first_of_npm(lines) or lines[-_LAST_LINES:]
    return one_line(" | ".join(line.strip() for line in found), _SHOWN_CHARACTERS)


def _last_traceback(lines: Sequence[str]) -> Sequence[str]:
    """Return the end of the last traceback of Python, unless it is among the last lines, or there is none."""
    begins = [number for number, line in enumerate(lines) if line.lstrip().startswith("Traceback (most recent call")]
    if not begins:
        return ()
    begin = begins[-1]
    for end in range(begin + 1, len(lines)):
        if _indent(lines[end]) <= _indent(lines[begin]):
            is_shown = end + _LAST_LINES >= len(lines)
            return () if is_shown else lines[max(begin, end + 1 - _LAST_LINES) : end + 1]
    return ()


def _last_stack(lines: Sequence[str]) -> Sequence[str]:
    """Return the last error of Node in these lines with the place where it was thrown; empty if there is none."""
    for number in range(len(lines) - 1, 0, -1):
        if _is_frame(lines[number]) and not _is_frame(lines[number - 1]):
            head = _stack_head(lines[:number])
            if not _NO_ERROR.match(head):
                return [head, _place(lines[number:])]
    return ()


def _first_of_npm(lines: Sequence[str]) -> Sequence[str]:
    """Return the first lines of the error with which npm ended; empty if the log does not end with such an error."""
    begin = len(lines)
    while begin and _OF_NPM.match(lines[begin - 1]):
        begin -= 1
    said = [line for line in lines[begin:] if _OF_NPM.sub("", line).strip()]
    return said[:_LAST_LINES]


def _stack_head(above: Sequence[str]) -> str:
    """Return the line that names the error of a stack, from the lines above its frames.

    A text of several lines may follow the name, such as that of a module which was not found. It ends with the frames.
    """
    for line in reversed(above[-_HEAD_LINES:]):
        if _is_frame(line):
            break
        if _ERROR_NAME.match(line):
            return line
    return above[-1]


def _place(frames: Sequence[str]) -> str:
    """Return the first frame of a stack that is not within Node itself; the first frame if all are."""
    for frame in frames:
        if not _is_frame(frame):
            break
        if "(node:" not in frame and "at node:" not in frame:
            return frame
    return frames[0]


def _is_frame(line: str) -> bool:
    return line.startswith((" ", "\t")) and line.lstrip().startswith("at ")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def tail(log: BinaryIO) -> str:
    """Return the end of an open log.

    By offset: the child writes through the same open file, whose position must not move.
    """
    size = os.fstat(log.fileno()).st_size
    return os.pread(log.fileno(), LOG_LIMIT_BYTES, max(0, size - LOG_LIMIT_BYTES)).decode(errors="replace")
