"""Our distributions beside scipy's, beside tables, and beside closed forms."""

import itertools
import math
from statistics import NormalDist

import pytest
from scipy import stats

from bench.statistics.distributions import binomial_at_least, binomial_quantile, t_quantile, t_two_tails

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


class TestStudentT:
    @pytest.mark.parametrize(
        ("confidence", "degrees", "tabulated"),  # Abramowitz and Stegun, table 26.10
        [
            *[(0.95, n, t) for n, t in ((1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (10, 2.228), (30, 2.042))],
            *[(0.95, 120, 1.980), (0.95, math.inf, 1.960)],
            *[(0.99, n, t) for n, t in ((1, 63.657), (9, 3.250), (10, 3.169), (120, 2.617))],
            *[(0.5, 5, 0.727), (0.9, 5, 2.015), (0.998, 5, 5.893)],
        ],
    )
    def test_tabulated(self, confidence: float, degrees: float, tabulated: float) -> None:
        assert t_quantile(confidence, degrees) == pytest.approx(tabulated, abs=5.1e-4)

    @pytest.mark.parametrize("t", [1e-6, 0.1, 1.0, 2.5, 40.0, 1e4])
    def test_closed_forms(self, t: float) -> None:
        assert t_two_tails(t, 1) == pytest.approx(2 * math.atan2(1, t) / math.pi, rel=1e-9)
        assert t_two_tails(t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), rel=1e-6)
        assert t_two_tails(-t, 3) == t_two_tails(t, 3)

    @pytest.mark.parametrize("degrees", [0.7, 1, 5.88, 10, 99, 12345.6, 1e6])
    @pytest.mark.parametrize("confidence", [0.01, 0.5, 0.95, 0.9999])
    def test_the_quantile_inverts_the_tails(self, confidence: float, degrees: float) -> None:
        assert t_two_tails(t_quantile(confidence, degrees), degrees) == pytest.approx(1 - confidence, rel=1e-7)

    def test_many_degrees_of_freedom_are_normal(self) -> None:
        assert t_quantile(0.95, 1e6) == pytest.approx(NormalDist().inv_cdf(0.975), rel=1e-5)

    def test_certainty(self) -> None:
        assert t_two_tails(0, 5) == 1
        assert t_two_tails(1e300, 5) == 0
        for confidence, degrees in ((0, 5), (1, 5), (0.95, 0), (0.95, -1)):
            with pytest.raises(ValueError, match="no such quantile"):
                t_quantile(confidence, degrees)


@pytest.mark.parametrize(("trials", "chance"), [(1, 0.5), (30, 0.99), (1_000, 0.001), (50_000, 0.9)])
def test_the_probability_of_at_least_so_many_successes(trials: int, chance: float) -> None:
    for successes in sorted({0, 1, round(trials * chance), trials}):
        expected = stats.binom.sf(successes - 1, trials, chance)
        assert binomial_at_least(successes, trials, chance) == pytest.approx(expected, rel=1e-8)
    assert binomial_at_least(trials + 1, trials, chance) == 0
    assert binomial_at_least(trials, trials, 0) == 0
    assert binomial_at_least(trials, trials, 1) == 1
    with pytest.raises(ValueError, match="from 0 to 1"):
        binomial_at_least(1, trials, 1.5)
