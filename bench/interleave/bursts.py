"""Bursts of round trips with one server after another, in an order in which drift cancels out.

Rules of this file: only one server has anything to do at a time, so whatever disturbs the machine meanwhile disturbs
all of them alike. `timed_burst` reads a server's CPU clock right before and after its burst, without a pause. The
kernel brings that clock up to date when the process goes to sleep. A server with a single round trip in flight sleeps
before its client has read the reply. docs/measurements.md has how often, and the cost of a pause.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple


class Burst(NamedTuple):
    """Service times of successive round trips, in nanoseconds, and the CPU time that the server used meanwhile.

    `cpu_ns` is None if it is not known.
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
    """Make `count` round trips, one in flight, and return their times.

    `round_trip` makes a round trip and returns its service time in nanoseconds. Before the timed round trips come
    `lead_in` others, because the caches are cold after other processes used them. `cpu_ns` reads the server's CPU
    clock. Raises the errors of both functions.
    """
    for _ in range(lead_in):
        await round_trip()
    before_ns = None if cpu_ns is None else cpu_ns()
    times_ns = [await round_trip() for _ in range(count)]
    used_ns = None if cpu_ns is None or before_ns is None else cpu_ns() - before_ns
    return Burst(times_ns, used_ns)


def is_reversed(turn: int) -> bool:
    """Return true if the order is reversed in this turn: in ABBA, a linear drift cancels."""
    return turn % 2 == 1
