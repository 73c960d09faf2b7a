"""The users that a real run was asked for: by a shape, beside others, on the page."""

from pathlib import Path

import httpx
import pytest

from tests.support.folders import LOCUSTFILES
from tests.support.locust_process import LOCUSTFILE, LocustProcess, is_up, operation, run, wait_until
from tests.support.ports import free_port

SHAPE = LOCUSTFILES / "shape.py"


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
