"""Replies that say no, that list many, and of several events: in a load, counted against the service's own counts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.server import ServerProcess
from tests.support.folders import APPS, LOCUSTFILES
from tests.support.locust_process import run
from tests.support.service_counts import service_counts

CHOOSY = LOCUSTFILES / "choosy.py"


@pytest.fixture
def choosy() -> Iterator[ServerProcess]:
    with ServerProcess("choosy:app", directory=APPS) as server:
        yield server


@pytest.mark.parametrize(
    "rate", [[], pytest.param(["--rate", "100:3s"], marks=pytest.mark.slow)], ids=["closed", "open"]
)
def test_a_wrong_reply_is_an_error_with_its_reason(tmp_path: Path, choosy: ServerProcess, rate: list[str]) -> None:
    arguments = ["-u", "8", "-r", "8", *(rate or ["-t", "3s"])]
    code, locust = run(tmp_path, "--host", choosy.url, *arguments, locustfile=CHOOSY)
    assert code == 1
    result, counts = locust.result(), service_counts(choosy.url)
    assert result.invalid_reason is None
    rows = {row.name: row for row in result.operations}
    assert not sum(row.timeouts for row in rows.values()), locust.output

    listed = rows["list"]
    assert listed.ok == listed.sent == counts["list"] > 0
    orders = [rows[name] for name in ("order", "too many", "mistaken", "raising")]
    assert sum(row.sent for row in orders) == counts["order"]
    assert rows["order"].ok == rows["order"].sent > 0
    assert rows["order"].error_replies == 0
    assert rows["too many"].errors == {"wrong reply: chair … is out of stock": counts["no such item"]}
    assert (rows["too many"].ok, rows["too many"].service_us) == (0, None)
    assert rows["find"].sent + rows["find any"].sent == counts["find"]
    assert rows["find"].errors == {"wrong reply: it is refused": rows["find"].error_count}
    assert rows["find"].ok > 0
    assert rows["find any"].ok == rows["find any"].sent > 0
    assert counts["found"] < counts["find"]

    (kind,) = rows["mistaken"].errors
    assert kind == "the check returned True: it has to return None, or the reason as a text"
    (kind,) = rows["raising"].errors
    line = CHOOSY.read_text().partition("RAISING =")[0].count("\n") + 1
    assert kind == f"the check raised KeyError: 'okay' (choosy.py:{line} in <lambda>)"
    for row in (rows["too many"], rows["mistaken"], rows["raising"]):
        assert row.error_count == row.sent > 0
        assert row.received_bytes is not None
        assert row.received_bytes > len('43[{"ok":true}]') * row.sent, "a wrong reply was received, too"
    assert "wrong reply: chair … is out of stock" in locust.output
    assert "Traceback" not in locust.output


SILENT = """
import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)

@sio.on("add user")
async def add_user(sid, name):
    await sio.emit("login", {"users": 1}, to=sid)
"""

GUEST = """
from bench import RoundTrip, SocketIOUser, task

WITH_TOKEN = RoundTrip("add user", emit="add user", data="guest-{token}", reply="login")
IN_ORDER = RoundTrip("in order", emit="add user", data=lambda token: f"guest-{token}", reply="login")

class Guest(SocketIOUser):
    reply_timeout = 1
    @task
    async def enter(self):
        await self.round_trip(WITH_TOKEN)

class Other(SocketIOUser):
    @task
    async def enter(self):
        await self.round_trip(IN_ORDER)
        await self.wait()
    def wait_time(self):
        return 0.1
"""


def test_replies_without_the_token_are_named_once_where_a_round_trip_times_out(tmp_path: Path) -> None:
    (tmp_path / "silent.py").write_text(SILENT)
    (tmp_path / "guest.py").write_text(GUEST)
    with ServerProcess("silent:app", directory=tmp_path) as server:
        arguments = ["--host", server.url, "-u", "4", "-r", "4", "-t", "2s"]
        code, locust = run(tmp_path, *arguments, locustfile=tmp_path / "guest.py")
    assert code == 1
    rows = {row.name: row for row in locust.result().operations}
    assert rows["add user"].timeouts == rows["add user"].sent > 1
    assert rows["in order"].ok == rows["in order"].sent > 1
    hints = [line for line in locust.output.splitlines() if "without the token" in line]
    assert len(hints) == 1
    assert "add user timed out, and this came without the token of an emission: login {'users': 1}." in hints[0]
