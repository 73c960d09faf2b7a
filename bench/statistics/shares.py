"""The interval of a share of independent trials.

It is for counts of which the order in time is not known. Where failures come in bursts it is too narrow.
"""

from __future__ import annotations

from typing import NamedTuple

from bench.statistics.distributions import binomial_at_least
from bench.statistics.estimates import CONFIDENCE

#: The number of halvings of the search for an end, after which it is known to 1e-12.
_HALVINGS = 40


class ShareInterval(NamedTuple):
    """The interval of a share, from 0 to 1."""

    low: float
    high: float


def independent_share_interval(successes: int, trials: int, confidence: float = CONFIDENCE) -> ShareInterval:
    """Return the interval of the share of successes (Clopper and Pearson 1934, Biometrika 26, 404-413).

    It covers at least as often as it says. Raises ValueError if there were no trials, or fewer than successes.
    """
    if not 0 <= successes <= trials or not trials:
        raise ValueError(f"{successes} of {trials} is no share")
    tail = (1 - confidence) / 2
    return ShareInterval(
        0.0 if not successes else _chance(successes, trials, tail),
        1.0 if successes == trials else _chance(successes + 1, trials, 1 - tail),
    )


def _chance(successes: int, trials: int, probability: float) -> float:
    """Return the chance at which so many successes, or more, have this probability: by halving."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if binomial_at_least(successes, trials, middle) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2
