"""The payload format of HTTP polling: several messages in one body, binary messages as text.

Messages are separated by the record separator, 0x1e, which JSON only contains escaped. A binary message is `b` and its
base64. Source: the Engine.IO protocol, revision 4, "Payload".
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable

from bench.wire.protocol.packets import ProtocolError

#: The most packets that python-engineio takes in one request; it drops a request with more of them whole.
MAX_PACKETS_PER_PAYLOAD = 16

_SEPARATOR = b"\x1e"


def encode_binary_packet(message: bytes) -> bytes:
    """Return a binary message as part of a payload. Text messages are parts as they are."""
    return b"b" + binascii.b2a_base64(message, newline=False)


def payload_size_bytes(size_bytes: int) -> int:
    """Return the size of a binary message as part of a payload, from its own size."""
    return 1 + (size_bytes + 2) // 3 * 4


def encode_payload(parts: Iterable[bytes]) -> bytes:
    """Return the body of a request."""
    return _SEPARATOR.join(parts)


def decode_payload(body: bytes) -> list[tuple[bool, bytes]]:
    """Return the messages of an answer, in order: whether it is binary, and its bytes. Raises ProtocolError."""
    return [_message(part) for part in body.split(_SEPARATOR)]


def _message(part: bytes) -> tuple[bool, bytes]:
    if not part:
        raise ProtocolError("a payload with an empty packet")
    if not part.startswith(b"b"):
        return False, part
    try:
        return True, binascii.a2b_base64(part[1:], strict_mode=True)
    except binascii.Error:
        raise ProtocolError("a binary packet that is not base64") from None
