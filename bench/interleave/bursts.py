"""Bursts of round trips with one server after another, in an order in which drift cancels out.

Rules of this file: only one server has anything to do at a time, and whatever the machine does meanwhile it does to all
of them. A server's CPU clock is read right before and after its burst, without a pause. The kernel brings that clock up
to date when the process goes to sleep, which a server with one round trip in flight does before its client has read the
reply: docs/measurements.md has how often, and what a pause would add to the figure.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple


class Burst(NamedTuple):
    """Service times of successive round trips, in nanoseconds, and the CPU time that the server used meanwhile.

    `cpu_ns` is None where it is not known.
    """

    times_ns: list[int]
    cpu_ns: int | None


async def timed_burst(
    round_trip: Callable[[], Awaitable[int]],
    count: int,
    *,
    lead_in: int = 0,
    cpu_ns: Callable[[], int] | None = None,
) -> Burst:
    """Make so many round trips, one in flight, and return what they took.

    `round_trip` performs one and returns its service time in nanoseconds. The first `lead_in` round trips find caches
    cold that other processes have used meanwhile, and are not timed. `cpu_ns` reads the server's CPU clock. Raises
    what these raise.
    """
    for _ in range(lead_in):
        await round_trip()
    before_ns = None if cpu_ns is None else cpu_ns()
    times_ns = [await round_trip() for _ in range(count)]
    used_ns = None if cpu_ns is None or before_ns is None else cpu_ns() - before_ns
    return Burst(times_ns, used_ns)


def is_reversed(turn: int) -> bool:
    """Return whether the order turns round in this turn: ABBA, in which a linear drift adds as much as it takes."""
    return turn % 2 == 1
