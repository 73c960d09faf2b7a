"""Where a round trip takes place: an event loop, a server that its clients reach, and a connection to it.

One stage stands at a time. It owns its loop, so whatever was started in it (server, connection, task of the service) is
ended with it, also after Ctrl-C; and its server process, to which it leaves one core while it keeps to the others.
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, TypeVar

import uvloop

from bench.latency.loop import OwnLoop
from bench.latency.options import Options
from bench.roundtrip import Exchange, tokens
from bench.server import ServerError, ServerProcess, UvicornTestServer, generator_cores
from bench.server.in_loop import import_app
from bench.wire.client import FastClient
from bench.wire.interface import Client, Transport
from bench.wire.reference import ReferenceClient

ServerKind = Literal["in-loop", "process", "url"]
LoopKind = Literal["asyncio", "uvloop"]
ClientKind = Literal["AsyncClient", "FastClient"]

HTTP = "httptools"
WS = "websockets-sansio"

_LOOPS: dict[LoopKind, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
_CLIENTS: dict[ClientKind, Callable[[], Client]] = {"AsyncClient": ReferenceClient, "FastClient": FastClient}

T = TypeVar("T")


@dataclass(frozen=True)
class Stage:
    """A loop and the URL of a server; `server` is the server itself where it is ours."""

    options: Options
    server_kind: ServerKind
    loop_kind: LoopKind
    loop: OwnLoop
    url: str
    server: ServerProcess | UvicornTestServer | None
    cores: tuple[int, ...]
    """The cores that this process keeps to, empty where it was not pinned."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it in the stage's loop and return what it returns."""
        return self.loop.run(coroutine)

    def death(self) -> str | None:
        """Why its server does not run any more; None while it does, or where it is not ours."""
        if self.server is not None:
            try:
                self.server.check()
            except ServerError as error:
                return str(error)
        return None

    @contextmanager
    def exchange(self, client_kind: ClientKind, transport: Transport) -> Iterator[Exchange]:
        """A connection of its own to the server. Raises ConnectFailed."""
        client = _CLIENTS[client_kind]()
        exchange = self.run(self._connect(client, transport))
        try:
            yield exchange
        finally:
            exchange.close()
            self.run(client.disconnect())

    async def _connect(self, client: Client, transport: Transport) -> Exchange:
        exchange = Exchange(client, tokens(_ORIGIN, next(_connections)), self.options.reply_timeout_ns)
        await client.connect(self.url, transports=(transport,))
        return exchange


# Nobody else who measures the same server draws these tokens.
_ORIGIN = secrets.token_hex(4)
_connections = count()


class Stages:
    """The stage that stands now; another one takes its place when it is asked for."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._current: Stage | None = None
        self._stack = ExitStack()

    def enter(self, server_kind: ServerKind, loop_kind: LoopKind) -> Stage:
        """The stage of that kind: the one that stands, unless its server died. Raises ServerError."""
        current = self._current
        if current is None or (current.server_kind, current.loop_kind) != (server_kind, loop_kind) or current.death():
            self.close()
            self._current = self._stack.enter_context(_stage(self._options, server_kind, loop_kind))
            self._stack.enter_context(_spared_by_gc())
        assert self._current is not None
        return self._current

    def close(self) -> None:
        """Take the stage that stands down."""
        self._current = None
        self._stack.close()


@contextmanager
def _stage(options: Options, server_kind: ServerKind, loop_kind: LoopKind) -> Iterator[Stage]:
    with OwnLoop.open(_LOOPS[loop_kind]) as loop:
        if server_kind == "url":
            assert options.url is not None
            yield Stage(options, server_kind, loop_kind, loop, options.url, None, ())
        elif server_kind == "process":
            cores = generator_cores()
            process = ServerProcess(options.app, loop=loop_kind, http=HTTP, ws=WS, directory=options.directory)
            with process, _kept_to(cores):
                yield Stage(options, server_kind, loop_kind, loop, process.url, process, cores)
        else:
            with _first_on_path(str(options.directory)):
                import_app(options.app)  # not in the loop, which could not be interrupted meanwhile
                # No grace: python-engineio keeps the last request of a polling client open long after that has gone.
                server = UvicornTestServer(options.app, http=HTTP, ws=WS, timeout_graceful_shutdown=0)
                loop.run(server.start_up())
                try:
                    yield Stage(options, server_kind, loop_kind, loop, server.url, server, ())
                finally:
                    loop.run(server.tear_down())


@contextmanager
def _kept_to(cores: tuple[int, ...]) -> Iterator[None]:
    """This thread on these cores only; on any where there are none to keep to."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _spared_by_gc() -> Iterator[None]:
    """What is there now, pytest and all that it imported, is not searched for garbage: that took 50 ms each time."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _first_on_path(directory: str) -> Iterator[None]:
    """Import from there first, as a server process does."""
    sys.path.insert(0, directory)
    try:
        yield
    finally:
        sys.path.remove(directory)
