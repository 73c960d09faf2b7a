"""Change points, simulated with a known truth."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.statistics.change_points import change_points, fewest_results

NOISE = 0.01


def noise(random: np.random.Generator, count: int, outliers: float = 0.0) -> NDArray[np.float64]:
    """Log deviations of 1 %, of which a share are eight times as wide."""
    wide = np.where(random.random(count) < outliers, 8, 1)
    return random.normal(0, NOISE, count) * wide


class TestSimulated:
    @pytest.mark.parametrize("outliers", [0.0, 0.1])
    @pytest.mark.parametrize("count", [10, 25])
    def test_false_alarms_are_as_rare_as_stated(self, count: int, outliers: float) -> None:
        random = np.random.default_rng(count)
        series = 100
        alarms = sum(bool(change_points(100 * np.exp(noise(random, count, outliers)), 0.05)) for _ in range(series))
        assert alarms <= 12  # of 100 at 5 % each: more with a probability of 0.15 %

    @pytest.mark.parametrize(("count", "place"), [(8, 4), (12, 9), (20, 18), (40, 20), (40, 37)])
    def test_a_step_of_five_times_the_noise_is_found_in_its_place(self, count: int, place: int) -> None:
        random = np.random.default_rng(count + place)
        series = 12
        found = 0
        for _ in range(series):
            step = np.where(np.arange(count) >= place, math.log(1.05), 0)
            points = change_points(100 * np.exp(noise(random, count) + step))
            found += any(abs(point.index - place) <= 1 for point in points)
        assert found >= series - 2

    def test_also_among_outliers(self) -> None:
        random = np.random.default_rng(1)
        step = np.where(np.arange(30) >= 15, math.log(1.05), 0)
        found = [change_points(np.exp(noise(random, 30, 0.1) + step)) for _ in range(12)]
        assert sum(any(abs(point.index - 15) <= 1 for point in points) for points in found) >= 10

    def test_several_steps_are_found_one_by_one(self) -> None:
        levels = np.repeat([0.0, 0.06, 0.02, 0.09], 12)
        points = change_points(np.exp(levels + noise(np.random.default_rng(2), levels.size)))
        assert [point.index for point in points] == pytest.approx([12, 24, 36], abs=1)
        assert [point.index for point in points] == sorted(point.index for point in points)


class TestChangePoints:
    def test_one_outlier_is_no_step_wherever_it_is(self) -> None:
        quiet = 100 * np.exp(noise(np.random.default_rng(4), 20))
        for place in range(20):
            values = quiet.copy()
            values[place] *= 1.5
            assert change_points(values) == ()

    def test_a_change_of_the_spread_alone_is_no_step(self) -> None:
        random = np.random.default_rng(5)
        found = []
        for _ in range(15):
            deviations = random.normal(0, 1, 30) * np.repeat([0.001, 0.05], 15)
            deviations[15:] -= deviations[15:].mean()
            found += [point.index for point in change_points(np.exp(deviations))]
        assert not {14, 15, 16} & set(found)
        assert len(found) <= 3

    def test_the_same_results_give_the_same_answer(self) -> None:
        values = np.exp(noise(np.random.default_rng(6), 20) + np.where(np.arange(20) >= 10, 0.015, 0))
        assert change_points(values) == change_points(values)

    def test_only_ratios_matter(self) -> None:
        values = np.exp(noise(np.random.default_rng(7), 20) + np.where(np.arange(20) >= 12, 0.05, 0))
        assert [point.index for point in change_points(values)] == [12]
        assert [point.index for point in change_points(1e6 * values)] == [12]
        assert [point.index for point in change_points(values[::-1])] == [8]

    @pytest.mark.parametrize("values", [[], [1.0], [1.0] * 7, [1.0] * 50, [1.0, 2.0] * 2])
    def test_what_can_have_no_step(self, values: list[float]) -> None:
        assert change_points(values) == ()

    def test_a_step_without_any_noise(self) -> None:
        (point,) = change_points([100.0] * 6 + [101.0] * 6)
        assert point.index == 6

    def test_the_fewest_results_are_just_enough(self) -> None:
        for significance in (0.1, 0.05):
            count = fewest_results(significance)
            values = [100.0 + place % 3 * 0.1 + (20 if place >= count // 2 else 0) for place in range(count)]
            assert change_points(values, significance)
            assert not change_points(values[:-1], significance)

    @pytest.mark.parametrize(
        ("values", "significance", "said"),
        [
            ([1.0, 0.0], 0.05, "no logarithm"),
            ([1.0, -1.0], 0.05, "no logarithm"),
            ([1.0, math.nan], 0.05, "no logarithm"),
            ([1.0], 0.0, "a significance of 0"),
            ([1.0], 1.0, "a significance of 1"),
        ],
    )
    def test_what_is_no_series(self, values: list[float], significance: float, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            change_points(values, significance)
