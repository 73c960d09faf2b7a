"""The stopping rule, and the coverage of the intervals at which it stops, simulated with a known truth."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.statistics.distributions import t_quantile
from bench.statistics.estimates import estimate
from bench.statistics.stopping import StoppingRule

Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return rng.standard_normal(shape)


def student_t3(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return rng.standard_t(3, shape) / math.sqrt(3)


def outliers(share: float, width: float) -> Draw:
    """Normal, a share of it `width` times as wide; standard deviation 1 over all."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        wide = np.where(rng.random(shape) < share, width, 1.0)
        drawn: NDArray[np.float64] = rng.standard_normal(shape) * wide
        return drawn / math.sqrt(1 - share + share * width**2)

    return draw


def stopped(rule: StoppingRule, values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return each row of values up to where the rule is satisfied, or whole if it never is."""
    satisfied = rule.satisfied_after(values)
    satisfied[:, -1] = True
    return [row[: first + 1] for row, first in zip(values, satisfied.argmax(axis=1), strict=True)]


class TestStoppingRule:
    SPREAD = 0.004  # precise at 10 restarts most of the time

    def test_not_before_the_least_number_and_its_confirmation(self) -> None:
        rule = StoppingRule(min_replicates=10, confirming_replicates=4)
        alike = [0.01] * 14
        assert [rule.is_satisfied(alike[:count]) for count in (0, 1, 2, 9, 10, 13, 14)] == [False] * 6 + [True]

    def test_says_the_same_bit_by_bit_as_at_once(self) -> None:
        values = np.random.default_rng(2).normal(0.02, self.SPREAD, 40)
        rule = StoppingRule()
        assert [rule.is_satisfied(values[: n + 1]) for n in range(40)] == list(rule.satisfied_after(values))

    def test_satisfied_is_precise(self) -> None:
        rng = np.random.default_rng(3)
        for values in stopped(StoppingRule(), rng.normal(0, 0.007, (200, 150))):
            width = estimate(values).half_width
            assert width is not None
            assert width <= 0.003

    def test_an_outlier_while_confirming_takes_it_back(self) -> None:
        values = [0.001, -0.001] * 6 + [0.1]
        rule = StoppingRule()
        assert not rule.is_satisfied([*values, 0, 0, 0])
        assert rule.is_satisfied([0.001, -0.001] * 7)

    def test_never_looks_at_which_side_is_ahead(self) -> None:
        values = np.random.default_rng(4).normal(0, 0.007, (50, 100))
        rule = StoppingRule()
        reference = rule.satisfied_after(values)
        assert reference.any()
        for moved in (values + 0.5, values - 0.5, -values):
            assert (rule.satisfied_after(moved) == reference).all()

    def test_what_is_to_go(self) -> None:
        rule = StoppingRule()
        assert rule.replicates_to_go([]) == 14
        assert rule.replicates_to_go([0.1]) == 13
        assert rule.replicates_to_go([0.001, -0.001] * 5) == 4
        assert rule.replicates_to_go([0.001, -0.001] * 7) == 0
        # at a standard deviation of 0.009, 37 reach t(36) x 0.009 / sqrt(37) = 0.0030008, and 38 reach 0.0029582
        values = np.random.default_rng(5).normal(0, 1, 20)
        values = (values - values.mean()) / values.std(ddof=1) * 0.009
        assert rule.replicates_to_go(values) == 38 + 4 - 20

    def test_what_is_to_go_is_about_right(self) -> None:
        rng = np.random.default_rng(6)
        rows = stopped(StoppingRule(), rng.normal(0, 0.009, (200, 150)))
        ahead = [StoppingRule().replicates_to_go(row[:10]) - (len(row) - 10) for row in rows if len(row) > 14]
        assert abs(np.median(ahead)) < 6

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"precision": 0.0}, "precision of 0.0"),
            ({"precision": math.nan}, "precision of nan"),
            ({"min_replicates": 1}, "1 replicates"),
            ({"confirming_replicates": -1}, "-1 confirming"),
        ],
    )
    def test_refuses(self, arguments: dict[str, float], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            StoppingRule(**arguments)  # type: ignore[arg-type]


class TestCoverage:
    """The 95 % interval with the stopping rule in place holds the truth in 93 to 97 % of the comparisons."""

    RUNS = 6_000  # standard error 0.28 percentage points

    @pytest.mark.parametrize(
        ("draw", "spread"),
        [
            # The least coverage of all conditions tried is 93.9 %, the most 96.8 % (40,000 runs): 3 standard errors of
            # a simulation here from 93 %. Of those with most, the outliers below cover 96.3 %, 2.5 from 97 %.
            pytest.param(normal, 0.002, id="precise at once"),
            pytest.param(normal, 0.005, id="soon"),
            pytest.param(normal, 0.008, id="at the spread that stops worst"),
            pytest.param(normal, 0.011, id="the widest spread measured awake"),
            pytest.param(student_t3, 0.003, id="heavy tails"),
            pytest.param(student_t3, 0.010, id="heavy and wide"),
            pytest.param(outliers(0.1, 5), 0.005, id="a tenth 5 times as wide"),
            pytest.param(outliers(0.05, 10), 0.006, id="a twentieth 10 times as wide"),
        ],
    )
    def test_with_the_stopping_rule(self, draw: Draw, spread: float) -> None:
        truth = 0.01
        values = math.log1p(truth) + spread * draw(np.random.default_rng(7), (self.RUNS, 120))
        found = [estimate(row) for row in stopped(StoppingRule(), values)]
        covered = np.mean(
            [
                estimate.low is not None and estimate.high is not None and estimate.low <= truth <= estimate.high
                for estimate in found
            ]
        )
        assert 0.93 <= covered <= 0.97

    def test_where_the_time_is_spent_first(self) -> None:
        values = 0.02 * np.random.default_rng(8).standard_normal((self.RUNS, 12))
        found = [estimate(row) for row in stopped(StoppingRule(), values)]
        covered = np.mean(
            [
                estimate.low is not None and estimate.high is not None and estimate.low <= 0 <= estimate.high
                for estimate in found
            ]
        )
        assert 0.93 <= covered <= 0.97

    def test_stopping_when_first_narrow_is_worse(self) -> None:
        """Show the use of the confirmation: without it the same runs cover less."""
        values = 0.0078 * np.random.default_rng(9).standard_normal((40_000, 80))

        def misses(rule: StoppingRule) -> float:
            satisfied = rule.satisfied_after(values)
            satisfied[:, -1] = True
            last = satisfied.argmax(axis=1)
            count = last + 1
            at = (np.arange(len(values)), last)
            sums, squares = values.cumsum(axis=1)[at], (values**2).cumsum(axis=1)[at]
            reach = np.array([t_quantile(0.95, n - 1) for n in range(2, 81)])[count - 2] * np.sqrt(
                (squares - sums**2 / count) / (count - 1) / count
            )
            return float(np.mean(np.abs(sums / count) > reach))

        plain, confirmed = misses(StoppingRule(confirming_replicates=0)), misses(StoppingRule())
        assert plain > confirmed + 0.003  # 6.7 against 6.0 %, on the same draws
