"""The service with bytes that well-behaved clients never send, and with clients that never say goodbye.

Socket.IO by hand, over a WebSocket or polling requests: "4" is an Engine.IO message, "40" a Socket.IO connect, "42" an
event, "44" a refused connect, "2" a heartbeat.
"""

import asyncio
import gc
import json
import logging
from collections.abc import AsyncIterator
from typing import Any, Literal, Self

import aiohttp
import pytest
import pytest_asyncio
import socketio

import app.service
from app.asgi import create_app
from app.service import MAX_ROOMS
from app.settings import Settings
from app.socketio_server import MAX_UNREADABLE_PACKETS
from bench.server import UvicornTestServer
from bench.wire.connection import TransportName
from bench.wire.errors import ConnectFailed
from bench.wire.reference import ReferenceClient

pytestmark = [pytest.mark.unhurried, pytest.mark.asyncio(loop_scope="session")]

TIMEOUT_S = 60
TOKEN = "sésame"
MAX_MESSAGE_BYTES = 2048


class Wire:
    """A WebSocket to a service, as an async context manager; the default namespace is not joined yet."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/socket.io/?EIO=4&transport=websocket"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(self._url)
        assert (await self.receive()).startswith("0{")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()
        await self._session.close()

    async def send(self, *packets: str | bytes) -> None:
        for packet in packets:
            await (self._socket.send_str(packet) if isinstance(packet, str) else self._socket.send_bytes(packet))

    async def receive(self) -> str:
        return await self._socket.receive_str(timeout=TIMEOUT_S)

    async def join(self, auth: str = "") -> None:
        await self.send(f"40{auth}")
        assert (await self.receive()).startswith("40{")

    async def is_answered(self) -> bool:
        """Ask, and return whether the next message is the answer."""
        await self.send(foo("alive"))
        return await self.receive() == '42["BAR",{"foo":"alive"}]'

    async def is_closed(self) -> bool:
        """Return whether the next message is the end of the connection."""
        message = await self._socket.receive(timeout=TIMEOUT_S)
        return message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)

    async def is_hung_up(self) -> bool:
        """Return whether the next message is a goodbye, followed by the end."""
        return await self.receive() == "1" and await self.is_closed()


class Polling:
    """A polling session of a service, as an async context manager; the default namespace is joined."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/socket.io/?EIO=4&transport=polling"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        _, opened = await self.get()
        self._url += f"&sid={json.loads(opened[1:])['sid']}"
        assert await self.post("40") == 200
        assert (await self.get())[1].startswith("40{")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self) -> tuple[int, str]:
        async with self._session.get(self._url) as answer:
            return answer.status, await answer.text()

    async def post(self, packets: str) -> int:
        async with self._session.post(self._url, data=packets.encode()) as answer:
            return answer.status

    async def is_answered(self) -> bool:
        return await self.post(foo("alive")) == 200 and (await self.get())[1] == '42["BAR",{"foo":"alive"}]'


def foo(name: str, to: str | None = "sender", size_bytes: int = 0) -> str:
    """Return a FOO on the wire, padded with a field that the service ignores."""
    data: dict[str, Any] = {"name": name} if to is None else {"name": name, "to": to}
    packet = f"42{json.dumps(['FOO', data])}"
    if size_bytes:
        data["padding"] = "x" * (size_bytes - len(packet) - len(', "padding": ""'))
        packet = f"42{json.dumps(['FOO', data])}"
    return packet


@pytest_asyncio.fixture(loop_scope="session")
async def wire(server: UvicornTestServer) -> AsyncIterator[Wire]:
    async with Wire(server.url) as connected:
        await connected.join()
        yield connected


# --- events that no client library would emit


@pytest.mark.parametrize(
    ("packets", "event"),
    [
        (['42["connect",{"asgi.scope":{}},{"token":"x"}]'], "connect"),
        (['42["connect"]'], "connect"),
        (['42["disconnect","client disconnect"]'], "disconnect"),
        (['42["*",{"name":"haseeb"}]'], "*"),
        (['42["",{"name":"haseeb"}]'], ""),
        (["42[1]"], ""),
        (['42[null,{"name":"haseeb"}]'], ""),
        (['42[["FOO"],{"name":"haseeb"}]'], ""),
        (['42[{"FOO":1},{"name":"haseeb"}]'], ""),
        (['451-[{"_placeholder":true,"num":0},{"name":"haseeb"}]', b"FOO"], ""),
        (['42"FOO"'], "F"),
    ],
)
async def test_an_event_by_an_impossible_name_is_rejected(wire: Wire, packets: list[str | bytes], event: str) -> None:
    await wire.send(*packets)
    rejected = {"event": event, "errors": [{"field": "event", "message": "Should be FOO, JOIN or LEAVE"}]}
    answer = await wire.receive()
    assert answer.startswith("42")
    assert json.loads(answer[2:]) == ["REJECTED", rejected]
    assert await wire.is_answered()


async def test_who_claims_to_have_disconnected_is_still_in_its_rooms(wire: Wire) -> None:
    await wire.send('420["JOIN",{"room":"kitchen"}]', '421["disconnect","client disconnect"]')
    assert await wire.receive() == '430[{"room":"kitchen"}]'
    assert (await wire.receive()).startswith('42["REJECTED"')
    assert (await wire.receive()).startswith("431[")
    await wire.send(foo("haseeb", to="room:kitchen"))
    assert await wire.receive() == '42["BAR",{"foo":"haseeb"}]'


# --- packets that cannot be read

UNREADABLE = [
    "42",
    "42[]",
    "42{}",
    '42["FOO",{"name":',
    '42["FOO",{"name":"two\nlines"}]',
    "4",
    "4x",
    "49",
    "9",
    "b!",
    '451000000000000-["FOO"]',
    "42" + "9" * 101 + '["FOO"]',
    "42" + "[" * 100_000,
]


@pytest.mark.parametrize("packet", UNREADABLE, ids=lambda packet: repr(packet[:32]))
async def test_an_unreadable_packet_is_one_line_in_the_log(
    wire: Wire, caplog: pytest.LogCaptureFixture, packet: str
) -> None:
    await wire.send(packet)
    assert await wire.is_answered()
    [record] = caplog.records
    assert (record.name, record.levelname, record.exc_info) == ("app.socketio_server", "ERROR", None)
    assert "\n" not in record.getMessage()
    assert len(record.getMessage()) < 300


@pytest.mark.parametrize("number", ["1", "-2", '"0"', "null"])
async def test_an_attachment_that_belongs_nowhere_is_one_line_too(
    wire: Wire, caplog: pytest.LogCaptureFixture, number: str
) -> None:
    await wire.send(f'451-["FOO",{{"name":{{"_placeholder":true,"num":{number}}}}}]', b"haseeb")
    assert await wire.is_answered()
    [record] = caplog.records
    assert (record.name, record.levelname, record.exc_info) == ("app.socketio_server", "ERROR", None)


@pytest.mark.parametrize("packet", UNREADABLE, ids=lambda packet: repr(packet[:32]))
async def test_an_unreadable_packet_in_a_polling_request_too(
    server: UvicornTestServer, caplog: pytest.LogCaptureFixture, packet: str
) -> None:
    async with Polling(server.url) as polling:
        await polling.post(packet)
        assert await polling.is_answered()
    [record] = caplog.records
    assert (record.name, record.levelname, record.exc_info) == ("app.socketio_server", "ERROR", None)
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize("frame", ["", "x", "two\nlines", "\ud7ff"], ids=repr)
async def test_who_does_not_speak_engine_io_is_disconnected(
    server: UvicornTestServer, wire: Wire, caplog: pytest.LogCaptureFixture, frame: str
) -> None:
    async with Wire(server.url) as stranger:
        await stranger.join()
        before = await clients(server)
        await stranger.send(frame)
        assert await stranger.is_closed()
        assert await clients(server) == before - 1
    assert await wire.is_answered()
    [record] = caplog.records
    assert (record.name, record.levelname, record.exc_info) == ("app.socketio_server", "ERROR", None)
    assert "\n" not in record.getMessage()


async def test_a_mistake_of_the_service_itself_keeps_its_traceback(
    wire: Wire, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(app.service, "read", read)
        await wire.send(foo("haseeb"), '42["BAZ"]')
        assert (await wire.receive()).startswith('42["REJECTED"')
    assert await wire.is_answered()
    error, _ = caplog.records
    assert error.exc_info is not None
    assert isinstance(error.exc_info[1], RuntimeError)


async def test_many_packets_in_one_polling_request_are_all_handled(server: UvicornTestServer) -> None:
    names = [str(number) for number in range(100)]
    async with Polling(server.url) as polling:
        assert await polling.post("\x1e".join(foo(name) for name in names)) == 200
        _, packets = await polling.get()
    assert packets.split("\x1e") == [f'42["BAR",{{"foo":"{name}"}}]' for name in names]


# --- a service that asks for a token


@pytest_asyncio.fixture(loop_scope="session")
async def guarded() -> AsyncIterator[UvicornTestServer]:
    settings = Settings(token=TOKEN)
    async with UvicornTestServer(create_app(settings)) as running:
        yield running


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_the_token_lets_a_client_in(guarded: UvicornTestServer, transport: TransportName) -> None:
    client = ReferenceClient()
    await client.connect(guarded.url, auth={"token": TOKEN}, transports=[transport], wait_timeout=TIMEOUT_S)
    assert await client.call("FOO", {"name": "haseeb"}, timeout=TIMEOUT_S) == {"foo": "haseeb"}
    await client.disconnect()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize(
    "auth",
    [
        None,
        {},
        TOKEN,
        [TOKEN],
        {"token": ""},
        {"token": TOKEN + " "},
        {"token": TOKEN[:-1]},
        {"token": TOKEN.upper()},
        {"token": None},
        {"token": 1},
        {"Token": TOKEN},
    ],
    ids=repr,
)
async def test_without_the_token_a_client_is_refused_and_told_so(
    guarded: UvicornTestServer, caplog: pytest.LogCaptureFixture, transport: TransportName, auth: Any
) -> None:
    client = ReferenceClient()
    with pytest.raises(ConnectFailed, match="Refused: connect with auth"):
        await client.connect(guarded.url, auth=auth, transports=[transport], wait_timeout=TIMEOUT_S)
    [line] = [record.getMessage() for record in caplog.records if record.name == "app.service"]
    assert line.endswith("no or wrong token")
    assert TOKEN not in line


async def test_a_token_that_is_no_text_in_utf_8_is_refused(
    guarded: UvicornTestServer, caplog: pytest.LogCaptureFixture
) -> None:
    client = socketio.AsyncClient(reconnection=False, handle_sigint=False)  # our own clients do not send it
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(guarded.url, auth={"token": "\ud83d"}, transports=["websocket"])
    [line] = [record.getMessage() for record in caplog.records if record.name == "app.service"]
    assert line.endswith("no or wrong token")


async def test_who_was_refused_neither_speaks_nor_hears_until_it_has_the_token(guarded: UvicornTestServer) -> None:
    auth = json.dumps({"token": TOKEN})
    async with Wire(guarded.url) as inside, Wire(guarded.url) as outside:
        await inside.join(auth)
        await outside.send('40{"token":"wrong"}')
        assert (await outside.receive()).startswith('44{"message":"Refused')
        await outside.send(foo("unheard", to=None))
        # Not connected, it may not claim to be either: this would be the handler that checks the token.
        await outside.send(f'42["connect",{{}},{auth}]')
        await inside.send(foo("heard", to=None))
        assert await inside.receive() == '42["BAR",{"foo":"heard"}]'

        await outside.join(auth)
        assert await outside.is_answered()
        assert await inside.is_answered()


# --- a service that limits the size of messages


@pytest_asyncio.fixture(params=["the service's limit", "the launcher's limit too"], loop_scope="session")
async def limited(request: pytest.FixtureRequest) -> AsyncIterator[UvicornTestServer]:
    """Under `python -m app` uvicorn has the same limit; under another launcher it may have none."""
    launcher: dict[str, Any] = {} if request.param == "the service's limit" else {"ws_max_size": MAX_MESSAGE_BYTES}
    service = create_app(Settings(max_message_bytes=MAX_MESSAGE_BYTES))
    async with UvicornTestServer(service, **launcher) as running:
        yield running


async def test_a_message_above_the_limit_ends_its_connection_alone(
    limited: UvicornTestServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with Wire(limited.url) as sender, Wire(limited.url) as other, Polling(limited.url) as polling:
        await sender.join()
        await other.join()
        await sender.send(foo("haseeb", size_bytes=MAX_MESSAGE_BYTES))
        assert await sender.receive() == '42["BAR",{"foo":"haseeb"}]'

        await sender.send(foo("unheard", to=None, size_bytes=MAX_MESSAGE_BYTES + 1))
        assert await sender.is_closed()
        assert await other.is_answered()
        assert await polling.is_answered()
    assert not any(record.exc_info for record in caplog.records)


async def test_a_polling_request_above_the_limit_ends_its_session_alone(limited: UvicornTestServer) -> None:
    async with Wire(limited.url) as other, Polling(limited.url) as polling:
        await other.join()
        assert await polling.post(foo("haseeb", size_bytes=MAX_MESSAGE_BYTES)) == 200
        assert await polling.get() == (200, '42["BAR",{"foo":"haseeb"}]')

        waiting = asyncio.create_task(polling.get())  # as a client always does
        assert await polling.post(foo("unheard", to=None, size_bytes=MAX_MESSAGE_BYTES + 1)) == 400
        await waiting
        assert (await polling.get())[0] == 400
        assert await other.is_answered()


async def test_attachments_have_the_limit_of_a_message_all_together(
    limited: UvicornTestServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with Wire(limited.url) as sender, Wire(limited.url) as other:
        await sender.join()
        await other.join()
        await sender.send(attached(3), *[b"x" * 100] * 3)
        assert (await sender.receive()).startswith('42["REJECTED"'), "below the limit"
        await sender.send(attached(10**9), *[b"x" * 100] * (MAX_MESSAGE_BYTES // 100))
        assert await sender.is_hung_up()
        assert await other.is_answered()
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert line.endswith(f"an event with attachments of more than {MAX_MESSAGE_BYTES} bytes")


@pytest.mark.parametrize("attachment", [b"", "4text"], ids=repr)
async def test_attachments_count_though_they_are_empty_or_none(
    limited: UvicornTestServer, attachment: str | bytes
) -> None:
    async with Wire(limited.url) as sender:
        await sender.join()
        await sender.send(attached(10**9), *[attachment] * (MAX_MESSAGE_BYTES // 32))
        assert await sender.is_hung_up()


async def test_attachments_by_polling_have_the_same_limit(limited: UvicornTestServer) -> None:
    async with Polling(limited.url) as polling, Wire(limited.url) as other:
        await other.join()
        assert await polling.post(attached(10**9)) == 200
        statuses = [await polling.post("b" + "AAAA" * 400) for _ in range(4)]
        assert statuses[0] == 200
        assert statuses[-1] == 400, "its session is over"
        assert await other.is_answered()


def attached(attachments: int) -> str:
    return f'45{attachments}-["FOO",{{"_placeholder":true,"num":0}}]'


# --- clients that cost more than a client may

UNREADABLE_PACKET = "4x"


async def test_who_sends_what_cannot_be_read_again_and_again_is_disconnected(
    server: UvicornTestServer, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    async with Wire(server.url) as stranger:
        await stranger.join()
        await stranger.send(*[UNREADABLE_PACKET] * (MAX_UNREADABLE_PACKETS - 1))
        assert await stranger.is_answered(), "not yet"
        await stranger.send(*[UNREADABLE_PACKET] * 100)
        assert await stranger.is_hung_up()
    assert await wire.is_answered()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == MAX_UNREADABLE_PACKETS + 1
    assert "16 packets that cannot be read" in "".join(lines)


async def test_the_rest_of_a_polling_request_is_not_looked_at(
    server: UvicornTestServer, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    async with Polling(server.url) as polling:
        await polling.post("\x1e".join([*[UNREADABLE_PACKET] * 60_000, foo("unheard", to=None)]))
        assert await polling.post(foo("alive")) == 400, "its session is over"
    assert await wire.is_answered()
    assert len(caplog.records) <= MAX_UNREADABLE_PACKETS + 2


async def test_a_client_is_in_at_most_so_many_rooms(wire: Wire) -> None:
    for number in range(MAX_ROOMS):
        await wire.send(f'420["JOIN",{{"room":"{number}"}}]')
        assert await wire.receive() == f'430[{{"room":"{number}"}}]'
    await wire.send('421["JOIN",{"room":"one more"}]')
    assert json.loads((await wire.receive())[2:]) == [
        "REJECTED",
        {
            "event": "JOIN",
            "errors": [{"field": "room", "message": "Should be one of at most 100 rooms: leave another one first"}],
        },
    ]
    assert (await wire.receive()).startswith("431[")
    await wire.send('422["JOIN",{"room":"0"}]', '423["LEAVE",{"room":"1"}]', '424["JOIN",{"room":"one more"}]')
    for ack_id, room in ((2, "0"), (3, "1"), (4, "one more")):
        assert await wire.receive() == f'43{ack_id}[{{"room":"{room}"}}]'
    await wire.send(foo("heard", to="room:one more"))
    assert await wire.receive() == '42["BAR",{"foo":"heard"}]'


async def test_nothing_is_kept_of_who_has_gone() -> None:
    service = create_app(Settings())
    sio = service.engineio_server
    async with UvicornTestServer(service) as running:
        async with Wire(running.url) as gone:
            await gone.join()
            await gone.send('420["JOIN",{"room":"kitchen"}]', UNREADABLE_PACKET, attached(9), b"x", foo("last"))
            assert await gone.receive() == '430[{"room":"kitchen"}]'
        async with asyncio.timeout(TIMEOUT_S):
            while await clients(running) != 0:
                pass
        assert (sio._unreadable, sio._binary_packet, sio.namespace_handlers["/"]._rooms) == ({}, {}, {})


# --- clients that vanish


@pytest_asyncio.fixture(loop_scope="session")
async def impatient() -> AsyncIterator[UvicornTestServer]:
    """A service that notices a silent client soon."""
    service = create_app(Settings())
    service.engineio_server.eio.ping_interval = service.engineio_server.eio.ping_timeout = 0.2
    async with UvicornTestServer(service) as running:
        yield running


async def clients(server: UvicornTestServer) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/health") as answer:
        return int((await answer.json())["clients"])


async def aborted_request(server: UvicornTestServer, request: str) -> asyncio.StreamWriter:
    """Return a connection on which `request` was sent and its answer has begun."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request.encode())
    await reader.readuntil(b"\r\n\r\n")
    return writer


async def vanishing_websocket(server: UvicornTestServer) -> asyncio.StreamWriter:
    """Return a WebSocket client that has joined the namespace and the room "kitchen"."""
    writer = await aborted_request(
        server,
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    for packet in (b"40", b'42["JOIN",{"room":"kitchen"}]'):
        writer.write(bytes([0x81, 0x80 | len(packet), 0, 0, 0, 0]) + packet)  # a text, masked with nought
    return writer


async def test_clients_that_vanish_while_others_talk_are_forgotten(
    server: UvicornTestServer, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    before = await clients(server)
    vanishing = [await vanishing_websocket(server) for _ in range(20)]
    async with asyncio.timeout(TIMEOUT_S):
        while await clients(server) != before + len(vanishing):
            pass  # asks again
    for number, writer in enumerate(vanishing):
        for to in (None, "room:kitchen"):
            await wire.send(foo(str(number), to=to))
        writer.transport.abort()
    for number in range(len(vanishing)):
        assert await wire.receive() == f'42["BAR",{{"foo":"{number}"}}]'
    async with asyncio.timeout(TIMEOUT_S):
        while await clients(server) != before:
            pass
    assert await wire.is_answered()
    gc.collect()  # a task's exception that nobody asked for is logged when the task is collected
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_polling_client_that_vanishes_is_forgotten(
    impatient: UvicornTestServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with Polling(impatient.url):
        assert await clients(impatient) == 1
    async with asyncio.timeout(TIMEOUT_S):
        while await clients(impatient) != 0:
            pass
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


# --- the end of the service


@pytest.mark.asyncio(loop_scope="function")  # a loop of its own: other tests' services start tasks now and then
@pytest.mark.parametrize("goodbye", [True, False], ids=["clients gone", "clients there"])
async def test_nothing_is_left_when_the_service_ends_and_it_can_start_again(goodbye: bool) -> None:
    service = create_app(Settings())
    for _ in range(2):
        server = UvicornTestServer(service)
        await server.start_up()
        transports: list[Literal["websocket", "polling"]] = ["websocket", "polling"]
        participants = [ReferenceClient() for _ in transports]
        for client, transport in zip(participants, transports, strict=True):
            await client.connect(server.url, transports=[transport], wait_timeout=TIMEOUT_S)
            await client.call("FOO", {"name": "haseeb"}, timeout=TIMEOUT_S)
        assert await clients(server) == len(participants)
        if goodbye:
            for client in participants:
                await client.disconnect()
        await server.tear_down()
        for client in participants:
            await client.disconnect()
        await nothing_else_runs()
        sio: socketio.AsyncServer = service.engineio_server
        assert list(sio.manager.get_participants("/", None)) == []
    async with UvicornTestServer(service):  # its monitor of clients, started by the first, is not there this time
        pass
    await nothing_else_runs()


async def nothing_else_runs() -> None:
    """Return once the caller's task is the only one: a cancelled task takes a turn of the loop to end."""
    async with asyncio.timeout(TIMEOUT_S):
        while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
