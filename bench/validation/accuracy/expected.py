"""What is true of a scenario, and how far from it a figure may lie: pure functions, no clock, no process.

A server's own account covers what it did; the closed form of a stall is derived at bench.targets.faults.Stall.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence

from bench.targets.faults import Stall
from bench.timing.histogram import Histogram

TIME_BOUND_US = 50.0
TIME_BOUND_SHARE = 0.01
STALL_BOUND_SHARE = 0.02
#: The precision of an HdrHistogram with 3 significant digits.
HISTOGRAM_BOUND_SHARE = 0.001
KNEE_BOUND_PERCENT = 0.05


class NothingSeenError(Exception):
    """A run that tells nothing; the text says why, in one line."""


def time_bound_us(truth_us: float) -> float:
    """How far a figure of a delayed reply may lie from what is true: 50 µs + 1 % of it."""
    return TIME_BOUND_US + TIME_BOUND_SHARE * truth_us


def stall_quantile_us(stall: Stall, percent: float) -> float:
    """The percentile of the wait, of arrivals evenly over whole periods after the first: max(0, S - (1 - q) P)."""
    return max(0.0, stall.length_ns - (1 - percent / 100) * stall.period_ns) / 1000


def network_overhead_us(clients: Histogram, servers: Histogram, percent: float) -> float:
    """What a client's time has besides the server's own stamps, from a server with no delay: the difference there.

    Raises NothingSeenError where either saw nothing.
    """
    return percentile_us(clients, percent) - percentile_us(servers, percent)


def percentile_us(histogram: Histogram, percent: float) -> float:
    """A percentile in microseconds. Raises NothingSeenError of nothing."""
    value_ns = histogram.percentile_ns(percent)
    if value_ns is None:
        raise NothingSeenError("nothing was recorded")
    return value_ns / 1000


def nearest_rank(ordered: Sequence[int], percent: float) -> int:
    """The smallest of some ascending values within which `percent` of them lie, as Histogram.percentile_ns has it."""
    return ordered[max(1, math.ceil(percent / 100 * len(ordered) - 1e-9)) - 1]


def share_within_percent(histogram: Histogram, limit_ns: int) -> float:
    """How many per cent of the durations do not exceed a limit, to the layout's precision. Raises NothingSeenError."""
    total = histogram.count
    if not total:
        raise NothingSeenError("nothing was recorded")

    def value_of(rank: int) -> int:
        value_ns = histogram.percentile_ns(100 * rank / total)
        assert value_ns is not None, "a rank that there is"
        return value_ns

    return 100 * bisect_right(range(1, total + 1), limit_ns, key=value_of) / total
