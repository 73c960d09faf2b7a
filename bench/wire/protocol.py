"""Socket.IO 5 over Engine.IO 4, sans I/O: bytes of one WebSocket message in, packets out; packets in, bytes out.

All that is known of the format is in this file, and the file knows no socket, no clock and no event loop. A decoded
packet is a small immutable value. What does not follow the format raises ProtocolError; nothing else is ever raised.
Source: the Engine.IO protocol, revision 4, and the Socket.IO protocol, revision 5, as published by the Socket.IO
project. Attachments (binary events) are refused for now.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import orjson

ENGINE_IO_VERSION = 4
DEFAULT_NAMESPACE = "/"

PONG = b"3"
"""The answer to the server's ping."""

DISCONNECT = b"41"
"""Leaves the default namespace."""


class ProtocolError(Exception):
    """The message does not follow the protocol; the text says how."""


class Open(NamedTuple):
    """Engine.IO's handshake. Times in milliseconds, the payload limit in bytes."""

    sid: str
    ping_interval_ms: int
    ping_timeout_ms: int
    max_payload_bytes: int
    upgrades: tuple[str, ...]


class Close(NamedTuple):
    """Engine.IO's end of the connection."""


class Ping(NamedTuple):
    """The server's heartbeat, to be answered with PONG."""


class Noop(NamedTuple):
    """Nothing to do: noop, and pong, which a server does not send on its own."""


class Connected(NamedTuple):
    """The server accepted the connection to a namespace."""

    namespace: str
    sid: str


class ConnectError(NamedTuple):
    """The server refused the connection to a namespace."""

    namespace: str
    message: str


class Disconnect(NamedTuple):
    """The server ended the connection to a namespace."""

    namespace: str


class Event(NamedTuple):
    """An event; `ack_id` is set where the server asks for an acknowledgement."""

    name: str
    arguments: tuple[Any, ...]
    ack_id: int | None
    namespace: str


class Ack(NamedTuple):
    """The server's acknowledgement of the event that was sent with `ack_id`."""

    ack_id: int
    arguments: tuple[Any, ...]
    namespace: str


Packet: TypeAlias = Open | Close | Ping | Noop | Connected | ConnectError | Disconnect | Event | Ack


def encode_connect(auth: Any = None) -> bytes:
    """The request to join the default namespace, with an authentication payload where there is one."""
    return b"40" if auth is None else b"40" + orjson.dumps(auth)


def encode_event(name: str, arguments: tuple[Any, ...], ack_id: int | None = None) -> bytes:
    """An event to the default namespace. Raises TypeError for an argument that JSON cannot hold."""
    head = b"42" if ack_id is None else b"42%d" % ack_id
    return head + orjson.dumps((name, *arguments))


def encode_ack(ack_id: int, arguments: tuple[Any, ...]) -> bytes:
    """The acknowledgement of a server's event in the default namespace."""
    return b"43%d" % ack_id + orjson.dumps(arguments)


def decode(message: bytes) -> Packet:
    """The packet that one text message of the WebSocket holds. Raises ProtocolError."""
    if message.startswith(b"42["):  # by far the most frequent, and all of the hot path
        values = _json(message[2:], message)
        if not values or not isinstance(values[0], str):
            raise ProtocolError(f"an event without a name: {_shown(message)}")
        return Event(values[0], tuple(values[1:]), None, DEFAULT_NAMESPACE)
    kind = message[:1]
    if kind == b"4":
        return _decode_socket_io(message)
    if kind == b"2":
        return Ping()
    if kind in (b"3", b"6"):
        return Noop()
    if kind == b"1":
        return Close()
    if kind == b"0":
        return _decode_open(message)
    raise ProtocolError(f"an unknown Engine.IO packet: {_shown(message)}")


def _decode_open(message: bytes) -> Open:
    fields = _json(message[1:], message)
    if not isinstance(fields, dict):
        raise ProtocolError(f"a handshake that is no object: {_shown(message)}")
    try:
        return Open(
            sid=str(fields["sid"]),
            ping_interval_ms=int(fields["pingInterval"]),
            ping_timeout_ms=int(fields["pingTimeout"]),
            max_payload_bytes=int(fields.get("maxPayload", 0)),
            upgrades=tuple(map(str, fields.get("upgrades", ()))),
        )
    except KeyError as missing:
        raise ProtocolError(f"a handshake without {missing}: {_shown(message)}") from None
    except (TypeError, ValueError, OverflowError):
        raise ProtocolError(f"a handshake with a wrong value: {_shown(message)}") from None


def _decode_socket_io(message: bytes) -> Packet:
    kind = message[1:2]
    namespace, ack_id, body = _head(message)
    if kind in (b"2", b"3"):
        values = _json(body, message)
        if not isinstance(values, list):
            raise ProtocolError(f"an event or acknowledgement that is no array: {_shown(message)}")
        if kind == b"3":
            if ack_id is None:
                raise ProtocolError(f"an acknowledgement without an id: {_shown(message)}")
            return Ack(ack_id, tuple(values), namespace)
        if not values or not isinstance(values[0], str):
            raise ProtocolError(f"an event without a name: {_shown(message)}")
        return Event(values[0], tuple(values[1:]), ack_id, namespace)
    if kind == b"0":
        fields = _json(body, message) if body else {}
        sid = fields.get("sid") if isinstance(fields, dict) else None
        if not isinstance(sid, str):
            raise ProtocolError(f"a connection without a session id: {_shown(message)}")
        return Connected(namespace, sid)
    if kind == b"4":
        fields = _json(body, message) if body else {}
        text = fields.get("message", fields) if isinstance(fields, dict) else fields
        return ConnectError(namespace, str(text))
    if kind == b"1":
        return Disconnect(namespace)
    if kind in (b"5", b"6"):
        raise ProtocolError("binary events are not supported yet")
    raise ProtocolError(f"an unknown Socket.IO packet: {_shown(message)}")


def _head(message: bytes) -> tuple[str, int | None, bytes]:
    """Splits what follows the two type digits into namespace, acknowledgement id and JSON body."""
    body = message[2:]
    namespace = DEFAULT_NAMESPACE
    if body.startswith(b"/"):
        name, _, body = body.partition(b",")
        try:
            namespace = name.decode()
        except UnicodeDecodeError:
            raise ProtocolError(f"a namespace that is not UTF-8: {_shown(message)}") from None
    digits = 0
    while body[digits : digits + 1].isdigit():
        digits += 1
        if digits > 19:
            raise ProtocolError(f"an acknowledgement id out of range: {_shown(message)}")
    return namespace, int(body[:digits]) if digits else None, body[digits:]


def _json(body: bytes, message: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ProtocolError(f"a packet that is not JSON: {_shown(message)}") from None


def _shown(message: bytes) -> str:
    """The start of a message, for an error's text."""
    return repr(message[:80].decode(errors="replace")) + ("…" if len(message) > 80 else "")
