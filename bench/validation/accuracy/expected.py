"""The true figures of a scenario, and the bounds on their errors: pure functions, no clock, no process.

A server's own account contains everything that it did. bench.targets.faults.Stall derives the closed form of a stall.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence

from bench.targets.faults import Stall
from bench.timing.histogram import Histogram

#: The fixed part of the bound on a time, in µs.
TIME_BOUND_US = 50.0
#: The part of that bound that grows with the time, as a share of it.
TIME_BOUND_SHARE = 0.01
#: The bound on a time in a stall, as a share of it.
STALL_BOUND_SHARE = 0.02
#: The precision of an HdrHistogram with 3 significant digits.
HISTOGRAM_BOUND_SHARE = 0.001
#: The bound on the share of replies below the knee, in percentage points.
KNEE_BOUND_PERCENT = 0.05


class NothingSeenError(Exception):
    """A run without a figure that is needed; the text says which, in one line."""


def time_bound_us(truth_us: float) -> float:
    """Return the largest allowed error of a delayed reply's figure, in µs: 50 µs + 1 % of the truth."""
    return TIME_BOUND_US + TIME_BOUND_SHARE * truth_us


def stall_quantile_us(stall: Stall, percent: float) -> float:
    """Return a percentile of the wait in µs, for arrivals evenly over whole periods: max(0, S - (1 - q) P).

    The arrivals begin after the first period, which has no stall.
    """
    return max(0.0, stall.length_ns - (1 - percent / 100) * stall.period_ns) / 1000


def network_overhead_us(clients: Histogram, servers: Histogram, percent: float) -> float:
    """Return the part of a client's time that is not in the server's own stamps, in µs.

    It is the difference of the two percentiles at a server with no delay. Raises NothingSeenError if a histogram is
    empty.
    """
    return percentile_us(clients, percent) - percentile_us(servers, percent)


def percentile_us(histogram: Histogram, percent: float) -> float:
    """Return a percentile in microseconds. Raises NothingSeenError if nothing was recorded."""
    value_ns = histogram.percentile_ns(percent)
    if value_ns is None:
        raise NothingSeenError("nothing was recorded")
    return value_ns / 1000


def nearest_rank(ordered: Sequence[int], percent: float) -> int:
    """Return the smallest of ascending values within which `percent` of them lie, as Histogram.percentile_ns does."""
    return ordered[max(1, math.ceil(percent / 100 * len(ordered) - 1e-9)) - 1]


def share_within_percent(histogram: Histogram, limit_ns: int) -> float:
    """Return the share of the durations that do not exceed a limit, in per cent, to the layout's precision.

    Raises NothingSeenError if nothing was recorded.
    """
    total = histogram.count
    if not total:
        raise NothingSeenError("nothing was recorded")

    def value_of(rank: int) -> int:
        value_ns = histogram.percentile_ns(100 * rank / total)
        assert value_ns is not None, "a rank that there is"
        return value_ns

    return 100 * bisect_right(range(1, total + 1), limit_ns, key=value_of) / total
