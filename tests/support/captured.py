"""Captured packets as plain values: link-layer frames, and the segments of a conversation over WebSocket."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from struct import pack

from bench.validation.wire.packets import SYN, Segment

SERVER_PORT, CLIENT_PORT = 8000, 40_000

UPGRADE = b"GET /socket.io/?EIO=4 HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n\r\n"


def link_frame(payload: bytes, *, sequence: int = 1, flags: int = 0x10, options: bytes = b"") -> bytes:
    """Return a TCP segment from the client to the server, as the loopback's Ethernet frame over IPv4."""
    tcp = pack("!HHIIBBHHH", CLIENT_PORT, SERVER_PORT, sequence, 0, (5 + len(options) // 4) << 4, flags, 0, 0, 0)
    body = tcp + options + payload
    ip = pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, 64, 6, 0, bytes((127, 0, 0, 1)), bytes((127, 0, 0, 1)))
    return bytes(12) + b"\x08\x00" + ip + body


def masked(text: bytes, mask: bytes = b"\x01\x02\x03\xf4", first: int = 0x81) -> bytes:
    """Return a message in one frame, as a client sends it."""
    return (
        _head(first, len(text), 0x80) + mask + bytes(byte ^ key for byte, key in zip(text, cycle(mask), strict=False))
    )


def unmasked(text: bytes, first: int = 0x81) -> bytes:
    """Return a message in one frame, as a server sends it."""
    return _head(first, len(text), 0) + text


def _head(first: int, length: int, mask_bit: int) -> bytes:
    if length < 126:
        return bytes((first, mask_bit | length))
    if length < 1 << 16:
        return bytes((first, mask_bit | 126)) + length.to_bytes(2)
    return bytes((first, mask_bit | 127)) + length.to_bytes(8)


def segments(
    parts: Sequence[bytes], *, to_server: bool, is_outgoing: bool = True, first: int = 1000, begin_ns: int = 0
) -> Iterator[Segment]:
    """Yield the segments of a direction: SYN, then these payloads, 100 ns after each other, the first at `begin_ns`."""
    ports = (CLIENT_PORT, SERVER_PORT) if to_server else (SERVER_PORT, CLIENT_PORT)
    yield Segment(begin_ns, is_outgoing, *ports, first, SYN, b"")
    sequence = first + 1
    for number, part in enumerate(parts):
        yield Segment(begin_ns + 100 * number, is_outgoing, *ports, sequence % (1 << 32), 0x18, part)
        sequence += len(part)
