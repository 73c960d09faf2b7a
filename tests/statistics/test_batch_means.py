"""Intervals of means over time: their coverage where each second depends on the second before."""

import numpy as np
import pytest

from bench.statistics.batch_means import ratio_of_sums_interval


@pytest.mark.parametrize("seconds", [0, 1, 3])
def test_few_seconds_have_no_interval(seconds: int) -> None:
    assert ratio_of_sums_interval([5.0] * seconds, [1.0] * seconds) is None


def test_seconds_without_weight_say_nothing() -> None:
    assert ratio_of_sums_interval([1.0, 0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0, 1.0]) is None


def test_a_constant_has_no_spread() -> None:
    assert ratio_of_sums_interval([6.0, 3.0, 9.0, 6.0], [2.0, 1.0, 3.0, 2.0]) == (3.0, 3.0)


@pytest.mark.parametrize("seconds", [5, 30, 47, 300])
@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_intervals_contain_the_mean_as_often_as_they_say(seconds: int, memory: float) -> None:
    random = np.random.default_rng(3)
    inside, trials = 0, 500
    for _ in range(trials):
        weights = random.poisson(100, seconds)
        state, sums = 0.0, []
        for weight in weights:
            state = memory * state + random.normal()
            sums.append(weight * (10 + state))
        found = ratio_of_sums_interval(sums, weights.tolist())
        assert found is not None
        inside += found.low <= 10 <= found.high

    assert inside / trials >= (0.93 if not memory else 0.72 if seconds < 40 else 0.85)
