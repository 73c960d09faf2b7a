"""The intervals, tests and precisions of loads, by what processes have reported of them."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from bench.load.metrics.figures import LoadFigures
from bench.load.metrics.recorder import Recorder
from bench.load.metrics.steadiness import (
    FEWEST_SECONDS,
    AskedSteadiness,
    PrecisionRule,
    precisions,
    run_tests,
    with_intervals,
)
from bench.objectives.precision import parse_precisions
from bench.results.load import Operation
from bench.results.steadiness import Precision, RunTest
from bench.timing.rates import RateProfile
from tests.load.metrics.test_objectives import MS, Load, S, varied

STEADY = AskedSteadiness()


def operations(load: Load) -> tuple[tuple[Operation, ...], LoadFigures]:
    """Return the rows of a load that has ended, and its figures."""
    figures = load.figures()
    return load.merger().operations(10e6), figures


def random_load(seconds: int = 60, factors: tuple[float, ...] = (), per_s: int = 50, seed: int = 1) -> Load:
    """Return a load of random times, those of each second multiplied by a factor, sent at random moments."""
    random = np.random.default_rng(seed)
    load = Load(end_s=1 + seconds)
    for number in range(seconds):
        factor = factors[number % len(factors)] if factors else 1.0
        log = Recorder("say")
        for at in sorted(random.random(random.poisson(per_s)).tolist()):
            sent_ns = round((1 + number + at) * S)
            log.answered(sent_ns, sent_ns, sent_ns + round(random.exponential(5) * factor * MS))
        if (batch := log.flush()) is not None:
            load.tally.add(batch)
    return load


def outcomes(load: Load, asked: AskedSteadiness = STEADY) -> dict[str, RunTest]:
    """Return the tests of a load by their names."""
    return {test.name: test for test in run_tests(*operations(load), asked)}


def test_an_operation_has_the_intervals_of_its_window() -> None:
    rows, figures = operations(random_load())
    (say,) = with_intervals(rows, figures)
    found, times = say.intervals, say.response_us
    assert found is not None
    assert times is not None
    assert (found.times, found.confidence, found.seconds, found.reason) == ("response", 0.95, 60, None)
    for name in ("p50", "p90", "p99", "mean"):
        interval, value = getattr(found, name), getattr(times, name)
        assert interval.low < value < interval.high, name
        assert interval.high - interval.low < value, name


def test_a_closed_load_has_the_intervals_of_its_service_times() -> None:
    load = Load(is_open=False).add(times_ms=varied())
    (say,) = with_intervals(*operations(load))
    assert say.intervals is not None
    assert say.intervals.times == "service"


def test_a_short_run_has_the_reason_for_its_lack_of_intervals() -> None:
    (say,) = with_intervals(*operations(Load(end_s=6).add(times_ms=varied())))
    assert say.intervals is not None
    assert say.intervals.p50 is None
    assert say.intervals.reason == "the run is too short: its steady window has 5 whole seconds, at least 10 are needed"
    assert say.intervals.needs_s == 10


def test_an_interval_ends_where_failures_begin() -> None:
    (say,) = with_intervals(*operations(Load().add(times_ms=varied(), failures=1)))
    assert say.intervals is not None
    assert say.intervals.p99 is not None
    assert say.intervals.p99.high is None
    assert say.intervals.mean is None
    assert say.intervals.reason


@pytest.mark.parametrize("failed", ["dropped", "failures"])
def test_what_surely_falls_among_failures_without_a_limit_in_time_has_no_interval(failed: str) -> None:
    load = Load().add(times_ms=varied(), **{failed: 900})  # type: ignore[arg-type]
    (say,) = with_intervals(*operations(load))
    assert say.intervals is not None
    assert (say.intervals.p50, say.intervals.p99) == (None, None)
    assert say.intervals.reason == "it falls among those that failed"


def test_what_surely_falls_among_timeouts_is_known_to_be_longer() -> None:
    (say,) = with_intervals(*operations(Load().add(times_ms=varied(), timeouts=900)))
    assert say.intervals is not None
    assert say.intervals.p99 is not None
    assert (say.intervals.p99.low, say.intervals.p99.high) == (10e6, None)


def test_operations_without_times_in_the_window_have_no_intervals() -> None:
    load = Load().add("connect", kind="connect").add("typing", kind="emission").add(times_ms=varied())
    assert {row.name for row in with_intervals(*operations(load)) if row.intervals is not None} == {"say"}


def test_a_healthy_run_passes_all_tests() -> None:
    asked = AskedSteadiness(RateProfile.parse("50"), "poisson", load_start_s=1)
    found = outcomes(random_load(), asked)
    assert {name: test.passed for name, test in found.items()} == dict.fromkeys(
        ("arrivals", "independence", "stationarity"), True
    )
    assert found["stationarity"].operation == "say"


def test_figures_that_were_still_rising_fail_with_the_remedy() -> None:
    found = outcomes(random_load(factors=tuple(np.linspace(1, 1.5, 60))))["stationarity"]
    assert found.passed is False
    assert "the times of say were still rising, their median by" in found.meaning
    assert "run longer" in found.meaning


def test_figures_that_were_still_falling_ask_for_a_warm_up() -> None:
    found = outcomes(random_load(factors=tuple(np.linspace(1.5, 1, 60))))["stationarity"]
    assert found.passed is False
    assert "give a longer --warmup" in found.meaning


def test_a_small_change_is_no_trend_however_sure_it_is() -> None:
    found = outcomes(random_load(factors=tuple(np.linspace(1, 1.02, 60)), per_s=1_000))["stationarity"]
    assert found.passed is True


def test_parts_that_depend_on_each_other_fail() -> None:
    wave = tuple(1 + 0.5 * np.sin(np.arange(60) * 2 * np.pi / 60))
    found = outcomes(random_load(factors=wave))["independence"]
    assert found.passed is False
    assert "run longer" in found.meaning


def test_arrivals_in_bunches_fail() -> None:
    load = Load(end_s=61).add(times_ms=[5.0] * 50)  # all at the beginning of each second
    found = outcomes(load, AskedSteadiness(RateProfile.parse("50"), "poisson", load_start_s=1))["arrivals"]
    assert found.passed is False
    assert found.statistic is not None
    assert found.statistic > 10
    assert "came in bunches" in found.meaning
    assert "--users" in found.meaning
    constant = outcomes(load, AskedSteadiness(RateProfile.parse("50"), "constant", load_start_s=1))["arrivals"]
    assert (constant.passed, constant.p) == (False, None)


def test_a_run_without_a_rate_has_no_arrivals_to_test() -> None:
    assert "arrivals" not in outcomes(random_load())


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (AskedSteadiness(RateProfile.parse("50:30s,100:30s"), load_start_s=1), "the rate has stages or a ramp"),
        (AskedSteadiness(changed_users=True), "the number of users changed"),
    ],
)
def test_a_load_that_changes_is_not_tested(asked: AskedSteadiness, reason: str) -> None:
    found = outcomes(random_load(), asked)["stationarity"]
    assert (found.passed, found.p, found.meaning) == (None, None, f"not tested: {reason}")


def test_a_short_run_and_few_times_are_not_tested() -> None:
    assert outcomes(random_load(10))["independence"].meaning.endswith("10 whole seconds, at least 16 are needed")
    assert outcomes(random_load(20, per_s=2))["independence"].meaning == "not tested: no operation has enough times"


def reached(load: Load, text: str) -> Precision:
    """Return what a load has reached of a precision."""
    (found,) = precisions(parse_precisions(text), load.figures())
    return found


def test_a_precision_that_is_reached() -> None:
    found = reached(random_load(), "say: p50 ± 20 %")
    assert (found.operation, found.metric, found.asked, found.is_reached) == ("say", "p50", 0.2, True)
    assert found.reached is not None
    assert 0 < found.reached <= 0.2
    assert found.value is not None
    assert found.low is not None
    assert found.low < found.value
    assert reached(random_load(), "throughput ± 10 %").is_reached


def test_a_precision_may_have_the_unit_of_its_figure() -> None:
    share = reached(random_load(), "p50 ± 20 %")
    assert share.reached is not None
    assert share.value is not None
    widest_us = share.reached * share.value
    for asked_us, is_reached in ((widest_us * 1.01, True), (widest_us * 0.99, False)):
        found = reached(random_load(), f"p50 ± {asked_us:.3f} µs")
        assert (found.unit, found.is_reached) == ("µs", is_reached)
        assert found.reached == pytest.approx(widest_us)
    assert found.reason is not None
    assert found.reason.endswith(" ms") or found.reason.endswith(" µs")
    rate = reached(random_load(), "throughput ± 1000/s")
    assert (rate.unit, rate.is_reached) == ("per second", True)


def test_a_precision_that_is_not_reached_has_a_reason() -> None:
    assert reached(random_load(), "p50 ± 1 %").reason.startswith("its interval is ± ")  # type: ignore[union-attr]
    few = reached(random_load(12, per_s=5), "p99 ± 5 %")
    assert (few.is_reached, few.reached) == (False, None)
    assert few.reason is not None
    assert few.reason.startswith("the run is too short for an upper end")
    unknown = reached(random_load(), "sya: p50 ± 5 %")
    assert unknown.reason == "no such operation was performed: did you mean say?"


def test_a_precision_of_what_surely_falls_among_failures_has_no_figure_and_a_reason() -> None:
    found = reached(Load().add(times_ms=varied(), dropped=900), "p99 ± 5 %")
    assert (found.value, found.low, found.high, found.is_reached) == (None, None, None, False)
    assert found.reason == "it falls among those that failed"


def looks(*are_reached: bool) -> Iterator[tuple[int, bool]]:
    """Yield the second of each look and whether the run may end then: a look every two seconds from the 18th on."""
    rule = PrecisionRule()
    found = partial(Precision, text="t", metric="p50", asked=0.1)
    for number, is_reached in enumerate(are_reached):
        second = FEWEST_SECONDS - 2 + 2 * number
        yield second, rule.is_satisfied(second, [found(is_reached=is_reached)])


def test_a_run_ends_when_the_interval_is_still_narrow_a_tenth_later() -> None:
    assert list(looks(True, True, True)) == [(18, False), (20, False), (22, True)]
    assert list(looks(False, False, True, True, False, True)) == [
        (18, False),
        (20, False),
        (22, False),
        (24, False),
        (26, False),
        (28, True),
    ]
