"""Tests of the variance of a sum of successive values, against processes whose variance is known."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.statistics.dependence import FEWEST_BATCHES, correlation_of_neighbours, spread_of_sum


def autoregressive(number: int, correlation: float, seed: int) -> NDArray[np.float64]:
    """Return values with the variance 1 / (1 - correlation²), each with that correlation to the one before."""
    noise = np.random.default_rng(seed).normal(size=number)
    values = np.empty(number)
    values[0] = noise[0] / math.sqrt(1 - correlation**2)
    for place in range(1, number):
        values[place] = correlation * values[place - 1] + noise[place]
    return values


@pytest.mark.parametrize(("correlation", "inflation"), [(0.0, 1.0), (0.5, 4.0), (0.9, 100.0)])
def test_the_variance_is_that_of_the_sum(correlation: float, inflation: float) -> None:
    # The variance of a long sum of such a process is 1 / (1 - correlation)² for each of its values.
    found = [
        spread_of_sum(autoregressive(1_000, correlation, seed), 0.95).variance / 1_000 / inflation for seed in range(40)
    ]
    assert 0.9 < np.median(found) < 1.8


def test_a_few_values_are_not_taken_for_independent() -> None:
    values = np.array([1.0, -1.0] * 5)
    assert spread_of_sum(values, 0.95).variance >= 10 * values.var(ddof=1)


def test_values_that_are_all_the_same_have_no_spread() -> None:
    assert spread_of_sum(np.zeros(20), 0.95).variance == 0
    assert correlation_of_neighbours(np.zeros(20)) == 0


def test_too_few_values_are_refused() -> None:
    with pytest.raises(ValueError, match="7 values: at least 8 are needed"):
        spread_of_sum(np.zeros(FEWEST_BATCHES - 1), 0.95)
