"""Wrong options of a load run, refused in one line, from the command line and from the web page's form."""

from pathlib import Path

import httpx
import pytest

from bench.server import ServerProcess
from tests.support.folders import LOCUSTFILES
from tests.support.locust_process import LIMIT_S, LocustProcess, operation, run, wait_until
from tests.support.ports import free_port

OPEN = LOCUSTFILES / "open.py"
SETS = LOCUSTFILES / "open_sets.py"


def error_lines(output: str) -> list[str]:
    return [line.partition("/ERROR/")[2].partition(": ")[2] for line in output.splitlines() if "/ERROR/" in line]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["OpenUser", "--rate", "fast"],
            "rate 'fast': 'fast' is no rate: expected arrivals per second, as in 500 or 0.5, "
            "a ramp, as in 100..500:30s, or stages, as in 100:30s,500:1m",
        ),
        (["OpenUser", "--rate", "0"], "rate '0': nothing would ever be sent: expected a rate above 0, as in 500"),
        (
            ["OpenUser", "--rate", "100,200"],
            "rate '100,200': '100' has no duration: expected one but in the last stage, as in 100:30s",
        ),
        (
            ["OpenUser", "--rate", "100", "--warmup", "soon"],
            "--warmup 'soon' is no time: expected seconds, as in 5, 0.5s or 1m30s",
        ),
        (
            ["OpenUser", "--warmup", "99999999999h"],
            "--warmup '99999999999h' is too long: expected at most 1000000000 seconds",
        ),
        (
            ["OpenUser", "--rate", "100:99999999999h"],
            "a stage of 359999999996400 seconds: expected a duration of 0.000000001 to 1000000000 seconds",
        ),
        (
            ["OpenUser", "--rate", "100", "--max-in-flight", "0"],
            "--max-in-flight '0': expected a whole number from 1 on",
        ),
        (
            ["SingleUser", "--rate", "100", "--max-in-flight", "3"],
            "--max-in-flight 3: no user class here is pipelined, so each user takes one arrival at a time; give more "
            "--users, or set `pipelined = True` in a class whose tasks may overlap on one connection",
        ),
        (
            ["SingleUser", "--rate", "100", "--max-wait", "soon"],
            "--max-wait 'soon' is no time: expected seconds, as in 5, 0.5s or 1m30s",
        ),
        (
            ["OpenUser", "--rate", "100", "--max-wait", "5s"],
            "--max-wait 5s: every user class here is pipelined, so no arrival waits for a user; "
            "--max-in-flight is their limit",
        ),
        (
            ["PacedUser", "WaitingUser"],
            "PacedUser has arrivals, WaitingUser waits for its replies: one run is either an open or a closed load; "
            "name the users to run, or give a --rate for all",
        ),
        (["OpenUser", "-t", "0s"], "--run-time 0 is no time: leave it out for a run that Ctrl-C ends"),
        (["OpenUser", "-u", "0"], "--users 0: nobody would be there: expected a whole number above 0"),
        (["OpenUser", "-u", "-3"], "--users -3: nobody would be there: expected a whole number above 0"),
        (["OpenUser", "--junit", "."], "--junit .: that is a folder; name a file in it"),
        (
            ["HastyUser"],
            "HastyUser.wait_time is 0.5, which cannot be called: write `wait_time = constant(0.5)`, from locust",
        ),
    ],
)
def test_misuse(tmp_path: Path, arguments: list[str], line: str) -> None:
    code, locust = run(tmp_path, "-u", "2", "-t", "1s", *arguments, locustfile=OPEN)
    assert code == 2
    assert error_lines(locust.output) == [line]
    assert "Traceback" not in locust.output
    assert locust.results() == []


@pytest.mark.parametrize(
    ("user", "arguments"), [("SetUser", ["--rate", "10", "--processes", "2"]), ("PacedSetUser", [])]
)
@pytest.mark.slow
def test_task_sets_in_an_open_load(tmp_path: Path, user: str, arguments: list[str]) -> None:
    code, locust = run(tmp_path, user, "-u", "2", "-t", "1s", *arguments, locustfile=SETS)
    assert code == 2
    assert error_lines(locust.output) == [
        f"{user} has the task set Browsing: in an open load each arrival runs one task, "
        "so tasks have to be functions of the user"
    ]


def test_arrivals_that_locust_itself_refuses(tmp_path: Path) -> None:
    code, locust = run(tmp_path, "OpenUser", "--arrivals", "often", "-u", "2", "-t", "1s", locustfile=OPEN)
    assert code == 2
    assert "--arrivals: invalid choice: 'often'" in locust.output


def test_a_rate_makes_any_users_an_open_load(tmp_path: Path, shared: ServerProcess) -> None:
    code, locust = run(
        tmp_path, "PacedUser", "WaitingUser", "--host", shared.url, "-u", "2", "-r", "2", "--rate", "60:1s",
        "--arrivals", "constant", "--seed", "mine", locustfile=OPEN,
    )  # fmt: skip
    assert code == 0
    result = locust.result()
    scenario = result.scenario
    assert (scenario.model, scenario.rate, scenario.rate_per_s, scenario.seed) == ("open", "60:1s", 60, "mine")
    assert operation(result).scheduled == 60


def test_a_warm_up_longer_than_the_run(tmp_path: Path, shared: ServerProcess) -> None:
    code, locust = run(
        tmp_path, "OpenUser", "--host", shared.url, "-u", "2", "-r", "2", "--rate", "50:1s", "--warmup", "1m",
        locustfile=OPEN,
    )  # fmt: skip
    assert code == 0
    result = locust.result()
    assert result.window.duration_s == 0
    assert operation(result).service_us is None
    assert "the run ended before its users were there and warm" in locust.output


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_web_form(tmp_path: Path, shared: ServerProcess, processes: int) -> None:
    port = free_port()
    more = ["--processes", "2"] if processes > 1 else []
    arguments = ("--web-host", "127.0.0.1", "--web-port", str(port), "--host", shared.url)
    with (
        LocustProcess(tmp_path, "OpenUser", *arguments, *more, locustfile=OPEN, headless=False) as locust,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT_S) as page,
    ):
        wait_until(lambda: _is_up(page), "the page is there")
        text = page.get("/").text
        for field in ("rate", "arrivals", "max_in_flight", "max_wait", "warmup"):
            assert f'"{field}"' in text
        for hidden in ("results", "app", "seed"):
            assert f'"{hidden}":' not in text

        def statistics() -> dict[str, object]:
            answer: dict[str, object] = page.get("/stats/requests").json()
            return answer

        if processes > 1:
            wait_until(lambda: len(statistics()["workers"]) == 2, "the workers are there")  # type: ignore[arg-type]

        def swarm(**fields: str) -> str:
            form = {
                "user_count": 2,
                "spawn_rate": 2,
                "host": shared.url,
                "arrivals": "constant",
                "warmup": "0s",
            }
            answer = page.post("/swarm", data={**form, **fields}).json()
            return "" if answer["success"] else str(answer["message"])

        for fields, line in (
            ({"rate": "fast"}, "rate 'fast': 'fast' is no rate"),
            ({"rate": "10", "max_in_flight": "few"}, "--max-in-flight 'few': expected a whole number from 1 on"),
            ({"rate": "10", "max_wait": "9999h"}, "--max-wait '9999h' is more than a day: no run lasts that long"),
        ):
            assert swarm(**fields).startswith(line), "the page shows it"
            assert error_lines(locust.output)[-1].startswith(line)
            assert statistics()["state"] == "ready", "nothing has started"
        assert len(error_lines(locust.output)) == 3
        assert locust.results() == []

        assert swarm(rate="40:1s", max_in_flight="3") == ""
        wait_until(lambda: len(locust.results()) == 1, "the first test has ended by itself")
        wait_until(lambda: statistics()["state"] == "stopped", "Locust knows it")
        assert swarm(rate="30:1s", max_in_flight="") == ""
        wait_until(lambda: len(locust.results()) == 2, "and the second one")
        wait_until(lambda: statistics()["state"] == "stopped", "Locust knows it")
        locust.interrupt()
        locust.wait()
    first, second = locust.results()
    assert (first.scenario.rate, first.scenario.max_in_flight) == ("40:1s", 3)
    assert (second.scenario.rate, second.scenario.max_in_flight) == ("30:1s", 1000), "the class's own again"
    assert first.scenario.seed != second.scenario.seed
    assert (operation(first).scheduled, operation(second).scheduled) == (40, 30)
    assert len(error_lines(locust.output)) == 3
    assert "Traceback" not in locust.output


def _is_up(page: httpx.Client) -> bool:
    try:
        return page.get("/").status_code == 200
    except httpx.TransportError:
        return False
