"""Intervals of percentiles of samples that depend on each other."""

import numpy as np
import pytest

from bench.statistics.block_bootstrap import percentiles


def test_the_percentiles_are_those_of_the_samples() -> None:
    p50, p99 = percentiles(range(1001), [50, 99])
    assert (p50.value, p99.value) == (500, 990)
    assert p50.low is not None is not p50.high
    assert p50.low < 500 < p50.high


def test_the_same_samples_have_the_same_interval() -> None:
    samples = np.random.default_rng(5).exponential(size=2000)
    assert percentiles(samples, [50, 99]) == percentiles(samples, [50, 99])


def test_without_samples_beyond_it_a_percentile_has_no_interval() -> None:
    p50, p99 = percentiles(range(499), [50, 99])
    assert p50.low is not None
    assert (p99.low, p99.high) == (None, None)
    (single,) = percentiles([7.0], [50])
    assert (single.value, single.low) == (7.0, None)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_an_interval_contains_the_truth_also_of_dependent_samples(correlation: float) -> None:
    """Count in 40 series. The series are always the same ones; 38 would be exact."""
    draws = np.random.default_rng(11)
    covered = 0
    for _ in range(40):
        noise = draws.normal(size=800)
        for number in range(1, noise.size):
            noise[number] = correlation * noise[number - 1] + (1 - correlation**2) ** 0.5 * noise[number]
        (p50,) = percentiles(noise, [50])
        assert p50.low is not None is not p50.high
        covered += p50.low <= 0 <= p50.high
    assert covered >= 35


def test_nothing_has_no_percentiles() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentiles([], [50])
    with pytest.raises(ValueError, match="not finite"):
        percentiles([1.0, float("nan")], [50])
