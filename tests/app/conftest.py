"""The service in the session's event loop, and a client of it."""

from collections.abc import AsyncIterator

import pytest_asyncio
import socketio

from app.main import create_app
from app.settings import read_settings
from bench.server import UvicornTestServer

#: Not `app.main.app`: that is for the tests that run it in another loop.
service = create_app(read_settings())


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[UvicornTestServer]:
    async with UvicornTestServer(service) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client(server: UvicornTestServer) -> AsyncIterator[socketio.AsyncClient]:
    connected = socketio.AsyncClient(reconnection=False, handle_sigint=False)
    await connected.connect(server.url, transports=["websocket"], wait_timeout=60)
    yield connected
    await connected.disconnect()
