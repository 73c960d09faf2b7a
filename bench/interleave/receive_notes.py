"""The notes of whose clock told when replies were received, while bursts are timed.

A note is taken between two round trips, so it is in no time. It is two numbers. What they say together is found out
later.
"""

from array import array

import numpy as np

from bench.exchange.outcomes import Completed
from bench.timing.receive_times import ReceiveTimes


class ReceiveNotes:
    """The reading delays and the errors of the receive times of a server's replies, in nanoseconds."""

    __slots__ = ("_pairs",)

    def __init__(self) -> None:
        self._pairs = array("q")

    def note(self, done: Completed) -> None:
        """Note a round trip that succeeded."""
        self._pairs.append(done.read_ns - done.received_ns)
        self._pairs.append(min(done.error_ns, done.service_ns))  # it was not received before it was sent

    def leave_out(self, number: int, before: int) -> None:
        """Forget that many of the notes, those before the last `before`: they were not timed."""
        end = len(self._pairs) - 2 * before
        del self._pairs[end - 2 * number : end]

    def times(self) -> ReceiveTimes:
        """Return what the notes say together."""
        found, pairs = ReceiveTimes(), np.array(self._pairs, dtype=np.int64)
        found.record(pairs[0::2], pairs[1::2])
        return found
