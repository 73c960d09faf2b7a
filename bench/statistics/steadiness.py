"""The tests of whether a load was the load that was asked for, and whether its figures had settled.

Rules of this file: numbers in, numbers out; no I/O, no clock and no drawing of random numbers.

Lancet tests each measurement for three things before it believes it: whether the arrivals are those of the process that
was asked for, whether the samples are independent, and whether they are stationary (Kogias, Mallon and Bugnion 2019,
"Lancet: a self-correcting latency measuring tool", USENIX ATC). These are the same three questions. The tests differ,
because there are 10,000 samples and more here, which depend on each other.

**Arrivals** by the index of dispersion of counts (Cox and Lewis 1966, "The Statistical Analysis of Series of Events",
section 6.3). Counts of random arrivals have a variance as large as their mean, also where each is a little late, at
random (the displacement theorem: Kingman 1993, "Poisson Processes", section 5.1). Arrivals that were held back come in
bunches. The counts of all processes and operations add up, which gaps between arrivals do not. And Lancet's
Anderson-Darling test of the gaps would see a lateness of microseconds in so many arrivals.

**Independence** by von Neumann's ratio (1941, Ann. Math. Statist. 12, 367-395) of successive parts of the run. That
single times depend on each other is known, and the intervals take it into account. The question is whether parts of the
run still do, as then it is too short for its intervals.

**Stationarity** by the rank correlation of these parts with time (Spearman 1904). It is corrected for what neighbouring
parts have in common, as Hamed and Rao (1998, J. Hydrology 204, 182-196) correct the test of Mann and Kendall. Lancet's
augmented Dickey-Fuller test takes for granted that a run is not stationary until it proves the opposite. Short healthy
runs cannot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.statistics.dependence import correlation_of_neighbours
from bench.statistics.distributions import t_two_tails

#: The probability of a false alarm of each test of a run.
FALSE_ALARMS = 0.001

#: The deviation of the index of dispersion from 1 that matters.
DISPERSION_MARGIN = 0.2

#: The change of a figure from the first quarter to the last that matters, as a share.
CHANGE_MARGIN = 0.05

#: The number of parts of a run, at least; there are fewer than twice as many.
PARTS = 16

#: The fewest arrivals that are expected in a bin of random arrivals, and in a bin of evenly spaced arrivals.
#:
#: Evenly spaced arrivals of several processes are within an arrival for each of them: few arrivals would look uneven.
_FEWEST_IN_BIN, _FEWEST_EVEN_IN_BIN = 2.0, 8.0

#: The fewest bins of which anything is said.
_FEWEST_BINS = 30

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a test: its statistic, and the probability of a statistic as far off by chance, if it has any."""

    statistic: float
    p: float | None


def dispersion(counts: ArrayLike, expected: ArrayLike, *, is_random: bool) -> Outcome | None:
    """Return the index of dispersion of the arrivals in successive bins of equal length; None of too few arrivals.

    `expected` has the numbers that the schedule would have there on average. The index is 1 for random arrivals, and
    the probability is that of an index as far from 1. Evenly spaced arrivals have an index near 0 and no probability.
    """
    found, mean = np.asarray(counts, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    fewest = _FEWEST_IN_BIN if is_random else _FEWEST_EVEN_IN_BIN
    least = float(mean.min()) if len(mean) else 0.0
    if least <= 0:
        return None
    length = max(1, math.ceil(fewest / least))
    found, mean = _added(found, length), _added(mean, length)
    number = len(found)
    if number < _FEWEST_BINS:
        return None
    index = float((((found - mean) ** 2) / mean).sum()) / number
    if not is_random:
        return Outcome(index, None)
    # The variance of (n - m)² / m is 2 + 1 / m where n has Poisson's distribution with the mean m. The sum is like a
    # chi-square of as many degrees of freedom as have this variance (Wilson and Hilferty 1931, PNAS 17, 684-688).
    spread = float((2 + 1 / mean).sum()) / number**2 / 9
    return Outcome(index, 2 * NormalDist().cdf(-abs(math.cbrt(index) - 1 + spread) / math.sqrt(spread)))


def parts_of(values: Sequence[float]) -> Numbers | None:
    """Return the sums of successive values in 16 to 31 parts of equal length; None of too few values."""
    if len(values) < PARTS:
        return None
    return _added(np.asarray(values, dtype=np.float64), len(values) // PARTS)


def independence(parts: Numbers) -> Outcome:
    """Return the correlation of each part of a run with the next, and how probable it is so large by chance."""
    number = len(parts)
    deviations = parts - parts.mean()
    squares = float((deviations**2).sum())
    if squares == 0:
        return Outcome(0.0, 1.0)
    ratio = float((np.diff(parts) ** 2).sum()) / squares
    # Young 1941, Ann. Math. Statist. 12, 293-300: 1 - ratio / 2 is nearly normal, with this variance.
    z = (1 - ratio / 2) * math.sqrt((number * number - 1) / (number - 2))
    return Outcome(correlation_of_neighbours(parts), NormalDist().cdf(-z))


def trend(parts: Numbers) -> Outcome:
    """Return the rank correlation of the parts of a run with time, and how probable it is so far from 0."""
    number = len(parts)
    times = np.arange(number, dtype=np.float64)
    ranks = _ranks(parts)
    centred, rising = ranks - ranks.mean(), times - times.mean()
    squares = float((centred**2).sum())
    if squares == 0:
        return Outcome(0.0, 1.0)
    correlation = float((centred * rising).sum()) / math.sqrt(squares * float((rising**2).sum()))
    remainders = centred - rising * float((centred * rising).sum()) / float((rising**2).sum())
    common = min(max(0.0, correlation_of_neighbours(remainders)), 0.9)
    effective = max(4.0, number * (1 - common) / (1 + common))
    if abs(correlation) >= 1:
        return Outcome(correlation, 0.0)
    t = correlation * math.sqrt((effective - 2) / (1 - correlation**2))
    return Outcome(correlation, t_two_tails(t, effective - 2))


def _added(values: Numbers, length: int) -> Numbers:
    """Return the sums of so many values each. The first values are left out where they do not fit."""
    number = len(values) // length
    sums: Numbers = values[len(values) - number * length :].reshape(number, length).sum(axis=1)
    return sums


def _ranks(values: Numbers) -> Numbers:
    """Return the rank of each value, the mean of their ranks for equal values."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Numbers = (ends - (counts - 1) / 2)[place]
    return ranks
