"""The slowest round trips of an operation, by their tokens: found in each batch, and merged over processes. Pure.

They are those of the window with the longest service times: the response time of an open load contains waits of which
a service's traces know nothing. Round trips that timed out are apart, because nobody knows how long they would have
taken: the first of them are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

Times = NDArray[np.int64]

#: The number that is kept where a trace context is asked for and no number.
USUAL_NUMBER = 10

#: The most that may be asked for.
MOST_SLOWEST = 100

#: The characters of a token on its way between processes.
_LONGEST_TOKEN = 200


class Slow(NamedTuple):
    """A slow round trip: when it was intended, since the run's start, and its times. Nanoseconds.

    `service_ns` is None if it timed out, and `response_ns` also in a closed load.
    """

    at_ns: int
    token: Annotated[str, Field(max_length=_LONGEST_TOKEN)]
    service_ns: int | None
    response_ns: int | None


class Slowest:
    """The slowest round trips so far, at most `number`, and as many of those that timed out."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.slow: list[Slow] = []
        self.timed_out: list[Slow] = []

    def add(
        self,
        at_ns: Times,
        service_ns: Times,
        response_ns: Times | None,
        tokens: Sequence[str],
        wanted: NDArray[np.bool_],
    ) -> None:
        """Take the `wanted` of these round trips, each with its token, if they are slow enough."""
        if len(self.slow) == self.number:  # most batches have none that is slower
            wanted = wanted & (service_ns > (self.slow[-1].service_ns or 0))
        places = np.flatnonzero(wanted)
        if not len(places):
            return
        if len(places) > self.number:
            places = places[np.argpartition(service_ns[places], -self.number)[-self.number :]]
        found = [
            Slow(
                int(at_ns[place]),
                tokens[place],
                int(service_ns[place]),
                None if response_ns is None else int(response_ns[place]),
            )
            for place in places.tolist()
        ]
        self.slow = slowest([*self.slow, *found], self.number)

    def add_timeout(self, at_ns: int, token: str) -> None:
        """Take a round trip that timed out, if it is among the first."""
        if len(self.timed_out) < self.number:
            self.timed_out.append(Slow(at_ns, token, None, None))


def slowest(found: Iterable[Slow], number: int) -> list[Slow]:
    """Return the slowest of these, the slowest first."""
    return sorted(found, key=lambda slow: (-(slow.service_ns or 0), slow.at_ns, slow.token))[:number]
