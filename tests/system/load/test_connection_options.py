"""Connections of users as the command line says: in each worker, over the classes' own settings, and shown nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.server import ServerProcess
from tests.support.folders import APPS, LOCUSTFILES
from tests.support.locust_process import CONNECT, operation, run

STRICT = LOCUSTFILES / "strict.py"
SECRETS = ("hush-hush", "key-1234", "abc-1234", "acme-1234")


def given(token: str, key: str) -> list[str]:
    return [
        *("--namespace", "/chat", "--socketio-path", "ws/socket.io", "--serializer", "msgpack"),
        *(f'--auth={{"token": "{token}"}}', "--header", f"X-Key: {key}"),
        *("--cookie", "session=abc-1234", "--query", "tenant=acme-1234"),
    ]


def shows_no_secret(output: str, folder: Path) -> None:
    stored = "".join(path.read_text() for path in folder.rglob("*.json"))
    for secret in SECRETS:
        assert secret not in output
        assert secret not in stored


@pytest.mark.slow
def test_workers_connect_as_the_command_line_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRICT_TOKEN", "hush-hush")
    (tmp_path / "key.txt").write_text("key-1234\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(APPS), os.environ.get("PYTHONPATH", "")]))
    code, ended = run(
        tmp_path,
        *("--app", "strict:app", "--processes", "2", "--users", "4", "--spawn-rate", "20", "--run-time", "2s"),
        *given("@env:STRICT_TOKEN", f"@{tmp_path / 'key.txt'}"),
        *("--transport", "polling"),
        locustfile=STRICT,
    )
    assert code == 0, ended.output
    result = ended.result()
    assert operation(result, CONNECT).ok == 4
    assert operation(result, "say").ok > 0
    assert result.scenario.transport == "polling (msgpack)"
    shows_no_secret(ended.output, tmp_path)


POLLED = """
import socketio

sio = socketio.AsyncServer(async_mode="asgi", allow_upgrades=False)


@sio.on("FOO")
async def foo(sid, data):
    await sio.emit("BAR", {"foo": data["name"]}, to=sid)


app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)
"""


@pytest.mark.slow
def test_the_log_says_once_that_polling_was_not_upgraded(tmp_path: Path) -> None:
    (tmp_path / "polled.py").write_text(POLLED)
    with ServerProcess("polled:app", directory=tmp_path) as server:
        host = ("--host", server.url, "--transport", "polling,websocket")
        code, ended = run(tmp_path, *host, "--users", "3", "--spawn-rate", "20", "--run-time", "1s")
    assert code == 0, ended.output
    assert operation(ended.result(), CONNECT).ok == 3
    assert ended.output.count("not upgraded to WebSocket, so it goes on: the server offers no WebSocket") == 1


@pytest.mark.slow
def test_a_refusal_repeats_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(APPS), os.environ.get("PYTHONPATH", "")]))
    code, ended = run(
        tmp_path,
        *("--app", "strict:app", "--users", "2", "--spawn-rate", "20", "--run-time", "1s"),
        *given("hush-hush", "abc-1234-wrong"),
        locustfile=STRICT,
    )
    assert code == 1, ended.output
    assert (
        "the server refused the connection to /chat: not with ({'token': '...'}, '...', 'session=...', 'tenant=...')"
        in ended.output
    )
    shows_no_secret(ended.output, tmp_path)


def test_a_server_that_lets_in_before_it_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt is a refusal with its reason, and none has succeeded."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(APPS), os.environ.get("PYTHONPATH", "")]))
    code, ended = run(
        tmp_path, "--app", "hasty:app", "--users", "3", "--spawn-rate", "20", "--run-time", "2s", locustfile=STRICT
    )
    assert code == 1
    connect = operation(ended.result(), CONNECT)
    assert connect.ok == 0
    assert connect.errors == {"the server refused the connection: not authorised": connect.sent}
    assert connect.sent >= 3


def test_an_option_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    code, ended = run(tmp_path, "--users", "1", "--run-time", "1s", "--auth=@env:NO_SUCH_VARIABLE", locustfile=STRICT)
    assert code == 2
    assert "--auth @env:NO_SUCH_VARIABLE: there is no such environment variable" in ended.output
    assert "Traceback" not in ended.output


@pytest.mark.parametrize(
    ("names", "line", "said"),
    [
        (
            "Connection",
            "connection = Connection(auht={})",
            "TypeError: Connection.__init__() got an unexpected keyword argument 'auht' "
            "(BENCH_TRACEBACK=1 shows the traceback)",
        ),
        (
            "SocketIOUser",
            "class User(SocketIOUser): tasks = 5",
            "TypeError: 'int' object is not iterable (BENCH_TRACEBACK=1 shows the traceback)",
        ),
        (
            "Connection, SocketIOUser",
            "connection = Connection(transports='websocket')",
            "transports are a tuple, ('websocket',), not the text 'websocket'",
        ),
        (
            "RoundTrip, SocketIOUser",
            "say = RoundTrip('say', emti='say')",
            "TypeError: RoundTrip.__init__() got an unexpected keyword argument 'emti' "
            "(BENCH_TRACEBACK=1 shows the traceback)",
        ),
        (
            "SocketIOUser",
            "say = conection",
            "NameError: name 'conection' is not defined (BENCH_TRACEBACK=1 shows the traceback)",
        ),
    ],
)
def test_a_mistake_in_a_locustfile_is_one_line_with_its_place(tmp_path: Path, names: str, line: str, said: str) -> None:
    locustfile = tmp_path / "wrong.py"
    locustfile.write_text(f"from bench import {names}\n\n{line}\n")
    code, ended = run(tmp_path, "--users", "1", "--run-time", "1s", locustfile=locustfile)
    assert code == 2
    assert ended.output == f"locust: error: wrong.py:3: {said}\n"
