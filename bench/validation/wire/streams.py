"""A direction of a TCP connection: captured segments in, its bytes in order out (RFC 9293, section 3.4).

Bytes that come again count once, by their first copy. Bytes that come early wait until what is before them has come, as
they wait in the receiver. Where the capture has lost a segment, nothing that follows can be told apart: then the
direction is lost.
"""

from bench.validation.wire.packets import SYN, Segment

_NUMBERS = 1 << 32
_HALF = 1 << 31

#: The segments that may wait for an earlier one. On the loopback none does, so that many mean a loss of the capture.
_MOST_EARLY = 256


class Stream:
    """The bytes of a direction. It begins with the segment that has SYN; without that it is never known."""

    __slots__ = ("_early", "_next", "first", "is_lost", "retransmitted")

    def __init__(self) -> None:
        #: The sequence number of the next byte; None before the beginning.
        self._next: int | None = None
        #: The sequence number of the SYN; None before it.
        self.first: int | None = None
        #: By sequence number: what came before its turn.
        self._early: dict[int, bytes] = {}
        #: The number of segments that brought bytes again.
        self.retransmitted = 0
        #: True once bytes are missing that will not come.
        self.is_lost = False

    def add(self, segment: Segment) -> bytes:
        """Take a segment; return the bytes that are in order now, and were not before."""
        if segment.flags & SYN:
            if self._next is None:
                self.first = segment.sequence
                self._next = (segment.sequence + 1) % _NUMBERS
            return b""
        if self._next is None or self.is_lost or not segment.payload:
            return b""
        if not segment.is_whole:
            self.is_lost = True
            return b""
        data = self._in_turn(segment.sequence, segment.payload)
        while self._early and data:
            ready = [sequence for sequence in self._early if _distance(sequence, self._next) <= 0]
            if not ready:
                break
            for sequence in ready:
                data += self._in_turn(sequence, self._early.pop(sequence))
        return data

    def _in_turn(self, sequence: int, payload: bytes) -> bytes:
        """Return the part of these bytes that is next, or keep them for later."""
        assert self._next is not None, "it has begun"
        ahead = _distance(sequence, self._next)
        if ahead > 0:
            if len(payload) > len(self._early.get(sequence, b"")):
                self._early[sequence] = payload
            self.is_lost = len(self._early) > _MOST_EARLY
            return b""
        if ahead < 0:
            self.retransmitted += 1
        data = payload[-ahead:]
        self._next = (self._next + len(data)) % _NUMBERS
        return data

    @property
    def waits(self) -> bool:
        """True while bytes wait for others that are before them."""
        return bool(self._early)


def _distance(sequence: int, other: int) -> int:
    """Return how far a sequence number is ahead of another; numbers begin again after 2^32."""
    distance = (sequence - other) % _NUMBERS
    return distance - _NUMBERS if distance >= _HALF else distance
