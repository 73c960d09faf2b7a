"""Rules for all tests: those outside of tests/system start no process, and the service may log without a limit."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from app.logs import BoundedFilter

# Started in the background by a shell, a process ignores Ctrl-C, and so do those that it starts. Tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# `make test` runs under pytest-xdist. The `pytest bench` that a test starts does not, and would switch its benchmarks
# off if it thought so.
for _name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
    del os.environ[_name]


# On a busy machine an example takes longer than the 200 ms that Hypothesis allows by itself, and so does drawing them.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# `make test-fast` draws fewer examples: who edits runs it often, and `make test` follows.
settings.register_profile("fast", settings.get_profile("unhurried"), max_examples=20)


@pytest.fixture(autouse=True)
def unbounded_log_of_the_service() -> Iterator[None]:
    """Lift the service's limit of lines a second, which a hundred quick tests in one process would reach together."""
    loggers = [logging.getLogger(name) for name in ("app.service", "app.socketio_server")]
    limits = [(logger, limit) for logger in loggers for limit in logger.filters if isinstance(limit, BoundedFilter)]
    for logger, limit in limits:
        logger.removeFilter(limit)
    yield
    for logger, limit in limits:
        logger.addFilter(limit)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Refuse processes to a test outside of tests/system, and to its fixtures."""
    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("system") is None:
            patch.setattr(subprocess.Popen, "_execute_child", _start_others)
        return (yield)


_PROGRAMS = Path(sys.executable).parent
_start = subprocess.Popen._execute_child  # type: ignore[attr-defined]


def _start_others(process: subprocess.Popen[Any], command: Any, *arguments: Any) -> None:
    """Start a program of the system, such as git; refuse those of the environment: Python, Locust, `bench`, Node."""
    program = command if isinstance(command, str | os.PathLike) else command[0]
    if Path(program).parent == _PROGRAMS:
        pytest.fail(f"a test that starts processes belongs into tests/system; this one starts {command}")
    _start(process, command, *arguments)
