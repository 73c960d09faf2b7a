"""The client of a test: what it emits, hears, and says when nothing comes."""

import asyncio
import io
import logging
from typing import Any

import pytest

from bench.testing import (
    CallTimeout,
    ConnectFailed,
    Connection,
    ConnectionLost,
    Disconnected,
    EventTimeout,
    OpenClient,
    OpenServer,
    ReceivedEvent,
    SocketIOTestClient,
    round_trip,
)
from bench.testing.left_open import Guards
from bench.testing.openings import ClientOpening, ServerOpening
from bench.testing.raised import Raised
from tests.testing.conftest import Service

pytestmark = pytest.mark.unhurried


async def test_an_event_that_came_early_is_received(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    async with socketio_server() as server, socketio_client(server) as client:
        await client.emit("say", {"text": "early"})
        await client.emit("say", {"text": "late"})
        await client.call("add")  # by now both have come
        assert client.received == [ReceivedEvent("said", {"text": "EARLY"}), ReceivedEvent("said", {"text": "LATE"})]
        assert [await client.receive("said"), await client.receive("said")] == [{"text": "EARLY"}, {"text": "LATE"}]
        assert client.received == []


async def test_the_server_pushes_to_a_client_by_its_sid(
    socketio_server: OpenServer, socketio_client: OpenClient, service: Service
) -> None:
    async with socketio_server() as server, socketio_client(server) as one, socketio_client(server) as other:
        waiting = asyncio.create_task(one.receive("news"))
        await service.sio.emit("other")
        await service.sio.emit("news", ("paper", 7), to=one.sid)
        assert await waiting == ("paper", 7)
        await other.receive("other")
        assert other.received == []
        assert await one.receive("other") is None


async def test_the_same_event_is_received_by_as_many_as_wait(
    socketio_server: OpenServer, socketio_client: OpenClient, service: Service
) -> None:
    async with socketio_server() as server, socketio_client(server) as client:
        waiting = [asyncio.create_task(client.receive("news")) for _ in range(3)]
        for number in range(3):
            await service.sio.emit("news", number)
        assert await asyncio.gather(*waiting) == [0, 1, 2]


async def test_what_came_instead_is_said(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    async with socketio_server() as server, socketio_client(server) as client:
        for text in ("a", "b", "c", "d"):
            await client.emit("say", {"text": text})
        with pytest.raises(EventTimeout) as error:
            await client.receive("siad", timeout=1)
    last = "said {'text': 'B'}, said {'text': 'C'}, said {'text': 'D'}"
    assert str(error.value) == f"no siad within 1 s; came instead: {last} and 1 more before"


async def test_what_a_handler_raised_is_said(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    async with socketio_server() as server, socketio_client(server) as client:
        await client.emit("say", {"txt": "a"})
        with pytest.raises(
            EventTimeout, match=r"nothing else came; meanwhile: KeyError: 'text' \(conftest.py:\d+ in say"
        ):
            await client.receive("said", timeout=1)
        with pytest.raises(CallTimeout, match=r"say was not acknowledged within 1 s; .*meanwhile: KeyError: 'text'"):
            await client.call("say", {"txt2": "a"}, timeout=1)
        with pytest.raises(EventTimeout) as later:
            await client.receive("said", timeout=0.05)
    assert "KeyError" not in str(later.value)  # that was before


async def test_a_lost_connection_ends_the_wait(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    async with socketio_server() as server, socketio_client(server) as client:
        await client.emit("say", {"text": "last"})
        await client.emit("leave")
        with pytest.raises(Disconnected, match="no news came before the connection to / ended: "):
            await client.receive("news")
        assert not client.connected
        assert await client.receive("said") == {"text": "LAST"}
        with pytest.raises(Disconnected):
            await client.emit("say", {"text": "too late"})


async def test_a_namespace_that_the_server_ends_alone(
    socketio_server: OpenServer, socketio_client: OpenClient, service: Service
) -> None:
    connecting: dict[str, Any] = {"namespaces": ("/staff", "/"), "auth": {"token": "secret"}}
    async with socketio_server() as server, socketio_client(server, **connecting) as client:
        waiting = asyncio.create_task(client.receive("said"))
        asked = asyncio.create_task(round_trip(client, "never"))
        await client.call("add", namespace="/")
        await service.sio.disconnect(client.sid, namespace="/staff")
        with pytest.raises(Disconnected, match="the connection to /staff ended"):
            await waiting
        with pytest.raises(ConnectionLost):
            await asked
        await client.emit("say", {"text": "hi"}, namespace="/")
        assert await client.receive("said", namespace="/") == {"text": "HI"}


async def test_acknowledgements(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    async with socketio_server() as server, socketio_client(server) as client:
        assert await client.call("add", (1, 2, 3)) == (3, 6)
        acknowledged: asyncio.Queue[tuple[int, ...]] = asyncio.Queue()
        await client.emit("add", 5, callback=lambda *values: acknowledged.put_nowait(values))
        assert await acknowledged.get() == (1, 5)


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_handler_answers_the_server_and_its_event_is_received_too(
    socketio_server: OpenServer, socketio_client: OpenClient, service: Service, is_async: bool
) -> None:
    async with socketio_server() as server, socketio_client(server) as client:
        if is_async:

            @client.on("ask")
            async def answer(question: str) -> str:
                await asyncio.sleep(0)
                return f"{question} yes"
        else:
            client.on("ask", lambda question: f"{question} yes")
        assert await service.sio.call("ask", "Really?", to=client.sid) == "Really? yes"
        assert await client.receive("ask") == "Really?"


async def test_a_namespace_with_auth(
    socketio_server: OpenServer, socketio_client: OpenClient, service: Service
) -> None:
    auth = {"token": "secret"}
    async with socketio_server() as server, socketio_client(server, namespace="/staff", auth=auth) as client:
        await client.emit("say", "hello")
        assert await client.receive("said") == "staff: hello"
        await service.sio.emit("elsewhere")
        await service.sio.emit("here", namespace="/staff", to=client.sid)
        assert await client.receive("here") is None
        assert client.received == []


async def test_several_namespaces_and_a_connection_of_a_scenarios_file(
    socketio_server: OpenServer, socketio_client: OpenClient
) -> None:
    connection = Connection(namespaces=("/", "/staff"), auth={"token": "wrong"})
    async with socketio_server() as server, socketio_client(server, connection, auth={"token": "secret"}) as client:
        await client.emit("say", "hello", namespace="/staff")
        await client.emit("say", {"text": "hello"})
        assert await client.receive("said") == {"text": "HELLO"}
        assert await client.receive("said", namespace="/staff") == "staff: hello"


async def test_a_refusal_is_an_error_with_the_reason_and_the_data(
    socketio_server: OpenServer, socketio_client: OpenClient
) -> None:
    async with socketio_server() as server:
        with pytest.raises(ConnectFailed, match="log in first") as refused:
            async with socketio_client(server, namespace="/staff", auth={"token": "other"}):
                pytest.fail("it was let in")
    assert refused.value.data == {"code": 401}


async def test_an_error_in_the_handler_of_connect_is_said(
    socketio_server: OpenServer, socketio_client: OpenClient, service: Service
) -> None:
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        raise LookupError("no table")

    service.sio.on("connect", connect)
    async with socketio_server() as server:
        with pytest.raises(ConnectFailed, match=r"meanwhile: LookupError: no table \(test_client.py"):
            async with socketio_client(server, connect_timeout=0.3):
                pytest.fail("it was let in")


async def test_a_url_will_do_and_polling_too(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    async with (
        socketio_server(timeout_graceful_shutdown=0) as server,
        socketio_client(server.url, transports=("polling",)) as client,
    ):
        assert await client.call("add", (1, 2)) == (2, 3)
        assert client.async_client.transport() == "polling"


def test_settings_that_are_none_are_refused_before_anything_is_opened(socketio_client: OpenClient) -> None:
    with pytest.raises(TypeError, match=r"^socketio_client has no setting namespce: did you mean namespace\?$"):
        socketio_client("http://127.0.0.1:1", namespce="/staff")
    with pytest.raises(TypeError, match="no setting xyzzy: there are auth, "):
        socketio_client("http://127.0.0.1:1", xyzzy=1)
    with pytest.raises(TypeError, match="perhaps a Connection, not '/staff'"):
        socketio_client("http://127.0.0.1:1", "/staff")
    with pytest.raises(ValueError, match="'staff' is no namespace"):
        socketio_client("http://127.0.0.1:1", namespace="staff")
    with pytest.raises(ValueError, match="mean the same"):
        socketio_client("http://127.0.0.1:1", namespace="/a", namespaces=("/b",))


async def test_a_timeout_that_cannot_be_is_refused(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    async with socketio_server() as server, socketio_client(server) as client:
        impossible: tuple[Any, ...] = (0, -1, None, float("nan"), "1")
        for timeout in impossible:
            with pytest.raises(ValueError, match="timeout is in seconds"):
                await client.receive("said", timeout=timeout)


async def test_what_is_no_server_is_refused(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    for given in (socketio_server(), 7):
        with pytest.raises(
            TypeError, match=r"takes a server or its URL, not .*: async with socketio_server\(\) as server"
        ):
            async with socketio_client(given):
                pytest.fail("it was connected")


def test_an_error_is_still_printed_where_no_other_handler_is(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.StringIO()
    monkeypatch.setattr(logging, "lastResort", logging.StreamHandler(printed))
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    first, second = Raised(), Raised()
    for raised in (first, second):
        raised.watch()
    logging.getLogger("service").error("failed", exc_info=LookupError("no room"))
    for raised in (first, second):
        raised.unwatch()
    assert first.after(0) == second.after(0) == "LookupError: no room"
    assert printed.getvalue() == "failed\nLookupError: no room\n"


def test_a_client_of_another_loop_is_named(service: Service) -> None:
    """With pytest-asyncio, a fixture may have another loop than the test. Nothing would ever come."""

    async def use(client: SocketIOTestClient) -> None:
        for waiting in (client.emit("say"), client.call("add"), client.receive("said"), round_trip(client, "add")):
            with pytest.raises(
                RuntimeError, match=r"connected in another event loop than this test runs in: .*loop_scope"
            ):
                await waiting

    guards = Guards()

    async def connect() -> SocketIOTestClient:
        server = await ServerOpening(guards, service.app, {}).__aenter__()
        return await ClientOpening(guards, server, None, {}).__aenter__()

    with asyncio.Runner() as runner:
        asyncio.run(use(runner.run(connect())))
