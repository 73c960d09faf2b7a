"""The fast client against servers that break every rule: one clear error, nothing pending, memory bounded.

The engine of the load runs on uvloop, everything else on asyncio's own loop: both are tried.
"""

import asyncio
import gc
import os
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import uvloop

from bench.exchange.outcomes import ConnectionLost
from bench.exchange.requests import Exchange
from bench.scenarios.catalogue import FOO_BAR
from bench.scenarios.tokens import tokens
from bench.wire.client import FastClient
from bench.wire.connection import TransportName
from bench.wire.errors import CLOSED, RESET, ConnectFailed, Disconnected
from bench.wire.tls import Tls
from tests.support.frames import BINARY, CLOSE, CONTINUATION, frame
from tests.support.hostile_server import (
    FLOOD_BYTES,
    HANDSHAKE,
    JOINED,
    Way,
    acknowledges_a_thousand_times,
    answers,
    floods,
    gone_after_accept,
    gone_after_connect_request,
    gone_after_first_event,
    gone_after_handshake,
    gone_after_joining,
    gone_after_request,
    gone_at_once,
    never_answers,
    placeholders,
    polls,
    resets_after_first_event,
    says,
    says_first,
    serving,
)

pytestmark = [pytest.mark.unhurried, pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")]

LIMIT_S = 180  # the flood of heartbeats takes half a minute on a busy machine
BOUND_BYTES = 1 << 18
SPENT_BYTES = 64 << 20  # far less than a flood sends in LIMIT_S, far more than the bound and the noise


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> Any:
    return request.param()


@pytest.fixture(scope="module", autouse=True)
def quick_collection() -> Iterator[None]:
    """Collecting garbage after each test looks only at what the tests made."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def complaints() -> Iterator[list[str]]:
    """The complaints of the loop: none at the end."""
    found: list[str] = []
    yield found
    gc.collect()
    assert found == []


class Victim:
    """A fast client that notes how it ended."""

    def __init__(self, complaints: list[str]) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(str(context)))
        self.client = FastClient()
        self.heard: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self.reasons: list[str] = []
        self.client.when_closed(self.reasons.append)
        self.client.on("*", lambda *values: self.heard.put_nowait(values))

    async def connect(self, port: int, transport: TransportName = "websocket", **settings: Any) -> None:
        async with asyncio.timeout(LIMIT_S):
            await self.client.connect(
                f"{settings.pop('scheme', 'http')}://127.0.0.1:{port}",
                transports=(transport,),
                max_message_bytes=BOUND_BYTES,
                **{"wait_timeout": LIMIT_S, **settings},
            )

    async def ends(self) -> str:
        """Return the reason why the connection ended; every caller gets it, and the handler once."""
        async with asyncio.timeout(LIMIT_S):
            with pytest.raises(Disconnected) as raised:
                await self.client.call("ASK", timeout=LIMIT_S)
        with pytest.raises(Disconnected) as again:
            await self.client.emit("ASK")
        assert not self.client.connected
        assert self.reasons == [str(raised.value)] == [str(again.value)]
        await self.leaves_nothing()
        assert self.reasons == [str(raised.value)]
        return self.reasons[0]

    async def leaves_nothing(self) -> None:
        await self.client.disconnect()
        async with asyncio.timeout(LIMIT_S):
            while any(is_of_the_client(task) for task in asyncio.all_tasks()):  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.001)


def is_of_the_client(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and "bench/wire/" in code.co_filename


def spent_bytes() -> int:
    return int(psutil.Process(os.getpid()).memory_info().rss)


HEADER = b'451-["BAR",%b]' % placeholders(0)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([frame(b"hello")], "the server sent an unknown Engine.IO packet: 'hello'"),
        ([frame(b"")], "the server sent an unknown Engine.IO packet: ''"),
        ([frame(b"42[1]")], "the server sent an event without a name: '42[1]'"),
        ([frame(b'42["BAR"')], "the server sent a packet that is not JSON"),
        ([frame(b'42["BAR"'), frame(b"hello"), frame(b"41")], "the server sent a packet that is not JSON"),
        ([frame(b'42["\xff"]')], "the server sent a packet that is not JSON"),
        ([frame(b"42/\xff,[]")], "the server sent a namespace that is not UTF-8"),
        ([frame(b'42["BAR",' + b"[" * 100_000)], "the server sent a packet that is not JSON"),
        ([frame(b"43[]")], "the server sent an acknowledgement without an id"),
        ([frame(HANDSHAKE)], "the server sent a second handshake"),
        ([frame(JOINED)], "the server connected /, which was not asked for"),
        ([frame(b'40/admin,{"sid":"a"}')], "the server connected /admin, which was not asked for"),
        ([frame(b'42/admin,["BAR"]')], "the server sent a packet of /admin, which was not asked for"),
        ([frame(b"43/admin,1[]")], "the server sent a packet of /admin, which was not asked for"),
        ([frame(b'44{"message":"no\\nlonger"}')], "the server refused the connection: no longer"),
        ([frame(b"41")], "the server disconnected this client"),
        ([frame(b"41/admin,")], "the server disconnected this client"),
        ([frame(b"1")], "the server closed the connection"),
        ([frame(b"x", BINARY)], "the server sent an attachment of nothing"),
        ([frame(HEADER), frame(b"42[]")], "the server sent the event BAR with 0 of 1 attachments, then something else"),
        ([frame(HEADER), frame(HEADER)], "the server sent the event BAR with 0 of 1 attachments, then something"),
        ([frame(HEADER), frame(b"", BINARY), frame(b"", BINARY)], "the server sent an attachment of nothing"),
        ([frame(b'452-["BAR",%b]' % placeholders(0))], "the server sent a packet with 2 attachments, but placeholders"),
        ([frame(b'451-["BAR",%b]' % placeholders(1))], "the server sent a placeholder out of range: 1 of 1"),
        ([frame(b'4599999999-["BAR"]')], "the server sent a packet with 99999999 attachments, more than 1000"),
        ([frame(b"x", CONTINUATION)], "the server sent fragments of messages out of order"),
        ([frame(b"42", is_last=False), frame(b"[]")], "the server sent fragments of messages out of order"),
        ([frame(b"42", is_last=False), frame(b"[1]", CONTINUATION)], "the server sent an event without a name"),
        ([b"\x83\x00"], "the server sent an impossible frame: Received frame with invalid opcode"),
        ([b"\x81\x81masky"], "the server sent an impossible frame: Received masked frame"),
        ([b"\x08\x00"], "the server sent an impossible frame: Received fragmented control frame"),
        ([b"\x81\x7f" + b"\xff" * 8], "the server sent an impossible frame"),
        (
            [b"\x81\x7f" + (1 << 40).to_bytes(8)],
            f"the server sent a message of {1 << 40} bytes, more than the client's max_message_bytes, {BOUND_BYTES}",
        ),
        ([frame(b"x", BINARY), frame(b"2"), b"\x08\x00"], "the server sent an attachment of nothing"),
        ([frame(b"x", CLOSE)], "the server sent an impossible frame: "),
        ([frame((1005).to_bytes(2), CLOSE)], "the server sent an impossible frame: "),
        ([frame((1000).to_bytes(2) + b"\xff", CLOSE)], "the server sent an impossible frame: "),
        (
            [frame((1009).to_bytes(2) + b"too\nbig", CLOSE)],
            "(WebSocket code 1009: too big); a message was larger than the server takes",
        ),
        ([frame((4000).to_bytes(2), CLOSE)], "the server closed the connection (WebSocket code 4000)"),
        ([frame(b"", CLOSE)], "the server closed the connection"),
    ],
)
async def test_what_a_server_says_once_joined(frames: list[bytes], reason: str, complaints: list[str]) -> None:
    async with serving(says(*frames)) as port:
        victim = Victim(complaints)
        await victim.connect(port)
        assert reason in await victim.ends()
        assert victim.heard.qsize() == (frames[1:] == [frame(b"", BINARY)] * 2), "what was whole before is heard"


TOO_LARGE = f"the server sent a message of more than {BOUND_BYTES} bytes, the client's max_message_bytes"


@pytest.mark.parametrize(
    ("way", "kind"),
    [
        (says(frame(b"hello")), "the server sent a broken packet"),
        (says(frame(b"451-[1]")), "the server sent a broken packet"),
        (says(frame(b"42", is_last=False), frame(b"[]")), "the server sent a broken packet"),
        (says(b"\x83\x00"), "the server sent an impossible frame"),
        (says(b"\x81\x7f" + (1 << 40).to_bytes(8)), TOO_LARGE),
        (
            floods(frame(b'42["', is_last=False), frame(b"x" * FLOOD_BYTES, CONTINUATION, is_last=False)),
            TOO_LARGE,
        ),
        (says(frame((1011).to_bytes(2) + b"id 4711", CLOSE)), "the server closed the connection (WebSocket code 1011)"),
        (says(frame((4711).to_bytes(2), CLOSE)), "the server closed the connection (WebSocket code of its own)"),
        (says(frame((1000).to_bytes(2), CLOSE)), "the server closed the connection"),
        (gone_after_first_event, "the server closed the connection"),
        (resets_after_first_event, "the server reset the connection"),
        (says(frame(b"41")), "the server disconnected this client"),
    ],
)
async def test_what_a_lost_connection_is_counted_as(way: Way, kind: str, complaints: list[str]) -> None:
    """By a kind of few: none has in it what the server said, which may differ each time."""
    async with serving(way) as port:
        victim = Victim(complaints)
        exchange = Exchange(victim.client, tokens("test", 1), LIMIT_S * 10**9)
        await victim.connect(port)
        with pytest.raises(ConnectionLost) as raised:
            await exchange(FOO_BAR)
        exchange.close()
        assert raised.value.kind == f"connection lost: {kind}"
        await victim.leaves_nothing()


@pytest.mark.parametrize("frames", [frame(HEADER), b"\x81", b"\x81\x7e\x10", frame(b"42", is_last=False)])
async def test_what_never_comes_to_an_end(frames: bytes, complaints: list[str]) -> None:
    """The server never sends the attachments, or the rest of a frame, and no heartbeat either."""
    handshake = HANDSHAKE.replace(b"25000", b"200").replace(b"20000", b"100")
    async with serving(says_first(frame(handshake), frame(JOINED), frames)) as port:
        victim = Victim(complaints)
        await victim.connect(port)
        assert await victim.ends() == "the server sent no heartbeat for 0.3 s"


@pytest.mark.parametrize(
    ("first", "more", "reason"),
    [
        (
            frame(b'42["', is_last=False),
            frame(b"x" * FLOOD_BYTES, CONTINUATION, is_last=False),
            f"the server sent a message of more than {BOUND_BYTES} bytes",
        ),
        (
            frame(b'451000-["BAR",%b]' % placeholders(*range(1000))),
            frame(b"x" * FLOOD_BYTES, BINARY),
            f"the server sent a message of more than {BOUND_BYTES} bytes",
        ),
        (b"\x81\x7f" + (1 << 40).to_bytes(8), b"x" * FLOOD_BYTES, f"the server sent a message of {1 << 40} bytes"),
        (b"", frame(b"2") * 10_000, "the server does not read what it asks for"),
        (b"", frame(b"ping", 9) * 10_000, "the server does not read what it asks for"),
        (b"", frame(b'421["BAR"]') * 10_000, "the server does not read what it asks for"),
    ],
    ids=["fragments", "attachments", "frame", "heartbeats", "pings", "acknowledgements"],
)
async def test_floods(first: bytes, more: bytes, reason: str, complaints: list[str]) -> None:
    async with serving(floods(first, more)) as port:
        victim = Victim(complaints)
        victim.client.on("BAR", lambda *_: "x" * 1000)
        before = spent_bytes()
        await victim.connect(port)
        assert reason in await victim.ends()
        assert spent_bytes() - before < SPENT_BYTES


async def test_a_thousand_acknowledgements_of_one_call(complaints: list[str]) -> None:
    async with serving(acknowledges_a_thousand_times) as port:
        victim = Victim(complaints)
        await victim.connect(port)
        assert await victim.client.call("ASK", timeout=LIMIT_S) == 0
        async with asyncio.timeout(LIMIT_S):
            assert await victim.heard.get() == ("DONE",)
        assert victim.client.connected
        await victim.leaves_nothing()


async def test_handlers_that_raise_are_the_users_own(complaints: list[str]) -> None:
    async with serving(acknowledges_a_thousand_times) as port:
        victim = Victim(complaints)
        victim.client.on("DONE", lambda: dict[str, int]()["missing"])
        await victim.connect(port)
        assert await victim.client.call("ASK", timeout=LIMIT_S) == 0
        async with asyncio.timeout(LIMIT_S):
            while not complaints:  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.001)
        assert victim.client.connected
        await victim.leaves_nothing()
    assert "the handler of DONE raised KeyError('missing')" in complaints.pop()


REFUSED = "HTTP/1.1 403 Forbidden\r\nContent-Length: 11\r\n\r\nnot\r\nto\x1byou"
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\n"


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        (gone_at_once, ""),
        (gone_after_request, "it closed the connection without an answer"),
        (gone_after_accept, " the connection"),
        (gone_after_handshake, " the connection"),
        (gone_after_connect_request, " the connection"),
        (never_answers, "did not answer the handshake within 0.3 s"),
        (says_first(), "did not answer the handshake within 0.3 s"),
        (says_first(frame(HANDSHAKE)), "answered the handshake, but not the request to join / within 0.3 s"),
        (says_first(frame(b"2")), "the server sent something before its handshake"),
        (says_first(frame(JOINED)), "the server sent something before its handshake"),
        (says_first(frame(b'42["BAR"]')), "the server sent something before its handshake"),
        (says_first(frame(b"0{}")), "the server sent a handshake without 'sid'"),
        (says_first(frame(b"0" + b"[" * 100_000)), "the server sent a packet that is not JSON"),
        (says_first(frame(HANDSHAKE), frame(HANDSHAKE)), "the server sent a second handshake"),
        (says_first(frame(HANDSHAKE), frame(b'40/b,{"sid":"a"}')), "the server connected /b, which was not asked for"),
        (says_first(frame(HANDSHAKE), frame(b"44" + b"[" * 900 + b"]" * 900)), "the server refused the connection: [["),
        (says_first(frame(HANDSHAKE), frame(b"40")), "speaks the protocol of Socket.IO 2 (Engine.IO protocol 3)"),
        (says_first(frame(HANDSHAKE), frame(b"41")), "the server disconnected this client"),
        (says_first(frame(HANDSHAKE), frame(b"x", BINARY)), "the server sent an attachment of nothing"),
        (says_first(frame(b"x", BINARY)), "the server sent an attachment of nothing"),
        (says_first(b"\x83\x00"), "the server sent an impossible frame"),
        (says_first(frame(b"", CLOSE)), "the server closed the connection"),
        (answers(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "is no Socket.IO server"),
        (answers(b"\x00\xff" * 500 + b"\r\n\r\n"), "is no Socket.IO server"),
        (answers(b"\x00" * 100_000, closes=False), "is no Socket.IO server"),
        (answers(b"HTTP/1.1 banana\r\n\r\n"), "is no Socket.IO server"),
        (answers(b"HTTP/1.1 999 What\r\n\r\n"), "is no Socket.IO server"),
        (answers(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n"), "is no Socket.IO server"),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), "is no Socket.IO server"),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"), "is no Socket.IO server"),
        (answers(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n"), "is no Socket.IO server"),
        (answers(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"), "is no Socket.IO server"),
        (answers(b"HTTP/1.1 302 Found\r\nLocation: ftp://[::1\r\n\r\n"), "is no Socket.IO server"),
        (answers(b"HTTP/1.1 302 Found\r\n\r\n"), "is no Socket.IO server"),
        (answers(REFUSED.encode()), "is no Socket.IO server"),
        (answers(UPGRADED + b"\r\n"), "is no Socket.IO server"),
        (answers(UPGRADED + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), "is no Socket.IO server"),
    ],
)
async def test_what_a_server_says_to_who_connects(way: Way, reason: str, complaints: list[str]) -> None:
    async with serving(way) as port:
        victim = Victim(complaints)
        with pytest.raises(ConnectFailed) as raised:
            await victim.connect(port, wait_timeout=0.3 if "0.3 s" in reason else LIMIT_S)
        await clearly_failed(victim, str(raised.value), reason)


async def clearly_failed(victim: Victim, said: str, reason: str) -> None:
    assert reason in said
    assert said.isprintable()
    assert len(said) < 500
    assert victim.reasons == []
    assert not victim.client.connected
    with pytest.raises(Disconnected):
        await victim.client.emit("ASK")
    await victim.leaves_nothing()


async def test_who_is_joined_and_left_alone_at_once(complaints: list[str]) -> None:
    async with serving(gone_after_joining) as port:
        victim = Victim(complaints)
        await victim.connect(port)
        assert await victim.ends() in {CLOSED, RESET}, "the one, if it closed before the client said more"


async def test_the_same_client_may_try_again(complaints: list[str]) -> None:
    victim = Victim(complaints)
    async with serving(says_first(frame(b"hello"))) as wrong, serving(says()) as right:
        for _ in range(3):
            with pytest.raises(ConnectFailed, match="an unknown Engine"):
                await victim.connect(wrong)
        await victim.connect(right)
        assert victim.client.connected
        with pytest.raises(ConnectFailed, match="connected already"):
            await victim.connect(right)
        assert victim.client.connected
        await victim.leaves_nothing()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_who_gives_up_is_not_connected_later(transport: TransportName, complaints: list[str]) -> None:
    async with serving(never_answers) as port:
        victim = Victim(complaints)
        attempt = asyncio.create_task(victim.connect(port, transport))
        await asyncio.sleep(0.05)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        assert not victim.client.connected
        await victim.leaves_nothing()


# --- polling

OLD_PAYLOAD = b"%d:%b2:40" % (len(HANDSHAKE), HANDSHAKE)  # of Engine.IO 3
OLD_BYTES = b"\x00" + bytes(map(int, str(len(HANDSHAKE)))) + b"\xff" + HANDSHAKE + b"\x00\x02\xff40"


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        (gone_at_once, ""),
        (gone_after_request, "the server closed the connection"),
        (never_answers, "did not answer the handshake within 0.3 s"),
        (polls(), "answered the handshake, but not the request to join / within 0.3 s"),
        (polls(b"hello"), "the server sent an unknown Engine.IO packet: 'hello'"),
        (
            answers(b"HTTP/1.1 200 OK\r\n\r\n" + OLD_PAYLOAD),
            "speaks the protocol of Socket.IO 2 (Engine.IO protocol 3)",
        ),
        (answers(b"HTTP/1.1 200 OK\r\n\r\n" + OLD_BYTES), "speaks the protocol of Socket.IO 2 (Engine.IO protocol 3)"),
        (polls(b""), "the server sent a payload with an empty packet"),
        (polls(b"b!!!!"), "the server sent a binary packet that is not base64"),
        (polls(b"bAQID"), "the server sent an attachment of nothing"),
        (polls(b"2\x1e"), "the server sent a payload with an empty packet"),
        (polls(HANDSHAKE), "the server sent a second handshake"),
        (polls(b"44"), "the server refused the connection"),
        (polls(b"no\r\nsuch session", status="400 Bad Request"), "the server answered HTTP 400: no such session"),
        (polls(b"x" * (BOUND_BYTES + 1)), f"the server sent more than {BOUND_BYTES} bytes in one answer"),
        (answers(b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n42["A"]'), "something before its"),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n40"), "payload"),
        (answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), ""),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"), "unknown Engine"),
        (answers(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), ""),
        (answers(b"\x00\xff" * 500 + b"\r\n\r\n"), ""),
        (answers(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), ""),
        (answers(b"HTTP/1.1 302 Found\r\nLocation: ftp://[::1\r\nContent-Length: 0\r\n\r\n"), ""),
        (answers(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n"), ""),
        (answers(REFUSED.encode()), "HTTP 403: not to"),
    ],
)
async def test_what_a_server_says_to_who_polls(way: Way, reason: str, complaints: list[str]) -> None:
    async with serving(way) as port:
        victim = Victim(complaints)
        with pytest.raises(ConnectFailed) as raised:
            await victim.connect(port, "polling", wait_timeout=0.3 if "0.3 s" in reason else LIMIT_S)
        await clearly_failed(victim, str(raised.value), reason)


MORE_IN_ONE_ANSWER = f"the server sent more than {BOUND_BYTES} bytes in one answer, the client's max_message_bytes"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"hello", "the server sent an unknown Engine.IO packet: 'hello'"),
        (b"", "the server sent a payload with an empty packet"),
        (b"1", "the server closed the connection"),
        (b"41\x1e42[1]", "the server disconnected this client"),
        (HEADER + b"\x1e42[]", "the server sent the event BAR with 0 of 1 attachments, then something else"),
        (b"x" * (BOUND_BYTES + 1), MORE_IN_ONE_ANSWER),
    ],
)
async def test_what_a_server_says_to_who_has_joined_by_polling(body: bytes, reason: str, complaints: list[str]) -> None:
    async with serving(polls(JOINED, body)) as port:
        victim = Victim(complaints)
        await victim.connect(port, "polling")
        assert await victim.ends() == reason


async def test_an_answer_that_is_lost_is_not_asked_for_again(complaints: list[str]) -> None:
    polled: list[str] = []

    async def loses_an_answer(connection: Any) -> None:
        while True:
            await connection.request()
            if int(connection.headers.get("content-length", 0)):
                await connection.respond(b"ok")
            elif "sid=" not in connection.query:
                await connection.respond(HANDSHAKE)
            else:
                polled.append(connection.query)
                if len(polled) == 2:
                    return  # with what the answer would have said
                if len(polled) > 2:
                    await connection.silence()
                await connection.respond(JOINED)

    async with serving(loses_an_answer) as port:
        victim = Victim(complaints)
        await victim.connect(port, "polling")
        assert await victim.ends() == CLOSED
    assert len(polled) == 2


async def upgrade_fails(connection: Any) -> None:
    await connection.request()
    if connection.headers.get("upgrade"):
        await connection.accept()
        await connection.send(frame(b"hello"))
        await connection.silence()
    while True:
        if "sid=" not in connection.query:
            await connection.respond(HANDSHAKE)
        elif int(connection.headers.get("content-length", 0)):
            await connection.respond(b"ok")
        else:
            await connection.respond(JOINED)
            await connection.silence()
        await connection.request()


async def test_a_failed_upgrade_leaves_polling(complaints: list[str]) -> None:
    async with serving(upgrade_fails) as port:
        victim = Victim(complaints)
        await victim.client.connect(f"http://127.0.0.1:{port}", transports=("polling", "websocket"))
        assert victim.client.connected  # joined over polling: nothing comes over the WebSocket
        assert victim.client.not_upgraded == "the server did not answer the probe"
        await victim.leaves_nothing()


async def test_a_server_that_offers_no_upgrade(complaints: list[str]) -> None:
    cases: list[tuple[tuple[TransportName, ...], str]] = [
        (("polling", "websocket"), "the server offers no WebSocket"),
        (("polling",), ""),
    ]
    for transports, reason in cases:
        async with serving(polls(JOINED)) as port:
            victim = Victim(complaints)
            await victim.client.connect(f"http://127.0.0.1:{port}", transports=transports)
            assert victim.client.not_upgraded == reason
            await victim.leaves_nothing()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("way", [gone_at_once, answers(b""), floods(b"", b"HTTP/1.1 400 Bad Request\r\n\r\n")])
async def test_tls_garbage(transport: TransportName, way: Way, complaints: list[str]) -> None:
    async def says_at_once(connection: Any) -> None:
        await connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await connection.silence()

    async with serving(gone_at_once if way is gone_at_once else says_at_once) as port:
        victim = Victim(complaints)
        with pytest.raises(ConnectFailed) as raised:
            await victim.connect(port, transport, scheme="https", tls=Tls(insecure=True))
        await clearly_failed(victim, str(raised.value), "")


# --- what no server is to blame for


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"transports": ("webtransport",)}, "transports are websocket and polling, not webtransport"),
        ({"transports": ()}, "transports are websocket and polling, not none"),
        ({"namespaces": "admin"}, "'admin' is no namespace"),
        ({"namespaces": ["/a,b"]}, "'/a,b' is no namespace"),
        ({"namespaces": []}, "no namespace to join"),
        ({"headers": {"X-Test": "a\r\nX-Other: b"}}, "cannot be an HTTP header"),
        ({"headers": {"X Test": "a"}}, "cannot be an HTTP header"),
        ({"headers": {"Sec-WebSocket-Extensions": "permessage-deflate"}}, "no WebSocket extension is supported"),
        ({"cookies": {"a": "b; c=d"}}, "cannot be a cookie"),
    ],
)
async def test_misuse_is_refused_before_anything_is_opened(settings: Any, reason: str) -> None:
    client = FastClient()
    with pytest.raises(ConnectFailed, match=reason):
        await client.connect("http://127.0.0.1:1", **settings)
