"""Work of the gevent side that takes long, and gives way to the engine's thread again and again.

Both threads often share a core. The system may let the thread that is at work go on for some milliseconds, and an
arrival would leave as late as that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import TypeVar

import gevent

#: The time of work after which it gives way, and the time for which it does, in seconds.
_LONGEST_S, _PAUSE_S = 0.001, 0.0005

T = TypeVar("T")


class GiveWay:
    """The turns of a piece of work. It is called where the work may be interrupted."""

    def __init__(self) -> None:
        self._since_s = perf_counter()

    def __call__(self) -> None:
        """Give way if the work has gone on for long enough."""
        if perf_counter() - self._since_s >= _LONGEST_S:
            gevent.sleep(_PAUSE_S)
            self._since_s = perf_counter()


class InTurns(list[T]):
    """A list through which others go slowly: each of them gives way meanwhile."""

    def __init__(self, values: Iterable[T], give_way: GiveWay) -> None:
        super().__init__(values)
        self._give_way = give_way

    def __iter__(self) -> Iterator[T]:
        for value in super().__iter__():
            self._give_way()
            yield value
