"""Servers that do not let a client in, over the wire: the reason that both clients give."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import socketio
from aiohttp import web

from bench.server import UvicornTestServer
from bench.wire.client import FastClient
from bench.wire.connection import Connection, TransportName
from bench.wire.errors import ConnectFailed
from bench.wire.reference import ReferenceClient
from tests.support.hostile_server import HANDSHAKE, answers, serving
from tests.support.hostile_server import Connection as Raw

Kind = type[FastClient | ReferenceClient]
LIMIT_S = 60
TOKEN = 'hush "hush"'


@pytest.fixture(params=[FastClient, ReferenceClient], ids=["fast", "reference"])
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


@pytest.fixture(params=["websocket", "polling"])
def transport(request: pytest.FixtureRequest) -> TransportName:
    made: TransportName = request.param
    return made


@asynccontextmanager
async def service(**settings: Any) -> AsyncIterator[str]:
    """Serve a service that refuses everybody, and repeats what it was given."""
    sio = socketio.AsyncServer(async_mode="asgi", **settings)

    async def connect(sid: str, environ: Any, auth: Any) -> None:
        raise socketio.exceptions.ConnectionRefusedError(f"no such token: {auth}, {environ.get('HTTP_X_KEY')}")

    for namespace in ("/", "/chat"):
        sio.on("connect", connect, namespace=namespace)
    async with UvicornTestServer(
        socketio.ASGIApp(sio, on_shutdown=sio.shutdown), timeout_graceful_shutdown=0
    ) as server:
        yield server.url


async def refused(kind: Kind, url: str, **settings: Any) -> str:
    client = kind()
    with pytest.raises(ConnectFailed) as raised:
        await client.connect(url, Connection(connect_timeout=LIMIT_S, **settings))
    await client.disconnect()
    said = str(raised.value)
    assert said.isprintable()
    return said


async def _auth() -> dict[str, str]:
    return {"token": TOKEN}


async def test_each_namespace_is_named_and_no_secret_repeated(kind: Kind, transport: TransportName) -> None:
    secrets: Any = {"auth": {"token": TOKEN}, "headers": {"X-Key": "k-1234"}, "transports": (transport,)}
    async with service() as url:
        alone = await refused(kind, url, **secrets)
        assert "refused the connection: no such token: {'token': '...'}, ..." in alone
        made = await refused(kind, url, **{**secrets, "auth": _auth, "headers": lambda: {"X-Key": "k-1234"}})
        assert made.partition(": ")[2].partition(": ")[2] == alone.partition(": ")[2].partition(": ")[2]
        if kind is FastClient:  # python-socketio stops to poll at the first refusal
            several = await refused(kind, url, namespaces=("/", "/chat", "/nope"), **secrets)
            assert "token: {'token': '...'}, ...; and to /chat: no such token: {'token': '...'}, ..." in several
            assert "; and to /nope: Unable to connect" in several


async def test_words_of_ours_are_no_secrets(kind: Kind) -> None:
    async with service() as url:
        said = await refused(kind, url, auth={"role": "server", "token": "connection"})
    assert said.endswith("the server refused the connection: no such token: {'role': '...', 'token': '...'}, None")


@pytest.mark.parametrize("pause_s", [0, 0.05])
async def test_a_refusal_after_the_server_has_let_in(pause_s: float) -> None:
    """It comes with the yes, and then `connect` fails; or it ends a connection that was there."""
    sio = socketio.AsyncServer(async_mode="asgi", always_connect=True)

    @sio.event  # type: ignore[untyped-decorator]
    async def connect(sid: str, environ: Any, auth: Any) -> None:
        await asyncio.sleep(pause_s)
        raise socketio.exceptions.ConnectionRefusedError("not authorised")

    app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)
    reason: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    client = FastClient()
    client.when_closed(reason.set_result)
    async with UvicornTestServer(app, timeout_graceful_shutdown=0) as server:
        try:
            await client.connect(server.url, wait_timeout=LIMIT_S)
            said = await asyncio.wait_for(reason, LIMIT_S)
        except ConnectFailed as failure:
            said = str(failure)
    assert said == "the server refused the connection: not authorised"


async def test_the_path_that_was_tried_is_named(kind: Kind, transport: TransportName) -> None:
    async with service() as url:
        said = await refused(kind, url, socketio_path="/nope/", transports=(transport,))
    assert "/nope/" in said
    assert transport == "websocket" or "--socketio-path" in said


async def test_a_server_without_this_transport(transport: TransportName) -> None:
    other = "polling" if transport == "websocket" else "websocket"
    async with service(transports=[other]) as url:
        said = await refused(FastClient, url, transports=(transport,))
    assert "another --transport" in said


@pytest.mark.parametrize("transports", [("polling",), ("polling", "websocket")])
async def test_workers_without_sticky_sessions(transports: tuple[TransportName, ...]) -> None:
    """Another worker does not know the session: it says so in words with the session's id."""

    async def another_worker(connection: Raw) -> None:
        while True:
            await connection.request()
            if "sid=" in connection.query:
                await connection.respond(b'"Invalid session abc"', "400 Bad Request")
            else:
                await connection.respond(HANDSHAKE)

    async with serving(another_worker) as port:
        said = await refused(FastClient, f"http://127.0.0.1:{port}", transports=transports)
    assert "several workers without sticky sessions" in said
    assert "abc" not in said


async def test_a_page_where_a_service_should_be() -> None:
    page = b"<html><title>Welcome</title></html>"
    async with serving(answers(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page))) as port:
        said = await refused(FastClient, f"http://127.0.0.1:{port}", transports=("polling",))
    assert "a web page: Welcome; something else answers there" in said


@pytest.mark.parametrize("status", [302, 307])
async def test_no_redirect_is_followed(kind: Kind, transport: TransportName, status: int) -> None:
    heard: list[str] = []

    async def note(request: web.Request) -> web.Response:
        heard.append(request.path)
        return web.Response(status=404)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", note)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    elsewhere = f"http://127.0.0.1:{runner.addresses[0][1]}/there"
    moved = f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n".encode()
    try:
        async with serving(answers(moved)) as port:
            said = await refused(kind, f"http://127.0.0.1:{port}", transports=(transport,))
    finally:
        await runner.cleanup()
    assert f"a redirect to {elsewhere}: give the URL where it really is" in said
    assert heard == []
