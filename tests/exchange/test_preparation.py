"""Functions of a file of scenarios, before and after connecting, with either client, against a service in this loop."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import socketio

from bench.exchange.preparation import PreparationFailed, connect
from bench.exchange.requests import Exchange
from bench.scenarios.loading import load_scenarios
from bench.scenarios.tokens import tokens
from bench.server import UvicornTestServer
from bench.wire.client import FastClient
from bench.wire.connection import Connection
from bench.wire.errors import ConnectFailed, Disconnected
from bench.wire.reference import ReferenceClient
from tests.support.folders import APPS

FILE = """
import asyncio
from dataclasses import replace

from bench import Connection, RoundTrip

connection = Connection(namespaces=("/members",))
say = RoundTrip("say", emit="say", data={"id": "{token}"}, reply="said")

"""

LOGIN = """
async def before_connect(http):
    async with http.post("/login") as response:
        return {"auth": await response.json()}
"""

SETUP = """
async def setup(client):
    await client.emit("enter")
"""

LIMIT_S = 60.0

Kind = type[FastClient | ReferenceClient]


@pytest.fixture(params=[FastClient, ReferenceClient], ids=["fast", "reference"])
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[UvicornTestServer]:
    monkeypatch.syspath_prepend(str(APPS))
    monkeypatch.delitem(sys.modules, "members", raising=False)
    async with UvicornTestServer("members:app") as running:
        yield running


async def said(kind: Kind, url: str, folder: Path, text: str, limit_s: float = LIMIT_S) -> int:
    """Connect as the file says and perform its round trip; return how many service times came of it."""
    path = folder / "chat_scenarios.py"
    path.write_text(FILE + text)
    file = load_scenarios(path)
    assert file.connection is not None
    client = kind()
    exchange = Exchange(client, tokens("test", 0), round(LIMIT_S * 1e9), file.connection.namespace)
    await connect(client, url, file.connection, file, limit_s)
    try:
        completed = await exchange(file.scenarios[0])
        return int(completed.service_ns > 0)
    finally:
        exchange.close()
        await client.disconnect()


@pytest.mark.parametrize(
    "login",
    [
        LOGIN,
        LOGIN.replace('{"auth": await response.json()}', "replace(connection, auth=await response.json())"),
        LOGIN.replace("async def before_connect", "async def _log_in")
        + "\ndef before_connect(http): return _log_in(http)",
    ],
    ids=["changes", "a connection", "a plain function"],
)
async def test_a_connection_is_logged_in_and_set_up(
    kind: Kind, server: UvicornTestServer, tmp_path: Path, login: str
) -> None:
    assert await said(kind, server.url, tmp_path, login + SETUP) == 1


async def test_without_a_login_the_service_refuses(kind: Kind, server: UvicornTestServer, tmp_path: Path) -> None:
    with pytest.raises(ConnectFailed, match="log in first"):
        await said(kind, server.url, tmp_path, SETUP)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "async def before_connect(http):\n    await http.get('/nothing', raise_for_status=True)",
            "chat_scenarios.py, line 11, before_connect failed: ClientResponseError: 404",
        ),
        (
            "def before_connect(http): return 7",
            "before_connect returned what is of type int: expected the changed ",
        ),
        (
            "def before_connect(http): return {'auht': 7}",
            "before_connect returned 'auht', which is no field of Connection",
        ),
        (
            "def before_connect(http): return {'cookies': 7}",
            "before_connect returned what cannot be: cookies is a mapping",
        ),
        (
            "def before_connect(http): return {'namespaces': ('/other', '/members')}",
            "before_connect changed the namespace from /members to /other: give it as Connection(namespaces=…)",
        ),
        (
            "async def before_connect(http): await asyncio.sleep(60)",
            "before_connect did not end within 0.5 s, the time ",
        ),
        (
            LOGIN + "async def setup(client):\n    await asyncio.sleep(60)",
            "setup did not end within 0.5 s, the time that",
        ),
        (LOGIN + "def setup(client):\n    raise LookupError('room')", "line 15, setup failed: LookupError: room"),
        (LOGIN + "async def setup(client):\n    raise TimeoutError", "line 15, setup failed: TimeoutError"),
    ],
)
async def test_what_goes_wrong_is_one_line(
    kind: Kind, server: UvicornTestServer, tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(PreparationFailed) as raised:
        await said(kind, server.url, tmp_path, text, limit_s=0.5)
    assert reason in str(raised.value)
    assert str(raised.value).startswith("chat_scenarios.py")
    assert "\n" not in str(raised.value)


async def test_what_polls_instead_is_not_measured(kind: Kind, tmp_path: Path) -> None:
    service = socketio.ASGIApp(socketio.AsyncServer(async_mode="asgi", allow_upgrades=False, namespaces=["/"]))
    upgraded = Connection(transports=("polling", "websocket"))
    client = kind()
    async with UvicornTestServer(service, timeout_graceful_shutdown=0) as running:
        with pytest.raises(ConnectFailed, match=r"polling was not upgraded to WebSocket.*--transport polling"):
            await connect(client, running.url, upgraded, None, LIMIT_S)
        assert not client.connected
        await connect(client, running.url, Connection(transports=("polling",)), None, LIMIT_S)
        await client.disconnect()


async def test_who_could_not_be_set_up_is_disconnected(kind: Kind, server: UvicornTestServer, tmp_path: Path) -> None:
    path = tmp_path / "chat_scenarios.py"
    path.write_text(FILE + LOGIN + "def setup(client): 1 / 0")
    file = load_scenarios(path)
    assert file.connection is not None
    client = kind()
    with pytest.raises(PreparationFailed):
        await connect(client, server.url, file.connection, file, LIMIT_S)
    assert not client.connected
    with pytest.raises(Disconnected):
        await client.emit("say", namespace="/members")


async def test_secrets_are_taken_out_of_what_went_wrong(kind: Kind, server: UvicornTestServer, tmp_path: Path) -> None:
    text = "connection = replace(connection, auth='hunter22')\n"
    text += "async def before_connect(http): raise LookupError('hunter22')"
    with pytest.raises(PreparationFailed, match=r"before_connect failed: LookupError: \.\.\.$"):
        await said(kind, server.url, tmp_path, text)
