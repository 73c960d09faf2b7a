"""What a Socket.IO client is to the rest of the project: one interface, two implementations.

`FastClient` (client.py) and `ReferenceClient` (reference.py, python-socketio's own) are exchanged by changing one word.
The names are python-socketio's. Two things are added, without which a round trip could not be timed truly: `emit`
returns when the event was handed to the transport, and `received_ns` tells a handler when its event arrived. Both are
nanoseconds of `time.perf_counter_ns`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

Transport = Literal["websocket", "polling"]

Handler = Callable[..., Any]
"""Called with the event's arguments, in the loop, when the event arrives. A plain function: it must not block."""


class ClientError(Exception):
    """What went wrong between a client and its server, in one line."""


class ConnectFailed(ClientError):
    """The server could not be reached, is no Socket.IO server, refused the connection, or did not answer in time."""


class Disconnected(ClientError):
    """The connection is gone, or was never there."""


class CallTimeout(ClientError):
    """The acknowledgement did not come in time."""


class Client(Protocol):
    """A Socket.IO connection, seen from the client."""

    received_ns: int
    """Inside a handler or callback: when the event that it is called for arrived."""

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
        transports: Sequence[Transport] = ("websocket",),
        socketio_path: str = "socket.io",
        wait_timeout: float = 5.0,
    ) -> None:
        """Connect to the server at `url` (http, https, ws or wss); the default namespace is joined on return.

        `wait_timeout`, in seconds, bounds the whole of it. Raises ConnectFailed.
        """
        ...

    def on(self, event: str, handler: Handler) -> None:
        """Call `handler(*arguments)` for every such event; the last handler registered for an event counts.

        Two names are special, as in python-socketio: `disconnect` is called with the reason, `*` for every event
        that has no handler of its own, with its name first.
        """
        ...

    def when_closed(self, callback: Callable[[str], None]) -> None:
        """Call `callback(reason)` when an established connection ends, whoever ended it, before `disconnect` handlers.

        Unlike `on("disconnect", …)`, which is the user's, any number of callbacks may be registered.
        """
        ...

    async def emit(self, event: str, data: Any = None, *, callback: Handler | None = None) -> int:
        """Emit an event; `callback` asks for an acknowledgement and is called with its arguments.

        `data` may be a tuple: several arguments. Returns when it was handed to the transport. Raises Disconnected.
        """
        ...

    async def call(self, event: str, data: Any = None, *, timeout: float = 60.0) -> Any:
        """Emit an event and wait up to `timeout` seconds for its acknowledgement, which is returned.

        None, the argument, or a tuple of several. Raises CallTimeout or Disconnected.
        """
        ...

    async def disconnect(self) -> None:
        """Close the connection. Does nothing where there is none."""
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
