"""The warm-up of a server and its connection.

`until_steady` makes round trips in windows of 50. They are steady once they stop getting faster. The lower median of
the last two windows is then at most 3 % below that of the two before. The rule is one-sided, and takes the lower of
two, because other load only makes windows slower.

A bound on their spread was tried. Georges, Buytaert and Eeckhout 2007, "Statistically rigorous Java performance
evaluation", OOPSLA, take a coefficient of variation of 1 to 2 %. On a machine with other load, many warm connections
did not meet it. A server may never become steady (Barrett et al. 2017, "Virtual machine warmup blows hot and cold",
OOPSLA). So the time is bounded too, and the result says which of the two ended the warm-up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from time import perf_counter_ns
from typing import NamedTuple

#: The number of round trips of a window, unless they take longer than `WINDOW_S`.
WINDOW = 50

#: The longest window, in seconds.
WINDOW_S = 0.05
#: The longest warm-up of a connection, in seconds. The measurement begins after it all the same.
LIMIT_S = 0.5

#: The number of windows whose lower median is compared with that of the same number before.
COMPARED = 2
#: The relative fall of that median beyond which round trips still get faster.
STILL_FASTER = 0.03


class WarmUp(NamedTuple):
    """The result of a warm-up: the median of its last window, its round trips, and whether they became steady."""

    median_ns: float
    round_trips: int
    steady: bool


def is_steady(medians: Sequence[float]) -> bool:
    """Return true if windows of these medians, in the order measured, have stopped getting faster."""
    if len(medians) < 2 * COMPARED:
        return False
    return min(medians[-COMPARED:]) >= (1 - STILL_FASTER) * min(medians[-2 * COMPARED : -COMPARED])


async def until_steady(round_trip: Callable[[], Awaitable[int]]) -> WarmUp:
    """Make round trips until they are steady or the time is up. `round_trip` returns its duration in ns."""
    until_ns = perf_counter_ns() + round(LIMIT_S * 1e9)
    medians: list[float] = []
    round_trips = 0
    while not medians or (not is_steady(medians) and perf_counter_ns() < until_ns):
        window_until_ns = perf_counter_ns() + round(WINDOW_S * 1e9)
        window_ns = [await round_trip()]
        while len(window_ns) < WINDOW and perf_counter_ns() < window_until_ns:
            window_ns.append(await round_trip())
        medians.append(median(window_ns))
        round_trips += len(window_ns)
    return WarmUp(medians[-1], round_trips, is_steady(medians))
