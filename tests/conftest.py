"""The service and a client of it, once for the whole session: what a test needs to speak Socket.IO at once."""

import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import socketio

from app.logs import BoundedFilter
from app.main import create_app
from app.settings import read_settings
from bench.server import UvicornTestServer

# Started in the background by a shell, a process ignores Ctrl-C, and so do those that it starts. Tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# `make test` runs under pytest-xdist. The `pytest bench` that a test starts does not, and would switch its benchmarks
# off if it thought so.
for _name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
    del os.environ[_name]


@pytest.fixture(autouse=True)
def unbounded_log_of_the_service() -> Iterator[None]:
    """Lift the service's limit of lines a second, which a hundred quick tests in one process would reach together."""
    loggers = [logging.getLogger(name) for name in ("app.service", "app.engine")]
    limits = [(logger, limit) for logger in loggers for limit in logger.filters if isinstance(limit, BoundedFilter)]
    for logger, limit in limits:
        logger.removeFilter(limit)
    yield
    for logger, limit in limits:
        logger.addFilter(limit)


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
