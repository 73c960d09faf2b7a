"""A client of a test: python-socketio's AsyncClient, with an inbox of what has come.

Rules of this file: an event that comes is offered first to the round trips under way. If none of them takes it as its
reply, it goes into the inbox, in which `receive` looks. So nothing that comes early is lost, and a reply is not
received a second time. A handler of the test's own hears its event in addition.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar, Unpack, overload

import socketio

from bench.printable import one_line
from bench.testing.raised import Raised
from bench.wire.connection import Connection, ConnectKeywords
from bench.wire.errors import CallTimeout, ConnectFailed, Disconnected
from bench.wire.handlers import is_asynchronous
from bench.wire.interface import Handler, acknowledged
from bench.wire.protocol import DEFAULT_NAMESPACE
from bench.wire.reference import ReferenceClient
from bench.wire.stamps import ReceivedClock

_EVENTS_SHOWN = 3
_CHARACTERS_SHOWN = 100
_LONGEST_TIMEOUT_S = 3600.0

#: The most events that the inbox keeps. Beyond it the oldest are forgotten.
MOST_KEPT = 10_000

_Handler = TypeVar("_Handler", bound=Handler)


class EventTimeout(TimeoutError):
    """The end of the wait for an event that did not come in time. The text is one line that says what came instead."""


class ReceivedEvent(NamedTuple):
    """An event that has come, and what it carries: None, the only argument, or a tuple of several."""

    event: str
    data: Any


class _Arrival(NamedTuple):
    namespace: str
    event: str
    values: tuple[Any, ...]


class Listener:
    """The client as a round trip under way sees it: see `bench.wire.interface.Client`."""

    emits_now = False
    received_clock: ReceivedClock = "process"

    def __init__(self, client: SocketIOTestClient, since: int) -> None:
        #: The number of the first exception that was raised while it listens.
        self.since = since
        #: Inside a handler or callback: when the event arrived that it is called for.
        self.received_ns = 0
        self.not_upgraded = ""
        self._client = client
        self._handlers: dict[tuple[str, str], Handler] = {}
        self._has_taken = False
        self._closed_callbacks: list[tuple[str, Callable[[str], None]]] = []

    @property
    def connected(self) -> bool:
        """Return whether events can be emitted now."""
        return self._client.connected

    async def connect(
        self, url: str, connection: Connection | None = None, **keywords: Unpack[ConnectKeywords]
    ) -> None:
        """Raise NotImplementedError: it is connected."""
        raise NotImplementedError

    def on(self, event: str, handler: Handler, namespace: str | None = None) -> None:
        """Call the handler for every such event, before anybody else hears it."""
        self._handlers[namespace or DEFAULT_NAMESPACE, event] = handler

    def off(self, event: str, namespace: str | None = None) -> None:
        """Call no handler for this event any more."""
        self._handlers.pop((namespace or DEFAULT_NAMESPACE, event), None)

    def when_closed(self, callback: Callable[[str], None], namespace: str | None = None) -> None:
        """Call `callback(reason)` when the namespace ends, with the connection or alone."""
        self._closed_callbacks.append((namespace or DEFAULT_NAMESPACE, callback))

    async def emit(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        """Emit an event; return when python-socketio got it (ns)."""
        timed = None if callback is None else partial(self._timed, callback)
        return await self._client._client.emit(event, data, namespace=namespace, callback=timed)

    def emit_now(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        """Raise NotImplementedError: python-socketio waits when it emits."""
        raise NotImplementedError

    async def call(self, event: str, data: Any = None, *, namespace: str | None = None, timeout: float = 60.0) -> Any:
        """Emit an event and return its acknowledgement."""
        return await self._client._client.call(event, data, namespace=namespace, timeout=timeout)

    async def disconnect(self) -> None:
        """Raise NotImplementedError: the connection is the test's."""
        raise NotImplementedError

    def pass_on(self, event: str) -> None:
        """Take note that the event is the reply of nothing here."""
        self._has_taken = False

    def takes(self, arrival: _Arrival) -> bool:
        """Return whether an event that has come is the reply of something here."""
        namespace, event, values = arrival
        if (handler := self._handlers.get((namespace, event))) is not None:
            self._has_taken = True
            self._timed(handler, *values)
            return self._has_taken
        if (handler := self._handlers.get((namespace, "*"))) is not None:
            self._timed(handler, event, *values)
        return False

    def closed(self, namespace: str, reason: str) -> None:
        """Take note that a namespace has ended."""
        for name, callback in self._closed_callbacks:
            if name == namespace:
                callback(reason)

    def _timed(self, handler: Handler, *values: Any) -> Any:
        self.received_ns = self._client._client.received_ns
        return handler(*values)


class SocketIOTestClient:
    """A client of a test, connected to a server. `socketio_client` makes it.

    `emit` and `call` are those of python-socketio. `receive` waits for an event. `namespace` is the namespace that all
    methods mean unless they are given another.
    """

    def __init__(self) -> None:
        self.namespace = DEFAULT_NAMESPACE
        self._loop = asyncio.get_running_loop()
        self._client = ReferenceClient()
        self._listeners: list[Listener] = []
        self._inbox: deque[_Arrival] = deque(maxlen=MOST_KEPT)
        self._has_news = asyncio.Event()
        #: The reasons for which namespaces have ended.
        self._closed_because: dict[str, str] = {}
        self._raised = Raised()

    @property
    def connected(self) -> bool:
        """True while events can be emitted."""
        return self._client.connected

    @property
    def sid(self) -> str | None:
        """The session id by which the server knows this client: `sio.emit("news", to=client.sid)`."""
        sid: str | None = self._client.async_client.get_sid(self.namespace)
        return sid

    @property
    def async_client(self) -> socketio.AsyncClient:
        """The AsyncClient of python-socketio itself. An event with a handler there is not received here."""
        return self._client.async_client

    @property
    def received(self) -> list[ReceivedEvent]:
        """The events that have come and that nobody has taken yet, by `receive` or as a reply; the oldest first."""
        return [ReceivedEvent(arrival.event, acknowledged(arrival.values)) for arrival in self._inbox]

    async def connect(self, url: str, connection: Connection) -> None:
        """Connect to the server at `url`. Raises ConnectFailed."""
        self.namespace = connection.namespace or DEFAULT_NAMESPACE
        for namespace in connection.namespaces or (DEFAULT_NAMESPACE,):
            self._client.on("*", self._hears(namespace), namespace)
            self._client.when_closed(partial(self._closed, namespace), namespace)
        self._raised.watch()
        try:
            await self._client.connect(url, connection)
        except ConnectFailed as error:
            self._raised.unwatch()
            raise type(error)(self.with_raised(str(error)), error.data) from None
        except BaseException:
            self._raised.unwatch()
            raise

    async def disconnect(self) -> None:
        """Close the connection. Does nothing if it is closed."""
        self._raised.unwatch()
        await self._client.disconnect()

    async def emit(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> None:
        """Emit an event; `callback` is called with what acknowledges it. A tuple as `data` is several arguments.

        Raises Disconnected.
        """
        __tracebackhide__ = True
        self.check_loop()
        await self._client.emit(event, data, namespace=namespace or self.namespace, callback=callback)

    async def call(self, event: str, data: Any = None, *, namespace: str | None = None, timeout: float = 5.0) -> Any:
        """Emit an event, and return what acknowledges it: None, the only argument, or a tuple of several.

        `timeout` is in seconds. Raises CallTimeout, which says what came instead, and Disconnected.
        """
        __tracebackhide__ = True
        self.check_loop()
        before, since = len(self._inbox), self._raised.count
        try:
            return await self._client.call(
                event, data, namespace=namespace or self.namespace, timeout=checked_timeout(timeout)
            )
        except CallTimeout as error:
            came = self._came(list(self._inbox)[before:])
            raise CallTimeout(self.with_raised(f"{error}; {came}", since)) from None

    async def receive(self, event: str, *, namespace: str | None = None, timeout: float = 5.0) -> Any:
        """Return what the next event of that name carries, and wait for it if it has not come yet.

        Each call takes an event: None, the only argument, or a tuple of several. `timeout` is in seconds. Raises
        EventTimeout, which says what came instead, and Disconnected if the connection ends before.
        """
        __tracebackhide__ = True
        checked_timeout(timeout)
        self.check_loop()
        wanted, since = namespace or self.namespace, self._raised.count
        try:
            async with asyncio.timeout(timeout):
                while (arrival := self._taken(wanted, event)) is None:
                    if (reason := self._closed_because.get(wanted)) is not None:
                        raise Disconnected(
                            self.with_raised(
                                f"no {event} came before the connection to {wanted} ended: {reason}", since
                            )
                        )
                    self._has_news.clear()
                    await self._has_news.wait()
        except TimeoutError:
            awaited = one_line(event, _CHARACTERS_SHOWN)
            reason = f"no {awaited} within {timeout:g} s; {self._came(list(self._inbox))}"
            raise EventTimeout(self.with_raised(reason, since)) from None
        return acknowledged(arrival.values)

    @overload
    def on(self, event: str, *, namespace: str | None = None) -> Callable[[_Handler], _Handler]: ...

    @overload
    def on(self, event: str, handler: _Handler, *, namespace: str | None = None) -> _Handler: ...

    def on(self, event: str, handler: Handler | None = None, *, namespace: str | None = None) -> Any:
        """Call `handler(*arguments)` for every such event; without a handler, it decorates it.

        Where the server asks for an acknowledgement, it is what the handler returns. The event can be received as well.
        """
        if handler is None:
            return partial(self._on, event, namespace)
        return self._on(event, namespace, handler)

    def check_loop(self) -> None:
        """Raise RuntimeError if the caller runs in another loop than the client: nothing would ever come."""
        __tracebackhide__ = True
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                "the client was connected in another event loop than this test runs in: give the test and the fixture "
                "that connects the same loop, with pytest-asyncio by the same loop_scope"
            )

    def with_raised(self, text: str, since: int = 0) -> str:
        """Return the text, and what was raised in this process meanwhile: mostly in a handler of the service."""
        raised = self._raised.after(since)
        return f"{text}; meanwhile: {raised}" if raised else text

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """Have a listener hear of every event before it goes into the inbox."""
        listener = Listener(self, self._raised.count)
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)

    def _on(self, event: str, namespace: str | None, handler: Handler) -> Handler:
        where = namespace or self.namespace

        async def answer(*values: Any) -> Any:
            self._heard(_Arrival(where, event, values))
            return await handler(*values)

        def answer_now(*values: Any) -> Any:
            self._heard(_Arrival(where, event, values))
            return handler(*values)

        self._client.on(event, answer if is_asynchronous(handler) else answer_now, where)
        return handler

    def _hears(self, namespace: str) -> Handler:
        return lambda event, *values: self._heard(_Arrival(namespace, event, values))

    def _heard(self, arrival: _Arrival) -> None:
        for listener in list(self._listeners):
            if listener.takes(arrival):
                return
        self._inbox.append(arrival)
        self._has_news.set()

    def _taken(self, namespace: str, event: str) -> _Arrival | None:
        for arrival in self._inbox:
            if (arrival.namespace, arrival.event) == (namespace, event):
                self._inbox.remove(arrival)
                return arrival
        return None

    def _closed(self, namespace: str, reason: str) -> None:
        self._closed_because.setdefault(namespace, reason)
        self._has_news.set()
        for listener in list(self._listeners):
            listener.closed(namespace, reason)

    @staticmethod
    def _came(arrivals: list[_Arrival]) -> str:
        if not arrivals:
            return "nothing else came"
        shown = [f"{event} {' '.join(map(repr, values))}".strip() for _, event, values in arrivals[-_EVENTS_SHOWN:]]
        more = len(arrivals) - len(shown)
        listed = ", ".join(one_line(text, _CHARACTERS_SHOWN) for text in shown)
        return f"came instead: {listed}" + (f" and {more} more before" if more else "")


def checked_timeout(timeout: float) -> float:
    """Return a timeout in seconds. Raises ValueError if it cannot be."""
    if not isinstance(timeout, int | float) or not 0 < timeout <= _LONGEST_TIMEOUT_S:
        raise ValueError(f"timeout is in seconds, above 0 and up to {_LONGEST_TIMEOUT_S:g}, not {timeout!r:.60}")
    return timeout
