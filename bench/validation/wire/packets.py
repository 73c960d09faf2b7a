"""Captured link-layer frames, taken apart to segments of TCP over IPv4: bytes in, data out.

The loopback's frames have an Ethernet header. What is no TCP over IPv4 is nothing here.
"""

from struct import Struct
from typing import NamedTuple

#: The flags of TCP that matter here (RFC 9293, section 3.1).
FIN, SYN, RST = 0x01, 0x02, 0x04

_ETHERNET_BYTES = 14
_IPV4 = b"\x08\x00"
_TCP = 6
_LEAST_BYTES = _ETHERNET_BYTES + 20 + 20

#: Of TCP's header: both ports, the sequence number, the byte with the header's length, and that with the flags.
_TCP_HEAD = Struct("!HHI4xBB")


class Segment(NamedTuple):
    """A segment of TCP as it was captured: `time_ns` is the kernel's stamp, on the observer's clock.

    `is_outgoing` tells the copy that leaves the sender from the copy that comes in. `is_whole` is false if the capture
    has cut it.
    """

    time_ns: int
    is_outgoing: bool
    source: int
    destination: int
    sequence: int
    flags: int
    payload: bytes
    is_whole: bool = True


def segment_in(frame: bytes, time_ns: int, is_outgoing: bool) -> Segment | None:
    """Return the segment of TCP in a captured frame; None if there is none."""
    if len(frame) < _LEAST_BYTES or frame[12:14] != _IPV4:
        return None
    if frame[_ETHERNET_BYTES] >> 4 != 4 or frame[_ETHERNET_BYTES + 9] != _TCP:
        return None
    tcp_at = _ETHERNET_BYTES + (frame[_ETHERNET_BYTES] & 15) * 4
    if len(frame) < tcp_at + 20:
        return None
    source, destination, sequence, length_words, flags = _TCP_HEAD.unpack_from(frame, tcp_at)
    payload_at = tcp_at + (length_words >> 4) * 4
    # A packet of 64 KiB and more says 0: then all that was captured is its payload.
    length_bytes = int.from_bytes(frame[_ETHERNET_BYTES + 2 : _ETHERNET_BYTES + 4])
    end = _ETHERNET_BYTES + length_bytes if length_bytes else len(frame)
    return Segment(
        time_ns,
        is_outgoing,
        source,
        destination,
        sequence,
        flags,
        frame[payload_at:end],
        is_whole=len(frame) >= end,
    )
