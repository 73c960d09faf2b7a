"""The statistics of a comparison: tabulated values, worked examples, and simulations in which the truth is known.

The simulations draw from fixed seeds. Where they assert a share, the comment says how far the true share is from the
bound in standard errors of the simulation, so that another version of numpy's generator would pass as well.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.statistics.distributions import t_quantile, t_two_tails
from bench.statistics.estimates import Estimate, burst_effect, estimate, ratio_estimate, restart_effect
from bench.statistics.stopping import StoppingRule
from bench.statistics.verdicts import THRESHOLD, discoveries, p_value, verdict, verdicts

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
    """Each row of values as far as the rule lets it go, to the end where it never is satisfied."""
    satisfied = rule.satisfied_after(values)
    satisfied[:, -1] = True
    return [row[: first + 1] for row, first in zip(values, satisfied.argmax(axis=1), strict=True)]


def around(low: float, high: float) -> Estimate:
    """An estimate with this interval."""
    return Estimate(
        effect=(low + high) / 2,
        low=low,
        high=high,
        half_width=(high - low) / 2,
        standard_error=(high - low) / 4.5,
        degrees_of_freedom=10,
        replicates=11,
    )


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


class TestRestart:
    def test_a_burst_is_its_median(self) -> None:
        assert burst_effect([100_000, 110_000, 9_000_000], [121_000, 1, 990_000]) == pytest.approx(math.log(1.1))

    def test_linear_drift_cancels_in_abba(self) -> None:
        times_ns = iter(100_000 * np.exp(0.01 * np.arange(8)))  # 1 % longer with each burst
        pairs = []
        for order in ("AB", "BA", "AB", "BA"):
            burst = {side: next(times_ns) * (1.05 if side == "B" else 1.0) for side in order}
            pairs.append(burst_effect([burst["A"]], [burst["B"]]))
        assert restart_effect(pairs) == pytest.approx(math.log(1.05))
        assert np.ptp(pairs) > 0.01

    @pytest.mark.parametrize(("a", "b"), [([], [1]), ([1], []), ([0], [1]), ([math.nan], [1]), ([1], [math.inf])])
    def test_refuses_what_is_no_time(self, a: list[float], b: list[float]) -> None:
        with pytest.raises(ValueError, match="round trip"):
            burst_effect(a, b)

    def test_refuses_nothing(self) -> None:
        with pytest.raises(ValueError, match="no log ratios"):
            restart_effect([])


class TestEstimate:
    def test_worked_by_hand(self) -> None:
        found = estimate(np.array([1, 2, 3, 4, 5]) / 100)  # mean 3, variance 2.5, t(4) = 2.776445
        reach = 2.776445 * math.sqrt(2.5 / 5) / 100
        assert found.effect == pytest.approx(math.expm1(0.03))
        assert found.low == pytest.approx(math.expm1(0.03 - reach), rel=1e-6)
        assert found.high == pytest.approx(math.expm1(0.03 + reach), rel=1e-6)
        assert found.half_width == pytest.approx(math.expm1(reach), rel=1e-6)
        assert (found.replicates, found.degrees_of_freedom) == (5, 4)

    def test_swapping_the_sides_mirrors_it(self) -> None:
        values = np.array([0.01, 0.02, 0.04])
        one, other = estimate(values), estimate(-values)
        assert one.low is not None
        assert other.high is not None
        assert (1 + one.low) * (1 + other.high) == pytest.approx(1)
        assert one.half_width == pytest.approx(other.half_width)

    def test_one_value_has_no_interval(self) -> None:
        found = estimate([0.5])
        assert found.effect == pytest.approx(math.expm1(0.5))
        assert (found.low, found.high, found.half_width, found.replicates) == (None, None, None, 1)
        assert verdict(found) == "inconclusive"
        assert p_value(found) == 1

    @pytest.mark.parametrize("values", [[], [0.1, math.nan], [math.inf]])
    def test_refuses_what_is_no_number(self, values: list[float]) -> None:
        with pytest.raises(ValueError, match="effects"):
            estimate(values)


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
            [one.low is not None and one.high is not None and one.low <= truth <= one.high for one in found]
        )
        assert 0.93 <= covered <= 0.97

    def test_where_the_time_is_spent_first(self) -> None:
        values = 0.02 * np.random.default_rng(8).standard_normal((self.RUNS, 12))
        found = [estimate(row) for row in stopped(StoppingRule(), values)]
        covered = np.mean([one.low is not None and one.high is not None and one.low <= 0 <= one.high for one in found])
        assert 0.93 <= covered <= 0.97

    def test_stopping_when_first_narrow_is_worse(self) -> None:
        """What the confirmation is for: without it the same runs cover less."""
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


class TestVerdict:
    @pytest.mark.parametrize(
        ("low", "high", "expected"),
        [
            (0.0051, 0.02, "slower"),
            (0.005, 0.02, "inconclusive"),
            (-0.02, -0.0051, "faster"),
            (-0.02, -0.005, "inconclusive"),
            (-0.005, 0.005, "same"),
            (-0.0051, 0.005, "inconclusive"),
            (-0.005, 0.0051, "inconclusive"),
            (0.001, 0.004, "same"),
            (-0.02, 0.02, "inconclusive"),
        ],
    )
    def test_boundaries(self, low: float, high: float, expected: str) -> None:
        assert verdict(around(low, high)) == expected

    def test_another_threshold(self) -> None:
        assert verdict(around(0.011, 0.02), threshold=0.01) == "slower"
        assert verdict(around(0.006, 0.0099), threshold=0.01) == "same"

    def test_the_p_value_agrees_with_the_interval(self) -> None:
        rng = np.random.default_rng(10)
        for values in rng.normal(0.007, 0.01, (500, 12)):
            one = estimate(values)
            assert (p_value(one, THRESHOLD) < 0.05) == (verdict(one) in ("slower", "faster"))

    def test_p_values_by_hand(self) -> None:
        one = estimate(np.array([1, 2, 3, 4, 5]) / 100)  # t = 3 / sqrt(0.5) = 4.2426 with 4 degrees of freedom
        assert p_value(one) == pytest.approx(0.01324, abs=1e-5)
        assert p_value(estimate(-np.array([1, 2, 3, 4, 5]) / 100)) == pytest.approx(p_value(one))
        assert p_value(one, threshold=0.1) == 1
        assert p_value(estimate([0.1, 0.1])) == 0


class TestSeveralBenchmarks:
    def test_the_example_of_benjamini_and_hochberg(self) -> None:
        """Their section 3.2: 15 comparisons of two treatments; 4 are rejected at 5 %, Bonferroni rejects 3."""
        p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
        p_values += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
        assert discoveries(p_values, 0.05) == (True,) * 4 + (False,) * 11
        assert discoveries(p_values[::-1], 0.05) == (False,) * 11 + (True,) * 4

    def test_a_later_one_takes_earlier_ones_along(self) -> None:
        assert discoveries([0.04, 0.045], 0.05) == (True, True)
        assert discoveries([0.04, 0.06], 0.05) == (False, False)
        assert discoveries([], 0.05) == ()

    def test_a_wide_interval_beyond_the_threshold_is_no_discovery_among_many(self) -> None:
        wide = estimate([0.05, 0.01, 0.09, 0.07, 0.03])
        nothing = [estimate([0.001, -0.001] * 5)] * 5
        assert verdict(wide) == "slower"
        assert verdicts([wide, *nothing]) == ("inconclusive", *["same"] * 5)
        assert verdicts([wide, *nothing], rate=0.2)[0] == "slower"

    def test_a_precise_change_stays_one_among_many(self) -> None:
        rng = np.random.default_rng(11)
        (values,) = stopped(StoppingRule(), rng.normal(0.012, 0.009, (1, 100)))
        nothing = [estimate(rng.normal(0, 0.004, 14)) for _ in range(30)]
        assert verdicts([estimate(values), *nothing])[0] == "slower"


class TestFalseAlarms:
    """A/A: in at most 1 % of the comparisons is any of the benchmarks called slower or faster."""

    @staticmethod
    def alarms(rule: StoppingRule, values: NDArray[np.float64]) -> float:
        """The share of comparisons with any; values are comparisons x benchmarks x restarts, stopped together."""
        satisfied: NDArray[np.bool_] = np.all(rule.satisfied_after(values), axis=1)
        satisfied[:, -1] = True
        raised = 0
        for comparison, last in zip(values, satisfied.argmax(axis=1), strict=True):
            found = verdicts([estimate(benchmark[: last + 1]) for benchmark in comparison])
            raised += any(one in ("slower", "faster") for one in found)
        return raised / len(values)

    @staticmethod
    def correlated(comparisons: int, benchmarks: int, restarts: int, seed: int, draw: Draw) -> NDArray[np.float64]:
        """Benchmarks whose effects share half of their variance, that of the processes that they ran on."""
        rng = np.random.default_rng(seed)
        shared, own = draw(rng, (comparisons, 1, restarts)), draw(rng, (comparisons, benchmarks, restarts))
        return math.sqrt(0.5) * shared + math.sqrt(0.5) * own

    @pytest.mark.parametrize("draw", [pytest.param(normal, id="normal"), pytest.param(student_t3, id="heavy tails")])
    def test_six_benchmarks_measured_precisely(self, draw: Draw) -> None:
        # None in thousands: an alarm needs a mean of 0.8 % where the interval is ± 0.3 %.
        assert self.alarms(StoppingRule(), 0.009 * self.correlated(500, 6, 120, 12, draw)) <= 0.01

    # The rate is 0.5 % where the interval is far wider than the threshold: with 4,000 comparisons 4.5 standard errors
    # (0.11 percentage points) from 1 %. The interval alone would raise 12 % in six benchmarks, 2.5 % in one.
    @pytest.mark.parametrize("benchmarks", [1, 6])
    def test_where_time_ran_out_early(self, benchmarks: int) -> None:
        values = 0.05 * self.correlated(4_000, benchmarks, 10, 13, normal)
        assert 0 < self.alarms(StoppingRule(), values) <= 0.01

    def test_where_only_a_coarse_precision_was_asked_for(self) -> None:
        values = 0.05 * self.correlated(4_000, 2, 60, 14, normal)
        assert self.alarms(StoppingRule(precision=0.03), values) <= 0.01


class TestPower:
    @pytest.mark.parametrize("spread", [0.004, 0.009, 0.014])
    def test_a_true_one_per_cent_is_found_nine_times_in_ten(self, spread: float) -> None:
        """At the default precision and threshold: 99, 94 and 92 %, which is 2.8 standard errors and more from 90."""
        values = math.log1p(0.01) + spread * np.random.default_rng(15).standard_normal((1_500, 200))
        found = [verdicts([estimate(row)]) for row in stopped(StoppingRule(), values)]
        assert np.mean([one == ("slower",) for one in found]) >= 0.90


class TestStored:
    OLD, NEW = np.array([1, 2, 3, 4, 5]) / 100, np.array([2, 4, 6, 8, 10]) / 100

    def test_welch_worked_by_hand(self) -> None:
        """Variances of the means 0.5 and 2 (x 1e-4): 2.5, with 2.5^2 / (0.5^2 / 4 + 2^2 / 4) = 5.88 degrees."""
        found = ratio_estimate([self.OLD], [self.NEW], between_runs=0.0)
        assert found.effect == pytest.approx(math.expm1(0.03))
        assert found.degrees_of_freedom == pytest.approx(100 / 17)
        assert found.standard_error == pytest.approx(math.sqrt(2.5) / 100)
        assert found.low == pytest.approx(math.expm1(0.03 - t_quantile(0.95, 100 / 17) * math.sqrt(2.5) / 100))
        assert found.replicates == 5

    def test_a_single_run_a_side_is_as_unsure_as_runs_differ(self) -> None:
        many = [np.random.default_rng(17).normal(0, 0.005, 10_000)]
        found = ratio_estimate(many, many, between_runs=0.009)
        assert found.half_width == pytest.approx(math.expm1(1.96 * math.sqrt(2) * 0.009), rel=0.01)
        without = ratio_estimate(many, many, between_runs=0.0)
        assert without.half_width is not None
        assert without.half_width < 0.001

    def test_the_unit_of_several_runs_is_the_run(self) -> None:
        old = [[value - 0.001, value + 0.001] for value in self.OLD]
        new = [[value] * 7 for value in self.NEW]
        clustered = ratio_estimate(old, new, between_runs=0.009)
        plain = ratio_estimate([self.OLD], [self.NEW], between_runs=0)
        assert (clustered.low, clustered.high) == pytest.approx((plain.low, plain.high))
        assert clustered.replicates == 5

    def test_one_run_against_several(self) -> None:
        found = ratio_estimate([self.OLD], [[value] for value in self.NEW], between_runs=0.01)
        assert found.standard_error == pytest.approx(math.sqrt(0.5 + 1 + 2) / 100)
        assert found.degrees_of_freedom == pytest.approx(3.5**2 / (0.5**2 / 4 + 2**2 / 4))

    @pytest.mark.parametrize("runs", [1, 5])
    def test_coverage_where_runs_differ(self, runs: int) -> None:
        """With one run a side, whose spread from run to run is known, and with five: 95 %, 4 standard errors inside."""
        rng = np.random.default_rng(18)
        covered = 0
        for _ in range(3_000):
            sides = rng.normal(0, 0.009, (2, runs, 1)) + rng.normal(0, 0.007, (2, runs, 6))
            found = ratio_estimate(list(sides[0]), list(sides[1]), between_runs=0.009)
            assert found.low is not None
            assert found.high is not None
            covered += found.low <= 0 <= found.high
        assert 0.93 <= covered / 3_000 <= 0.97

    def test_one_process_has_no_interval(self) -> None:
        found = ratio_estimate([[0.01]], [self.NEW], between_runs=0.009)
        assert found.effect == pytest.approx(math.expm1(0.05))
        assert found.low is None
        assert verdict(found) == "inconclusive"

    def test_no_spread_at_all(self) -> None:
        found = ratio_estimate([[0.0, 0.0]], [[0.01, 0.01]], between_runs=0.0)
        assert found.low == found.high == found.effect
        assert verdict(found) == "slower"

    @pytest.mark.parametrize(
        ("old", "between_runs", "message"),
        [
            ([], 0.009, "no old run"),
            ([[]], 0.009, "old run"),
            ([[math.nan]], 0.009, "old run"),
            ([[0.1]], -1.0, "between_runs"),
            ([[0.1]], math.nan, "between_runs"),
        ],
    )
    def test_refuses(self, old: list[list[float]], between_runs: float, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            ratio_estimate(old, [[0.1, 0.2]], between_runs=between_runs)
