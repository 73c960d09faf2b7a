"""The testbed of a round trip: an event loop, the servers that its clients reach, and the connections to them.

A single testbed stands at a time. It owns its loop: whatever was started in it (server, connection, task of the
service) ends with it, also after Ctrl-C. It also owns its server processes, which share a core while it keeps to
another. With the server in a process of its own, or somewhere else, a round trip leaves its cores idle twice. So the
testbed keeps them awake.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count, zip_longest
from pathlib import Path
from typing import Any, Literal, TypeVar

import uvloop

from bench.exchange.preparation import connect
from bench.exchange.requests import Exchange
from bench.interleave.loop import InterruptibleLoop, gc_frozen
from bench.interleave.server_pool import LoopKind, ServerPool, running
from bench.latency.alternation import CONTROL_NAMES, Subject, Subjects, SubjectWithControl
from bench.latency.options import Options
from bench.machine.conditions import Conditions
from bench.machine.cores import generator_cores, pinned_to, server_core
from bench.machine.idle import NoIdle, NoIdleError, idle_reason
from bench.machine.processes import affinity
from bench.results.latency import KeptAwake
from bench.scenarios.catalogue import FOO_ACKNOWLEDGED, FOO_BAR, Benchmark
from bench.scenarios.loading import ScenariosFile
from bench.scenarios.tokens import tokens
from bench.server import OwnedServer, UvicornTestServer
from bench.server.error import exit_reason
from bench.server.in_loop import import_app
from bench.wire.client import FastClient
from bench.wire.connection import Connection, TransportName
from bench.wire.interface import Client
from bench.wire.reference import ReferenceClient

ServerKind = Literal["in-loop", "process", "url"]
ClientKind = Literal["AsyncClient", "FastClient"]

_LOOPS: dict[LoopKind, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
_CLIENTS: dict[ClientKind, Callable[[], Client]] = {"AsyncClient": ReferenceClient, "FastClient": FastClient}

T = TypeVar("T")


@dataclass(frozen=True)
class Testbed:
    """A loop and the URL of a server. `server` is the server itself if it is ours, the first of `pool` if there is a
    pool.

    `cores` are those that this process keeps to, empty if it was not pinned. `used_cores` are all that a round trip
    uses, if that is known. `spinners` keep these from halting, or `asleep_because` says why there are none.
    """

    #: For pytest, which would collect the class as a test, for its name.
    __test__ = False

    options: Options
    server_kind: ServerKind
    loop_kind: LoopKind
    loop: InterruptibleLoop
    url: str = field(repr=False)
    server: OwnedServer | UvicornTestServer | None
    pool: ServerPool | None = None
    cores: tuple[int, ...] = ()
    used_cores: tuple[int, ...] = ()
    spinners: NoIdle | None = None
    asleep_because: str | None = None
    #: The machine's load average before anything was started, because all that is started counts in it later.
    load_average: float | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the testbed's loop and return its result. Raises as `InterruptibleLoop.run` does."""
        return self.loop.run(coroutine)

    def serving(self) -> dict[str, str | None]:
        """Return uvicorn's options; only the client's loop is known if we do not serve the service ourselves."""
        options = replace(self.options.server, loop=self.loop_kind).uvicorn
        server = self.server
        is_known = isinstance(server, UvicornTestServer) or (server is not None and server.is_uvicorn)
        return {name: value if is_known or name == "loop" else None for name, value in options.items()}

    def exit_reason(self, within_s: float = 0.0) -> str | None:
        """Return why a server of it does not run any more; None while all run, or if they are not ours.

        `within_s` is the time in seconds in which a server may still end.
        """
        servers = self.server if self.pool is None else self.pool
        return None if servers is None else exit_reason(servers.check, within_s)

    def wrote_last(self) -> str:
        """Return the end of the log of the service that wrote last; empty if none did, or if its log is not ours."""
        servers = [self.server] if self.pool is None else [pooled.server for pooled in self.pool.services]
        ours = [server for server in servers if server is not None and not isinstance(server, UvicornTestServer)]
        written = [(server.wrote_at_ns, server.wrote_last) for server in ours]
        return max((found for found in written if found[1]), default=(0, ""))[1]

    def kept_awake(self) -> KeptAwake:
        """Return the cores that are kept from halting now."""
        if self.spinners is None:
            return KeptAwake(cores=(), asleep_because=self.asleep_because)
        if not self.spinners.is_running:
            return KeptAwake(cores=(), asleep_because="what kept them awake was ended by somebody")
        return KeptAwake(cores=self.spinners.cores)

    def conditions(self) -> Conditions:
        """Return the machine's state now, with the load average from before the start."""
        now = Conditions.now(self.used_cores)
        return now.model_copy(update={"load_average": self.load_average})

    @contextmanager
    def exchange(self, client_kind: ClientKind, transport: TransportName) -> Iterator[Exchange]:
        """Make a connection to the server, with the user's settings. Raises ConnectFailed."""
        connection = replace(self.options.chosen.connection, transports=(transport,))
        with self._exchange(client_kind, connection, self.url, self.options.chosen.file) as exchange:
            exchange.trace_field = self.options.trace_field
            yield exchange

    @contextmanager
    def _exchange(
        self, client_kind: ClientKind, connection: Connection, url: str, file: ScenariosFile | None
    ) -> Iterator[Exchange]:
        client = _CLIENTS[client_kind]()
        exchange = self.run(self._connect(client, connection, url, file))
        try:
            yield exchange
        finally:
            exchange.close()
            self.run(client.disconnect())

    @contextmanager
    def subjects(self, client_kind: ClientKind, transport: TransportName, measured: Benchmark) -> Iterator[Subjects]:
        """Connect in the same way to all its servers: the service's, and the controls. Raises ConnectFailed.

        The controls give the same kind of reply. The echo server speaks WebSocket only.
        """
        round_trip = measured.scenario
        with ExitStack() as stack:
            if self.pool is None:
                exchange = stack.enter_context(self.exchange(client_kind, transport))
                yield Subjects((SubjectWithControl(Subject(exchange, round_trip), None),), None)
                return
            settings = replace(self.options.chosen.connection, transports=(transport,))
            plain = Connection(transports=(transport,))  # the controls know nothing of the user's settings

            def connected(url: str, connection: Connection, file: ScenariosFile | None = None) -> Exchange:
                return stack.enter_context(self._exchange(client_kind, connection, url, file))

            asked = FOO_ACKNOWLEDGED if measured.reply == "acknowledged" else FOO_BAR
            services = [
                Subject(
                    connected(pooled.server.url, settings, self.options.chosen.file),
                    round_trip,
                    server=pooled.server,
                    seed=pooled.seed,
                )
                for pooled in self.pool.services
            ]
            for service in services:  # a control reads no trace context
                service.exchange.trace_field = self.options.trace_field
            controls = [
                Subject(
                    connected(pooled.server.url, plain),
                    asked,
                    server=pooled.server,
                    seed=pooled.seed,
                    name=CONTROL_NAMES["same-stack"],
                )
                for pooled in self.pool.controls
            ]
            bare = None
            if self.pool.bare is not None and transport == "websocket":
                bare = Subject(connected(self.pool.bare.url, plain), asked, name=CONTROL_NAMES["bare"])
            beside = zip_longest(services, controls)
            yield Subjects(tuple(SubjectWithControl(*pair) for pair in beside), bare)

    async def _connect(self, client: Client, connection: Connection, url: str, file: ScenariosFile | None) -> Exchange:
        names = tokens(_ORIGIN, next(_connections))
        exchange = Exchange(client, names, self.options.reply_timeout_ns, connection.namespace)
        await connect(client, url, connection, file, self.options.reply_timeout_ns / 1e9, self.options.known)
        return exchange


# Nobody else who measures the same server draws these tokens.
_ORIGIN = secrets.token_hex(4)
_connections = count()


class Testbeds:
    """The testbeds of a session: a single testbed stands at a time, and `enter` replaces it if necessary.

    Without `measuring` (`--benchmark-disable`) there is a single process of the service, without controls and spinners.
    `log_file` returns the place for the log of the next process of the service; None is an unnamed file.
    """

    __test__ = False

    def __init__(
        self, options: Options, *, measuring: bool = True, log_file: Callable[[], Path | None] = lambda: None
    ) -> None:
        self._options = options
        self._log_file = log_file
        self._measuring = measuring
        self._load_average = Conditions.now(()).load_average
        self._current: Testbed | None = None
        self._key: tuple[ServerKind, LoopKind, bool] | None = None
        self._stack = ExitStack()

    def enter(self, server_kind: ServerKind, loop_kind: LoopKind, *, replicated: bool = False) -> Testbed:
        """Return the testbed of that kind: the present testbed, unless a server of it died. Raises ServerError.

        `replicated` asks for several processes of the service with their controls, if the service is ours to start.
        """
        key = (server_kind, loop_kind, replicated and server_kind == "process" and self._measuring)
        if self._current is None or self._key != key or self._current.exit_reason():
            self.close()
            self._current = self._stack.enter_context(self._testbed(*key))
            self._stack.enter_context(gc_frozen())
            self._key = key
        return self._current

    def close(self) -> None:
        """Take the present testbed down."""
        self._current = None
        self._stack.close()

    @contextmanager
    def _testbed(self, server_kind: ServerKind, loop_kind: LoopKind, replicated: bool) -> Iterator[Testbed]:
        options = self._options
        everywhere = affinity() or ()
        with InterruptibleLoop.open(_LOOPS[loop_kind]) as loop, ExitStack() as stack:

            def testbed(url: str, server: OwnedServer | UvicornTestServer | None, **changed: Any) -> Testbed:
                changed = {"used_cores": everywhere} | changed
                return Testbed(
                    options, server_kind, loop_kind, loop, url, server, load_average=self._load_average, **changed
                )

            if server_kind == "url":
                assert options.whole_url is not None
                yield testbed(options.whole_url, None, **self._kept_awake(stack, everywhere))
            elif server_kind == "process":
                core, cores = server_core(), generator_cores()[:1]
                pool = stack.enter_context(
                    running(
                        options.served,
                        replace(options.server, loop=loop_kind),
                        processes=options.processes if replicated else 1,
                        with_controls=replicated,
                        core=core,
                        log_file=self._log_file,
                    )
                )
                server = pool.services[0].server
                used = everywhere if core is None else (*cores, core)
                awake = self._kept_awake(stack, used)
                stack.enter_context(pinned_to(cores))
                yield testbed(server.url, server, pool=pool, cores=cores, used_cores=used, **awake)
            else:
                with _first_on_path(str(options.directory)):
                    import_app(options.app)  # not in the loop, which could not be interrupted meanwhile
                    serving = replace(options.server, loop=loop_kind).uvicorn
                    # No grace: python-engineio keeps the last request of a polling client open long after that has
                    # gone.
                    server_here = UvicornTestServer(options.app, **serving, timeout_graceful_shutdown=0)
                    loop.run(server_here.start_up())
                    try:
                        yield testbed(server_here.url, server_here, asleep_because=_NOTHING_WAITS)
                    finally:
                        loop.run(server_here.tear_down())

    def _kept_awake(self, stack: ExitStack, cores: tuple[int, ...]) -> dict[str, Any]:
        """Keep these cores awake as long as the stack stands, if that is wanted and possible.

        Return the fields of the testbed that tell of it.
        """
        if self._options.idle_allowed_by is not None:
            return {"asleep_because": f"{self._options.idle_allowed_by} was given"}
        if not self._measuring:
            return {}
        # If this system does not tell cores apart, none can be kept awake either, for the same reason as core 0.
        if (reason := idle_reason(cores or (0,))) is not None:
            return {"asleep_because": reason}
        try:
            return {"spinners": stack.enter_context(NoIdle(cores))}
        except NoIdleError as error:
            return {"asleep_because": str(error)}


_NOTHING_WAITS = "client and server share one thread, which hardly ever waits"


@contextmanager
def _first_on_path(directory: str) -> Iterator[None]:
    """Import from there first, as a server process does."""
    sys.path.insert(0, directory)
    try:
        yield
    finally:
        sys.path.remove(directory)
