"""Change points: the points at which a series of values changes its level.

Rules of this file: numbers in, frozen dataclasses out; no files, no clock. Random numbers come from a seed, so that the
same values give the same change points. Every formula names its source.

**Method.** E-divisive with the energy distance at exponent 1 (Matteson and James 2014, "A nonparametric approach for
multiple change point analysis of multivariate data", J. Am. Stat. Assoc. 109, 334-345,
doi:10.1080/01621459.2013.849605), as MongoDB uses it on benchmarks (Daly et al. 2020, doi:10.1145/3358960.3375791), on
logarithms. It splits a series at the point at which the two sides differ most. A permutation test says how often series
without a change have such a split by chance. The parts are split in the same way, until chance explains the split too
often. No distribution and no noise level has to be known. Distances instead of their squares keep single outliers from
deciding. The price is that few results cannot be significant (`fewest_results`).

The energy distance sees any difference of distributions, also a difference of the spread alone. Users ask for a step.
So a split is taken back if the interval of the change of the mean contains zero. That interval is Student's, and the
noise is taken to be the same at all levels.

The method assumes results that are independent while nothing changes. A machine that drifts makes raw times resemble
their neighbours, and such series get steps without a change. The ratio to the control does not drift so.
docs/measurements.md has simulations: how often steps are found, in the right place, and without a change.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.statistics.distributions import t_quantile
from bench.statistics.estimates import CONFIDENCE, Estimate
from bench.statistics.significance import SIGNIFICANCE

#: The fewest results of a level. A single result may be a step or an outlier: nobody can say which.
SHORTEST_LEVEL = 2

_SEED = 20140101
_PERMUTATIONS = 999
_PERMUTATION_WORK = 2e8  # distances that one test may compute
_BATCH_WORK = 1e6  # those of them that are in memory at once


@dataclass(frozen=True)
class ChangePoint:
    """`index` is that of the first value of the new level; `p_value` is that of its permutation test."""

    index: int
    p_value: float


def change_points(values: ArrayLike, significance: float = SIGNIFICANCE, seed: int = _SEED) -> tuple[ChangePoint, ...]:
    """Return the points at which a series of positive values changes its level, in the order of the series.

    A series without a change gets one with a probability of at most `significance`. Raises ValueError for values that
    are not positive and finite, or a significance that is not between 0 and 1.
    """
    if not 0 < significance < 1:
        raise ValueError(f"a significance of {significance}: it has to be between 0 and 1, such as {SIGNIFICANCE}")
    series = np.asarray(values, dtype=float)
    if not (np.isfinite(series).all() and (series > 0).all()):
        raise ValueError("values that are not positive and finite have no logarithm")
    logs = np.log(series)
    return _sure_changes(logs, _divided(logs, significance, np.random.default_rng(seed)))


def fewest_results(significance: float = SIGNIFICANCE) -> int:
    """Return the number of results that a series needs for a step in its middle to be significant.

    Of n results in any order, 2 of C(n, n/2) orders part them as well as the best one and its reverse.
    """
    count = 2 * SHORTEST_LEVEL
    while 2 / math.comb(count, count // 2) > significance:
        count += 1
    return count


def _divided(logs: NDArray[np.float64], significance: float, random: np.random.Generator) -> list[ChangePoint]:
    """Return the change points of the hierarchical division: the best split of all parts, while it is significant."""
    found: list[ChangePoint] = []
    while True:
        edges = [0, *sorted(point.index for point in found), logs.size]
        parts = [
            (start, logs[start:end]) for start, end in itertools.pairwise(edges) if end - start >= 2 * SHORTEST_LEVEL
        ]
        if not parts:
            return found
        splits = [(float(scores.max()), start, int(scores.argmax())) for start, scores in _scored(parts)]
        best, start, place = max(splits)
        p_value = _p_value(best, [part for _, part in parts], significance, random)
        if p_value is None:
            return found
        found.append(ChangePoint(start + place + SHORTEST_LEVEL, p_value))


def _scored(parts: Iterable[tuple[int, NDArray[np.float64]]]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    for start, part in parts:
        yield start, _scores(part[None, :])[0]


def _scores(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the statistic Q of each split of each series.

    Q is mn / (m + n) times the energy distance of the two sides of a split, m and n long. Shape (series, length) in,
    (series, length - 2 SHORTEST_LEVEL + 1) out. Matteson and James 2014, equations 5 to 7, exponent 1. Sums of
    distances within the first k are running sums, so that a series costs length².
    """
    length = series.shape[-1]
    distances = np.abs(series[:, :, None] - series[:, None, :])
    to_all = distances.sum(axis=-1)
    to_earlier = np.einsum("sij,ij->si", distances, np.tri(length, k=-1))
    m = np.arange(SHORTEST_LEVEL, length - SHORTEST_LEVEL + 1)
    n = length - m
    left = 2 * to_earlier.cumsum(axis=-1)[:, m - 1]  # over ordered pairs
    between = to_all.cumsum(axis=-1)[:, m - 1] - left
    right = to_all.sum(axis=-1)[:, None] - left - 2 * between
    energy = 2 * between / (m * n) - left / (m * (m - 1)) - right / (n * (n - 1))
    scores: NDArray[np.float64] = m * n / length * energy
    return scores


def _p_value(
    best: float, parts: Sequence[NDArray[np.float64]], significance: float, random: np.random.Generator
) -> float | None:
    """Return the share of random orders whose best split is at least as good; None if it is above `significance`.

    The observed order counts as well. The test ends as soon as the share is sure to be above.
    """
    work = sum(part.size**2 for part in parts)
    wanted = max(_PERMUTATIONS, 20 / significance)
    orders = int(max(10 / significance, min(wanted, _PERMUTATION_WORK / work)))
    allowed = significance * (orders + 1)
    as_good, drawn = 1, 0  # the observed order is one of them (Davison and Hinkley 1997, section 4.2.5)
    threshold = best - 1e-9 * abs(best)  # equal but for rounding
    while drawn < orders:
        batch = min(orders - drawn, max(1, int(_BATCH_WORK / work)))
        scores = [
            _scores(random.permuted(np.broadcast_to(part, (batch, part.size)), axis=1)).max(axis=-1) for part in parts
        ]
        as_good += int((np.max(scores, axis=0) >= threshold).sum())
        drawn += batch
        if as_good > allowed:
            return None
    return as_good / (orders + 1)


def _sure_changes(logs: NDArray[np.float64], found: Sequence[ChangePoint]) -> tuple[ChangePoint, ...]:
    """Return the points at which the level changed for sure. The least sure point goes first: its neighbours join."""
    kept = sorted(found, key=lambda point: point.index)
    while kept:
        sureness = [_sureness(change) for change in level_changes(levels_between(logs, kept))]
        if min(sureness) > 1:
            break
        del kept[sureness.index(min(sureness))]
    return tuple(kept)


def levels_between(logs: NDArray[np.float64], found: Sequence[ChangePoint]) -> list[NDArray[np.float64]]:
    """Return the values of each level: what lies between the change points."""
    return np.split(logs, [point.index for point in found])


def level_changes(levels: Sequence[NDArray[np.float64]]) -> list[Estimate]:
    """Return the relative change of the mean from each level to the next, with Student's t interval.

    The interval uses the standard deviation that all levels share: a level of two results has next to none of its own.
    (Welch's interval, which uses only that, was tried: it takes back too many true steps of the last two results.)
    """
    if len(levels) < 2:
        return []
    degrees = sum(level.size - 1 for level in levels)
    pooled = math.sqrt(sum(float(((level - level.mean()) ** 2).sum()) for level in levels) / degrees)
    reach = t_quantile(CONFIDENCE, degrees) * pooled
    changes = []
    for before, after in itertools.pairwise(levels):
        effect = float(after.mean() - before.mean())
        per_reach = math.sqrt(1 / before.size + 1 / after.size)
        changes.append(
            Estimate(
                effect=math.expm1(effect),
                low=math.expm1(effect - reach * per_reach),
                high=math.expm1(effect + reach * per_reach),
                half_width=math.expm1(reach * per_reach),
                standard_error=pooled * per_reach,
                degrees_of_freedom=degrees,
                replicates=min(before.size, after.size),
            )
        )
    return changes


def _sureness(change: Estimate) -> float:
    """Return the distance of a change from zero as a multiple of its interval's half width, both in logarithms."""
    effect = abs(math.log1p(change.effect))
    if change.half_width is None or effect == 0:
        return 0.0
    return effect / math.log1p(change.half_width) if change.half_width else math.inf
