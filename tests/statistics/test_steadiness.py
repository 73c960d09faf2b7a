"""Tests of arrivals, independence and stationarity: they find what is wrong, and keep quiet about what is not."""

import numpy as np
import pytest

from bench.statistics.steadiness import (
    DISPERSION_MARGIN,
    FALSE_ALARMS,
    PARTS,
    Outcome,
    dispersion,
    independence,
    parts_of,
    trend,
)


def p_of(outcome: Outcome | None) -> float:
    """Return the probability of an outcome that has one."""
    assert outcome is not None
    assert outcome.p is not None
    return outcome.p


@pytest.mark.parametrize("per_bin", [0.1, 1.0, 100.0])
def test_random_arrivals_raise_hardly_any_false_alarm(per_bin: float) -> None:
    random = np.random.default_rng(1)
    expected = np.full(3_000, per_bin)
    outcomes = [dispersion(random.poisson(expected), expected, is_random=True) for _ in range(300)]
    assert sum(p_of(outcome) < FALSE_ALARMS for outcome in outcomes) <= 3
    assert sum(p_of(outcome) < 0.05 for outcome in outcomes) <= 30


def test_arrivals_in_bunches_are_found() -> None:
    counts = np.random.default_rng(1).poisson(10, 1_500)
    counts[1::5] += counts[::5]  # a stall of a bin in each five
    counts[::5] = 0
    outcome = dispersion(counts, np.full(1_500, 10.0), is_random=True)
    assert outcome is not None
    assert outcome.statistic > 1 + DISPERSION_MARGIN
    assert p_of(outcome) < FALSE_ALARMS


def test_arrivals_that_are_more_even_than_random_ones_are_found() -> None:
    outcome = dispersion(np.full(500, 10), np.full(500, 10.0), is_random=True)
    assert outcome is not None
    assert outcome.statistic == 0
    assert p_of(outcome) < FALSE_ALARMS


def test_evenly_spaced_arrivals_have_an_index_and_no_probability() -> None:
    even = dispersion([3, 3, 4] * 200, np.full(600, 10 / 3), is_random=False)
    assert even is not None
    assert even.statistic < 0.1
    assert even.p is None
    bunched = dispersion([0, 0, 10] * 5 + [0, 0, 0, 30, 0, 0] * 90, np.full(555, 10 / 3), is_random=False)
    assert bunched is not None
    assert bunched.statistic > 1


def test_a_rate_that_changes_is_no_bunch() -> None:
    expected = np.linspace(1, 50, 2_000)
    outcome = dispersion(np.random.default_rng(2).poisson(expected), expected, is_random=True)
    assert p_of(outcome) > FALSE_ALARMS


def test_too_few_arrivals_are_not_tested() -> None:
    assert dispersion([1] * 100, [0.5] * 100, is_random=True) is None
    assert dispersion([], [], is_random=True) is None
    assert dispersion([0] * 100, [0.0] * 100, is_random=True) is None


def test_a_run_has_at_least_so_many_parts() -> None:
    assert parts_of([1.0] * (PARTS - 1)) is None
    for number in (16, 31, 32, 47, 100, 1_000):
        parts = parts_of([1.0] * number)
        assert parts is not None
        assert PARTS <= len(parts) < 2 * PARTS


def test_independent_parts_raise_hardly_any_false_alarm() -> None:
    random = np.random.default_rng(3)
    outcomes = [(independence(parts), trend(parts)) for parts in random.normal(size=(1_000, 20))]
    assert sum(p_of(outcome) < FALSE_ALARMS for outcome, _ in outcomes) <= 5
    assert sum(p_of(outcome) < FALSE_ALARMS for _, outcome in outcomes) <= 5


def test_parts_that_depend_on_each_other_are_found() -> None:
    parts = np.cumsum(np.random.default_rng(4).normal(size=30))
    assert independence(parts).statistic > 0.5
    assert p_of(independence(parts)) < FALSE_ALARMS


@pytest.mark.parametrize("sign", [1, -1])
def test_a_trend_is_found_with_its_direction(sign: int) -> None:
    parts = sign * np.arange(20.0) + np.random.default_rng(5).normal(size=20)
    assert sign * trend(parts).statistic > 0.9
    assert p_of(trend(parts)) < FALSE_ALARMS
    assert trend(np.arange(20.0)).p == 0


def test_a_slow_wave_is_no_trend() -> None:
    parts = np.sin(np.arange(20) * 2 * np.pi / 20)
    assert p_of(trend(parts)) > FALSE_ALARMS


def test_parts_that_are_all_the_same_pass() -> None:
    assert independence(np.ones(20)) == trend(np.ones(20)) == Outcome(0.0, 1.0)
