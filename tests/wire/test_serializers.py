"""Both clients with MessagePack over every transport; and a server that speaks the other format than the client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
import socketio

from bench.server import UvicornTestServer
from bench.wire.client import FastClient
from bench.wire.connection import TransportName
from bench.wire.errors import ConnectFailed, Disconnected, MessageTooLarge
from bench.wire.reference import ReferenceClient
from tests.support.hostile_server import HANDSHAKE, serving
from tests.support.hostile_server import Connection as Raw

Kind = type[FastClient | ReferenceClient]
Transports = tuple[TransportName, ...]
LIMIT_S = 60
SHORT_S = 0.3
VALUES: tuple[Any, ...] = ({"text": "ünï", "bytes": [b"\0\xff", {"deep": b"x"}]}, None, 2.5, [])


@pytest.fixture(params=[FastClient, ReferenceClient], ids=["fast", "reference"])
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


@pytest.fixture(params=[("websocket",), ("polling",), ("polling", "websocket")], ids="-".join)
def transports(request: pytest.FixtureRequest) -> Transports:
    made: Transports = request.param
    return made


@asynccontextmanager
async def service(serializer: Literal["default", "msgpack"]) -> AsyncIterator[str]:
    sio = socketio.AsyncServer(async_mode="asgi", serializer=serializer, max_http_buffer_size=5_000)

    async def connect(sid: str, environ: Any, auth: Any) -> None:
        if auth != {"key": b"\1\2"} and serializer == "msgpack":
            raise socketio.exceptions.ConnectionRefusedError("no key", {"code": 7})

    async def echo(sid: str, *values: Any) -> Any:
        await sio.emit("ECHO", values, to=sid, namespace="/chat")
        return values

    async def ask(sid: str, *values: Any) -> None:
        await sio.emit("ANSWER", await sio.call("ASK", values, to=sid, namespace="/chat"), to=sid, namespace="/chat")

    for event, handler in {"connect": connect, "ECHO": echo, "ASK": ask}.items():
        sio.on(event, handler, namespace="/chat")
    app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)
    async with UvicornTestServer(app, timeout_graceful_shutdown=0) as server:
        yield server.url


async def test_all_that_a_client_does_in_messagepack(kind: Kind, transports: Transports) -> None:
    heard: list[tuple[Any, ...]] = []
    async with service("msgpack") as url:
        client = kind()
        client.on("ECHO", lambda *values: heard.append(values), namespace="/chat")
        client.on("ANSWER", lambda *values: heard.append(values), namespace="/chat")
        client.on("ASK", lambda *values: values, namespace="/chat")
        settings: Any = {"transports": transports, "serializer": "msgpack", "wait_timeout": LIMIT_S}
        await client.connect(url, namespaces=("/chat",), auth={"key": b"\1\2"}, **settings)
        assert await client.call("ECHO", VALUES, namespace="/chat", timeout=LIMIT_S) == VALUES
        await client.emit("ASK", VALUES, namespace="/chat")
        async with asyncio.timeout(LIMIT_S):
            while len(heard) < 2:  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.001)
        assert heard[0] == VALUES
        assert heard[1] == VALUES, "the answer carries what was asked"
        if kind is FastClient:
            with pytest.raises(MessageTooLarge, match=r"the server takes 5000 in one message \(its maxPayload\)"):
                await client.emit("ECHO", b"x" * 5_000, namespace="/chat")
            with pytest.raises(TypeError):
                await client.emit("ECHO", {1, 2}, namespace="/chat")
            with pytest.raises(Disconnected, match="/ is not joined"):
                await client.emit("ECHO", 1)
        await client.disconnect()


async def test_a_refusal_in_messagepack(kind: Kind) -> None:
    async with service("msgpack") as url:
        with pytest.raises(ConnectFailed, match="refused the connection to /chat: no key") as raised:
            await kind().connect(url, namespaces=("/chat",), serializer="msgpack", wait_timeout=LIMIT_S)
    assert raised.value.data == {"code": 7}


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_server_that_speaks_the_other_format_is_named(transport: TransportName) -> None:
    """python-socketio's server says nothing to what it cannot read, so it is asked in the other format."""
    for spoken, ours, advice in (
        ("msgpack", "json", "--serializer msgpack"),
        ("default", "msgpack", "--serializer json"),
    ):
        async with service(spoken) as url:  # type: ignore[arg-type]
            with pytest.raises(ConnectFailed, match=advice):
                await FastClient().connect(
                    url,
                    transports=(transport,),
                    namespaces=("/chat",),
                    serializer=ours,  # type: ignore[arg-type]
                    wait_timeout=SHORT_S,
                )


async def test_a_server_that_hangs_up_on_the_other_format() -> None:
    async def hangs_up(connection: Raw) -> None:
        await connection.request()
        await connection.accept()
        await connection.send(b"\x81%c%b" % (len(HANDSHAKE), HANDSHAKE))
        await connection.message()

    async with serving(hangs_up) as port:
        with pytest.raises(ConnectFailed, match=r"instead of answering the request to join /; .* --serializer"):
            await FastClient().connect(f"http://127.0.0.1:{port}", serializer="msgpack", wait_timeout=LIMIT_S)
