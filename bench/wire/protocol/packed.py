"""Packets in MessagePack: each packet of Socket.IO is a binary message, a map of `type`, `nsp`, `data` and `id`.

This is the format of python-socketio's `serializer="msgpack"` and of socket.io-msgpack-parser. Bytes are a type of
MessagePack, so there are no attachments. Engine.IO's own packets (handshake, heartbeat, upgrade) stay text. Decoding
raises ProtocolError and nothing else.
"""

from __future__ import annotations

from typing import Any

from bench.wire.protocol.packets import (
    DEFAULT_NAMESPACE,
    Ack,
    Connected,
    ConnectError,
    Disconnect,
    Event,
    Packet,
    ProtocolError,
)

try:
    import msgpack
except ImportError:  # an extra of the project
    msgpack = None

#: True if the package msgpack is installed.
CAN_PACK = msgpack is not None

_CONNECT, _DISCONNECT, _EVENT, _ACK, _CONNECT_ERROR, _BINARY_EVENT, _BINARY_ACK = range(7)

#: The ids of acknowledgements are numbers of 64 bits.
_MAX_ID = 2**63 - 1


def pack_connect(auth: Any = None, namespace: str = DEFAULT_NAMESPACE) -> bytes:
    """Return the request to join a namespace. Raises TypeError for an `auth` that cannot be sent."""
    return _packed(_CONNECT, namespace, auth, None)


def pack_disconnect(namespace: str = DEFAULT_NAMESPACE) -> bytes:
    """Return the message that leaves a namespace."""
    return _packed(_DISCONNECT, namespace, None, None)


def pack_event(
    name: str, arguments: tuple[Any, ...], ack_id: int | None = None, namespace: str = DEFAULT_NAMESPACE
) -> bytes:
    """Return an event. Raises TypeError for an argument that cannot be sent."""
    return _packed(_EVENT, namespace, [name, *arguments], ack_id)


def pack_ack(ack_id: int, arguments: tuple[Any, ...], namespace: str = DEFAULT_NAMESPACE) -> bytes:
    """Return the acknowledgement of a server's event. Raises TypeError for an argument that cannot be sent."""
    return _packed(_ACK, namespace, list(arguments), ack_id)


def unpack(message: bytes) -> Packet:
    """Return the packet in a binary message. Raises ProtocolError."""
    try:
        fields = msgpack.unpackb(message, strict_map_key=False, ext_hook=_extension)
    except (ValueError, TypeError, RecursionError, OverflowError, msgpack.UnpackException):
        raise ProtocolError(f"a packet that is not MessagePack: {_shown(message)}") from None
    kind = fields.get("type") if isinstance(fields, dict) else None
    namespace = fields.get("nsp", DEFAULT_NAMESPACE) if isinstance(fields, dict) else None
    if type(kind) is not int or not isinstance(namespace, str):
        raise ProtocolError(f"a packet of MessagePack without type or namespace: {_shown(message)}")
    data, ack_id = fields.get("data"), fields.get("id")
    if ack_id is not None and not (type(ack_id) is int and 0 <= ack_id <= _MAX_ID):
        raise ProtocolError(f"an acknowledgement id out of range: {_shown(message)}")
    if kind in (_EVENT, _BINARY_EVENT):
        if not isinstance(data, list) or not data or not isinstance(data[0], str):
            raise ProtocolError(f"an event without a name: {_shown(message)}")
        return Event(data[0], tuple(data[1:]), ack_id, namespace)
    if kind in (_ACK, _BINARY_ACK):
        if ack_id is None or not isinstance(data, list):
            raise ProtocolError(f"an acknowledgement without id or arguments: {_shown(message)}")
        return Ack(ack_id, tuple(data), namespace)
    if kind == _CONNECT:
        sid = data.get("sid") if isinstance(data, dict) else None
        if not isinstance(sid, str):
            raise ProtocolError(f"a connection without a session id: {_shown(message)}")
        return Connected(namespace, sid, "pid" in data)
    if kind == _CONNECT_ERROR:
        return ConnectError(namespace, *said_of(data))
    if kind == _DISCONNECT:
        return Disconnect(namespace, None if data is None else said_of(data)[0])
    raise ProtocolError(f"an unknown Socket.IO packet: {_shown(message)}")


def said_of(data: Any) -> tuple[str, Any]:
    """Return the message of a refusal, and what the server added to it."""
    if isinstance(data, dict) and isinstance(data.get("message"), str):
        return data["message"], data.get("data")
    return data if isinstance(data, str) else "" if data is None else str(data), None


def _packed(kind: int, namespace: str, data: Any, ack_id: int | None) -> bytes:
    fields: dict[str, Any] = {"type": kind, "nsp": namespace}
    if data is not None:
        fields["data"] = data
    if ack_id is not None:
        fields["id"] = ack_id
    try:
        packed: bytes = msgpack.packb(fields)
    except (ValueError, OverflowError) as error:
        raise TypeError(str(error)) from None
    return packed


def _extension(code: int, data: bytes) -> Any:
    """Return None for JavaScript's `undefined`, as notepack.io has it; other extensions stay as they are."""
    return None if (code, data) == (0, b"\0") else msgpack.ExtType(code, data)


def _shown(message: bytes) -> str:
    return repr(message[:40]) + ("…" if len(message) > 40 else "")
