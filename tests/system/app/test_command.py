"""`python -m app` as a user runs it, in a process of its own."""

import asyncio
import contextlib
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

from bench.wire.client import FastClient
from bench.wire.connection import TransportName
from bench.wire.errors import ConnectFailed
from bench.wire.reference import ReferenceClient
from tests.support.folders import ROOT

TIMEOUT_S = 60


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("FOOBAR_"):
            monkeypatch.delenv(name)


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
    """Return the exit code, standard output and standard error of a service that does not start."""
    process = start(*arguments, **environment)
    try:
        output, errors = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    return process.returncode, output, errors


@contextlib.asynccontextmanager
async def running(*arguments: str, **environment: str) -> AsyncIterator[tuple[subprocess.Popen[str], str]]:
    """Yield a service in its process, with its URL, which it tells in its log's first line."""
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
    """Return its exit code and what else it has written, once it has ended by itself."""
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
    number: signal.Signals, code: int, transport: TransportName
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
