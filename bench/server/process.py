"""A uvicorn server in a process of its own, as seen by its owner.

This module is synchronous, without a thread and without asyncio: its owner may run an event loop, or none, or be
patched by gevent. All waits are on a socket or on `subprocess`, looked up when called, so that gevent's versions of
them are cooperative. The two processes share a socket pair. The server writes a single `Report` when it is up or has
failed. It ends when it reads the end of the stream, so it never outlives its owner. Its output goes to a file, not to a
pipe that would have to be drained.
"""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, Unpack

from bench.machine.child import Child, process_cpu_ns
from bench.machine.cores import server_core
from bench.machine.system import has_proc
from bench.server.address import reachable
from bench.server.error import ServerError, UnservableError
from bench.server.interface import ServerUsage
from bench.server.options import ServerKeywords, ServerOptions, with_keywords
from bench.server.owner import LoggedServer

LAUNCHER = Path(__file__).with_name("__main__.py")
#: The time to stop in order, in seconds: longer than UvicornTestServer.tear_down can take.
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class ServerCommand:
    """The app, the address and the options with which a server process was started."""

    app: str
    host: str
    port: int
    options: ServerOptions


@dataclass(frozen=True)
class Report:
    """The report of a server process to its owner: the port that it serves, or why it does not. It is sent once.

    `is_unservable` says that the error is an UnservableError. `app_file` is the file that the app's module was imported
    from. `files` are those of the modules that came with it, but for those that are installed in the interpreter's own
    folders.
    """

    port: int = 0
    error: str = ""
    is_unservable: bool = False
    app_file: str = ""
    files: list[str] = dataclasses.field(default_factory=list)

    def encoded(self) -> bytes:
        """Return the report as a line of JSON."""
        return json.dumps(dataclasses.asdict(self)).encode() + b"\n"

    @classmethod
    def decoded(cls, line: bytes) -> Self:
        """Return the inverse of `encoded`."""
        return cls(**json.loads(line))


class ServerProcess(LoggedServer):
    """A server of `app` ("module:attribute") under uvicorn in a process of its own: `start`, `stop`, `with`.

    `options` has its loop, protocols, core and environment; a keyword replaces its field in them. `port` 0 takes any
    free port. `directory` (default: the current folder) becomes its working directory and comes first when it imports.
    `python` is the interpreter that runs it, by default that of this process. Another interpreter needs uvicorn and
    the packages that the options name. Its output goes to `log_file`, by default to an unnamed file. `hide` replaces
    what is secret in what is shown of it. It can be started again after it was stopped.
    """

    def __init__(
        self,
        app: str = "app.main:app",
        options: ServerOptions | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        directory: Path | None = None,
        python: Path | None = None,
        log_level: str = "warning",
        start_timeout_s: float = 30.0,
        log_file: Path | None = None,
        hide: Callable[[str], str] = str,
        **keywords: Unpack[ServerKeywords],
    ) -> None:
        super().__init__(log_file, hide)
        options = with_keywords(options, keywords)
        self.core = server_core() if options.core == "auto" else options.core
        self._asked = ServerCommand(app, host, port, dataclasses.replace(options, core=self.core))
        self._directory = directory
        self._python = python or Path(sys.executable)
        self._log_level = log_level
        self._start_timeout_s = start_timeout_s
        self._child: Child | None = None
        self._is_asked_to_stop = False
        self._channel: socket.socket | None = None
        self._report = Report()

    @property
    def command(self) -> ServerCommand:
        """The command that started it, with its real port once it was started."""
        return dataclasses.replace(self._asked, port=self._report.port or self._asked.port)

    @property
    def port(self) -> int:
        """The port that it listens on. Raises ServerError before it was started."""
        if not self._report.port:
            raise ServerError(f"the server of {self._asked.app} has no port yet: start it first")
        return self._report.port

    @property
    def url(self) -> str:
        """The URL for clients on this machine. Raises ServerError before it was started."""
        return f"http://{reachable(self._asked.host)}:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id, kept after it ended. Raises ServerError before it was started."""
        if self._child is None:
            raise ServerError(f"the server of {self._asked.app} has no process yet: start it first")
        return self._child.pid

    @property
    def app_file(self) -> str:
        """The file that the app's module was imported from; empty before it was started, or if it has none."""
        return self._report.app_file

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the modules that came with the app, but for those installed in the interpreter's own folders."""
        return tuple(self._report.files)

    @property
    def is_running(self) -> bool:
        """True while its process lives."""
        return self._child is not None and self._child.is_running

    @property
    def exit_status(self) -> int | None:
        """The exit code of its process, negative for a signal; None while it lives, and before it was started."""
        return None if self._child is None or self._child.is_running else self._child.return_code

    @property
    def is_uvicorn(self) -> bool:
        """True: the options of uvicorn are true of it."""
        return True

    def start(self) -> Self:
        """Start it; return when the app's start-up is complete and the port is open.

        Raises ServerError, with the server's log as its `detail`, if that fails or takes longer than `start_timeout_s`,
        or if it runs already. Raises UnservableError if there is no such app, or if it is no ASGI app. After any error,
        no process is left behind.
        """
        if not self._is_awaited:
            self.launch()
        with self._stopped_on_failure():
            report = self._await_report()
            if report.error:
                raise (UnservableError if report.is_unservable else ServerError)(report.error)
        self._report = report
        return self

    def launch(self) -> Self:
        """Do the first half of `start`, which then only waits, so that several servers can come up at the same time.

        Raises ServerError as `start` does.
        """
        if self.is_running:
            where = f", at {self.url}" if self._report.port else ""
            raise ServerError(f"the server of {self._asked.app} runs already{where}: stop it first")
        self.stop()
        self._child, self._log, self._report = None, "", Report()
        self._is_asked_to_stop = False
        with self._stopped_on_failure():
            self._launch()
        self._is_awaited = True
        return self

    def stop(self) -> None:
        """End it, in order if that takes at most 10 s, else by force, and reap it; do nothing if it is not there."""
        self.ask_to_stop()
        self._is_awaited = False
        if self._child is not None:
            self._await_end(self._child)
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self._close_log()

    def ask_to_stop(self) -> None:
        """Do the first half of `stop`, which then only waits, so that several servers can go down at the same time."""
        if self._child is not None and not self._is_asked_to_stop:
            self._child.signal(signal.SIGTERM)
            self._is_asked_to_stop = True

    def kill(self) -> None:
        """End it by force; do nothing if it is not there. `stop` is still to be called."""
        if self._child is not None:
            self._child.kill_and_reap()

    def check(self) -> None:
        """Raise ServerError if it does not run, with its exit code and the end of its log."""
        if self.is_running:
            return
        if self._child is None:
            raise ServerError(f"the server of {self._asked.app} is not running: start it first")
        raise self._exit_error(self._child)

    def pin(self, core: int) -> None:
        """Move it, with all the threads that it has by now, to that core. Raises ServerError if that is impossible."""
        self.check()
        try:
            for thread in Path(f"/proc/{self.pid}/task").iterdir():
                with contextlib.suppress(ProcessLookupError):  # it has just ended
                    os.sched_setaffinity(int(thread.name), {core})
        except (OSError, ValueError, OverflowError, AttributeError) as cause:
            self.check()
            raise ServerError(f"process {self.pid} cannot be pinned to core {core}: {cause}") from cause
        self.core = core
        self._asked = dataclasses.replace(self._asked, options=dataclasses.replace(self._asked.options, core=core))

    def usage(self) -> ServerUsage:
        """Return its use since its start. Raises ServerError if it does not run."""
        import psutil  # late: the launcher imports this file, too, in environments that may not have it

        self.check()
        try:
            return _usage(self.pid)
        except (OSError, psutil.Error) as cause:
            self.check()
            raise ServerError(f"cannot read what process {self.pid} uses: {cause}") from cause

    def cpu_ns(self) -> int:
        """Return the CPU time that it has used since its start, in nanoseconds: as `usage`, at a fraction of the cost.

        Raises ServerError if it does not run.
        """
        try:
            return process_cpu_ns(self.pid)
        except OSError as cause:
            self.check()
            raise ServerError(f"cannot read what process {self.pid} uses: {cause}") from cause

    def _launch(self) -> None:
        directory = self._directory or Path.cwd()
        if not directory.is_dir():
            raise ServerError(f"directory {str(directory)!r} does not exist: give the one that holds the app")
        log = self._open_log()
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._child = Child(
                self._command_line(theirs.fileno()),
                log=log,
                directory=directory,
                environment=self._asked.options.environment,
                pass_descriptors=[theirs.fileno()],
            )

    def _command_line(self, channel: int) -> list[str]:
        # By path, and with -P: so this launcher runs, and not another in the server's directory, or an installed
        # launcher.
        line = [str(self._python), "-P", "-u", str(LAUNCHER), "--channel", str(channel), "--log-level", self._log_level]
        asked = self._asked
        line += ["--app", asked.app, "--host", asked.host, "--port", str(asked.port)]
        return [*line, "--options", asked.options.encoded()]

    def _await_report(self) -> Report:
        """Wait for the server's report. Raises ServerError if it ends, or the time does, without a report."""
        assert self._channel is not None
        assert self._child is not None
        deadline = time.monotonic() + self._start_timeout_s
        line = b""
        while not line.endswith(b"\n"):
            self._channel.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                received = self._channel.recv(65536)
            except TimeoutError:
                self._child.kill_and_reap()
                reason = f"its start-up did not end within {self._start_timeout_s:g} s"
                raise ServerError(f"{self._asked.app} did not start: {reason}") from None
            if not received:
                self._await_end(self._child)
                raise self._exit_error(self._child)
            line += received
        return Report.decoded(line)

    def _exit_error(self, child: Child) -> ServerError:
        last = self.wrote_last or "nothing"
        text = f"the server of {self._asked.app} ended with exit code {child.exit_code}; it wrote last: {last}"
        return ServerError(text, self.log)

    @staticmethod
    def _await_end(child: Child) -> None:
        """Give a process that is about to end its time, then end it by force."""
        try:
            child.wait(STOP_TIMEOUT_S)
        finally:
            child.kill_and_reap()


def _usage(pid: int) -> ServerUsage:
    import psutil

    process = psutil.Process(pid)
    rss_bytes = process.memory_info().rss
    # A process that has ended and was not reaped yet has no memory, and no line for it. Other systems tell no peak.
    status = Path(f"/proc/{pid}/status").read_text() if has_proc() else ""
    peak_kib = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
    return ServerUsage(process_cpu_ns(pid), rss_bytes, max(rss_bytes, peak_kib * 1024))
