"""A server that any command starts, as seen by its owner.

As in process.py there is no thread and no asyncio here, and gevent's versions of all waits are cooperative. The figures
are those of the whole tree of processes below the supervisor, without the supervisor itself. CPU time includes that of
processes that have ended: the kernel tells it in hundredths of a second once their parents have reaped them.
"""

import contextlib
import http.client
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self, Unpack
from urllib.parse import urlsplit

from bench.machine.child import process_cpu_ns
from bench.machine.cores import server_core
from bench.machine.descendants import descendants, memory_bytes, reaped_cpu_ns
from bench.printable import one_line
from bench.server.address import free_port, reachable
from bench.server.command import HOST, PORT_VARIABLE, ServeCommand, no_start
from bench.server.error import ServerError, UnservableError
from bench.server.interface import ServerUsage
from bench.server.options import ServerKeywords, ServerOptions, with_keywords
from bench.server.owner import LoggedServer
from bench.server.supervised import End, SupervisedCommand

#: The addresses at which a service may listen that was asked to listen on this machine.
_HOSTS = (HOST, "::1")

#: The shortest and the longest time between two looks at the port, in seconds.
_LOOK_AFTER_S, _LOOK_EVERY_S = 0.005, 0.1

#: The longest command of another process that an error shows, in characters.
_SHOWN_CHARACTERS = 80

#: The time that an attempt to reach the service may take, in seconds.
_ATTEMPT_S = 2.0

#: The exit codes of a shell that did not find a program, or may not run it.
_NO_COMMAND = (126, 127)

_PORT_IS_BUSY = re.compile(r"EADDRINUSE|[Aa]ddress (?:is )?already in use")


class CommandProcess(LoggedServer):
    """A server that a command starts, in processes of its own: `start`, `stop`, `with`.

    Of the `options`, the core and the environment apply; a keyword replaces its field in them. The command finds its
    port in its arguments, and in the variable PORT. Its output goes to `log_file`, by default to an unnamed file.
    `hide` takes secrets out of that, by default as out of the command. It can be started again after it was stopped, on
    another port.
    """

    def __init__(
        self,
        serve: ServeCommand,
        options: ServerOptions | None = None,
        *,
        log_file: Path | None = None,
        hide: Callable[[str], str] | None = None,
        **keywords: Unpack[ServerKeywords],
    ) -> None:
        super().__init__(log_file, hide or serve.hide)
        options = with_keywords(options, keywords)
        self.core = server_core() if options.core == "auto" else options.core
        self._serve = serve
        self._environment = options.environment
        self._running: SupervisedCommand | None = None
        self._port = 0
        self._url = ""
        self._cpu_ns = self._rss_peak_bytes = 0

    @property
    def command(self) -> ServeCommand:
        """The command that it runs."""
        return self._serve

    @property
    def port(self) -> int:
        """The port that it is asked to listen on. Raises ServerError before it was started."""
        if not self._port:
            raise ServerError(f"the service of {self._serve.named} has no port yet: start it first")
        return self._port

    @property
    def url(self) -> str:
        """The URL for clients on this machine. Raises ServerError before it was started."""
        if not self._url:
            raise ServerError(f"the service of {self._serve.named} has no URL yet: start it first")
        return self._url

    @property
    def pid(self) -> int:
        """The id of the command's own process, kept after it ended. Raises ServerError before it was started."""
        if self._running is None or self._running.pid is None:
            raise ServerError(f"the service of {self._serve.named} has no process yet: start it first")
        return self._running.pid

    @property
    def family(self) -> tuple[int, ...]:
        """The ids of all processes of the command that live now."""
        return () if self._running is None else self._running.family

    @property
    def listeners(self) -> tuple[int, ...]:
        """The ids of the processes that listen on its port, as far as the system tells: others may only start them."""
        return tuple(pid for pid in self.family if self._port in listening_ports((pid,)))

    @property
    def is_running(self) -> bool:
        """True while the command's own process lives."""
        return self._running is not None and self._running.is_running

    @property
    def exit_status(self) -> int | None:
        """The exit code of the command, negative for a signal; None while it lives, or if nobody knows it."""
        running = self._running
        return None if running is None or running.is_running or running.end is None else running.end.exit_code

    @property
    def is_uvicorn(self) -> bool:
        """False: nothing is known of how the command serves."""
        return False

    def start(self) -> Self:
        """Start it; return when it accepts connections on its port, and its `ready_url` answers if it has any.

        Raises ServerError, with the log as its `detail`, if that fails or takes longer than its time to start.
        Raises UnservableError if there is no such program. After any error, no process is left behind.
        """
        if not self._is_awaited:
            self.launch()
        with self._stopped_on_failure():
            self._await_service()
        return self

    def launch(self) -> Self:
        """Do the first half of `start`, which then only waits, so that several servers can come up at the same time.

        Raises ServerError as `start` does.
        """
        if self.is_running:
            raise ServerError(f"the service of {self._serve.named} runs already, at {self._url}: stop it first")
        self.stop()
        self._running, self._log, self._url = None, "", ""
        self._cpu_ns = self._rss_peak_bytes = 0
        with self._stopped_on_failure():
            self._launch()
        self._is_awaited = True
        return self

    def stop(self) -> None:
        """End all its processes, in order if that takes at most 7 s, else by force; do nothing if there are none."""
        self._is_awaited = False
        if self._running is not None:
            self._running.stop()
        self._close_log()

    def ask_to_stop(self) -> None:
        """Do the first half of `stop`, which then only waits, so that several servers can go down at the same time."""
        if self._running is not None:
            self._running.ask_to_stop()

    def kill(self) -> None:
        """End all its processes by force; do nothing if there are none. `stop` is still to be called."""
        if self._running is not None:
            self._running.kill()

    def check(self) -> None:
        """Raise ServerError if it does not run, with its exit code and the end of its log."""
        if self.is_running:
            return
        if self._running is None:
            raise ServerError(f"the service of {self._serve.named} is not running: start it first")
        raise self._exit_error(self._running)

    def pin(self, core: int) -> None:
        """Move all its processes, with all their threads, to that core. Raises ServerError if that is impossible."""
        self.check()
        moved: set[int] = set()
        try:
            while new := set(self._threads()) - moved:  # a process may have started another meanwhile
                for thread in new:
                    with contextlib.suppress(ProcessLookupError):  # it has just ended
                        os.sched_setaffinity(thread, {core})
                moved |= new
        except (OSError, ValueError, OverflowError, AttributeError) as cause:
            self.check()
            raise ServerError(f"the service of {self._serve.named} cannot be pinned to core {core}: {cause}") from cause
        self.core = core

    def usage(self) -> ServerUsage:
        """Return the use of all its processes since its start. Raises ServerError if it does not run.

        The peak of memory is that of the sums that were read, and at least that of its largest process.
        """
        self.check()
        memory = [memory_bytes(pid) for pid in self.family]
        now_bytes = sum(now for now, _ in memory)
        self._rss_peak_bytes = max(self._rss_peak_bytes, now_bytes, *(peak for _, peak in memory))
        return ServerUsage(self.cpu_ns(), now_bytes, self._rss_peak_bytes)

    def cpu_ns(self) -> int:
        """Return the CPU time of all its processes since its start, in nanoseconds, also of those that have ended.

        Raises ServerError if it does not run.
        """
        if self._running is None:
            raise ServerError(f"the service of {self._serve.named} is not running: start it first")
        family = descendants(self._running.supervisor_pid)
        if len(family) == 1:
            self.check()
        used_ns = sum(map(reaped_cpu_ns, family))
        for pid in family[1:]:
            with contextlib.suppress(OSError):  # it has ended, and will be in its parent's time
                used_ns += process_cpu_ns(pid)
        self._cpu_ns = max(self._cpu_ns, used_ns)  # the time of a process that has just ended is nowhere for a moment
        return self._cpu_ns

    # ------------------------------------------------------------------ start

    def _launch(self) -> None:
        directory = self._serve.directory
        if not directory.is_dir():
            raise ServerError(f"directory {str(directory)!r} does not exist: the service is to be run there")
        self._port = free_port(HOST)
        try:
            self._running = SupervisedCommand(
                self._serve.arguments(self._port),
                log=self._open_log(),
                directory=directory,
                environment={**self._environment, PORT_VARIABLE: str(self._port)},
                core=self.core,
            )
        except OSError as cause:  # no file for its log, or no process
            raise ServerError(f"the service of {self._serve.named} cannot be started: {cause}") from cause

    def _await_service(self) -> None:
        """Wait until the service is ready. Raises ServerError if it ends, or the time does."""
        running = self._running
        assert running is not None, "it was launched"
        give_up_at = time.monotonic() + self._serve.start_timeout_s
        look_after_s = _LOOK_AFTER_S
        answered = ""
        while True:
            running.read_news(look_after_s)
            if not running.is_running:
                raise self._exit_error(running, is_starting=True)
            if running.pid is not None:
                host = self._open_host()
                answered = "" if host is None else self._other_listener() or self._answer(host)
                if host is not None and not answered:
                    self._url = self._serve.url(reachable(host), self._port)
                    return
            if time.monotonic() >= give_up_at:
                raise self._error(f"did not start within {self._serve.start_timeout_s:g} s: {self._delay(answered)}")
            look_after_s = min(2 * look_after_s, _LOOK_EVERY_S)

    def _other_listener(self) -> str:
        """Return in words that a process of somebody else has the port; empty if none is known to have it.

        The service's own process may be outside its tree, as a container is. But it does not run before the command.
        """
        import psutil

        if self._running is None or self._port in listening_ports(self.family):
            return ""
        with contextlib.suppress(psutil.Error, OSError):
            began = psutil.Process(self._running.supervisor_pid).create_time()
            for connection in psutil.net_connections("tcp"):
                is_its = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (self._port,)
                if is_its and connection.pid is not None and connection.pid not in self.family:
                    other = psutil.Process(connection.pid)
                    if other.create_time() < began:
                        words = one_line(" ".join(other.cmdline()), _SHOWN_CHARACTERS)
                        return f"process {other.pid} of somebody else ({words}) listens on port {self._port}"
        return ""

    def _open_host(self) -> str | None:
        """Return the address on which something accepts connections on the port; None if nothing does."""
        for host in _HOSTS:
            with contextlib.suppress(OSError), socket.create_connection((host, self._port), _ATTEMPT_S) as connection:
                if connection.getsockname() != connection.getpeername():  # it may reach itself
                    return host
        return None

    def _answer(self, host: str) -> str:
        """Return the answer of a `ready_url` that is not ready yet; empty if it is ready, or if there is none."""
        url = self._serve.ready_at(self._serve.url(reachable(host), self._port), self._port)
        if url is None:
            return ""
        parts = urlsplit(url)
        shown = self._serve.hide(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
        assert parts.hostname is not None, "it was checked"
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            # Only if it answers is asked here; the clients verify.
            context = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=_ATTEMPT_S, context=context)
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_ATTEMPT_S)
        try:
            connection.request("GET", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return f"{shown} does not answer: {str(error) or type(error).__name__}"
        finally:
            connection.close()
        return "" if 200 <= status < 400 else f"{shown} answers {status}"

    def _delay(self, answered: str) -> str:
        """Return what is missing of a service that did not start in time, and what to do."""
        if answered:
            return answered
        others = [port for port in listening_ports(self.family) if port != self._port]
        missing = f"nothing listens on port {self._port} of {HOST}"
        if others and self._port not in listening_ports(self.family):
            ports = ", ".join(map(str, others))
            what = "write {port} where the command takes its port" if not self._serve.takes_port else "have it use that"
            return (
                f"it listens on port {ports}, and not on port {self._port}: {what}, or read the variable PORT; "
                "a service with a fixed port is measured where it runs, by `pytest bench --url` and `locust --host`"
            )
        if not self._serve.takes_port:
            return f"{missing}: write {{port}} where the command takes its port, or read the variable PORT"
        return missing

    def _exit_error(self, running: SupervisedCommand, *, is_starting: bool = False) -> ServerError:
        end = running.end or End()
        if end.errno is not None:
            program = self._serve.arguments(self._port)[0]
            return UnservableError(
                f"the service of {self._serve.named} did not start: "
                f"{no_start(program, self._serve.directory, end.errno, end.reason)}"
            )
        if end.exit_code is None:
            return self._error("ended, because somebody ended its supervisor")
        if end.exit_code == 0 and end.left:
            return self._error(
                "went to the background: its command ended with exit code 0 and left other processes; "
                "have it stay in the foreground"
            )
        before = " before it listened" if is_starting else ""
        hint = ""
        if is_starting and _PORT_IS_BUSY.search(self.log) and not self._serve.takes_port:
            hint = "its port is in use: write {port} where the command takes its port, or read the variable PORT"
        elif is_starting and _PORT_IS_BUSY.search(self.log):
            hint = "a port that it wants is in use"
        elif is_starting and end.exit_code == 0:
            hint = "a service has to stay in the foreground"
        is_missing = is_starting and self._serve.needs_shell and end.exit_code in _NO_COMMAND
        kind = UnservableError if is_missing else ServerError
        return self._error(f"ended with exit code {end.code}{before}{hint and f' ({hint})'}", kind)

    def _error(self, what: str, kind: type[ServerError] = ServerError) -> ServerError:
        return kind(
            f"the service of {self._serve.named} {what}; it wrote last: {self.wrote_last or 'nothing'}", self.log
        )

    # ------------------------------------------------------------------ the end

    def _threads(self) -> Iterator[int]:
        for pid in self.family:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                yield from (int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir())


def listening_ports(pids: tuple[int, ...]) -> list[int]:
    """Return the TCP ports on which these processes listen, as far as the system tells."""
    import psutil

    found: set[int] = set()
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            for connection in psutil.Process(pid).net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    found.add(connection.laddr.port)
    return sorted(found)
