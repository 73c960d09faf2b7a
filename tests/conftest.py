"""The service and a client of it, once for the whole session: what a test needs to speak Socket.IO at once."""

import logging
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from app.logs import BoundedFilter

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
