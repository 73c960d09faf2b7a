"""A run fails for reasons, which its result has."""

import datetime as dt
from typing import Any

import pytest

from bench.load.metrics.exit_reasons import exceptions_raised, exit_reasons, warnings
from bench.machine.descriptors import file_limit_reason
from bench.results.header import CommitInfo, MachineInfo
from bench.results.load import CONNECT, Generator, LoadResult, Operation, Scenario, Second, TaskException, Window


def an_operation(name: str, ok: int = 0, **more: Any) -> Operation:
    errors: dict[str, int] = more.pop("errors", {})
    dropped: dict[str, int] = more.pop("dropped_because", {})
    unfinished = more.pop("unfinished", 0)
    sent = ok + sum(errors.values()) + unfinished
    lost = sum(dropped.values())
    return Operation(
        name=name,
        scheduled=sent + lost,
        dropped=lost,
        dropped_because=dropped,
        sent=sent,
        ok=ok,
        timeouts=0,
        errors=errors,
        unfinished=unfinished,
        late=0,
    )


def a_result(*operations: Operation, **more: Any) -> LoadResult:
    given: dict[str, Any] = {
        "datetime": dt.datetime(2024, 5, 6, tzinfo=dt.UTC),
        "commit_info": CommitInfo(),
        "machine_info": MachineInfo(),
        "packages": {},
        "scenario": Scenario(user_classes=("EchoUser",), users=1, model="closed", transport="websocket"),
        "generator": Generator(processes=1),
        "window": Window(start_s=0.0, end_s=2.0, warmup_s=0.0),
        "operations": operations or (an_operation(CONNECT, 1), an_operation("echo", 5)),
    }
    return LoadResult(**{**given, **more})


def test_a_run_that_measured_something_has_not_failed() -> None:
    assert exit_reasons(a_result()) == []
    assert list(warnings(a_result(), breakdown=False)) == []
    assert exceptions_raised(a_result()) is None


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (
            a_result(an_operation("echo")),
            "no user was started before the run ended",
        ),
        (
            a_result(an_operation("echo"), timeline=(Second(t=0, users=1, sent=0, ok=0, failed=0, dropped=0),)),
            "no attempt to connect had ended when the run ended",
        ),
        (
            a_result(an_operation(CONNECT)),
            "no user ever connected: the run ended before the first connection was made",
        ),
        (
            a_result(an_operation(CONNECT, errors={"a": 1, "b": 1, "c": 1, "d": 1, "e": 1})),
            "no user ever connected: a; b; c; and 2 more kinds of errors",
        ),
        (
            a_result(
                an_operation(CONNECT, 1),
                scenario=Scenario(user_classes=("EchoUser",), users=1, model="open", transport="websocket"),
            ),
            "nothing was sent: no task performed an operation",
        ),
        (
            a_result(an_operation(CONNECT, 1), an_operation("echo", dropped_because={"no user was free": 3})),
            "nothing was sent: no user was free",
        ),
    ],
)
def test_nothing_measured(result: LoadResult, reason: str) -> None:
    assert exit_reasons(result) == [reason]
    assert exit_reasons(result, are_workers_missing=True) == [], "the missing workers are the fault"


def test_users_who_only_listen_have_not_failed() -> None:
    assert exit_reasons(a_result(an_operation(CONNECT, 1))) == []


def test_wrong_figures_are_the_only_fault() -> None:
    assert exit_reasons(a_result(an_operation(CONNECT), invalid_reason="matched in order")) == ["matched in order"]


def test_a_partial_result() -> None:
    assert exit_reasons(a_result(partial=True, partial_reason="a worker is lost")) == ["a worker is lost"]


@pytest.mark.parametrize(("unfinished", "awaited"), [(0, "no replies were"), (1, "1 reply was"), (3, "3 replies were")])
def test_a_run_that_was_aborted(unfinished: int, awaited: str) -> None:
    result = a_result(an_operation(CONNECT, 1), an_operation("echo", 1, unfinished=unfinished), forced=True)
    assert exit_reasons(result) == [f"the run was ended by force: {awaited} still awaited"]


def test_a_limit_of_open_files() -> None:
    kind = f"ClientConnectorError: {file_limit_reason(24)}"
    result = a_result(an_operation(CONNECT, 1, errors={kind: 4}), an_operation("echo", 1))
    (reason,) = exit_reasons(result)
    (only,) = exit_reasons(a_result(an_operation(CONNECT, 1, errors={kind: 1}), an_operation("echo", 1)))
    assert only.startswith("1 attempt to connect failed: ")
    assert reason == f"4 attempts to connect failed: {file_limit_reason(24)}, or spread the users over more --processes"


def test_warnings() -> None:
    result = a_result(window=Window(start_s=2.0, end_s=2.0, warmup_s=0.0))
    (too_short,) = warnings(result, breakdown=False)
    assert too_short.startswith("The run ended before its users were there")
    assert [line.partition(":")[0] for line in warnings(a_result(), breakdown=True)] == ["--breakdown"]


def test_exceptions_of_users() -> None:
    raised = (TaskException(text="KeyError: a", count=1000), TaskException(text="KeyError: b", count=1))
    assert exceptions_raised(a_result(exceptions=raised)) == (
        "users' own code raised 1,001 exceptions: KeyError: a; KeyError: b"
    )
    assert exceptions_raised(a_result(exceptions=raised[1:])) == "users' own code raised an exception: KeyError: b"
