"""The users that a run was asked for: over time, and by class."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from example_results import load_result
from locust_process import LOCUSTFILE, LOCUSTFILES, LocustProcess, free_port, operation, run, wait_until

from bench.compare.comparison import compare
from bench.compare.model import DifferenceKind
from bench.load.metrics.asked_users import AskedUsers
from bench.results.load import LoadResult, Scenario, UserStep
from bench.results.store import Stored

SHAPE = LOCUSTFILES / "shape.py"


def test_a_number_that_stays_has_no_steps() -> None:
    asked = AskedUsers({"EchoUser"})
    assert (asked.users, asked.steps, asked.by_class) == (0, (), {})
    asked.note(0.0, 5, {})  # Locust has not shared them out yet
    asked.note(0.1, 5, {"EchoUser": 5})
    assert (asked.users, asked.steps, asked.by_class) == (5, (), {"EchoUser": 5})


def test_each_change_is_a_step_and_the_most_is_the_number() -> None:
    asked = AskedUsers({"EchoUser"})
    for t_s, users in ((0.0, 2), (0.1, 2), (2.04, 10), (4.0, 3), (4.1, 3)):
        asked.note(t_s, users, {"EchoUser": users})
    assert asked.users == 10
    assert asked.steps == (UserStep(t=0.0, users=2), UserStep(t=2.0, users=10), UserStep(t=4.0, users=3))
    assert asked.by_class == {"EchoUser": 10}


def test_users_of_other_classes_are_counted_apart() -> None:
    asked = AskedUsers({"EchoUser"}, {"PageUser"})
    asked.note(0.0, 6, {})
    assert asked.users == 0, "which of them are ours is not known yet"
    asked.note(0.1, 6, {"EchoUser": 4, "PageUser": 2})
    assert (asked.users, asked.by_class) == (4, {"EchoUser": 4, "PageUser": 2})


def stored(name: str, result: LoadResult) -> Stored:
    return Stored(Path(name), result)


def with_users(**changed: Any) -> LoadResult:
    result = load_result()
    scenario = Scenario.model_validate(result.scenario.model_dump() | changed)
    return result.model_copy(update={"scenario": scenario})


@pytest.mark.parametrize(
    "changed",
    [
        {"user_steps": ({"t": 0, "users": 1}, {"t": 2, "users": 9}), "users": 9},
        {"users_by_class": {"PageUser": 3}},
    ],
)
def test_a_run_with_other_users_over_time_is_no_pair(changed: dict[str, Any]) -> None:
    comparison = compare(
        [stored("a", load_result())], [stored("b", with_users(**changed))], threshold=0.005, force=True
    )
    (difference,) = [row for row in comparison.differences if row.kind is DifferenceKind.SETTINGS and row.void]
    assert "users" in difference.detail


@pytest.mark.slow
def test_a_load_shape(tmp_path: Path) -> None:
    code, locust = run(tmp_path, locustfile=SHAPE)
    assert code == 0
    scenario = locust.result().scenario
    assert scenario.users == 5
    assert [step.users for step in scenario.user_steps] == [2, 5, 3]
    assert "users changed during the run, 2 → 5 → 3" in locust.output


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_other_users_beside_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int) -> None:
    monkeypatch.setenv("WITH_HTTP", "1")
    arguments = ["--processes", "2"] if processes > 1 else []
    code, locust = run(tmp_path, "-u", "6", "-r", "6", "-t", "3s", *arguments, locustfile=SHAPE)
    assert code == 0
    result = locust.result()
    assert result.scenario.user_classes == ("EchoUser",)
    assert result.scenario.users == 3
    assert result.scenario.users_by_class == {"EchoUser": 3, "PageUser": 3}
    assert operation(result).ok > 0
    assert "users of other classes ran as well: 3 PageUser" in locust.output


def is_up(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
def test_users_changed_on_the_page(tmp_path: Path) -> None:
    port = free_port()
    with LocustProcess(
        tmp_path, "--web-host", "127.0.0.1", "--web-port", str(port), headless=False, locustfile=LOCUSTFILE
    ) as locust:
        locust.wait_for_output("Starting web interface")
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_up(url), "the page is there")
        for users in (2, 6, 3):
            httpx.post(f"{url}/swarm", data={"user_count": users, "spawn_rate": 100}).raise_for_status()
            wait_until(
                lambda users=users: httpx.get(f"{url}/stats/requests").json()["user_count"] == users,  # type: ignore[misc]
                f"{users} users are there",
            )
        httpx.post(f"{url}/stop").raise_for_status()
        wait_until(lambda: bool(locust.results()), "the result is stored")
        locust.interrupt()
        locust.wait()
    scenario = locust.result().scenario
    assert scenario.users == 6
    assert [step.users for step in scenario.user_steps] == [2, 6, 3]
