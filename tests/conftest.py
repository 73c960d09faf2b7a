"""The service and a client of it, once for the whole session: what a test needs to speak Socket.IO at once."""

import os
from collections.abc import AsyncIterator

import pytest_asyncio
import socketio

from app.main import create_app
from app.settings import read_settings
from bench.server import UvicornTestServer

# `make test` runs under pytest-xdist. The `pytest bench` that a test starts does not, and would switch its benchmarks
# off if it thought so.
for _name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
    del os.environ[_name]


# One of its own: `app.main.app` is for the tests that run it in another loop.
service = create_app(read_settings())


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[UvicornTestServer]:
    async with UvicornTestServer(service) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client(server: UvicornTestServer) -> AsyncIterator[socketio.AsyncClient]:
    connected = socketio.AsyncClient(reconnection=False, handle_sigint=False)
    await connected.connect(server.url, transports=["websocket"], wait_timeout=5)
    yield connected
    await connected.disconnect()
