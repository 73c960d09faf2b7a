"""Tests of the intervals of a run's figures, by plain values and by simulated queues with fixed seeds."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from bench.statistics.intervals import (
    FEWEST_SECONDS,
    Interval,
    SecondOfTimes,
    SteadyTimes,
    rate_interval,
    share_interval,
)
from bench.timing.histogram import Histogram
from measurements.interval_coverage import coverages


def second(times_ns: list[int], censored: int = 0) -> SecondOfTimes:
    """Return a second with these times."""
    histogram = Histogram()
    histogram.record(np.array(times_ns, dtype=np.int64))
    return SecondOfTimes(histogram, censored)


def independent(seconds: int, per_second: int, seed: int = 1) -> list[SecondOfTimes]:
    """Return seconds of independent times with an exponential distribution of 1 ms."""
    random = np.random.default_rng(seed)
    return [second(random.exponential(1e6, per_second).astype(np.int64).tolist()) for _ in range(seconds)]


def ends(interval: Interval | None) -> tuple[float, float]:
    """Return both ends, which are known."""
    assert interval is not None
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high


@pytest.mark.parametrize("load", [0.5, 0.8, 0.95])
def test_intervals_of_a_queue_cover_the_truth(load: float) -> None:
    for name, coverage in coverages(load, seconds=60, runs=40, seed=20):
        assert coverage.given == 40, name
        assert coverage.covering >= 0.93 * coverage.given, name
        assert coverage.with_both_ends == 40 or load > 0.5, name


def test_a_short_run_of_a_busy_queue_has_no_upper_end() -> None:
    found = dict(coverages(0.95, seconds=30, runs=20, seed=1))
    assert found["p50"].with_both_ends == 20
    assert found["p99"].with_both_ends == 0


def test_independent_times_have_nearly_the_exact_binomial_interval() -> None:
    low, high = ends(SteadyTimes.of(independent(200, 50)).percentile(90).interval)
    shares = [1 - math.exp(-end / 1e6) for end in (low, high)]  # of the distribution that they are drawn from
    exact_width = (binom.ppf(0.975, 10_000, 0.9) - binom.ppf(0.025, 10_000, 0.9)) / 10_000
    assert 0.9 * exact_width <= shares[1] - shares[0] <= 1.5 * exact_width


def test_times_that_change_together_have_a_wider_interval() -> None:
    apart = independent(60, 50)
    random = np.random.default_rng(2)
    together = [
        second((random.exponential(1e6, 50) * factor).astype(np.int64).tolist())
        for factor in np.repeat(random.uniform(0.5, 2, 6), 10)
    ]
    narrow, wide = (ends(SteadyTimes.of(seconds).percentile(50).interval) for seconds in (apart, together))
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])


def test_an_interval_contains_its_percentile_also_of_equal_times() -> None:
    seconds = [second([1_000_000] * 20) for _ in range(20)]
    low, high = ends(SteadyTimes.of(seconds).percentile(50).interval)
    assert low <= 1_000_000 <= high
    assert high < 1_002_000


def test_few_seconds_have_no_interval_and_say_how_many_are_needed() -> None:
    known = SteadyTimes.of(independent(FEWEST_SECONDS - 1, 50)).percentile(50)
    assert known.interval is None
    assert known.reason == "the run is too short: its steady window has 9 whole seconds, at least 10 are needed"
    assert known.needed_s == FEWEST_SECONDS


def test_a_tail_of_few_times_has_no_upper_end_and_says_how_long_it_would_take() -> None:
    known = SteadyTimes.of(independent(20, 10)).percentile(99)
    assert known.interval is not None
    assert known.interval.low is not None
    assert known.interval.high is None
    assert known.needed_s is not None
    assert 20 < known.needed_s < 120  # 368 independent times, of which there are 10 in a second
    assert "too short" in known.reason


def test_an_upper_end_among_failures_is_not_known() -> None:
    seconds = [second([1_000_000] * 98, censored=2) for _ in range(30)]
    known = SteadyTimes.of(seconds).percentile(97.5)
    assert known.interval is not None
    assert known.interval.low is not None
    assert known.interval.high is None
    assert known.reason == "it lies among failures, which have no time"
    assert SteadyTimes.of(seconds).percentile(99.5).interval == Interval(None, None)


def test_nothing_has_no_interval() -> None:
    assert SteadyTimes.of([]).percentile(50).interval is None
    assert SteadyTimes.of([second([])] * 20).percentile(50).interval is None
    assert SteadyTimes.of([second([])] * 20).mean().reason == "there are no times"


def test_failures_alone_have_no_known_end() -> None:
    assert SteadyTimes.of([second([], censored=5)] * 20).percentile(50).interval == Interval(None, None)


def test_the_mean_has_an_interval_unless_something_failed() -> None:
    seconds = independent(60, 50)
    low, high = ends(SteadyTimes.of(seconds).mean().interval)
    assert low < 1e6 < high
    assert high - low < 0.2e6
    known = SteadyTimes.of([*seconds, second([1], censored=1)]).mean()
    assert known.interval is None
    assert "failures" in known.reason


def test_a_run_of_hours_is_cut_into_blocks() -> None:
    times = SteadyTimes.of(independent(3_601, 2))
    assert times.seconds == 3_600
    assert len(times.blocks) == 225
    assert times.number == 7_200


def test_a_share_of_nothing_has_the_upper_end_of_independent_trials() -> None:
    low, high = ends(share_interval([0] * 30, [100] * 30).interval)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 3_000))


def test_errors_in_a_burst_have_a_wider_interval_than_spread_errors() -> None:
    _, spread = ends(share_interval([1] * 60, [100] * 60).interval)
    low, burst = ends(share_interval([60] + [0] * 59, [100] * 60).interval)
    assert low < 0.01 < spread
    assert burst > 2 * spread


def test_a_share_needs_seconds_and_trials() -> None:
    assert share_interval([0] * 9, [100] * 9).interval is None
    assert share_interval([0] * 30, [0] * 30).reason == "there is nothing to have a share of"
    with pytest.raises(ValueError, match="2 of 1"):
        share_interval([2] + [0] * 29, [1] + [0] * 29)


def test_a_rate_has_an_interval() -> None:
    counts = np.random.default_rng(1).poisson(500, 60).tolist()
    low, high = ends(rate_interval(counts).interval)
    assert low < 500 < high
    assert high - low < 20
    assert rate_interval(counts[:9]).interval is None
