"""The load result: accounts that do not add up, and figures that contradict each other, cannot be built."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from bench.results.header import CommitInfo, MachineInfo
from bench.results.load import Distribution, Generator, LoadResult, Operation, ReceivedEvent, Scenario, Window
from tests.support.example_results import distribution, load_result, operation

small = st.integers(0, 4)


@given(small, small, small, small, small, st.dictionaries(st.sampled_from(["a", "b"]), small), small, small)
@example(1, 0, 1, 1, 0, {}, 0, 1)
def test_an_operation_exists_just_if_its_account_adds_up(
    scheduled: int, dropped: int, sent: int, ok: int, timeouts: int, errors: dict[str, int], unfinished: int, late: int
) -> None:
    counts: dict[str, Any] = {
        "scheduled": scheduled,
        "dropped": dropped,
        "sent": sent,
        "ok": ok,
        "timeouts": timeouts,
        "errors": errors,
        "unfinished": unfinished,
        "late": late,
    }
    adds_up = scheduled == sent + dropped and sent == ok + timeouts + sum(errors.values()) + unfinished
    if not adds_up:
        with pytest.raises(ValidationError, match="echo: "):
            Operation(name="echo", **counts)
        return
    assert Operation(name="echo", **counts).failed == dropped + timeouts + sum(errors.values()) + unfinished


@given(st.lists(st.tuples(small, small, small, small, small), min_size=1, max_size=3))
def test_a_result_is_read_back_as_it_was_written(accounts: list[tuple[int, int, int, int, int]]) -> None:
    operations = [
        operation(
            f"operation {index}",
            scheduled=dropped + ok + timeouts + errors + unfinished,
            dropped=dropped,
            sent=ok + timeouts + errors + unfinished,
            ok=ok,
            timeouts=timeouts,
            errors={"disconnected": errors} if errors else {},
            unfinished=unfinished,
        )
        for index, (dropped, ok, timeouts, errors, unfinished) in enumerate(accounts)
    ]
    result = load_result(operations=operations)
    assert LoadResult.model_validate_json(result.to_json(), strict=True) == result


def test_a_name_may_be_that_of_several_kinds() -> None:
    rows = (operation("connect"), operation("buy"), operation("buy", kind="transaction"), operation("buy", kind="http"))
    received = (ReceivedEvent(name="news", count=3, received_bytes=300, per_s=1.5),)
    result = load_result(operations=rows, received=received)
    assert LoadResult.model_validate_json(result.to_json(), strict=True) == result
    assert [row.kind for row in result.operations] == ["connect", "round trip", "transaction", "http"]
    assert [row.label for row in rows] == ["connect", "buy", "buy (transaction)", "buy (http)"]
    assert operation("connect", kind="round trip").label == "connect (round trip)"
    assert operation("disconnect", kind="disconnect").label == "disconnect"
    with pytest.raises(ValidationError, match=r"operation buy \(http\) is there twice"):
        load_result(operations=(*rows, rows[-1]))


def test_the_json_has_the_fields_that_readers_of_it_expect() -> None:
    stored = json.loads(load_result().to_json())
    assert stored["schema"] == "load/5"
    assert stored["datetime"] == "2026-11-23T11:26:45.123456+00:00"  # as pytest-benchmark writes it
    assert stored["commit_info"] == {
        "id": "3cf0b59c6de96eba604d0c5aec7ae0e2153daba3",
        "time": None,
        "author_time": None,
        "dirty": False,
        "project": "service",
        "branch": "main",
    }
    assert {"machine_info", "packages", "scenario", "server", "generator", "window", "timeline"} < stored.keys()
    assert stored["operations"][0]["service_us"]["p99_9"] == 5000.0
    assert stored["operations"][0]["response_us"] is None
    assert load_result().to_json().endswith(b"}\n")


def test_an_unknown_commit_says_why() -> None:
    assert CommitInfo(error="no git").model_dump()["error"] == "no git"


def test_what_a_plugin_adds_to_the_machine_is_kept() -> None:
    machine = MachineInfo.model_validate({"node": "here", "steal": 3})
    assert machine.model_dump()["steal"] == 3


def test_a_censored_percentile_is_null_with_its_limit() -> None:
    censored = distribution(mean=None, p99_9=None, max=None, censored_above_us=500_000.0)
    assert (censored.p99, censored.p99_9, censored.censored_above_us) == (1234.5, None, 500_000.0)


def test_all_censored() -> None:
    nothing = dict.fromkeys(["min", "mean", "p50", "p90", "p99", "p99_9", "max"])
    assert Distribution.model_validate(nothing | {"censored_above_us": 500_000.0}).p50 is None


def test_the_rounding_of_a_histogram_may_pass_the_exact_maximum() -> None:
    assert distribution(p99_9=12350.0, max=12345.0).max == 12345.0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"p99": None, "censored_above_us": 5e5}, "p99 is censored but p99_9, above it, is 5000.0"),
        ({"p90": 100.0}, "p50 is 131.4, above p90 at 100.0"),
        ({"max": None}, "censored_above_us does not say"),
        ({"p50": -1.0}, "greater than or equal to 0"),
        ({"p50": float("nan")}, "finite"),
    ],
)
def test_contradictory_times_are_refused(changed: dict[str, float | None], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        distribution(**changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"service_histogram": "HISTFAAA not base64"}, "not base64"),
        ({"service_histogram": "AAAA"}, "not an HdrHistogram in V2 form"),
        ({"name": ""}, "at least 1 character"),
        ({"sent": -1}, "greater than or equal to 0"),
        ({"surprise": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_damaged_operation_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        operation(**changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"operations": (operation("echo"), operation("echo"))}, "operation echo is there twice"),
        ({"partial": True}, "no partial_reason"),
        ({"operations": (operation(response_us=distribution()),)}, "a closed load has no response time"),
        ({"datetime": "2026-11-23T11:26:45"}, "timezone"),
        ({"schema": "load/9"}, "Input should be 'load/1'"),
    ],
)
def test_a_contradictory_result_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        load_result(**changed)


def test_an_open_load_has_response_times() -> None:
    scenario = Scenario(user_classes=("EchoUser",), users=50, model="open", rate_per_s=1000, transport="websocket")
    measured = operation(response_us=distribution(p50=150.0))
    assert load_result(scenario=scenario, operations=(measured,)).operations[0].response_us is not None


def test_saturation_needs_a_reason() -> None:
    with pytest.raises(ValidationError, match="no reason is given"):
        Generator(processes=1, verdict="saturated")


def test_a_window_ends_after_its_start() -> None:
    assert Window(start_s=3, end_s=3, warmup_s=0).duration_s == 0
    with pytest.raises(ValidationError, match=r"before its start at 3\.0 s"):
        Window(start_s=3, end_s=2, warmup_s=0)
