"""The installation of this package into Locust: guards, options, and the role that this process has in a run."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from gevent.event import Event
from locust import events
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerRunner

from bench.load.plugin import locust_guard, locust_tables
from bench.load.plugin.master import RunOwner
from bench.load.plugin.options import MisuseError, add_options, take_source_addresses
from bench.load.plugin.rehearsal import rehearse_report, rehearse_result
from bench.load.plugin.user import SocketIOUser
from bench.load.plugin.user_classes import NoTasksFilter
from bench.load.plugin.worker import RunWorker
from bench.machine.descriptors import raise_file_limit
from bench.machine.interrupts import INTERRUPTED, give_interrupts_back, is_starting
from bench.mistakes import tell_mistakes_in_one_line
from bench.server import ServerError, UnservableError

logger = logging.getLogger(__name__)

_INIT_TIMEOUT_S = 60.0

#: The time that forked workers may take to connect to a master that cannot begin, in seconds.
_WORKERS_CONNECT_TIMEOUT_S = 5.0

_installed = Event()
_workers: WeakKeyDictionary[Environment, RunWorker] = WeakKeyDictionary()


@cache
def install() -> None:
    """Have Locust's events reach this package. Called once a process, when its locustfile is loaded."""
    gevent.config.track_greenlet_tree = False  # for debugging; it costs each user memory and time
    locust_guard.install()
    locust_tables.install()
    tell_mistakes_in_one_line()
    events.init_command_line_parser.add_listener(add_options)
    events.test_start.add_listener(_await_installation)
    events.init.add_listener(_on_init)


def _await_installation(environment: Environment, **_: Any) -> None:
    """Hold up a test that the master starts before this worker's initialisation has reached `_on_init`.

    The master has a worker that joins a running test spawn users at once. Nobody would have begun the test then.
    """
    if _installed.is_set() or not getattr(environment.parsed_options, "worker", False):
        return
    _installed.wait(_INIT_TIMEOUT_S)
    worker = _workers.get(environment)
    if worker is not None:  # Locust fires an event only for those that listened when it began to
        worker.on_test_start()


def _on_init(environment: Environment, runner: Runner, **_: Any) -> None:
    """Take part in this Locust process, if there are Socket.IO users in it."""
    try:
        _take_part(environment, runner)
    finally:
        _installed.set()
        # Timers count from when gevent's loop last looked at the clock, which was before everything was imported. The
        # --run-time that Locust sets next would be shorter by that time, or over at once.
        gevent.get_hub().loop.update_now()


def _take_part(environment: Environment, runner: Runner) -> None:
    if not any(issubclass(user_class, SocketIOUser) for user_class in environment.user_classes):
        if is_starting():
            give_interrupts_back()
        return
    logging.getLogger().addFilter(NoTasksFilter(environment))
    try:
        raise_file_limit()
        _take_source_addresses(environment, runner)
        if isinstance(runner, WorkerRunner):
            rehearse_report()
            _workers[environment] = RunWorker(environment, runner)
        else:
            rehearse_result()
            locust_tables.take_part(environment)
            RunOwner(environment, runner)
    except (MisuseError, UnservableError) as error:
        _say_and_exit(runner, str(error), 2)
    except ServerError as error:
        _say_and_exit(runner, str(error), 1)
    except KeyboardInterrupt:
        _say_and_exit(runner, "Interrupted before the test began", INTERRUPTED)


def _take_source_addresses(environment: Environment, runner: Runner) -> None:
    """Have this process connect from the addresses that the command line names. Raises MisuseError.

    A master checks them for the workers that it has forked, so that they are refused once. Other workers may be on
    another machine, and check their own.
    """
    options: Any = environment.parsed_options
    is_forked = isinstance(runner, WorkerRunner) and locust_guard.is_forked()
    if isinstance(runner, MasterRunner):
        take_source_addresses(options, connects=bool(getattr(options, "processes", None)))
    elif not is_forked:
        take_source_addresses(options, connects=True)
    else:
        with contextlib.suppress(MisuseError):
            take_source_addresses(options, connects=False)


def _say_and_exit(runner: Runner, line: str, code: int) -> None:
    logger.log(logging.INFO if code == INTERRUPTED else logging.ERROR, "%s", line)
    if isinstance(runner, MasterRunner):
        # Workers that were forked beside it would wait a minute for this master's heartbeat.
        forked = getattr(runner.environment.parsed_options, "processes", None) or 0
        give_up_at = time.monotonic() + _WORKERS_CONNECT_TIMEOUT_S
        while len(runner.clients) < forked and time.monotonic() < give_up_at:
            gevent.sleep(0.05)
        runner.quit()
    sys.exit(code)
