"""Our distributions beside scipy's."""

import itertools
import math

import pytest
from scipy import stats

from bench.statistics.distributions import binomial_quantile, t_quantile, t_two_tails

DEGREES = (0.5, 1, 1.7, 2, 3, 4.25, 7, 12, 30, 99.5, 1_000, 54_321, 999_999, 2e6, math.inf)


@pytest.mark.parametrize("degrees", DEGREES)
def test_tails_of_students_t(degrees: float) -> None:
    for t in (0.0, 1e-12, 1e-6, 0.001, 0.1, 0.5, 1.0, 1.96, 2.5, 5.0, 12.0, 37.0):
        expected = 2 * stats.t.sf(t, degrees) if math.isfinite(degrees) else 2 * stats.norm.sf(t)
        if expected > 1e-290:
            # Beyond a million degrees of freedom ours is the normal distribution, which is that close in the middle.
            bound = 1e-9 if degrees <= 1e6 or math.isinf(degrees) else 1e-6 * max(1.0, t**4)
            assert t_two_tails(t, degrees) == pytest.approx(expected, rel=bound), t
        assert t_two_tails(-t, degrees) == t_two_tails(t, degrees)


@pytest.mark.parametrize("degrees", DEGREES)
def test_quantiles_of_students_t(degrees: float) -> None:
    for confidence in (0.01, 0.2, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 0.999999):
        law = stats.t(degrees) if math.isfinite(degrees) else stats.norm
        expected = law.ppf((1 + confidence) / 2)
        assert t_quantile(confidence, degrees) == pytest.approx(expected, rel=1e-8 if degrees <= 1e6 else 1e-5)


@pytest.mark.parametrize(("confidence", "degrees"), [(0.0, 5), (1.0, 5), (-0.1, 5), (0.95, 0), (0.95, -1)])
def test_a_quantile_that_does_not_exist(confidence: float, degrees: float) -> None:
    with pytest.raises(ValueError, match="there is no such quantile"):
        t_quantile(confidence, degrees)


def test_quantiles_of_the_binomial_distribution() -> None:
    for trials, chance, probability in itertools.product(
        (1, 2, 5, 20, 137, 500), (0.001, 0.01, 0.05, 0.1, 0.5, 0.93), (0.01, 0.4999, 0.9, 0.95, 0.99, 0.999)
    ):
        assert binomial_quantile(probability, trials, chance) == stats.binom.ppf(probability, trials, chance)


def test_a_binomial_quantile_that_does_not_exist() -> None:
    assert binomial_quantile(0.99, 0, 0.5) == 0
    for probability, chance in ((1.1, 0.5), (-0.1, 0.5), (0.5, 1.1), (0.5, math.nan)):
        with pytest.raises(ValueError, match="expected numbers from 0 to 1"):
            binomial_quantile(probability, 10, chance)
