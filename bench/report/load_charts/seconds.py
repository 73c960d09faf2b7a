"""The distributions of a load's seconds, read once for all charts.

A run of half an hour with fifty operations has ninety thousand of them, so each is decoded once, and only what the
charts need of it is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bench.results.load import LoadResult, Operation, OperationKey, Second
from bench.timing.histogram import Histogram, HistogramError

Values = NDArray[np.int64]

_NS_PER_US = 1000


@dataclass(frozen=True)
class Percentiles:
    """The percentiles of the replies to an operation that were received in a second, in µs."""

    p50_us: float
    p99_us: float


@dataclass(frozen=True)
class SecondsRead:
    """The figures of the seconds' distributions that the charts need: a value for each second of the timeline.

    `p90_us` and `max_us` are of all operations. They are None of a second in which anything failed, because the times
    of what failed are not known. `times` has all durations in ns and their counts.
    """

    operations: dict[OperationKey, list[Percentiles | None]] = field(default_factory=dict)
    p90_us: list[float | None] = field(default_factory=list)
    max_us: list[float | None] = field(default_factory=list)
    times: list[tuple[Values, Values]] = field(default_factory=list)

    @classmethod
    def unknown(cls, result: LoadResult, drawn: Sequence[Operation]) -> Self:
        """Return what is known of seconds whose distributions cannot be read: nothing."""
        number = len(result.timeline)
        return cls({row.key: [None] * number for row in drawn}, [None] * number, [None] * number, [])


def read_seconds(result: LoadResult, drawn: Sequence[Operation]) -> SecondsRead:
    """Read the distributions: response times if the load was open, else service times.

    Raises HistogramError, which names the second and the operation.
    """
    read = SecondsRead({operation.key: [] for operation in drawn})
    for second in result.timeline:
        known: dict[OperationKey, Percentiles] = {}
        parts: list[tuple[Values, Values]] = []
        for operation in second.operations:
            key = OperationKey(operation.name, operation.kind)
            histogram = _decoded(second, key, operation.response_histogram or operation.service_histogram)
            if not histogram.count:
                continue
            parts.append(histogram.values())
            if key in read.operations:
                known[key] = _percentiles(histogram)
        for key, percentiles in read.operations.items():
            percentiles.append(known.get(key))
        times = _together(parts)
        read.times.append(times)
        is_known = not second.failed and not second.dropped
        read.p90_us.append(_percentile_us(times, 90) if is_known else None)
        read.max_us.append(_percentile_us(times, 100) if is_known else None)
    return read


def _percentiles(histogram: Histogram) -> Percentiles:
    p50_ns, p99_ns = histogram.percentile_ns(50), histogram.percentile_ns(99)
    assert p50_ns is not None, "it is not empty"
    assert p99_ns is not None, "nor does it know of anything that failed"
    return Percentiles(p50_ns / _NS_PER_US, p99_ns / _NS_PER_US)


def _decoded(second: Second, key: OperationKey, encoded: str) -> Histogram:
    try:
        return Histogram.decode(encoded, sum_ns=0)  # nobody asks for the sum
    except HistogramError as error:
        raise HistogramError(f"second {second.t:g}, {key.label}: {error}") from None


def _together(parts: Sequence[tuple[Values, Values]]) -> tuple[Values, Values]:
    """Return durations and counts of several distributions, ascending."""
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    durations_ns = np.concatenate([durations for durations, _ in parts])
    counts = np.concatenate([counts for _, counts in parts])
    order = np.argsort(durations_ns, kind="stable")
    return durations_ns[order], counts[order]


def _percentile_us(times: tuple[Values, Values], percent: int) -> float | None:
    """Return a percentile by nearest rank, as `Histogram.percentile_ns` has it."""
    durations_ns, counts = times
    if not len(durations_ns):
        return None
    ranks = np.cumsum(counts)
    rank = max(1, -(-percent * int(ranks[-1]) // 100))
    return float(durations_ns[np.searchsorted(ranks, rank)]) / _NS_PER_US
