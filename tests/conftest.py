"""The service and a client of it, once for the whole session: what a test needs to speak Socket.IO at once."""

from collections.abc import AsyncIterator

import pytest_asyncio
import socketio

from app.main import app
from bench.server import UvicornTestServer


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[UvicornTestServer]:
    async with UvicornTestServer(app) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client(server: UvicornTestServer) -> AsyncIterator[socketio.AsyncClient]:
    connected = socketio.AsyncClient(reconnection=False, handle_sigint=False)
    await connected.connect(server.url, transports=["websocket"], wait_timeout=5)
    yield connected
    await connected.disconnect()
