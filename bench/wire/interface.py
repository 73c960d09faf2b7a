"""The interface of a Socket.IO client, which two classes implement.

`FastClient` (client.py) and `ReferenceClient` (reference.py, python-socketio's own) are exchanged by changing one word.
The names are python-socketio's. A round trip can only be timed truly with two additions. `emit` returns when the event
was handed to the transport, and `received_ns` says when a handler's event arrived. Both are nanoseconds of
`time.perf_counter_ns`.

Neither client reconnects on its own: whoever measures has to know that a connection was lost, and counts each attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Unpack

from bench.wire.connection import Connection, ConnectKeywords
from bench.wire.stamps import ReceivedClock

#: Called with the event's arguments, in the loop, when the event arrives. A plain function, which must not block, or a
#: coroutine function, which runs as a task of its own.
Handler = Callable[..., Any]


class Client(Protocol):
    """A Socket.IO connection, seen from the client."""

    #: Inside a handler or callback: when the event arrived that it is called for.
    received_ns: int
    #: Why the connection still polls though it should have been upgraded; empty if it does not, or should not.
    not_upgraded: str

    @property
    def received_clock(self) -> ReceivedClock:
        """Return the clock by which events are received: the kernel's, or this process's, when it has read them."""
        ...

    @property
    def emits_now(self) -> bool:
        """Return whether the client emits without waiting, so that it has `emit_now`."""
        ...

    @property
    def connected(self) -> bool:
        """Return whether events can be emitted now."""
        ...

    async def connect(
        self, url: str, connection: Connection | None = None, **keywords: Unpack[ConnectKeywords]
    ) -> None:
        """Connect to the server at `url` (http, https, ws or wss); the namespaces are joined on return.

        `connection` contains the settings. A keyword replaces its field in them; `wait_timeout`, python-socketio's
        name, is `connect_timeout`. Headers, cookies and the query of `url` go with every HTTP request. Raises
        ConnectFailed.
        """
        ...

    def on(self, event: str, handler: Handler, namespace: str | None = None) -> None:
        """Call `handler(*arguments)` for every such event; the last handler registered for an event counts.

        Where the server asks for an acknowledgement, it is what the handler returns: None, one argument, or a tuple. A
        handler that is a coroutine function acknowledges when it returns.

        Two names are special, as in python-socketio: `disconnect` is called with the reason when the namespace was
        left, `*` for every event that has no handler of its own, with its name first.
        """
        ...

    def off(self, event: str, namespace: str | None = None) -> None:
        """Call no handler for this event any more, but for that of `*`. Does nothing where there is none."""
        ...

    def when_closed(self, callback: Callable[[str], None], namespace: str | None = None) -> None:
        """Call `callback(reason)` when an established connection ends, whoever ended it, before `disconnect` handlers.

        With a namespace, call it also when the server ends that namespace and the connection goes on. Unlike
        `on("disconnect", …)`, which is the user's, any number of callbacks may be registered.
        """
        ...

    async def emit(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        """Emit an event; `callback` asks for an acknowledgement and is called with its arguments.

        `data` may be a tuple: several arguments. They contain JSON and bytes. Returns when it was handed to the
        transport. Raises Disconnected, MessageTooLarge, or TypeError for an argument that cannot be sent.
        """
        ...

    def emit_now(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        """Do the same as `emit` without a coroutine, if `emits_now` is true. Raises what `emit` raises.

        A client that has to wait when it emits raises NotImplementedError.
        """
        ...

    async def call(self, event: str, data: Any = None, *, namespace: str | None = None, timeout: float = 60.0) -> Any:
        """Emit an event and wait up to `timeout` seconds for its acknowledgement, which is returned.

        None, the argument, or a tuple of several. Raises CallTimeout, Disconnected, and what `emit` raises.
        """
        ...

    async def disconnect(self) -> None:
        """Leave all namespaces and close the connection. Does nothing where there is none."""
        ...


def arguments(data: Any) -> tuple[Any, ...]:
    """Return the arguments that `data` stands for: none, a single argument, or a tuple of several."""
    if data is None:
        return ()
    return data if isinstance(data, tuple) else (data,)


def acknowledged(values: tuple[Any, ...]) -> Any:
    """Return what `call` returns for an acknowledgement's arguments: None, the only argument, or all as a tuple."""
    if not values:
        return None
    return values[0] if len(values) == 1 else values
