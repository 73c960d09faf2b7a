"""The statistics of a comparison: tabulated values, worked examples, and simulations in which the truth is known.

The simulations draw from fixed seeds. Where they assert a share, the comment says how far the true share is from the
bound in standard errors of the simulation, so that another version of numpy's generator would pass as well.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.statistics.distributions import t_quantile
from bench.statistics.estimates import burst_effect, estimate, ratio_estimate, restart_effect
from bench.statistics.verdicts import p_value, verdict

Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return rng.standard_normal(shape)


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
