"""The server of a test: the app in the test's own process and loop, with its lifespan."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx
import pytest
import socketio
from fastapi import Depends, FastAPI

from bench.testing import OpenClient, OpenServer, RoundTrip, ServerError, UvicornTestServer, round_trip
from bench.testing.left_open import Guards, NoAsyncioLoop
from bench.testing.openings import ClientOpening, ServerOpening
from tests.testing.conftest import Service

pytestmark = pytest.mark.unhurried


def name() -> str:
    return "the real database"


def mounted(events: list[str]) -> FastAPI:
    """Return an app with Socket.IO under a path, without a shut-down of its AsyncServer."""
    sio = socketio.AsyncServer(async_mode="asgi")

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        events.append("up")
        yield
        events.append("down")

    app = FastAPI(lifespan=lifespan)
    app.mount("/live", socketio.ASGIApp(sio, socketio_path="/live/socket.io"))

    @app.get("/name")
    async def get(found: str = Depends(name)) -> str:
        return found

    async def price(sid: str, data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "price": 42}

    sio.on("price", price)
    return app


async def test_socketio_mounted_in_fastapi_with_a_dependency_overridden(
    socketio_server: OpenServer, socketio_client: OpenClient
) -> None:
    events: list[str] = []
    app = mounted(events)
    app.dependency_overrides[name] = lambda: "a fake"
    async with socketio_server(app) as server, socketio_client(server, socketio_path="live/socket.io") as client:
        assert server.app is app
        assert events == ["up"]
        price = RoundTrip("price", emit="price", data={"id": "{token}"})
        assert (await round_trip(client, price))["price"] == 42
        async with httpx.AsyncClient(base_url=server.url) as http:
            assert (await http.get("/name")).json() == "a fake"
    assert events == ["up", "down"]


async def test_a_failed_startup_is_shown_with_its_cause(socketio_server: OpenServer) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        raise LookupError("no database")
        yield

    with pytest.raises(ServerError, match="FastAPI did not start: LookupError: no database") as failed:
        async with socketio_server(FastAPI(lifespan=lifespan)):
            pytest.fail("it started")
    assert isinstance(failed.value.__cause__, LookupError)


@pytest.mark.parametrize("ends_its_tasks", [True, False])
def test_the_same_app_is_served_in_one_loop_after_the_other(ends_its_tasks: bool) -> None:
    """python-socketio's server remembers its first loop: without help, its second shut-down fails."""
    service = Service()
    app = service.app if ends_its_tasks else socketio.ASGIApp(service.sio)

    async def test() -> None:
        guards = Guards()
        async with UvicornTestServer(app) as server, ClientOpening(guards, server, None, {}) as client:
            assert await round_trip(client, "say", {"text": "a"}, reply="said") == {"text": "A"}
            assert not service.sio.eio.service_task_handle.done()
        assert guards.close() == []

    for _ in range(3):
        asyncio.run(test())


@pytest.mark.socketio_app("tests.testing.apps:by_marker")
async def test_the_marker_comes_before_the_fixture(socketio_server: OpenServer, socketio_app: object) -> None:
    assert isinstance(socketio_app, socketio.ASGIApp), "this is the fixture that conftest.py defines"
    with pytest.raises(ServerError, match=r"app 'tests\.testing\.apps:by_marker' was not found"):
        async with socketio_server():
            pytest.fail("it started")


class TestWithoutAnApp:
    @pytest.fixture
    def socketio_app(self) -> None:
        return None

    def test_the_ways_to_name_it_are_said(self, socketio_server: OpenServer) -> None:
        with pytest.raises(pytest.fail.Exception, match="socketio_server does not know the app: put `socketio_app = "):
            socketio_server()


def test_what_needs_asyncio_says_so_elsewhere(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    """A coroutine that is run by hand has no loop of asyncio, and so it is under trio."""

    async def under_trio(opening: Any) -> None:
        async with opening:
            pytest.fail("it was opened")

    for opening in (socketio_server(), socketio_client("http://127.0.0.1:1")):
        with pytest.raises(NoAsyncioLoop, match=r"needs a running asyncio loop.*trio is not supported"):
            under_trio(opening).send(None)


@pytest.fixture
def loop() -> Generator[asyncio.AbstractEventLoop]:
    with asyncio.Runner() as runner:
        yield runner.get_loop()


async def _left_open(guards: Guards, service: Service) -> int:
    server = await ServerOpening(guards, service.app, {}).__aenter__()
    client = await ClientOpening(guards, server, None, {}).__aenter__()
    assert client.connected
    return server.port


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_what_was_left_open_is_closed_with_its_loop(service: Service) -> None:
    guards = Guards()
    port = asyncio.run(_left_open(guards, service))
    assert not _is_open(port)
    assert guards.close() == ["socketio_server of ASGIApp", f"socketio_client of http://127.0.0.1:{port}"]
    assert service.sio.eio.sockets == {}
    assert list(service.sio.manager.get_namespaces()) == []


def test_what_was_left_open_is_closed_before_its_loop(service: Service, loop: asyncio.AbstractEventLoop) -> None:
    guards = Guards()
    port = loop.run_until_complete(_left_open(guards, service))
    assert _is_open(port)
    assert len(guards.close()) == 2
    assert not _is_open(port)
    assert not loop.run_until_complete(_tasks_of_ours())


@pytest.fixture
def careless_loop(socketio_server: OpenServer) -> Generator[tuple[asyncio.AbstractEventLoop, list[int]]]:
    """Yield a loop that is made after the fixtures, and closed with all that is in it; and the ports to look at."""
    loop, ports = asyncio.new_event_loop(), list[int]()
    yield loop, ports
    is_closed = [not _is_open(port) for port in ports]
    tasks = loop.run_until_complete(_tasks_of_ours())
    loop.close()
    assert (is_closed, tasks) == ([True], [])


@pytest.mark.filterwarnings("ignore:left open, and closed now")
def test_what_was_left_open_is_closed_before_the_fixture_of_a_loop(
    socketio_server: OpenServer, careless_loop: tuple[asyncio.AbstractEventLoop, list[int]]
) -> None:
    """The fixture `careless_loop` checks that at its end."""
    loop, ports = careless_loop
    server = loop.run_until_complete(socketio_server().__aenter__())
    assert _is_open(server.port)
    ports.append(server.port)


async def _tasks_of_ours() -> list[str]:
    """Return the tasks but for python-socketio's, whose ping task outlives its connection."""
    return [name for task in asyncio.all_tasks() if (name := task.get_name()).startswith(("guard", "server of"))]


async def test_after_the_block_nothing_of_it_is_left(
    socketio_server: OpenServer, socketio_client: OpenClient, service: Service
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with socketio_server() as server, socketio_client(server):
            raise ZeroDivisionError
    assert not _is_open(server.port)
    assert await _tasks_of_ours() == []
