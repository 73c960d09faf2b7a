"""The echo server: what it answers, what it counts, and what it survives."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from bench.server import ServerError
from bench.targets.process import EchoProcess, EchoProcesses
from bench.wire.client import FastClient
from bench.wire.reference import ReferenceClient
from tests.support.folders import NODE
from tests.support.frames import BINARY, CLOSE, PING, frame
from tests.support.node_process import node_command
from tests.support.raw_client import MASK, RawClient, until

COMMAND = [sys.executable, "-m", "bench.targets.echo"]


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoProcess]:
    with EchoProcess() as running:
        yield running


@pytest.fixture
def raw(echo: EchoProcess) -> Iterator[RawClient]:
    client = RawClient(echo.port)
    yield client
    client.close()


# --- what it answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FastClient, ReferenceClient])
async def test_both_clients(echo: EchoProcess, kind: type[FastClient] | type[ReferenceClient]) -> None:
    before = echo.stats()
    client = kind()
    await client.connect(echo.url)
    replies: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    client.on("BAR", replies.put_nowait)
    for name in ("a", "ä" * 100, "b" * 70_000):
        await client.emit("FOO", {"name": name})
        async with asyncio.timeout(60):
            assert (await replies.get())["foo"] == name
    assert await client.call("FOO", {"name": "c"}, timeout=60) == {"foo": "c"}
    assert replies.empty(), "one FOO, one answer"
    during = echo.stats()
    assert (during.answered - before.answered, during.connections - before.connections) == (4, 1)
    await client.disconnect()
    until(lambda: echo.stats().connections == before.connections)
    assert echo.stats().cpu_ns > before.cpu_ns


async def test_each_sender_gets_its_own(echo: EchoProcess) -> None:
    clients = [FastClient() for _ in range(100)]
    received: list[list[str]] = [[] for _ in clients]
    before = echo.stats()
    for client, own in zip(clients, received, strict=True):
        await client.connect(echo.url)
        client.on("BAR", lambda reply, own=own: own.append(reply["foo"]))
    for number in range(20):
        for index, client in enumerate(clients):
            await client.emit("FOO", {"name": f"{index}-{number}"})
    await asyncio.to_thread(until, lambda: sum(map(len, received)) == 2000)
    assert received == [[f"{index}-{number}" for number in range(20)] for index in range(100)]
    after = echo.stats()
    assert (after.answered - before.answered, after.connections - before.connections) == (2000, 100)
    for client in clients:
        await client.disconnect()


def test_the_official_client(echo: EchoProcess) -> None:
    script = """
        const socket = require("socket.io-client").io(process.argv[1], { transports: ["websocket"] });
        socket.on("BAR", ({ foo }) => socket.emit("FOO", { name: "b" }, (reply) => {
          console.log(JSON.stringify([foo.length, reply]));
          socket.close();
        }));
        socket.on("connect", () => socket.emit("FOO", { name: "a".repeat(300) }));
    """
    command = node_command("-e", script, echo.url)
    ended = subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(ended.stdout) == [300, {"foo": "b"}]


# --- how the bytes may come -------------------------------------------------------------------------------------------


def test_several_frames_in_one_segment(raw: RawClient) -> None:
    raw.socket.sendall(b"".join(frame(b'42["FOO",{"name":"%d"}]' % number, mask=MASK) for number in range(1000)))
    assert [raw.message() for _ in range(1000)] == [b'42["BAR",{"foo":"%d"}]' % number for number in range(1000)]


def test_one_frame_in_many_segments(raw: RawClient) -> None:
    raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in frame(b'42["FOO",{"name":"a"}]', mask=MASK):
        raw.socket.sendall(bytes((byte,)))
    assert raw.message() == b'42["BAR",{"foo":"a"}]'


def test_who_reads_nothing_for_a_while_gets_everything(raw: RawClient, echo: EchoProcess) -> None:
    before = echo.stats().answered
    message = b'42["FOO",{"name":"%b"}]' % (b"x" * 60_000)
    for _ in range(200):  # 12 MB: more than the sockets hold
        raw.send(message)
    until(lambda: echo.stats().answered == before + 200)
    assert all(len(raw.message()) == len(message) - 1 for _ in range(200))


def test_control_frames(raw: RawClient) -> None:
    raw.socket.sendall(frame(b"hello", PING, mask=MASK))
    assert raw.message() == b"hello"
    raw.socket.sendall(frame(b"\x03\xe8", CLOSE, mask=MASK))
    assert raw.message() == b"\x03\xe8"
    with pytest.raises(EOFError):
        raw.message()


def test_other_namespaces_are_refused(raw: RawClient) -> None:
    raw.send(b"40/other,{}")
    assert raw.message() == b'44/other,{"message":"Invalid namespace"}'


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x81\x03abc",  # not masked
        frame(b"x", is_last=False, mask=MASK),  # a fragment
        frame(b"x", BINARY, mask=MASK),  # binary
        frame(b"nonsense", mask=MASK),
        frame(b"41", mask=MASK),
        b"\x81\xff" + b"\xff" * 8,  # longer than anything
    ],
)
def test_what_it_does_not_speak_ends_that_connection_alone(raw: RawClient, echo: EchoProcess, nonsense: bytes) -> None:
    other = RawClient(echo.port)
    raw.socket.sendall(nonsense)
    with pytest.raises(EOFError):
        raw.message()
    other.send(b'42["FOO",{"name":"a"}]')
    assert other.message() == b'42["BAR",{"foo":"a"}]'
    other.close()


@pytest.mark.parametrize("nonsense", [b"\r\n\r\n", b"GET \r\n\r\n", b"GET //[ HTTP/1.1\r\n\r\n", b"x" * 20_000])
def test_what_is_no_http_ends_that_connection_alone(echo: EchoProcess, nonsense: bytes) -> None:
    client = RawClient(echo.port, joined=False)
    client.socket.sendall(nonsense)
    with contextlib.suppress(ConnectionResetError):
        assert client.socket.recv(4096)[:12] in (b"", b"HTTP/1.1 400")
    client.close()
    assert echo.stats()


def test_polling_is_refused(echo: EchoProcess) -> None:
    assert httpx.get(f"{echo.url}/socket.io/?EIO=4&transport=polling").status_code == 400


# --- heartbeats -------------------------------------------------------------------------------------------------------


async def test_heartbeats() -> None:
    with EchoProcess(ping_interval_ms=100, ping_timeout_ms=200) as echo:
        client = FastClient()
        await client.connect(echo.url)
        silent = await asyncio.to_thread(RawClient, echo.port)
        await asyncio.to_thread(until, lambda: echo.stats().missed > 0 and echo.stats().pongs > 2)
        assert await asyncio.to_thread(silent.message) == b"2"
        with pytest.raises(EOFError):
            await asyncio.to_thread(silent.message)
        silent.close()
        stats = echo.stats()
        assert client.connected, "it answered"
        assert (stats.missed, stats.connections, stats.connected) == (1, 1, 2)
        assert 0 <= stats.pings - stats.pongs - stats.missed <= 1
        assert 0 < stats.slowest_pong_ms < 200
        await client.disconnect()


# --- its process ------------------------------------------------------------------------------------------------------


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*COMMAND, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_it_ends_with_its_owner() -> None:
    with start("--end-with-stdin") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["port"] > 0
        process.stdin.close()
        assert process.wait(5) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told_to(number: signal.Signals) -> None:
    with start() as process:
        assert process.stdout is not None
        client = RawClient(json.loads(process.stdout.readline())["port"])
        process.send_signal(number)
        assert process.wait(5) == 0
        client.close()


def test_several_addresses_share_a_port() -> None:
    with EchoProcess(hosts=["127.0.0.1", "127.0.0.2"]) as echo:
        assert httpx.get(f"http://127.0.0.2:{echo.port}/stats").json()["answered"] == 0


def test_a_port_that_is_taken(echo: EchoProcess) -> None:
    ended = subprocess.run([*COMMAND, "--port", str(echo.port)], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1


def test_an_owner_whose_server_does_not_start_or_is_gone() -> None:
    with pytest.raises(ServerError, match="did not start"), EchoProcess(hosts=["192.0.2.1"]):
        pass
    with EchoProcess() as echo:
        assert echo.stats().answered == 0
    with pytest.raises(ServerError, match="does not answer"):
        echo.stats()


# --- several processes ------------------------------------------------------------------------------------------------


async def test_several_processes_share_a_port() -> None:
    with EchoProcesses(2) as echo:
        clients = [FastClient() for _ in range(64)]  # all in one process: once in 2 ** 63
        for client in clients:
            await client.connect(echo.url)
        assert await clients[0].call("FOO", {"name": "a"}, timeout=60) == {"foo": "a"}
        each = echo.stats_of_each()
        assert all(stats.connections for stats in each)
        together = echo.stats()
        assert (together.connections, together.connected, together.answered) == (64, 64, 1)
        for client in clients:
            await client.disconnect()
        until(lambda: echo.stats().connections == 0)


def test_a_server_without_files_says_so_and_goes_on_when_it_has_some() -> None:
    limited = "import resource, runpy; resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30)); "
    command = [sys.executable, "-c", f"{limited}runpy.run_module('bench.targets.echo', run_name='__main__')"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        port = json.loads(process.stdout.readline())["port"]
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            assert process.stderr.readline() == (
                "no more connections: this process may open no more than 30 files: raise `ulimit -n`\n"
            )
        until(lambda: httpx.get(f"http://127.0.0.1:{port}/stats").json()["connections"] == 0)
        process.terminate()
