"""Tests of what a locustfile's users may set: their connection, and round trips of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.folders import ROOT

LIMIT_S = 100
SECRET = "hunter22"

SERVICE = f"""
import socketio

sio = socketio.AsyncServer(async_mode="asgi", namespaces=["/chat"], transports=["polling", "websocket"])
app = socketio.ASGIApp(sio, socketio_path="ws/socket.io", on_shutdown=sio.shutdown)


@sio.on("connect", namespace="/chat")
async def connect(sid, environ, auth):
    if auth != {{"token": "{SECRET}"}}:
        raise socketio.exceptions.ConnectionRefusedError("who are you?")


@sio.on("say", namespace="/chat")
async def say(sid, data):
    await sio.emit("said", data, to=sid, namespace="/chat")
"""

SCENARIOS = f"""
from bench import Connection, RoundTrip

connection = Connection(namespaces="/chat", auth={{"token": "{SECRET}"}}, socketio_path="ws/socket.io")
say = RoundTrip("say", emit="say", data={{"id": "{{token}}", "text": "hello"}}, reply="said")
"""

USERS = """
from locust import constant

from bench import SocketIOUser, task
from chat_scenarios import connection, say


class ChatUser(SocketIOUser):
    wait_time = constant(0.05)
    {settings}

    @task
    async def talk(self) -> None:
        await self.round_trip(say)
"""

OVERRIDING = """
from pathlib import Path

from bench import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER
from locust import TaskSet, constant


class Counting:
    '''Notes each round trip that the user asks for.'''

    async def round_trip(self, definition):
        with Path("performed").open("a") as noted:
            noted.write(type(self).__name__ + " ")
        return await super().round_trip(definition)


class Inheriting(Counting, SocketIOUser):
    wait_time = constant(0.02)
    pipelined = True

    @task
    async def foo_bar(self):
        assert (await self.round_trip(FOO_BAR_TO_SENDER))["foo"]


class Nested(Counting, SocketIOUser):
    wait_time = constant(0.02)
    pipelined = True

    @task
    class Set(TaskSet):
        @task
        async def foo_bar(self):
            await self.user.round_trip(FOO_BAR_TO_SENDER)


class Replacing(SocketIOUser):
    wait_time = constant(0.02)
    pipelined = True

    def __init__(self, environment):
        super().__init__(environment)
        self.round_trip = self.noted

    async def noted(self, definition):
        with Path("performed").open("a") as noted:
            noted.write("Replacing ")
        return await super().round_trip(definition)

    @task
    async def foo_bar(self):
        await self.round_trip(FOO_BAR_TO_SENDER)
"""


def locust(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = str(Path(sys.executable).with_name("locust"))
    command = [script, "-f", "users.py", "--headless", "--only-summary", "--results", "results", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}  # some of the users are of our own service
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_S)
    assert SECRET not in ended.stdout + ended.stderr
    return ended


def result(folder: Path) -> dict[str, Any]:
    (path,) = (folder / "results" / "load").rglob("*.json")
    text = path.read_text()
    assert SECRET not in text
    content: dict[str, Any] = json.loads(text)
    return content


def operations(folder: Path) -> dict[str, Any]:
    return {operation["name"]: operation for operation in result(folder)["operations"]}


@pytest.mark.parametrize(
    ("users", "load"),
    [({"Inheriting", "Nested", "Replacing"}, []), ({"Inheriting", "Replacing"}, ["--rate", "60"])],
    ids=["closed", "open"],
)
@pytest.mark.slow
def test_a_round_trip_that_a_user_overrides_is_called(tmp_path: Path, users: set[str], load: list[str]) -> None:
    (tmp_path / "users.py").write_text(OVERRIDING)
    ended = locust(tmp_path, "--app", "app.main:app", "-u", "3", "-r", "3", "-t", "2s", *load, *users)
    assert ended.returncode == 0, ended.stderr
    noted = (tmp_path / "performed").read_text().split()
    assert set(noted) == users
    performed = operations(tmp_path)["FOO→BAR to sender"]
    assert len(noted) >= performed["ok"] > 0


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    (tmp_path / "chat.py").write_text(SERVICE)
    (tmp_path / "chat_scenarios.py").write_text(SCENARIOS)
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "transport"),
    [
        ("connection = connection", "websocket"),
        ("connection = connection; transports = ('polling', 'websocket')", "polling+websocket"),
    ],
)
@pytest.mark.slow
def test_a_user_connects_as_its_connection_says(chat: Path, settings: str, transport: str) -> None:
    (chat / "users.py").write_text(USERS.format(settings=settings))
    ended = locust(chat, "--app", "chat:app", "-u", "2", "-r", "2", "-t", "2s")
    assert ended.returncode == 0, ended.stderr
    assert result(chat)["scenario"]["transport"] == transport
    found = operations(chat)
    assert (found["connect"]["ok"], found["say"]["ok"] > 0) == (2, True)


@pytest.mark.slow
def test_a_user_of_its_own_name_has_settings_of_its_own(chat: Path) -> None:
    text = USERS.format(settings="connection = connection")
    own = "    def __init__(self, environment):\n        super().__init__(environment)\n        self.auth = 'nobody'\n"
    (chat / "users.py").write_text(text + own)
    ended = locust(chat, "--app", "chat:app", "-u", "2", "-r", "2", "-t", "2s")
    assert ended.returncode == 1
    assert "who are you?" in ended.stdout


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("connection = connection; auth = 'hunter22'", "ChatUser: auth is a setting of its connection as well"),
        (
            "connection = connection; socketio_path = 'socket.io'",
            "ChatUser: socketio_path is a setting of its connection as well: give it in one place",
        ),
        ("connection = {'auth': 'hunter22'}", "ChatUser: connection is no Connection(…), but of type dict"),
    ],
)
@pytest.mark.slow
def test_a_setting_is_given_in_one_place(chat: Path, settings: str, said: str) -> None:
    (chat / "users.py").write_text(USERS.format(settings=settings))
    ended = locust(chat, "--app", "chat:app", "-u", "1", "-t", "1s")
    assert ended.returncode == 2
    assert said in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
