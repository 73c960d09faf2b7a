"""Intervals of a share: of how many among how many.

Rules of this file: numbers in, numbers out. Failures come in bursts, so what was counted second by second says by how
much more than chance the share varies. The counts are then worth as many fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bench.statistics.distributions import beta_distribution
from bench.statistics.estimates import CONFIDENCE

#: The fewest seconds whose spread says anything of how much the share varies.
_FEWEST_SECONDS = 5

#: The number of halvings of the search for an end, after which it is known to 1e-12.
_HALVINGS = 40


class Counted(NamedTuple):
    """The counts of a second: how many of how many."""

    found: int
    of: int


class ShareInterval(NamedTuple):
    """The interval of a share, from 0 to 1."""

    low: float
    high: float


def share_interval(
    found: int, of: int, seconds: Sequence[Counted] = (), confidence: float = CONFIDENCE
) -> ShareInterval:
    """Return the interval of the share of `found` among `of`, by Clopper and Pearson (1934, Biometrika 26, 404-413).

    It covers at least as often as it says. If `seconds` vary more than independent events would, both counts are
    divided by the ratio of the variances, as for the standard errors of a quasi-likelihood (Wedderburn, 1974,
    Biometrika 61, 439-447). Raises ValueError if nothing was counted.
    """
    if not 0 <= found <= of or not of:
        raise ValueError(f"{found} of {of} is no share")
    ratio = dispersion(seconds)
    few, many = found / ratio, of / ratio
    tail = (1 - confidence) / 2
    low = _quantile(tail, few, many - few + 1) if found else 0.0
    high = _quantile(1 - tail, few + 1, many - few) if found < of else 1.0
    return ShareInterval(low, high)


def dispersion(seconds: Sequence[Counted]) -> float:
    """Return by how much more the counts of seconds vary than those of independent events: at least 1.

    That is Pearson's statistic over its degrees of freedom.
    """
    counted = [second for second in seconds if second.of]
    found, of = sum(second.found for second in counted), sum(second.of for second in counted)
    if len(counted) < _FEWEST_SECONDS or not 0 < found < of:
        return 1.0
    share = found / of
    squares = sum((second.found - second.of * share) ** 2 / second.of for second in counted)
    return max(1.0, squares / (share * (1 - share)) / (len(counted) - 1))


def _quantile(probability: float, a: float, b: float) -> float:
    """Return the quantile of the beta distribution, by halving."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if beta_distribution(middle, a, b) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2
