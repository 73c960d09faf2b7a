"""What a Socket.IO client is to the rest of the project: one interface, two implementations.

`FastClient` (client.py) and `ReferenceClient` (reference.py, python-socketio's own) are exchanged by changing one word.
The names are python-socketio's. Two things are added, without which a round trip could not be timed truly: `emit`
returns when the event was handed to the transport, and `received_ns` tells a handler when its event arrived. Both are
nanoseconds of `time.perf_counter_ns`.

Neither client reconnects on its own: whoever measures has to know that a connection was lost, and counts each attempt.
The load's session (bench/load/engine/session.py) reconnects with the backoff and jitter of Socket.IO's clients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from bench.wire.tls import Tls

Transport = Literal["websocket", "polling"]

MAX_MESSAGE_BYTES = 10 * 1024 * 1024
"""What a client takes from its server in one message, unless told otherwise. More ends the connection."""

Handler = Callable[..., Any]
"""Called with the event's arguments, in the loop, when the event arrives. A plain function: it must not block."""


class ClientError(Exception):
    """What went wrong between a client and its server, in one line."""


class ConnectFailed(ClientError):
    """The server could not be reached, is no Socket.IO server, refused the connection, or did not answer in time."""

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.data = data
        """What the server added to its refusal, if anything."""


class Disconnected(ClientError):
    """The connection is gone, or was never there."""


class MessageTooLarge(ClientError):
    """The server said in its handshake that it would not take a message of this size; nothing was sent."""

    def __init__(self, message: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(message)
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class CallTimeout(ClientError):
    """The acknowledgement did not come in time."""


class Client(Protocol):
    """A Socket.IO connection, seen from the client."""

    received_ns: int
    """Inside a handler or callback: when the event that it is called for arrived."""

    upgrade_ns: int | None
    """How long the upgrade from polling to WebSocket took, where there was one and the client can tell."""

    @property
    def connected(self) -> bool:
        """Whether events can be emitted now."""
        ...

    async def connect(
        self,
        url: str,
        *,
        auth: Any = None,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        transports: Sequence[Transport] = ("websocket",),
        namespaces: str | Sequence[str] | None = None,
        socketio_path: str = "socket.io",
        wait_timeout: float = 5.0,
        tls: Tls | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Connect to the server at `url` (http, https, ws or wss); the namespaces are joined on return.

        The first of `transports` is used; `("polling", "websocket")` begins with polling and upgrades where the server
        offers it. `namespaces` are by default those with handlers, or else `/`; `auth` goes to each of them. `headers`
        and `cookies` go with every HTTP request, the query of `url` too. `wait_timeout`, in seconds, bounds the whole
        of it. Raises ConnectFailed.
        """
        ...

    def on(self, event: str, handler: Handler, namespace: str | None = None) -> None:
        """Call `handler(*arguments)` for every such event; the last handler registered for an event counts.

        Where the server asks for an acknowledgement, it is what the handler returns: None, one argument, or a tuple.

        Two names are special, as in python-socketio: `disconnect` is called with the reason when the namespace was
        left, `*` for every event that has no handler of its own, with its name first.
        """
        ...

    def when_closed(self, callback: Callable[[str], None]) -> None:
        """Call `callback(reason)` when an established connection ends, whoever ended it, before `disconnect` handlers.

        Unlike `on("disconnect", …)`, which is the user's, any number of callbacks may be registered.
        """
        ...

    async def emit(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        """Emit an event; `callback` asks for an acknowledgement and is called with its arguments.

        `data` may be a tuple: several arguments. What they hold is JSON and bytes. Returns when it was handed to the
        transport. Raises Disconnected, MessageTooLarge, or TypeError for an argument that cannot be sent.
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
    """The arguments of an event or acknowledgement that `data` stands for: nothing, one, or a tuple of several."""
    if data is None:
        return ()
    return data if isinstance(data, tuple) else (data,)


def acknowledged(values: tuple[Any, ...]) -> Any:
    """What `call` returns for the arguments of an acknowledgement: None, the only one, or all as a tuple."""
    if not values:
        return None
    return values[0] if len(values) == 1 else values
