"""A distribution by percentile, in the manner of HdrHistogram's plots: each further nine takes the same room."""

import math
from collections.abc import Iterator

from bench.report.chart import Axis, Point
from bench.timing.histogram import Histogram

#: The axis of percentiles.
NINES = Axis("percentile", "share", "nines")

#: The points of a curve between a nine and the next.
_POINTS_PER_NINE = 20

_NS_PER_US = 1e3


def nines_points(times: Histogram, censored: int = 0) -> Iterator[Point]:
    """Yield the points of a curve up to where it is known. `censored` times are only known to be longer than all.

    x is the share p of the times that do not exceed y, in µs. A time of zero has no place on a logarithmic axis.
    """
    decades = math.log10(max(times.count + censored, 1))
    for step in range(math.floor(decades * _POINTS_PER_NINE) + 1):
        share = 1 - 10 ** (-step / _POINTS_PER_NINE)
        time_ns = times.percentile_ns(100 * share, censored)
        if time_ns is None:
            return
        if time_ns > 0:
            yield Point(share, time_ns / _NS_PER_US)
