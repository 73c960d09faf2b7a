"""Intervals of percentiles of successive samples, which depend on each other.

Rules of this file: numbers in, numbers out; no I/O and no clock. The draws come from a fixed seed, so that the same
samples have the same interval.

**Method.** The moving-block bootstrap (H. R. Künsch, 1989, Annals of Statistics 17, 1217-1241): blocks of successive
samples are drawn with replacement until there are as many samples as before. A block is so long that what the samples
of a queue have in common stays within it. The interval is that of the percentiles of all draws (B. Efron, 1979, Annals
of Statistics 7, 1-26).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bench.statistics.estimates import CONFIDENCE, finite

_DRAWS = 200
_SEED = 1
#: The fewest samples beyond a percentile with which its interval means anything.
_FEWEST_BEYOND = 5


@dataclass(frozen=True)
class Percentile:
    """A percentile of samples, and its interval in their unit: none without enough samples beyond it."""

    value: float
    low: float | None
    high: float | None


def percentiles(samples: ArrayLike, percents: Sequence[float], confidence: float = CONFIDENCE) -> list[Percentile]:
    """Return percentiles of samples that are in the order of time, each with its interval.

    Raises ValueError if there is no sample, or if a sample is not finite.
    """
    values = finite(samples, "samples")
    count = values.size
    found = np.percentile(values, percents)
    block = max(1, round(count**0.5))
    draws = np.random.default_rng(_SEED)
    drawn = np.empty((_DRAWS, len(percents)))
    within = np.arange(block)
    for number in range(_DRAWS):
        begins = draws.integers(0, count - block + 1, size=-(-count // block))
        drawn[number] = np.percentile(values[(begins[:, None] + within).ravel()[:count]], percents)
    tail = (1 - confidence) / 2 * 100
    lows, highs = np.percentile(drawn, [tail, 100 - tail], axis=0)
    return [
        Percentile(float(value), float(low), float(high))
        if count * min(percent, 100 - percent) / 100 >= _FEWEST_BEYOND
        else Percentile(float(value), None, None)
        for percent, value, low, high in zip(percents, found, lows, highs, strict=True)
    ]
