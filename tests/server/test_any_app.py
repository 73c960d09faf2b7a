"""An ASGI app of others under the test server: Socket.IO mounted in FastAPI, with a lifespan and an SQLite file."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
import socketio
from fastapi import FastAPI, Request

from bench.server import ServerError, UvicornTestServer
from tests.support.server_traces import traces

pytestmark = pytest.mark.unhurried

LIMIT_S = 60


def make_app(database: Path) -> socketio.ASGIApp:
    """Return a guest book: events write messages into the database, an HTTP route lists them."""
    sio = socketio.AsyncServer(async_mode="asgi", ping_interval=0.3)  # how long its ping tasks outlive a connection

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        with contextlib.closing(sqlite3.connect(database)) as app.state.connection:
            app.state.connection.execute("CREATE TABLE IF NOT EXISTS message (author TEXT, text TEXT)")
            yield
            await sio.shutdown()

    app = FastAPI(lifespan=lifespan)

    @app.get("/messages")
    async def messages(request: Request) -> list[dict[str, str]]:
        rows = request.app.state.connection.execute("SELECT author, text FROM message ORDER BY rowid")
        return [{"author": author, "text": text} for author, text in rows]

    async def write(sid: str, message: dict[str, str]) -> dict[str, int]:
        with app.state.connection as transaction:
            row = transaction.execute("INSERT INTO message VALUES (:author, :text)", message).lastrowid
        await sio.emit("WRITTEN", message)
        return {"row": row}

    sio.on("WRITE", write)
    return socketio.ASGIApp(sio, other_asgi_app=app)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_socketio_in_fastapi_with_a_database(tmp_path: Path, transport: str) -> None:
    database = tmp_path / "messages.sqlite"
    first = {"author": "Ada", "text": "on the engine"}
    second = {"author": "Grace", "text": "a bug, taped in"}
    before = traces()
    async with UvicornTestServer(make_app(database)) as server, httpx.AsyncClient(base_url=server.url) as http:
        assert (await http.get("/messages")).json() == []
        client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        written: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        client.on("WRITTEN", written.put)
        await client.connect(server.url, transports=[transport])
        acknowledged: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await client.emit("WRITE", first, callback=acknowledged.set_result)
        async with asyncio.timeout(LIMIT_S):
            assert await acknowledged == {"row": 1}
            assert await written.get() == first
        await client.emit("WRITE", second)
        async with asyncio.timeout(LIMIT_S):
            assert await written.get() == second
        assert (await http.get("/messages")).json() == [first, second]
    await client.eio.wait()  # it notices; a polling client that leaves by itself waits for a `ping_timeout`
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM message").fetchone() == (2,)
    async with asyncio.timeout(LIMIT_S):
        while traces() != before:  # noqa: ASYNC110 - the client takes a moment to close its own sockets
            await asyncio.sleep(0.01)


async def test_a_database_that_cannot_be_opened_is_the_error(tmp_path: Path) -> None:
    before = traces()
    with pytest.raises(ServerError, match="did not start: OperationalError: unable to open database file"):
        await UvicornTestServer(make_app(tmp_path / "nowhere" / "messages.sqlite")).start_up()
    assert traces() ^ before == set()
