"""Figures that would be plausible and wrong: replies that are not the user's own, and emissions that are in no row."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.results.load import MOST_OPERATIONS, OTHER_OPERATIONS
from bench.server import ServerProcess
from tests.support.folders import APPS, LOCUSTFILES
from tests.support.locust_process import CONNECT, LocustProcess, operation, run

MATCHING = LOCUSTFILES / "matching.py"

ENDS_EARLY = ["-t", "10m"]  # far beyond the patience of these tests


@pytest.fixture(scope="module")
def ambiguous() -> Iterator[ServerProcess]:
    with ServerProcess("ambiguous:app", directory=APPS) as server:
        yield server


def performed(folder: Path, ambiguous: ServerProcess, *arguments: str) -> tuple[int, LocustProcess]:
    return run(folder, "--host", ambiguous.url, *arguments, locustfile=MATCHING)


def error_lines(output: str) -> list[str]:
    return [line.partition("/ERROR/")[2].partition(": ")[2] for line in output.splitlines() if "/ERROR/" in line]


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ["AskUser", "-u", "10", "-r", "10", *ENDS_EARLY],
            "ask→news is matched in order, but news came while none was awaited: others cause it, too, or the server "
            "sends it unasked; have the service repeat a {token} of the payload",
        ),
        (
            ["AskUser", "-u", "10", "-r", "10", "--rate", "50:600s"],
            "ask→news is matched in order, one in flight, and an open load does not wait: give it a token, or wait for "
            "replies",
        ),
        (
            ["TwoAtOnceUser", "-u", "2", "-r", "2", *ENDS_EARLY],
            "question→answer is matched in order and one is in flight on this connection already: wait for its reply, "
            "or give it a token",
        ),
    ],
    ids=["closed", "open", "two at once"],
)
def test_replies_that_cannot_be_told_from_others_end_the_run(
    tmp_path: Path, ambiguous: ServerProcess, arguments: list[str], reason: str, processes: int
) -> None:
    more = ["--processes", "2"] if processes > 1 else []
    code, locust = performed(tmp_path, ambiguous, *arguments, *more)
    assert code == 1
    assert error_lines(locust.output) == [reason]
    result = locust.result()
    assert result.invalid_reason == reason
    has_figures = any(row.sent for row in result.operations if row.name != CONNECT)
    assert ("the figures are wrong" in locust.output) == has_figures
    assert "Traceback" not in locust.output
    unexpected = sum(row.unexpected for row in result.operations)
    assert (unexpected > 0) == (arguments[0] == "AskUser" and "--rate" not in arguments)


@pytest.mark.parametrize(
    ("arguments", "unasked_at"), [(["QuestionUser", "-t", "2s"], "2"), (["LeavingUser", *ENDS_EARLY], "1")]
)
@pytest.mark.slow
def test_a_reply_that_is_pushed_unasked_is_found_at_the_latest_when_its_own_is_left_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], unasked_at: str
) -> None:
    monkeypatch.setenv("UNASKED", unasked_at)
    with ServerProcess("ambiguous:app", directory=APPS) as server:
        code, locust = performed(tmp_path, server, *arguments, "-u", "3", "-r", "3")
    assert code == 1
    result = locust.result()
    assert result.invalid_reason is not None
    assert error_lines(locust.output) == [result.invalid_reason]
    assert operation(result, "question→answer").unexpected > 0


@pytest.mark.parametrize("transport", ["websocket", pytest.param("polling", marks=pytest.mark.slow)])
@pytest.mark.parametrize("rate", [[], ["--rate", "60:2s"]], ids=["closed", "open"])
def test_what_is_too_large_is_counted_as_not_sent(
    tmp_path: Path, ambiguous: ServerProcess, rate: list[str], transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSPORT", transport)
    code, locust = performed(tmp_path, ambiguous, "LargeUser", "-u", "2", "-r", "2", *(rate or ["-t", "3s"]))
    assert code == 1
    result = locust.result()
    large, small = operation(result, "much"), operation(result, "say→said")
    assert (large.sent, large.dropped > 0) == (0, True)
    assert small.ok == small.scheduled > 0
    ((reason, number),) = large.dropped_because.items()
    assert number == large.dropped
    assert reason.startswith("too large: 5,0")
    assert reason.endswith(" bytes, the server takes 2,000")
    assert f"much: dropped: {reason}" in locust.output
    if rate:
        assert sum(second.dropped for second in result.timeline) == large.dropped
    assert "Traceback" not in locust.output


def test_a_task_that_never_waits_does_not_take_the_loop_along(tmp_path: Path, ambiguous: ServerProcess) -> None:
    """Whatever it makes of what its round trips raise: the run ends, and what was wanted is counted."""
    code, locust = performed(tmp_path, ambiguous, "StubbornUser", "-u", "3", "-r", "3", "-t", "1s")
    assert code == 1
    row = operation(locust.result(), "much")
    assert row.dropped == row.scheduled > 0
    assert row.dropped < 10_000, "it pauses"
    (said,) = error_lines(locust.output)
    assert said.startswith("nothing was sent: too large: 5,0")


def test_what_is_in_no_figure_is_said(tmp_path: Path, ambiguous: ServerProcess) -> None:
    """The output names definitions made anew, error replies, data that cannot be sent, and what happens only once."""
    classes = ["AnewUser", "WishUser", "SetUser", "EnteringUser"]
    code, locust = performed(tmp_path, ambiguous, *classes, "-u", "4", "-r", "4", "-t", "4s", "--stop-timeout", "50")
    assert code == 1, "what cannot be encoded is a failure"
    result = locust.result()
    assert result.invalid_reason is None

    wish = operation(result, "wish acknowledged")
    assert wish.error_replies == wish.ok > 0
    assert f"{wish.ok} of {wish.ok} replies to wish acknowledged carry an `error` key" in locust.output

    unsent, sent = operation(result, "set"), operation(result, "say→said")
    assert (unsent.sent, unsent.dropped_because) == (0, {"could not be encoded": unsent.dropped})
    assert unsent.dropped > 0
    assert sent.error_replies == 0

    assert len(result.operations) == MOST_OPERATIONS + 2, "connecting is of another kind"
    assert operation(result, OTHER_OPERATIONS).ok > 0
    assert f"more than {MOST_OPERATIONS} operations" in locust.output

    entered = operation(result, "question→answer")
    assert (entered.ok, entered.times_of) == (1, "run")
    assert entered.service_us is not None
    assert operation(result, CONNECT).times_of == "run"
    assert sent.times_of == "window"
    assert "question→answer was not performed in the steady window" in locust.output
