"""How the service is configured and started: `python -m app` as a user runs it, in a process of its own."""

import asyncio
import contextlib
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator

import aiohttp
import httpx
import pytest

from app.settings import Settings, SettingsError, read_settings
from bench.wire.client import FastClient
from bench.wire.interface import ConnectFailed, Transport
from bench.wire.reference import ReferenceClient
from tests.support.folders import ROOT

TIMEOUT_S = 15


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("FOOBAR_"):
            monkeypatch.delenv(name)


# --- what is allowed


def test_the_defaults_are_the_fastest() -> None:
    settings = read_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert (settings.loop, settings.ws) == ("uvloop", "websockets-sansio")
    assert settings.token is None


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOBAR_PORT", "8001")
    monkeypatch.setenv("FOOBAR_LOOP", "asyncio")
    assert read_settings().port == 8001
    settings = read_settings({"port": "8002"})
    assert (settings.port, settings.loop) == (8002, "asyncio")


def test_a_bad_environment_does_not_matter_where_an_argument_replaces_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOBAR_PORT", "none")
    assert read_settings({"port": "8002"}).port == 8002


BAD_SETTINGS = [
    ("host", "", "an address or host name of this machine"),
    ("port", "http", "0 to 65535; 0 means any free port"),
    ("port", "", "0 to 65535; 0 means any free port"),
    ("port", "-1", "0 to 65535; 0 means any free port"),
    ("port", "65536", "0 to 65535; 0 means any free port"),
    ("port", "80.5", "0 to 65535; 0 means any free port"),
    ("loop", "gevent", "auto, asyncio or uvloop"),
    ("ws", "none", "auto, websockets, websockets-sansio or wsproto"),
    ("log_level", "INFO", "critical, error, warning, info, debug or trace"),
    (
        "max_message_bytes",
        "1023",
        "1024 to 1073741824, for a WebSocket message, the body of a polling request, or an event with its attachments",
    ),
    (
        "max_message_bytes",
        "1MB",
        "1024 to 1073741824, for a WebSocket message, the body of a polling request, or an event with its attachments",
    ),
]


@pytest.mark.parametrize(("name", "value", "allowed"), BAD_SETTINGS)
def test_a_bad_argument_is_one_line(name: str, value: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as error:
        read_settings({name: value})
    argument = f"--{name.replace('_', '-')}"
    assert str(error.value) == f"{argument} {value!r} is not allowed; allowed: {allowed}"


@pytest.mark.parametrize(("name", "value", "allowed"), BAD_SETTINGS)
def test_a_bad_variable_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str) -> None:
    variable = f"FOOBAR_{name.upper()}"
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as error:
        read_settings()
    assert str(error.value) == f"{variable} {value!r} is not allowed; allowed: {allowed}"


def test_each_bad_setting_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOBAR_LOOP", "twisted")
    with pytest.raises(SettingsError) as error:
        read_settings({"port": "http"})
    first, second = str(error.value).splitlines()
    assert first.startswith("--port 'http' ")
    assert second.startswith("FOOBAR_LOOP 'twisted' ")


def test_an_empty_token_is_no_token_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOBAR_TOKEN", "")
    with pytest.raises(SettingsError, match=r"^FOOBAR_TOKEN is not allowed; allowed: at least one character; "):
        read_settings()


def test_the_token_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOBAR_TOKEN", "sesame")
    settings = read_settings()
    assert settings.token is not None
    assert settings.token.get_secret_value() == "sesame"
    assert "sesame" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_an_implementation_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"^--loop 'uvloop': the package uvloop is not installed$"):
        read_settings({"loop": "uvloop", "ws": "auto"})


def test_every_setting_says_what_is_allowed() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


# --- python -m app


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of a service that does not start."""
    process = start(*arguments, **environment)
    try:
        output, errors = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    return process.returncode, output, errors


@contextlib.asynccontextmanager
async def running(*arguments: str, **environment: str) -> AsyncIterator[tuple[subprocess.Popen[str], str]]:
    """A service in its process, with its URL, which it tells in its log's first line."""
    process = start("--port", "0", *arguments, **environment)
    try:
        assert process.stderr is not None
        async with asyncio.timeout(TIMEOUT_S):
            line = await asyncio.to_thread(process.stderr.readline)
        url = re.search(r"listening on (http://\S+)", line)
        assert url is not None, line + process.stderr.read()
        yield process, url[1]
    finally:
        process.kill()
        process.communicate(timeout=TIMEOUT_S)


async def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and what else it has written, once it has ended by itself."""
    output, errors = await asyncio.to_thread(process.communicate, timeout=TIMEOUT_S)
    return process.returncode, output + errors


def test_a_bad_setting_ends_the_service_with_2_and_its_line() -> None:
    code, output, errors = run("--port", "http", FOOBAR_LOOP="asyncio")
    assert (code, output) == (2, "")
    assert errors == "--port 'http' is not allowed; allowed: 0 to 65535; 0 means any free port\n"


def test_a_bad_variable_ends_the_service_with_2_and_its_line() -> None:
    code, output, errors = run(FOOBAR_WS="socket")
    assert (code, output) == (2, "")
    assert errors == "FOOBAR_WS 'socket' is not allowed; allowed: auto, websockets, websockets-sansio or wsproto\n"


def test_an_unknown_argument_ends_the_service_with_2() -> None:
    code, output, errors = run("--prot", "8000")
    assert (code, output) == (2, "")
    assert "unrecognized arguments: --prot 8000" in errors


def test_a_busy_port_ends_the_service_with_1_and_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        code, output, errors = run("--port", str(port))
    assert (code, output) == (1, "")
    reason = "Address already in use; choose another --host or --port"
    assert errors == f"cannot listen on 127.0.0.1 port {port}: {reason}\n"


def test_a_host_that_is_not_this_machine_ends_the_service_with_1_and_one_line() -> None:
    code, output, errors = run("--host", "192.0.2.1", "--port", "0")  # an address of documentation only, RFC 5737
    assert (code, output) == (1, "")
    assert errors.startswith("cannot listen on 192.0.2.1 port 0: ")
    assert errors.count("\n") == 1


def test_help_names_every_argument_and_the_variables() -> None:
    code, output, errors = run("--help")
    assert (code, errors) == (0, "")
    for name in ("--host", "--port", "--loop", "--ws", "--log-level", "--max-message-bytes", "FOOBAR_TOKEN"):
        assert name in output


@pytest.mark.parametrize(
    ("loop", "ws"), [("uvloop", "websockets-sansio"), ("asyncio", "websockets-sansio"), ("auto", "websockets")]
)
async def test_every_implementation_answers(loop: str, ws: str) -> None:
    async with running("--loop", loop, "--ws", ws) as (_, url):
        client = ReferenceClient()
        await client.connect(url)
        assert await client.call("FOO", {"name": "haseeb"}, timeout=TIMEOUT_S) == {"foo": "haseeb"}
        await client.disconnect()


async def test_the_token_and_the_limit_reach_the_service() -> None:
    """The limit is uvicorn's too: that counts bytes, where python-engineio counts characters."""
    async with running("--max-message-bytes", "2048", FOOBAR_TOKEN="sesame") as (_, url):
        client = FastClient()
        with pytest.raises(ConnectFailed, match="Refused"):
            await client.connect(url, auth={"token": "open"})
        client = FastClient()
        await client.connect(url, auth={"token": "sesame"})
        await client.call("FOO", {"name": "haseeb", "padding": "x" * 1500}, timeout=TIMEOUT_S)
        await client.disconnect()
        # A client that does not keep to what the server told it.
        target = f"{url}/socket.io/?EIO=4&transport=websocket"
        async with aiohttp.ClientSession() as session, session.ws_connect(target) as heedless:
            await heedless.receive_str(timeout=TIMEOUT_S)
            await heedless.send_str('40{"token":"sesame"}')
            assert (await heedless.receive_str(timeout=TIMEOUT_S)).startswith("40")
            await heedless.send_str(f'42["FOO",{{"name":"haseeb","padding":"{"é" * 1500}"}}]')
            assert (await heedless.receive(TIMEOUT_S)).type is aiohttp.WSMsgType.CLOSE
            assert heedless.close_code == 1009, "too large"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)], ids=["Ctrl-C", "SIGTERM"]
)
@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_it_ends_when_told_to_and_disconnects_its_clients(
    number: signal.Signals, code: int, transport: Transport
) -> None:
    async with running() as (process, url):
        client = ReferenceClient()
        await client.connect(url, transports=[transport])
        lost = asyncio.Event()
        client.when_closed(lambda reason: lost.set())
        process.send_signal(number)
        returned, log = await ended(process)
        await asyncio.wait_for(lost.wait(), TIMEOUT_S)
        await client.disconnect()
    assert returned == code
    assert "Traceback" not in log
    async with httpx.AsyncClient(base_url=url) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("/health", timeout=TIMEOUT_S)


async def test_its_log_has_a_line_for_a_mistake_and_none_for_a_request() -> None:
    async with running() as (process, url):
        client = ReferenceClient()
        await client.connect(url, transports=["polling"])
        await client.call("FOO", {"name": "haseeb"}, timeout=TIMEOUT_S)
        await client.call("FOO", {"name": ""}, timeout=TIMEOUT_S)
        await client.disconnect()
        process.send_signal(signal.SIGINT)
        _, log = await ended(process)
    [line] = [line for line in log.splitlines() if "rejected" in line]
    assert line.startswith("WARNING:  rejected 'FOO' of client ")
    for word in ("GET", "POST", "packet", "haseeb"):
        assert word not in log
