"""Tests of users that log in, enter a room, answer the server, disconnect and connect: rows against the service."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.folders import APPS, DATA
from tests.support.locust_process import LocustProcess, json_lines, operation

SLOW_TO_LET_IN = """
import asyncio
import socketio

sio = socketio.AsyncServer(async_mode="asgi")


async def http(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body"})


app = socketio.ASGIApp(sio, other_asgi_app=http, on_shutdown=sio.shutdown)


@sio.event
async def connect(sid, environ):
    await asyncio.sleep(0.3)
"""

COMING_BACK = """
import asyncio
from bench import SocketIOUser, task


class ComingBack(SocketIOUser):
    async def before_connect(self):
        await self.http.get("/")

    @task
    async def come_back(self):
        await self.disconnect()
        await asyncio.sleep(0.1)
        await self.connect()
"""

HANGING = """
import asyncio
from itertools import count
from bench import SocketIOUser

numbers = count()


class Hanging(SocketIOUser):
    async def before_connect(self):
        await asyncio.sleep(1000 * next(numbers))
"""

LOCUSTFILE = DATA / "locustfiles" / "members.py"


def locust(folder: Path, user: str, *arguments: str) -> tuple[int, LocustProcess]:
    """Run users of a class against the service, which is started in the folder of the tests' services."""
    options = ["--app", "members:app", "-u", "4", "-r", "4", user, *arguments]
    with LocustProcess(folder, *options, locustfile=LOCUSTFILE, directory=APPS) as process:
        return process.wait(), process


def counted(process: LocustProcess) -> dict[str, Any]:
    """Return what the service had counted when the last user stopped."""
    return max(json_lines(process.output), key=lambda seen: sum(seen.values()))


@pytest.mark.parametrize("load", [pytest.param([], marks=pytest.mark.slow), ["--rate", "40"]], ids=["closed", "open"])
def test_the_rows_are_what_the_service_has_seen(tmp_path: Path, load: list[str]) -> None:
    code, process = locust(tmp_path, "Member", "-t", "4s", *load)
    assert code == 1, "requests and handlers have failed"
    result, seen = process.result(), counted(process)
    rows = {row.name: row for row in result.operations}
    assert set(rows) == {"connect", "disconnect", "POST /login", "enter", "say", "quiz", "GET /nothing", "counts"}
    assert "refused" not in seen
    assert rows["POST /login"].ok == seen["logged in"]
    # An attempt to connect that the end of the run has cut off may have reached the service, or not.
    assert 4 < rows["connect"].ok <= seen["connected"] <= rows["connect"].sent
    assert rows["connect"].unfinished == rows["connect"].sent - rows["connect"].ok
    assert rows["enter"].ok == seen["entered"] <= seen["connected"]
    assert rows["say"].ok == seen["said"] > 0
    assert rows["disconnect"].ok == rows["disconnect"].sent > 0
    assert seen["dropped"] > 0
    assert rows["quiz"].ok * 3 == seen["asked"] > 0
    assert rows["GET /nothing"].errors == {"HTTP 404": rows["quiz"].ok}
    assert process.output.count("Traceback") == 1
    assert sum(kind.count for kind in result.exceptions) == rows["quiz"].ok


@pytest.mark.slow
def test_an_attempt_that_the_user_makes_fail_is_counted_and_repeated(tmp_path: Path) -> None:
    code, process = locust(tmp_path, "Unprepared", "-t", "7s")
    assert code == 1
    rows = {row.name: row for row in process.result().operations}
    seen = counted(process)
    assert rows["connect"].errors == {"before_connect raised KeyError": 4}
    assert rows["connect"].ok == seen["connected"] == 8
    assert rows["enter"].ok == seen["entered"] == 8
    assert rows["say"].ok == seen["said"] > 0
    assert process.output.count("Traceback") == 2
    assert "KeyError: 'no such name' (members.py" in process.output
    assert "KeyError: 'no such room' (members.py" in process.output


@pytest.mark.slow
def test_a_login_that_is_refused_is_no_exception(tmp_path: Path) -> None:
    code, process = locust(tmp_path, "Locked", "-t", "2s")
    assert code == 1
    rows = {row.name: row for row in process.result().operations}
    failed = rows["connect"].sent
    assert rows["connect"].errors == {"before_connect raised ClientResponseError": failed}
    assert rows["POST /nowhere"].errors == {"HTTP 404": failed}
    assert "Traceback" not in process.output


@pytest.mark.parametrize("load", [[], pytest.param(["--rate", "40"], marks=pytest.mark.slow)], ids=["closed", "open"])
def test_who_has_left_on_purpose_is_not_connected_again(tmp_path: Path, load: list[str]) -> None:
    code, process = locust(tmp_path, "Away", "-t", "3s", *load)
    assert code == 1, "nothing could be sent"
    result = process.result()
    rows = {row.name: row for row in result.operations}
    assert (rows["connect"].sent, rows["connect"].ok, rows["disconnect"].ok) == (4, 4, 4)
    say = operation(result, "say")
    assert say.sent == 0
    assert set(say.dropped_because) == {"not connected"}


@pytest.mark.slow
def test_who_is_still_preparing_to_connect_is_told(tmp_path: Path) -> None:
    (tmp_path / "users.py").write_text(HANGING)
    arguments = ["-u", "2", "-r", "2", "-t", "1s"]
    with LocustProcess(tmp_path, *arguments, locustfile=tmp_path / "users.py") as process:
        process.wait()
    said = "1 of 2 users had not ended an attempt to connect when the run ended: before_connect takes that long"
    assert said in process.output
    assert process.result().window.duration_s == 0


def test_preparing_to_connect_has_the_limit_of_an_attempt(tmp_path: Path) -> None:
    (tmp_path / "users.py").write_text(f"{HANGING}\nHanging.connect_timeout = 0.3\n")
    arguments = ["-u", "2", "-r", "2", "-t", "1s"]
    with LocustProcess(tmp_path, *arguments, locustfile=tmp_path / "users.py") as process:
        assert process.wait() == 1
    connect = operation(process.result(), "connect")
    assert connect.errors == {"before_connect did not end within 0.3 s, the connect timeout": connect.sent - 1}
    assert connect.sent > 1
    assert connect.ok == 1
    assert "Traceback" not in process.output


@pytest.mark.slow
def test_a_connection_that_a_task_makes_is_awaited_at_the_end_of_an_open_load(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW_TO_LET_IN)
    (tmp_path / "users.py").write_text(COMING_BACK)
    arguments = ["--app", "slow:app", "-u", "20", "-r", "20", "--rate", "40:1s", "--arrivals", "constant"]
    with LocustProcess(tmp_path, *arguments, locustfile=tmp_path / "users.py", directory=tmp_path) as process:
        assert process.wait() == 0, process.output
    rows = {row.name: row for row in process.result().operations}
    assert rows["disconnect"].ok == rows["disconnect"].sent > 0
    assert rows["connect"].ok == rows["connect"].sent == rows["GET /"].ok
    assert rows["GET /"].dropped == 0
    assert rows["GET /"].response_us == rows["GET /"].service_us, "the user's own pause is no lateness"
