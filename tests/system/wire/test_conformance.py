"""The two clients against python-socketio's server and the official one on Node, over every transport.

The servers are tests/data/apps/conformance.py and tests/data/node/conformance.js, with a heartbeat every 300 ms.
"""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from bench.server import ServerProcess
from bench.wire.client import FastClient
from bench.wire.connection import TransportName
from bench.wire.errors import ConnectFailed, Disconnected, MessageTooLarge
from bench.wire.reference import ReferenceClient
from tests.support.folders import APPS
from tests.support.node_process import node_server

Kind = type[FastClient | ReferenceClient]
Transports = tuple[TransportName, ...]

LIMIT_S = 60
HEARTBEAT_INTERVAL_S = 0.3
TRANSPORTS: dict[str, Transports] = {
    "websocket": ("websocket",),
    "polling": ("polling",),
    "upgrade": ("polling", "websocket"),
}
VALUES: tuple[Any, ...] = ("text", 1, -2.5, None, True, {"ünï": ["→", "😀", "\x1e"]}, [])
BINARY = (bytes(range(256)), {"deep": [b"\x1e", {"er": b"x" * 3}]}, "text", b"2probe")


@dataclass(frozen=True)
class Server:
    url: str
    pid: int


@contextmanager
def python_server(host: str = "127.0.0.1") -> Iterator[Server]:
    with ServerProcess("conformance:app", host=host, directory=APPS) as server:
        yield Server(server.url, server.pid)


@contextmanager
def official_server() -> Iterator[Server]:
    with node_server("conformance.js") as server:
        assert server.pid is not None
        yield Server(server.url, server.pid)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


SERVERS = {"python-socketio": python_server, "socket.io": official_server}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with SERVERS[request.param]() as running:
        yield running


@pytest.fixture(params=[FastClient, ReferenceClient], ids=["fast", "reference"])
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


@pytest.fixture(params=TRANSPORTS)
def transports(request: pytest.FixtureRequest) -> Transports:
    return TRANSPORTS[request.param]


class Participant:
    """A client that notes what it hears, by namespace."""

    def __init__(self, kind: Kind, *namespaces: str) -> None:
        self.client = kind()
        self.heard: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.ends = 0
        self.client.when_closed(self.note_the_end)
        for namespace in namespaces or ("/",):
            self.note(namespace)

    def note(self, namespace: str) -> None:
        self.client.on("*", lambda *values: self.heard.put_nowait((namespace, *values)), namespace=namespace)

    def note_the_end(self, reason: str) -> None:
        self.ends += 1
        if self.ends == 1:
            self.ended.set_result(reason)

    async def hears(self) -> tuple[Any, ...]:
        async with asyncio.timeout(LIMIT_S):
            return await self.heard.get()

    async def hears_of_the_end(self) -> str:
        async with asyncio.timeout(LIMIT_S):
            return await self.ended

    async def is_answered(self) -> bool:
        return bool(await self.client.call("ECHO", "there?", timeout=LIMIT_S) == "there?")


names = count()


@asynccontextmanager
async def connected(
    kind: Kind, transports: Transports, url: str, *namespaces: str, **settings: Any
) -> AsyncIterator[Participant]:
    participant = Participant(kind, *namespaces)
    await participant.client.connect(url, transports=transports, wait_timeout=LIMIT_S, **settings)
    try:
        yield participant
    finally:
        await participant.client.disconnect()


@pytest.mark.parametrize("values", [VALUES, BINARY, (), ("one",), (b"one",)], ids=["text", "binary", "0", "1", "b1"])
async def test_events_and_acknowledgements(
    kind: Kind, transports: Transports, server: Server, values: tuple[Any, ...]
) -> None:
    acknowledged = None if not values else values[0] if len(values) == 1 else values
    async with connected(kind, transports, server.url) as participant:
        await participant.client.emit("ECHO", values)
        assert await participant.hears() == ("/", "ECHO", *values)
        assert await participant.client.call("ECHO", values, timeout=LIMIT_S) == acknowledged
        assert await participant.hears() == ("/", "ECHO", *values)


@pytest.mark.parametrize("values", [VALUES, BINARY, ()], ids=["text", "binary", "0"])
async def test_the_server_asks_for_an_acknowledgement(
    kind: Kind, transports: Transports, server: Server, values: tuple[Any, ...]
) -> None:
    async with connected(kind, transports, server.url, "/", "/admin", namespaces=["/", "/admin"]) as participant:
        for namespace in ("/", "/admin"):
            participant.client.on("QUESTION", lambda *question: question[::-1], namespace=namespace)
            await participant.client.emit("ASK", values, namespace=namespace)
            assert await participant.hears() == (namespace, "ANSWER", *values[::-1])


async def test_a_coroutine_acknowledges_when_it_returns(kind: Kind, transports: Transports, server: Server) -> None:
    raised: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context.get("exception")))
    async with connected(kind, transports, server.url, "/admin", namespaces=["/admin"]) as participant:

        async def answer(*question: Any) -> tuple[Any, ...]:
            # The connection is free meanwhile, also for the handler itself.
            assert await participant.client.call("ECHO", 1, namespace="/admin", timeout=LIMIT_S) == 1
            return question[::-1]

        participant.client.on("QUESTION", answer, namespace="/admin")
        await participant.client.emit("ASK", ("a", 2), namespace="/admin")
        assert await participant.hears() == ("/admin", "ECHO", 1)
        assert await participant.hears() == ("/admin", "ANSWER", 2, "a")
    assert not raised


@pytest.mark.parametrize("unsendable", [object(), "x" * 4_000_000], ids=["no JSON", "too large"])
async def test_an_acknowledgement_that_cannot_be_sent_is_told_and_is_empty(
    transports: Transports, server: Server, unsendable: object
) -> None:
    raised: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(str(context.get("exception"))))
    async with connected(FastClient, transports, server.url) as participant:
        participant.client.on("QUESTION", lambda *_question: unsendable)
        await participant.client.emit("ASK", ("a",))
        assert await participant.hears() == ("/", "ANSWER")
    (told,) = raised
    assert told.startswith("what the handler of QUESTION returns cannot be sent: ")


async def test_a_listener_is_called_beside_the_handler(transports: Transports, server: Server) -> None:
    heard: list[tuple[str, Any]] = []
    async with connected(FastClient, transports, server.url) as participant:
        client = participant.client
        assert isinstance(client, FastClient)

        async def answer(*question: Any) -> tuple[Any, ...]:
            await asyncio.sleep(0)
            return ("of the listener", *question)

        def answer_first(*question: Any) -> str:
            heard.append(("first", question))
            return "of the handler"

        client.listen("QUESTION", answer)
        client.on("QUESTION", answer_first)
        await client.emit("ASK", ("a",))
        assert await participant.hears() == ("/", "ANSWER", "of the listener", "a")
        assert heard == [("first", ("a",))]
        client.listen("ECHO", lambda *values: heard.append(("echo", values)))
        client.listen("*", lambda *values: heard.append(("any", values)))
        await client.emit("ECHO", 6)
        assert await participant.hears() == ("/", "ECHO", 6), "as if there were no listener"
        client.on("ECHO", lambda *values: participant.heard.put_nowait(values))
        await client.emit("ECHO", 7)
        assert await participant.hears() == (7,)
        assert heard[1:] == [("echo", (6,)), ("echo", (7,))]


async def test_the_size_of_a_message(transports: Transports, server: Server) -> None:
    """The size is that of the text and its attachments, whatever carries them."""
    text, header = len(b'42["ECHO","ee"]'), len('451-["ECHO",{"_placeholder":true,"num":0}]')
    async with connected(FastClient, transports, server.url) as participant:
        client = participant.client
        assert isinstance(client, FastClient)
        sizes: asyncio.Queue[int] = asyncio.Queue()
        client.on("ECHO", lambda *_: sizes.put_nowait(client.message_bytes))
        for data, size_bytes in (("ee", text), (("ee",), text), (bytes(1000), header + 1000)):
            await client.emit("ECHO", data)
            assert client.message_bytes == size_bytes
            assert await asyncio.wait_for(sizes.get(), LIMIT_S) == size_bytes
        client.emit_now("ECHO", "ee", callback=lambda *_: sizes.put_nowait(client.message_bytes))
        assert client.message_bytes == text + 1, "it asks for an acknowledgement"
        assert await asyncio.wait_for(sizes.get(), LIMIT_S) == text
        assert await asyncio.wait_for(sizes.get(), LIMIT_S) == len(b'431["ee"]')


async def test_many_at_once_in_order(kind: Kind, transports: Transports, server: Server) -> None:
    async with connected(kind, transports, server.url) as participant:
        # python-socketio's client posts more than 16 packets at once, which its server drops.
        events = range(50 if kind is FastClient else 8)
        for number in events:
            await participant.client.emit("ECHO", (number, b"%d" % number) if number % 3 == 0 else number)
        heard = [await participant.hears() for _ in events]
        assert [values[2] for values in heard] == list(events)


async def test_several_namespaces_on_one_connection(kind: Kind, transports: Transports, server: Server) -> None:
    async with connected(kind, transports, server.url, "/", "/admin") as participant:
        await participant.client.emit("ECHO", "to /")
        assert await participant.hears() == ("/", "ECHO", "to /")
        await participant.client.emit("ECHO", b"to /admin", namespace="/admin")
        assert await participant.hears() == ("/admin", "ECHO", b"to /admin")
        assert await participant.client.call("ECHO", "both", namespace="/admin", timeout=LIMIT_S) == "both"
        with pytest.raises(Disconnected):
            await participant.client.emit("ECHO", namespace="/elsewhere")


async def test_a_namespace_that_is_not_the_default_one(kind: Kind, transports: Transports, server: Server) -> None:
    async with connected(kind, transports, server.url, "/admin") as participant:
        assert await participant.client.call("ECHO", 1, namespace="/admin", timeout=LIMIT_S) == 1
        with pytest.raises(Disconnected):
            await participant.client.emit("ECHO")


async def test_how_the_client_came(kind: Kind, transports: Transports, server: Server) -> None:
    settings = {"auth": {"token": "right"}, "headers": {"X-Test": "yes"}, "cookies": {"mark": "a7"}}
    async with connected(kind, transports, f"{server.url}/?wanted=%C3%A4", **settings) as participant:
        came = await participant.client.call("WHO", timeout=LIMIT_S)
        assert came["auth"] == {"token": "right"}
        assert (came["cookie"], came["header"]) == ("mark=a7", "yes")
        assert "wanted=%C3%A4" in came["query"].split("&")
        assert came["transport"] == transports[-1]


@pytest.mark.parametrize(
    ("settings", "reason", "data"),
    [
        ({"auth": {"token": "wrong"}}, "the server refused the connection: no such token", {"asked": "wrong"}),
        ({"namespaces": "/private"}, "the server refused the connection to /private: not yours", {"code": 7}),
        ({"namespaces": ["/", "/private"]}, "the server refused the connection to /private: not yours", {"code": 7}),
        ({"namespaces": ["/nowhere"]}, "the server refused the connection to /nowhere: ", None),
    ],
)
async def test_a_refused_connection(
    kind: Kind, transports: Transports, server: Server, settings: Any, reason: str, data: Any
) -> None:
    participant = Participant(kind)
    with pytest.raises(ConnectFailed) as raised:
        await participant.client.connect(server.url, transports=transports, wait_timeout=LIMIT_S, **settings)
    assert reason in str(raised.value)
    assert raised.value.data == data
    assert not participant.client.connected
    assert not participant.ended.done(), "it was never established"
    await participant.client.connect(server.url, transports=transports, wait_timeout=LIMIT_S)
    assert await participant.is_answered()
    await participant.client.disconnect()


async def test_the_server_disconnects(kind: Kind, transports: Transports, server: Server) -> None:
    async with connected(kind, transports, server.url) as participant:
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        participant.client.on("disconnect", told.set_result)
        await participant.client.emit("KICK")
        reason = await participant.hears_of_the_end()
        assert reason == await told
        assert not participant.client.connected
        with pytest.raises(Disconnected, match=reason):
            await participant.client.emit("ECHO")


async def test_the_server_ends_one_namespace_of_two(kind: Kind, transports: Transports, server: Server) -> None:
    async with connected(kind, transports, server.url, "/", "/admin") as participant:
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        participant.client.on("disconnect", told.set_result, namespace="/admin")
        waiting = asyncio.create_task(participant.client.call("KICK", namespace="/admin", timeout=LIMIT_S))
        with pytest.raises(Disconnected):
            await waiting
        async with asyncio.timeout(LIMIT_S):
            await told
        with pytest.raises(Disconnected):
            await participant.client.emit("ECHO", namespace="/admin")
        assert await participant.is_answered()
        assert not participant.ended.done()


async def test_the_server_sees_that_the_client_has_gone(kind: Kind, transports: Transports, server: Server) -> None:
    name = f"client {next(names)}"
    async with connected(kind, transports, server.url, auth={"name": name}) as participant:
        assert await participant.client.call("LEFT", name, timeout=LIMIT_S) is False
    assert await participant.hears_of_the_end() == "disconnected by the client"
    async with connected(kind, ("websocket",), server.url) as other:
        async with asyncio.timeout(LIMIT_S):
            while not await other.client.call("LEFT", name, timeout=LIMIT_S):
                pass


@pytest.mark.parametrize("large", ["ä→" * 200_000, b"\x00\xff" * 500_000], ids=["text", "binary"])
async def test_a_megabyte(kind: Kind, transports: Transports, server: Server, large: str | bytes) -> None:
    async with connected(kind, transports, server.url) as participant:
        assert await participant.client.call("ECHO", large, timeout=LIMIT_S) == large


@pytest.mark.parametrize("large", ["x" * 4_000_000, b"x" * 4_000_001], ids=["text", "binary"])
async def test_more_than_the_server_takes_is_not_sent(
    transports: Transports, server: Server, large: str | bytes
) -> None:
    async with connected(FastClient, transports, server.url) as participant:
        with pytest.raises(MessageTooLarge, match="the server takes 4000000"):
            await participant.client.emit("ECHO", large)
        with pytest.raises(MessageTooLarge, match="the server takes 4000000"):
            await participant.client.call("ECHO", large, timeout=LIMIT_S)
        assert await participant.is_answered()


async def test_more_than_the_client_takes_ends_the_connection(transports: Transports, server: Server) -> None:
    async with connected(FastClient, transports, server.url, max_message_bytes=100_000) as participant:
        with pytest.raises(Disconnected):
            await participant.client.call("ECHO", "x" * 200_000, timeout=LIMIT_S)


@asynccontextmanager
async def everybody(url: str, *without: tuple[Kind, str]) -> AsyncIterator[list[Participant]]:
    """Yield a client of each kind over each transport."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(connected(kind, transports, url))
            for kind in (FastClient, ReferenceClient)
            for name, transports in TRANSPORTS.items()
            if (kind, name) not in without
        ]


async def test_heartbeats_keep_a_silent_connection(server: Server) -> None:
    async with everybody(server.url) as participants:
        await asyncio.sleep(8 * HEARTBEAT_INTERVAL_S)  # longer than the server waits for a client's answer
        for participant in participants:
            assert not participant.ended.done()
            assert await participant.is_answered()


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_ipv6() -> None:
    with python_server("::1") as server:
        assert "[::1]" in server.url
        async with everybody(server.url) as participants:
            for participant in participants:
                assert await participant.is_answered()


@pytest.mark.parametrize("made", SERVERS.values(), ids=SERVERS)
async def test_a_server_that_is_killed(made: Any) -> None:
    with made() as server:
        async with everybody(server.url) as participants:
            waiting = [asyncio.create_task(each.client.call("QUIET", timeout=LIMIT_S)) for each in participants]
            await asyncio.gather(*(each.is_answered() for each in participants))
            os.kill(server.pid, signal.SIGKILL)
            await asyncio.gather(*(each.hears_of_the_end() for each in participants))
            for each in participants:
                assert not each.client.connected
                with pytest.raises(Disconnected):
                    await each.client.emit("ECHO")
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(result) for result in results] == [Disconnected] * len(waiting)


async def test_a_server_that_has_stopped() -> None:
    """The server does not close its connections, and sends no heartbeat."""
    slow = (ReferenceClient, "polling")  # python-socketio waits for 5 s more there
    with python_server() as python, official_server() as node:
        async with everybody(python.url, slow) as some, everybody(node.url, slow) as others:
            for server in (python, node):
                os.kill(server.pid, signal.SIGSTOP)
            reasons = await asyncio.gather(*(each.hears_of_the_end() for each in (*some, *others)))
            ends = zip((*some, *others), reasons, strict=True)
            fast = [reason for each, reason in ends if isinstance(each.client, FastClient)]
            # python-engineio announces an interval in whole seconds, which is none.
            assert set(fast) == {f"the server sent no heartbeat for {limit_s} s" for limit_s in (1.5, 1.8)}
            for server in (python, node):
                os.kill(server.pid, signal.SIGCONT)


async def test_an_auth_that_node_takes_for_rubbish() -> None:
    with node_server("conformance.js") as server:
        client = FastClient()
        with pytest.raises(ConnectFailed, match="one of Node does, if auth is no object"):
            await client.connect(server.url, auth="a text")
        await client.disconnect()


async def test_the_offset_of_connection_state_recovery_is_no_argument() -> None:
    """Node's server ends each event with it, also one without arguments, or with attachments."""
    with node_server("conformance.js", "recovers") as server:
        client, heard = FastClient(), asyncio.Queue[tuple[Any, ...]]()
        client.on("ECHO", lambda *values: heard.put_nowait(values))
        await client.connect(server.url, auth={"name": "recoverable"})
        try:
            async with asyncio.timeout(LIMIT_S):
                for values in ((), VALUES, BINARY):
                    acknowledged = await client.call("ECHO", values, timeout=LIMIT_S)
                    assert await heard.get() == values
                    assert acknowledged == (values or None)
        finally:
            await client.disconnect()
