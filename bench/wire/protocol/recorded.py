"""The decoder of what a client sends, for recorded sessions: `decode` is for what a server sends.

Both directions have the same events, acknowledgements and ends of a namespace. They differ in the request to join, and
in Engine.IO's probe and upgrade, which mean nothing to a recording. Decoding raises ProtocolError and nothing else.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from bench.wire.protocol.decoder import decode
from bench.wire.protocol.packed import CAN_PACK, unpack
from bench.wire.protocol.packets import DEFAULT_NAMESPACE, Noop, Packet, ProtocolError

if CAN_PACK:
    import msgpack

#: Engine.IO's messages of an upgrade, as the client sends them.
_UPGRADE = (b"2probe", b"5")


class Join(NamedTuple):
    """A client's request to join a namespace; `auth` is None if it sent none."""

    namespace: str
    auth: Any


def decode_sent(message: bytes) -> Packet | Join:
    """Return the packet in a text message of a client. Raises ProtocolError."""
    if message in _UPGRADE:
        return Noop()
    if not message.startswith(b"40"):
        return decode(message)
    namespace, body = DEFAULT_NAMESPACE.encode(), message[2:]
    if body.startswith(b"/"):
        namespace, _, body = body.partition(b",")
    try:
        return Join(namespace.decode(), orjson.loads(body) if body else None)
    except ValueError:
        raise ProtocolError(f"a request to join that cannot be read: {message[:40]!r}") from None


def unpack_sent(message: bytes) -> Packet | Join:
    """Return the packet in a binary message of a client in MessagePack. Raises ProtocolError."""
    try:
        fields = msgpack.unpackb(message, strict_map_key=False)
    except Exception:
        return unpack(message)  # which says what is wrong
    if isinstance(fields, dict) and fields.get("type") == 0 and isinstance(fields.get("nsp", "/"), str):
        return Join(fields.get("nsp", DEFAULT_NAMESPACE), fields.get("data"))
    return unpack(message)
