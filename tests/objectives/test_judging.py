import math

import pytest

from bench.objectives.judging import Measured, judge, not_judged
from bench.objectives.parsing import parse_objective


@pytest.mark.parametrize(
    ("text", "low", "value", "high", "verdict"),
    [
        # an upper limit of 50 ms
        ("p99 < 50 ms", 20_000, 22_000, 25_000, "met"),
        ("p99 < 50 ms", 45_000, 48_000, 55_000, "undecided"),
        ("p99 < 50 ms", 49_000, 55_000, 60_000, "undecided"),
        ("p99 < 50 ms", 51_000, 55_000, 60_000, "missed"),
        # the limit itself
        ("p99 < 50 ms", 50_000, 50_000, 50_000, "missed"),
        ("p99 <= 50 ms", 50_000, 50_000, 50_000, "met"),
        # a lower limit
        ("throughput >= 400/s", 410, 420, 430, "met"),
        ("throughput >= 400/s", 390, 420, 430, "undecided"),
        ("throughput >= 400/s", 380, 385, 390, "missed"),
        ("connects > 99 %", 1, 1, 1, "met"),
        # an end that lies beyond what is known
        ("p99 < 50 ms", 20_000, 22_000, None, "undecided"),
        ("p99 < 50 ms", 51_000, 55_000, None, "missed"),
        ("throughput >= 400/s", None, 420, 430, "undecided"),
        ("throughput >= 400/s", None, 380, 390, "missed"),
        # a figure that lies there itself is never a number
        ("p99 < 50 ms", 10_000_000, None, None, "missed"),
        ("p99 < 20 s", 10_000_000, None, None, "undecided"),
        ("p99 > 5 s", 10_000_000, None, None, "met"),
        # nothing at all
        ("p99 < 50 ms", None, None, None, "not judged"),
    ],
)
def test_the_interval_decides(
    text: str, low: float | None, value: float | None, high: float | None, verdict: str
) -> None:
    found = judge(parse_objective(text), Measured(value, low, high, seconds=10))

    assert found.verdict == verdict
    assert (found.low, found.value, found.high) == (low, value, high)


def test_a_run_that_would_decide_is_as_much_longer_as_the_interval_has_to_shrink() -> None:
    # the upper end has to come to 50 ms, half of its distance: four times the time
    found = judge(parse_objective("p99 < 50 ms"), Measured(48_000, 44_000, 52_000, seconds=30))

    assert (found.verdict, found.needs_s) == ("undecided", 120)
    assert found.reason == "a run of about 2 min would decide it"


def test_a_figure_on_the_wrong_side_is_decided_by_its_good_end() -> None:
    found = judge(parse_objective("p99 < 50 ms"), Measured(52_000, 48_000, 70_000, seconds=30))

    assert found.needs_s == 120


def test_a_figure_at_the_limit_is_not_decided_in_a_day() -> None:
    found = judge(parse_objective("p99 < 50 ms"), Measured(50_000, 48_000, 52_000, seconds=30))

    assert found.needs_s is None
    assert found.reason == "the figure is so near to the limit that a day would not decide it"


@pytest.mark.parametrize(
    ("factor", "said"), [(2.0, "7 s"), (10.0, "35 s"), (100.0, "6 min"), (500.0, "30 min"), (4_000.0, "4 h")]
)
def test_proposed_runs_are_such_as_people_type(factor: float, said: str) -> None:
    reach = math.sqrt(factor) * 1_000
    found = judge(parse_objective("p99 < 50 ms"), Measured(49_000, 0, 49_000 + reach, seconds=3.4))

    assert found.reason == f"a run of about {said} would decide it"


def test_other_remedies_than_a_longer_run() -> None:
    measured = Measured(48_000, 44_000, 52_000, remedy=lambda times: f"{5 * times:.0f} processes would decide it")

    assert judge(parse_objective("p99 < 50 ms"), measured).reason == "20 processes would decide it"


def test_a_figure_that_is_not_the_services_is_shown_and_not_judged() -> None:
    measured = Measured(690_000, 600_000, 700_000, useless_because="the generator was saturated")
    found = judge(parse_objective("p99 < 50 ms"), measured)

    assert (found.verdict, found.reason, found.value) == ("not judged", "the generator was saturated", 690_000)


def test_what_is_missing_is_named() -> None:
    lacking = Measured(20_000, 15_000, None, lacks="fewer than 5 of them are beyond it")
    found = judge(parse_objective("p99.9 < 50 ms"), lacking)

    assert (found.verdict, found.reason) == ("undecided", "fewer than 5 of them are beyond it")


def test_no_figure() -> None:
    found = not_judged(parse_objective("sya: p99 < 50 ms"), "no such operation", "sya")

    assert (found.verdict, found.reason, found.operation, found.value) == (
        "not judged",
        "no such operation",
        "sya",
        None,
    )
