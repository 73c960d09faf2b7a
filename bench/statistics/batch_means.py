"""The interval of a ratio of sums over time, such as a mean time or a rate, under dependence.

Rules of this file: numbers in, numbers out. What happens in a second depends on the seconds before it. So the seconds
are put together in batches, which are so long that they depend little on each other (batch means: A. M. Law, 2015,
Simulation Modeling and Analysis, 5th edition, section 9.5.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.statistics.distributions import t_quantile
from bench.statistics.estimates import CONFIDENCE

#: The fewest seconds that have an interval.
FEWEST_SECONDS = 4

#: The number of batches up to which each second is a batch by itself; there are between that and twice as many.
_BATCHES = 15


class MeanInterval(NamedTuple):
    """The interval of a ratio of sums, in its unit."""

    low: float
    high: float


def ratio_of_sums_interval(
    sums: Sequence[float], weights: Sequence[float], confidence: float = CONFIDENCE
) -> MeanInterval | None:
    """Return the interval of the sum of `sums` over the sum of `weights`, both of each second in the order of time.

    Student's t over the batches, with the variance of a ratio estimator (W. G. Cochran, 1977, Sampling Techniques, 3rd
    edition, section 6.4). Return None for fewer than four seconds with weight.
    """
    pairs = np.array([(total, weight) for total, weight in zip(sums, weights, strict=True) if weight], dtype=float)
    if len(pairs) < FEWEST_SECONDS:
        return None
    each = max(1, len(pairs) // _BATCHES)
    # A rest that makes no batch belongs to the last.
    starts = range(0, len(pairs) - each + 1, each)
    batches = np.add.reduceat(pairs, list(starts), axis=0)
    number = len(batches)
    total, weight = batches.sum(axis=0)
    ratio = total / weight
    residuals = batches[:, 0] - ratio * batches[:, 1]
    error = math.sqrt(float((residuals**2).sum()) / (number - 1) / number) / (weight / number)
    reach = t_quantile(confidence, number - 1) * error
    return MeanInterval(float(ratio - reach), float(ratio + reach))
