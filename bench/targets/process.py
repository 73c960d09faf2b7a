"""A server of known behaviour in a process of its own, as its owner sees it: started, asked for its counts, ended.

It ends with its owner, however the owner ends: its standard input is a pipe, and the owner has the other end.
"""

import http.client
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO, Self

from bench.machine.child import Child
from bench.server import ServerError
from bench.targets.faults import Faults
from bench.targets.serving import PING_INTERVAL_MS, PING_TIMEOUT_MS
from bench.targets.stats import Stats
from bench.targets.truth import Truth

_ANSWER_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 10.0


class _TargetProcess:
    """A process that runs `python -m <module>`; `name` is its name in errors."""

    def __init__(
        self,
        module: str,
        name: str,
        arguments: Sequence[str],
        *,
        core: int | None = None,
        hosts: Sequence[str] = ("127.0.0.1",),
        ping_interval_ms: int = PING_INTERVAL_MS,
        ping_timeout_ms: int = PING_TIMEOUT_MS,
        shared_port: int | None = None,
    ) -> None:
        self.hosts = tuple(hosts)
        self.core = core
        self.port = 0
        #: The port at which its owner asks: that of its clients, unless it shares that with other processes.
        self._own_port = 0
        self._own_host = hosts[0] if shared_port is None else "127.0.0.1"
        self._module = module
        self._name = name
        self._arguments = [
            *arguments,
            "--ping-interval-ms",
            str(ping_interval_ms),
            "--ping-timeout-ms",
            str(ping_timeout_ms),
        ]
        if shared_port is not None:
            self._arguments += ["--share-port", "--port", str(shared_port)]
        for host in hosts:
            self._arguments += ["--host", host]
        if core is not None:
            self._arguments += ["--core", str(core)]
        self._child: Child | None = None
        self._log: BinaryIO | None = None

    @property
    def url(self) -> str:
        """The URL of its first host."""
        return f"http://{self.hosts[0]}:{self.port}"

    def stats(self) -> Stats:
        """Return the server's counts so far. Raises ServerError if it does not answer."""
        return Stats(**json.loads(self._ask("GET", "/stats")))

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._child is not None, "it runs"
        return self._child.pid

    def _ask(self, method: str, path: str) -> bytes:
        """Return the server's answer to an HTTP request. Raises ServerError."""
        connection = http.client.HTTPConnection(self._own_host, self._own_port, timeout=_ANSWER_TIMEOUT_S)
        try:
            connection.request(method, path)
            return connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            raise ServerError(f"{self._name} does not answer: {error}") from error
        finally:
            connection.close()

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()
        try:
            command = [sys.executable, "-P", "-m", self._module, "--end-with-stdin", *self._arguments]
            self._child = Child(command, log=self._log, with_pipes=True)
            line = self._child.pipes[1].readline()
            if not line:
                self._child.wait(_STOP_TIMEOUT_S)
                told = self._child.log.strip().splitlines()
                raise ServerError(f"{self._name} did not start: {told[-1] if told else 'it wrote nothing'}")
            ports = json.loads(line)
            self.port, self._own_port = int(ports["port"]), int(ports["own_port"])
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        """Have it end, or end it by force after a while."""
        try:
            if self._child is not None:
                self._child.close_pipes()
                try:
                    self._child.wait(_STOP_TIMEOUT_S)
                finally:
                    self._child.kill_and_reap()
        finally:
            if self._log is not None:
                self._log.close()


class EchoProcess(_TargetProcess):
    """The echo server in a process of its own, for `with`: on the given hosts, with one port for all of them.

    It runs on `core` alone if that is given. With a `shared_port` it shares that port, or any free port if it is 0,
    with other processes.
    """

    def __init__(
        self,
        *,
        core: int | None = None,
        hosts: Sequence[str] = ("127.0.0.1",),
        ping_interval_ms: int = PING_INTERVAL_MS,
        ping_timeout_ms: int = PING_TIMEOUT_MS,
        shared_port: int | None = None,
    ) -> None:
        super().__init__(
            "bench.targets.echo",
            "the echo server",
            (),
            core=core,
            hosts=hosts,
            ping_interval_ms=ping_interval_ms,
            ping_timeout_ms=ping_timeout_ms,
            shared_port=shared_port,
        )


class EchoProcesses:
    """The echo server in several processes that share one port, for `with`: for more connections than one may open.

    The kernel gives each connection to one of them. They run on `core` alone if that is given.
    """

    def __init__(self, processes: int, *, core: int | None = None) -> None:
        self._number = processes
        self._core = core
        self._members: list[EchoProcess] = []
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        """The URL of all of them."""
        return self._members[0].url

    @property
    def pids(self) -> list[int]:
        """The numbers of the processes."""
        return [member.pid for member in self._members]

    def stats(self) -> Stats:
        """Return the counts of all of them so far. Raises ServerError if one does not answer."""
        return Stats.of_all(self.stats_of_each())

    def stats_of_each(self) -> list[Stats]:
        """Return the counts of each of them so far. Raises ServerError if one does not answer."""
        return [member.stats() for member in self._members]

    def __enter__(self) -> Self:
        with self._stack as stack:
            for _ in range(self._number):
                port = self._members[0].port if self._members else 0
                shared_port = port if self._number > 1 else None
                self._members.append(stack.enter_context(EchoProcess(core=self._core, shared_port=shared_port)))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()
        self._members.clear()


class FaultyProcess(_TargetProcess):
    """The faulty server in a process of its own, with the given faults, otherwise as EchoProcess: for `with`.

    While it stalls it answers nobody, not even its owner: `truth`, `reset` and `stats` then wait, up to 10 s.
    """

    def __init__(
        self,
        faults: Faults,
        *,
        core: int | None = None,
        hosts: Sequence[str] = ("127.0.0.1",),
        ping_interval_ms: int = PING_INTERVAL_MS,
        ping_timeout_ms: int = PING_TIMEOUT_MS,
    ) -> None:
        self.faults = faults
        super().__init__(
            "bench.targets.faulty",
            "the faulty server",
            faults.arguments(),
            core=core,
            hosts=hosts,
            ping_interval_ms=ping_interval_ms,
            ping_timeout_ms=ping_timeout_ms,
        )

    def truth(self) -> Truth:
        """Return the server's account since its start or the last reset. Raises ServerError if it does not answer."""
        return Truth.decoded(self._ask("GET", "/truth"))

    def reset(self, warm_up_s: float = 0) -> None:
        """Have the server forget its account, and the FOOs that still wait for their reply. Raises ServerError.

        The account since the arrivals leaves out those within `warm_up_s` seconds of the first.
        """
        self._ask("POST", f"/truth/reset/{round(warm_up_s * 1e9)}")
