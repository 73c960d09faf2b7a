"""The packets that a client receives, decoded: a small immutable class for each kind."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, TypeAlias

ENGINE_IO_VERSION = 4
DEFAULT_NAMESPACE = "/"


class ProtocolError(Exception):
    """An error: a message does not follow the protocol. The text says how, in one short line."""


class OldProtocolError(ProtocolError):
    """An error: a message is one of Engine.IO 3, which Socket.IO 2 speaks."""

    def __init__(self) -> None:
        super().__init__(
            "the server speaks the protocol of Socket.IO 2 (Engine.IO protocol 3), but this client speaks that of "
            "Socket.IO 3 and later (Engine.IO protocol 4): update the server"
        )


class Binary(NamedTuple):
    """A binary message: an attachment. A text message is `bytes` as they are."""

    data: bytes


Message: TypeAlias = bytes | Binary


class Open(NamedTuple):
    """Engine.IO's handshake. Times in milliseconds, the payload limit in bytes (0: none)."""

    sid: str
    ping_interval_ms: int
    ping_timeout_ms: int
    max_payload_bytes: int
    upgrades: tuple[str, ...]


class Close(NamedTuple):
    """Engine.IO's end of the connection."""


class Ping(NamedTuple):
    """The server's heartbeat, to be answered with PONG."""


class Pong(NamedTuple):
    """The answer to a client's ping. The only ping that a client sends probes a transport to upgrade to."""

    is_probe: bool


class Noop(NamedTuple):
    """A packet without meaning: it ends a polling request that would otherwise wait."""


class Connected(NamedTuple):
    """The server's acceptance of the connection to a namespace.

    If it is `recoverable`, the server ends events with an offset of its own; see `without_offset`.
    """

    namespace: str
    sid: str
    recoverable: bool = False


class ConnectError(NamedTuple):
    """The server's refusal of the connection to a namespace; `data` is what it adds to its message, if anything."""

    namespace: str
    message: str
    data: Any = None


class Disconnect(NamedTuple):
    """The server's end of the connection to a namespace.

    `said` is the server's message if it has any: it has accepted the connection before it decided to refuse it.
    """

    namespace: str
    said: str | None = None


class Event(NamedTuple):
    """An event; `ack_id` is set where the server asks for an acknowledgement."""

    name: str
    arguments: tuple[Any, ...]
    ack_id: int | None
    namespace: str


#: The offsets of socket.io's adapters: in memory (the time in 64 digits, and a number), Redis streams, and MongoDB.
_OFFSET = re.compile(r"[0-9A-Za-z_-]{7}(\.[0-9A-Za-z_-]+)?|[0-9]{13}-[0-9]+|[0-9a-f]{24}")


def without_offset(event: Event) -> Event:
    """Return the event without the offset at its end, if there is any.

    A server with Node's connection state recovery adds it to each event that it keeps, as one argument more. No handler
    in JavaScript minds that. In Python a handler with the service's own arguments would fail.
    """
    values = event.arguments
    if event.ack_id is None and values and isinstance(values[-1], str) and _OFFSET.fullmatch(values[-1]):
        return event._replace(arguments=values[:-1])
    return event


class Ack(NamedTuple):
    """The server's acknowledgement of the event that was sent with `ack_id`."""

    ack_id: int
    arguments: tuple[Any, ...]
    namespace: str


class BinaryHeader(NamedTuple):
    """The first part of an event or acknowledgement with attachments, each of which comes as a binary message.

    `arguments` hold placeholders; binary.Assembly replaces them. `name` is None in an acknowledgement.
    """

    name: str | None
    arguments: list[Any]
    ack_id: int | None
    namespace: str
    attachments: int


Packet: TypeAlias = (
    Open | Close | Ping | Pong | Noop | Connected | ConnectError | Disconnect | Event | Ack | BinaryHeader
)
