"""A load on a service that a command starts: measured as it is, and its own words where something fails."""

import sys
from pathlib import Path

import pytest

from bench.results.service_logs import PREFIX
from tests.support.locust_process import LocustProcess, operation

SERVICE = """
import os, socketio, uvicorn
sio = socketio.AsyncServer(async_mode="asgi")

@sio.on("say")
async def say(sid, data):
    return data

@sio.on("fail")
async def fail(sid, data):
    print("asked \x1b[31mwith\x1b[0m", os.environ["GIVEN"], flush=True)
    return data["text"]

uvicorn.run(socketio.ASGIApp(sio, on_shutdown=sio.shutdown), port=int(os.environ["PORT"]), log_level="warning")
"""

USERS = f"""
from bench import RoundTrip, SocketIOUser, task
from locust import constant

serve = "{sys.executable} service.py"
say, fail = RoundTrip("say", emit="say", data={{}}), RoundTrip("fail", emit="fail", data={{}})

class Talking(SocketIOUser):
    wait_time = constant(0.01)

    @task
    async def talk(self):
        await self.round_trip(say)

class Failing(SocketIOUser):
    auth = {{"token": "tell-nobody-1234"}}
    reply_timeout = 0.7

    @task
    async def talk(self):
        await self.round_trip(fail)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "service.py").write_text(SERVICE)
    (tmp_path / "users.py").write_text(USERS)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setenv("GIVEN", "tell-nobody-1234")
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, LocustProcess]:
    with LocustProcess(folder, *arguments, "-t", "1s", locustfile=folder / "users.py", directory=folder) as locust:
        return locust.wait(), locust


def logs(folder: Path) -> list[Path]:
    return list((folder / "temporary").glob(f"{PREFIX}*/*.log"))


def test_the_command_of_the_locustfile_is_started_accounted_and_stopped(folder: Path) -> None:
    code, locust = run(folder, "Talking", "-u", "2", "-r", "2")
    assert code == 0, locust.output
    command = f"{sys.executable} service.py"
    assert f"Started {command} at http://127.0.0.1:" in locust.output
    result = locust.result()
    assert operation(result, "say").ok > 0
    assert result.server is not None
    assert (result.server.app, result.server.command, result.scenario.app) == (None, command, None)
    assert (result.server.loop, result.server.http) == (None, None)
    assert result.server.cpu_us_per_round_trip
    assert result.server.rss_peak_bytes
    assert list((folder / "temporary").iterdir()) == []


def test_the_cause_that_the_service_tells_is_shown_once_and_its_log_is_kept_without_secrets(folder: Path) -> None:
    code, locust = run(folder, "Failing", "-u", "2", "-r", "2", "--serve", f"{sys.executable} service.py {{port}}")
    assert code == 1
    (line,) = [line for line in locust.output.splitlines() if "the service wrote last: " in line]
    assert line.endswith("KeyError: 'text'")
    (log,) = logs(folder)
    assert f"the service's output is kept in {log.parent}" in locust.output
    assert "asked \x1b[31mwith\x1b[0m ...\n" in log.read_text()
    assert "tell-nobody-1234" not in log.read_text() + locust.output
    beside = locust.result().service_log
    assert beside is not None
    assert "asked with ..." in [line.text for line in beside.kept]
    assert "tell-nobody-1234" not in beside.model_dump_json()
    assert f"the service wrote {beside.lines} lines during the run: bench report shows them" in locust.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("--serve", "x", "--host", "http://127.0.0.1:9"),
            2,
            "--serve and --host http://127.0.0.1:9: give the command",
        ),
        (
            ("--serve", "echo no table >&2; exit 3"),
            1,
            "ended with exit code 3 before it listened; it wrote last: no table",
        ),
        (("--serve", "nothere"), 2, "did not start: there is no program 'nothere' on the PATH"),
    ],
)
def test_what_cannot_be_served_is_one_line(folder: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    found, locust = run(folder, "Talking", "-u", "1", *arguments)
    assert found == code
    assert said in locust.output
    assert "Traceback" not in locust.output
    assert locust.results() == []
