"""The matching of emissions and replies by their tokens, from captured segments alone.

A message's time is that of the packet that completed it. Of an emission the copy counts that leaves the generator, of a
reply the copy that comes in. The copy of a reply that leaves the server is kept beside it.
"""

import re
from dataclasses import dataclass, field

from bench.validation.wire.frames import Messages
from bench.validation.wire.packets import SYN, Segment
from bench.validation.wire.streams import Stream

#: The tokens of ours and of the other tools' programs.
_TOKEN = re.compile(rb"rt-[0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Sighting:
    """A round trip as it was seen, on the clock of the segments: nanoseconds.

    `reply_left_ns` is when the reply left the server; None if that copy was not seen.
    """

    emission_ns: int
    reply_ns: int
    reply_left_ns: int | None


@dataclass
class _Direction:
    stream: Stream = field(default_factory=Stream)
    messages: Messages = field(default_factory=Messages)


class Observer:
    """The observer of all connections to the server at `port`."""

    def __init__(self, port: int) -> None:
        self._port = port
        #: By the generator's port, True for the direction to the server, and True for the copy that leaves.
        self._directions: dict[tuple[int, bool, bool], _Direction] = {}
        self._ended: list[Stream] = []
        self._emissions: dict[str, int] = {}
        self._replies: dict[str, int] = {}
        self._replies_left: dict[str, int] = {}
        #: The number of segments.
        self.segments = 0

    def see(self, segment: Segment) -> None:
        """Take the next segment, in the order in which they were captured."""
        is_to_server = segment.destination == self._port
        if not is_to_server and segment.source != self._port:
            return
        if is_to_server and not segment.is_outgoing:
            return
        self.segments += 1
        port = segment.source if is_to_server else segment.destination
        key = (port, is_to_server, segment.is_outgoing)
        direction = self._directions.get(key)
        is_other = direction is not None and segment.flags & SYN and segment.sequence != direction.stream.first
        if direction is None or is_other:  # another connection over the same ports
            if direction is not None:
                self._ended.append(direction.stream)
            direction = self._directions[key] = _Direction()
        data = direction.stream.add(segment)
        if not data:
            return
        replies = self._replies_left if segment.is_outgoing else self._replies
        found = self._emissions if is_to_server else replies
        for message in direction.messages.add(data):
            for token in _TOKEN.findall(message):
                found.setdefault(token.decode(), segment.time_ns)

    def sightings(self) -> dict[str, Sighting]:
        """Return the round trips of which both packets were seen, by token."""
        return {
            token: Sighting(emission_ns, self._replies[token], self._replies_left.get(token))
            for token, emission_ns in self._emissions.items()
            if token in self._replies
        }

    @property
    def retransmitted(self) -> int:
        """The number of segments that brought bytes again."""
        return sum(stream.retransmitted for stream in self._streams())

    @property
    def lost_streams(self) -> int:
        """The number of directions in which the capture lacks bytes."""
        return sum(stream.is_lost or stream.waits for stream in self._streams())

    def _streams(self) -> list[Stream]:
        return [*self._ended, *(direction.stream for direction in self._directions.values())]
