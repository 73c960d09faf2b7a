"""A SocketIOUser lives as Locust's own users do: tasks, weights, task sets, tags, stopping, errors, listeners."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.server import ServerProcess
from tests.support.folders import LOCUSTFILES
from tests.support.locust_process import (
    CONNECT,
    LIMIT_S,
    LOCUST,
    LOCUSTFILE,
    LocustProcess,
    answered,
    is_up,
    json_lines,
    operation,
    run,
    wait_until,
)
from tests.support.ports import free_port

BEHAVIOUR = LOCUSTFILES / "behaviour.py"


def notes_of(locust: LocustProcess, what: str | None = None) -> list[dict[str, Any]]:
    return [note for note in json_lines(locust.output) if what in (None, note["what"])]


def one_user(
    folder: Path,
    shared: ServerProcess,
    user: str,
    *arguments: str,
    until: Callable[[LocustProcess], object],
    code: int = 0,
) -> LocustProcess:
    """Run one user until something can be seen in the output, then end the test by Ctrl-C."""
    with LocustProcess(folder, user, "--host", shared.url, "-u", "1", *arguments, locustfile=BEHAVIOUR) as locust:
        wait_until(lambda: bool(until(locust)) or locust.process.poll() is not None, "the user has done it")
        locust.interrupt()
        assert locust.wait() == code, locust.output
    return locust


def noted(what: str, times: int = 1) -> Callable[[LocustProcess], object]:
    return lambda locust: len(notes_of(locust, what)) >= times


def tasks_of(locust: LocustProcess) -> list[str]:
    return [note["name"] for note in notes_of(locust, "task")]


def test_a_life(tmp_path: Path, shared: ServerProcess) -> None:
    locust = one_user(tmp_path, shared, "LivingUser", until=noted("on_stop"))
    notes = notes_of(locust)
    assert [note["what"] for note in notes] == ["on_start", *["task"] * 6, "on_stop"]
    assert notes[0] == {"what": "on_start", "connected": True, "state": "running"}
    assert notes[-1]["connected"]
    assert {note["state"] for note in notes[1:-1]} == {"running"}
    assert set(tasks_of(locust)) <= {"often", "seldom"}
    assert operation(locust.result()).ok == 7, "six tasks and on_stop"
    assert all(re.match(r"rt-", note["reply"]["foo"]) for note in notes if "reply" in note)


def test_weights(tmp_path: Path, shared: ServerProcess) -> None:
    code, locust = run(
        tmp_path, "LivingUser", "--host", shared.url, "-u", "60", "-r", "60", "-t", "5s", locustfile=BEHAVIOUR
    )
    assert code == 0
    names = Counter(tasks_of(locust))
    assert names.total() == 360
    # 3 : 1 of 360 draws: 90 of one kind on average, with a standard deviation of 8.2; six of them is never by chance.
    assert 41 < names["seldom"] < 139


def test_tags(tmp_path: Path, shared: ServerProcess) -> None:
    locust = one_user(tmp_path, shared, "TaggedUser", "--tags", "wanted", until=noted("task", 10))
    assert set(tasks_of(locust)) == {"wanted"}


def test_sequential_and_nested_task_sets(tmp_path: Path, shared: ServerProcess) -> None:
    locust = one_user(tmp_path, shared, "SequentialUser", until=lambda locust: "third" in tasks_of(locust))
    assert tasks_of(locust) == ["first", "inside", "second", "third"]
    whats = [note["what"] for note in notes_of(locust)]
    assert whats == ["task", "inner on_start", "task", "inner on_stop", "task", "task"]
    assert notes_of(locust, "inner on_start") == [{"what": "inner on_start", "parent": "InOrder"}]


def test_markov_chain(tmp_path: Path, shared: ServerProcess) -> None:
    locust = one_user(tmp_path, shared, "MarkovUser", until=lambda locust: len(tasks_of(locust)) >= 6)
    assert tasks_of(locust) == ["ping", "pong"] * 3


def test_an_error_in_a_task_is_told_and_the_user_goes_on(tmp_path: Path, shared: ServerProcess) -> None:
    before = answered(shared.url)
    locust = one_user(
        tmp_path,
        shared,
        "FailingUser",
        until=lambda locust: "right" in tasks_of(locust) and answered(shared.url) >= before + 3,
        code=1,
    )
    assert notes_of(locust, "user_error") == [
        {"what": "user_error", "error": 'ZeroDivisionError("of the user\'s own making")'}
    ]
    assert tasks_of(locust) == ["right"]
    assert operation(locust.result()).ok == 3
    assert "in wrong\n" in locust.output, "the traceback leads into the task"


def test_an_error_in_on_start_ends_the_user(tmp_path: Path, shared: ServerProcess) -> None:
    locust = one_user(tmp_path, shared, "FailingToStartUser", until=noted("user_error"), code=1)
    assert len(notes_of(locust, "user_error")) == 1
    assert tasks_of(locust) == []


def test_a_run_ends_in_the_middle_of_a_wait(tmp_path: Path, shared: ServerProcess) -> None:
    locust = one_user(tmp_path, shared, "SleepingUser", until=noted("task"))
    assert [note["what"] for note in notes_of(locust)] == ["task", "on_stop"]


def test_a_task_that_catches_everything_ends_all_the_same(tmp_path: Path, shared: ServerProcess) -> None:
    before = answered(shared.url)
    locust = one_user(tmp_path, shared, "StubbornUser", until=lambda _: answered(shared.url) > before + 50)
    row = operation(locust.result())
    assert (row.ok, row.unfinished) == (answered(shared.url) - before, 0)
    assert not locust.result().forced


def test_several_in_flight_on_one_connection(tmp_path: Path, shared: ServerProcess) -> None:
    before = answered(shared.url)
    locust = one_user(tmp_path, shared, "ManyAtOnceUser", until=lambda _: answered(shared.url) > before + 50)
    row = operation(locust.result())
    assert (row.ok, row.unfinished) == (answered(shared.url) - before, 0)


def test_stop_timeout_lets_a_task_finish(tmp_path: Path, shared: ServerProcess) -> None:
    locust = one_user(tmp_path, shared, "BusyUser", "--stop-timeout", "10", until=noted("step", 4))
    steps = [note["number"] for note in notes_of(locust, "step")]
    assert steps[-1] == 2, "the last task was not cut off"
    assert len(steps) == 3 * len(tasks_of(locust))


def test_without_stop_timeout_a_task_is_cut_off_between_round_trips(tmp_path: Path, shared: ServerProcess) -> None:
    before = answered(shared.url)
    locust = one_user(tmp_path, shared, "BusyUser", until=noted("step", 4))
    row = operation(locust.result())
    assert (row.ok, row.unfinished) == (answered(shared.url) - before, 0)


def test_events_that_were_not_asked_for(tmp_path: Path, shared: ServerProcess) -> None:
    locust = one_user(tmp_path, shared, "HandlingUser", until=noted("task"), code=1)
    assert {"what": "heard", "data": {"foo": "not timed"}} in notes_of(locust)
    assert notes_of(locust, "task")[0]["answer"] == {"foo": "called"}
    assert "ZeroDivisionError: in a handler" in locust.output


def test_a_user_that_begins_with_polling(tmp_path: Path, shared: ServerProcess) -> None:
    before = answered(shared.url)
    locust = one_user(tmp_path, shared, "UpgradingUser", until=noted("task", 20))
    result = locust.result()
    assert result.scenario.transport == "polling+websocket"
    assert operation(result).ok == answered(shared.url) - before >= 20


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_whoever_listens_to_requests_hears_each_once(
    tmp_path: Path, shared: ServerProcess, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISTEN", "1")
    more = ["--processes", "2"] if processes > 1 else []
    statistics = tmp_path / "statistics"
    code, locust = run(
        tmp_path, "LivingUser", "--host", shared.url, "-u", "4", "-r", "4", "-t", "2s",
        "--json-file", str(statistics), *more, locustfile=BEHAVIOUR,
    )  # fmt: skip
    assert code == 0
    result = locust.result()
    heard = Counter(note["name"] for note in notes_of(locust, "request"))
    assert heard == {CONNECT: 4, "FOO→BAR to sender": 4 * 7}
    assert operation(result).ok == 4 * 7
    locusts = {
        entry["name"]: entry["num_requests"] for entry in json.loads(statistics.with_suffix(".json").read_text())
    }
    assert locusts == heard, "Locust's statistics count each once as well"


def test_only_echo_user_runs_unless_another_is_named(tmp_path: Path, shared: ServerProcess) -> None:
    code, locust = run(tmp_path, "--host", shared.url, "-u", "4", "-r", "4", "-t", "1s")
    assert code == 0
    assert locust.result().scenario.user_classes == ("EchoUser",)
    with LocustProcess(tmp_path, "--list") as listing:
        assert listing.wait() == 0
        assert "BroadcastUser" in listing.output


@pytest.mark.slow
def test_web_page(tmp_path: Path, shared: ServerProcess) -> None:
    """Start, change the number of users, reset, stop, start again: what the page's buttons send."""
    port = free_port()
    arguments = ("--web-host", "127.0.0.1", "--web-port", str(port), "--host", shared.url)
    with (
        LocustProcess(tmp_path, *arguments, headless=False) as locust,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT_S) as page,
    ):
        locust.wait_for_output("Starting web interface")

        def statistics() -> Any:
            return page.get("/stats/requests").json()

        def answers(operation: str = "FOO→BAR to sender") -> int:
            return sum(row["num_requests"] for row in statistics()["stats"] if row["name"] == operation)

        wait_until(lambda: is_up(f"http://127.0.0.1:{port}"), "the page is there")
        before = answered(shared.url)
        assert page.post("/swarm", data={"user_count": 4, "spawn_rate": 4, "host": shared.url}).json()["success"]
        wait_until(lambda: answers() > 100, "the page shows requests")
        page.post("/swarm", data={"user_count": 2, "spawn_rate": 4, "host": shared.url})
        wait_until(lambda: statistics()["user_count"] == 2, "two users are left")
        page.post("/stats/reset").raise_for_status()
        page.post("/stop").raise_for_status()
        wait_until(lambda: len(locust.results()) == 1, "the result is written")
        first = locust.results()[0]
        assert operation(first).ok == answered(shared.url) - before, "the reset is of the page's figures, not ours"
        assert operation(first).unfinished == 0

        between = answered(shared.url)
        page.post("/swarm", data={"user_count": 3, "spawn_rate": 3, "host": shared.url})
        wait_until(lambda: answers() > 50 and answers(CONNECT) == 3, "the second run shows requests, and all users")
        page.post("/stop").raise_for_status()
        wait_until(lambda: len(locust.results()) == 2, "its result is written")
        second = locust.results()[1]
        assert operation(second).ok == answered(shared.url) - between
        assert operation(second, CONNECT).ok == 3
        locust.interrupt()
        assert locust.wait() == 0
        assert len(locust.results()) == 2, "once per test"
    assert "Traceback" not in locust.output


@pytest.mark.slow
def test_a_page_that_is_closed_before_a_run(tmp_path: Path) -> None:
    port = free_port()
    with LocustProcess(tmp_path, "--web-host", "127.0.0.1", "--web-port", str(port), headless=False) as locust:
        wait_until(lambda: is_up(f"http://127.0.0.1:{port}"), "the page is there")
        locust.interrupt()
        assert locust.wait() == 0
    assert locust.results() == []


def test_the_locustfile_is_short() -> None:
    assert LOCUST.exists()
    assert len(LOCUSTFILE.read_text().splitlines()) < 40
