"""Intervals of shares beside scipy's, and their coverage where failures come in bursts."""

import numpy as np
import pytest
from scipy import stats

from bench.statistics.distributions import beta_distribution
from bench.statistics.shares import Counted, dispersion, share_interval


@pytest.mark.parametrize(("found", "of"), [(0, 10), (1, 1_000), (3, 7), (50, 1_000), (10, 10), (12_345, 1_000_000)])
@pytest.mark.parametrize("confidence", [0.95, 0.999])
def test_the_interval_is_that_of_clopper_and_pearson(found: int, of: int, confidence: float) -> None:
    expected = stats.binomtest(found, of).proportion_ci(confidence, method="exact")

    assert share_interval(found, of, confidence=confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_beta_distribution() -> None:
    for a, b in ((0.5, 0.5), (1, 3), (2.5, 90.25), (400, 3)):
        for x in (0.0, 0.001, 0.2, 0.5, 0.9, 0.999, 1.0):
            assert beta_distribution(x, a, b) == pytest.approx(stats.beta.cdf(x, a, b), abs=1e-12)


@pytest.mark.parametrize(("found", "of"), [(0, 0), (-1, 5), (6, 5)])
def test_what_is_no_share(found: int, of: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        share_interval(found, of)


def test_seconds_that_vary_as_chance_does_change_nothing() -> None:
    seconds = [Counted(found, 1_000) for found in (9, 11, 10, 8, 12, 10)]

    assert dispersion(seconds) == 1.0
    assert share_interval(60, 6_000, seconds) == share_interval(60, 6_000)


def test_a_burst_of_failures_is_worth_fewer_failures() -> None:
    seconds = [Counted(60, 1_000), *[Counted(0, 1_000)] * 5]
    found = share_interval(60, 6_000, seconds)

    assert dispersion(seconds) == pytest.approx(60.6, rel=0.01)
    assert found == pytest.approx(share_interval(1, 100), rel=0.05)


def test_few_seconds_and_seconds_without_anything_say_nothing() -> None:
    assert dispersion([Counted(60, 1_000), Counted(0, 1_000)]) == 1.0
    assert dispersion([Counted(0, 0)] * 10) == 1.0
    assert dispersion([Counted(0, 100)] * 10) == 1.0
    assert dispersion([Counted(100, 100)] * 10) == 1.0


@pytest.mark.parametrize("burst", [1, 20])
def test_intervals_contain_the_share_as_often_as_they_say(burst: int) -> None:
    random = np.random.default_rng(7)
    share, per_second, number, trials = 0.02, 400, 30, 400
    inside = 0
    for _ in range(trials):
        seconds = [
            Counted(min(per_second, burst * int(random.binomial(per_second // burst, share))), per_second)
            for _ in range(number)
        ]
        low, high = share_interval(sum(second.found for second in seconds), per_second * number, seconds)
        inside += low <= share <= high

    assert inside / trials >= 0.92
