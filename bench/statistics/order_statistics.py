"""The interval of a percentile of independent values by their ranks alone.

It is for values of which the order in time is not known. Where they depend on each other it is too narrow.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

from bench.statistics.estimates import CONFIDENCE


class Ranks(NamedTuple):
    """The ranks, from 1 on, of the values at the ends of an interval; None beyond the values that there are."""

    low: int | None
    high: int | None


def interval_ranks(percent: float, number: int, confidence: float = CONFIDENCE) -> Ranks:
    """Return between which of `number` values, in ascending order, a percentile lies.

    The number of values below it is binomial (H. A. David and H. N. Nagaraja, 2003, Order Statistics, 3rd edition,
    section 7.1), here by its normal approximation with a rank to spare at either end.
    """
    share = percent / 100
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(number * share * (1 - share))
    low, high = math.floor(number * share - reach), math.ceil(number * share + reach) + 1
    return Ranks(low if low >= 1 else None, high if high <= number else None)
