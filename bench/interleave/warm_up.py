"""When a server and its connection are warm.

Round trips are made in windows of 50. They are steady once they stop getting faster: the lower median of the last two
windows is at most 3 % below that of the two before. One-sided, and by the lower of two, because other load only makes
windows slower: a bound on their spread (Georges, Buytaert and Eeckhout 2007, "Statistically rigorous Java performance
evaluation", OOPSLA, take a coefficient of variation of 1 to 2 %) was tried, and on a machine with other load many
connections did not meet it however warm they were. A server may never become steady (Barrett et al. 2017, "Virtual
machine warmup blows hot and cold", OOPSLA), so the time is bounded too, and the result says which of the two it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from time import perf_counter_ns
from typing import NamedTuple

#: Round trips of a window, unless they take longer than `WINDOW_S`.
WINDOW = 50

WINDOW_S = 0.05
#: Longest warm-up of one connection; after it the measurement begins all the same.
LIMIT_S = 0.5

COMPARED = 2
STILL_FASTER = 0.03


class WarmUp(NamedTuple):
    """What a warm-up came to: the median of its last window, its round trips, and whether they became steady."""

    median_ns: float
    round_trips: int
    steady: bool


def is_steady(medians: Sequence[float]) -> bool:
    """Whether windows of these medians, in the order measured, have stopped getting faster."""
    if len(medians) < 2 * COMPARED:
        return False
    return min(medians[-COMPARED:]) >= (1 - STILL_FASTER) * min(medians[-2 * COMPARED : -COMPARED])


async def until_steady(round_trip: Callable[[], Awaitable[int]]) -> WarmUp:
    """Make round trips, each of which returns its duration in ns, until they are steady or the time is up."""
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
