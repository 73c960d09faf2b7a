"""A load test from start to stored result: what Locust's events mean to us, on one process or on master and workers.

**The end of a run is a handshake of our own.** Locust's master fires `test_stop` half a second after it has asked its
workers to stop, whatever they have still to tell. So at `test_stopping`, which comes first, the master has every
worker drain its sessions and waits for their final reports; only then do Locust's own messages go out, and the result
is written, once per test. The same at Ctrl-C and when a worker quits: `quitting` is fired in reverse order of
registration, so that we come before Locust there too. All waits are bounded; what stays away makes the result partial.

The end runs in a greenlet of its own, which whoever wants the test to end waits for: Locust kills some of those who
ask, such as the greenlet that listens to workers, and several may ask at once. A KeyboardInterrupt that strikes in the
middle of counting would lose what is being counted, so SIGINT is delivered where the main greenlet waits.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import logging
import math
import os
import secrets
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any, cast
from weakref import WeakKeyDictionary

import gevent
from gevent.event import Event
from gevent.lock import RLock
from locust import User, events
from locust.env import Environment
from locust.rpc import Message
from locust.runners import STATE_SPAWNING, MasterRunner, Runner, WorkerRunner
from rich.console import Console

from bench.load.engine.pacing import WHOLE
from bench.load.engine.tasks import tasks_that_do_not_await
from bench.load.metrics.asked_users import AskedUsers
from bench.load.metrics.exceptions import cut
from bench.load.metrics.merge import Merger
from bench.load.metrics.tally import NS_PER_S
from bench.load.plugin import locust_guard
from bench.load.plugin.hosts import hide_hosts
from bench.load.plugin.locust_statistics import bound_errors, rename
from bench.load.plugin.messages import (
    DRAIN,
    GO,
    HELLO,
    READY,
    REPORT,
    Drain,
    Go,
    MessageError,
    Ready,
    Version,
    own_version,
    read,
    shown,
)
from bench.load.plugin.options import (
    DEFAULT_APP,
    MisuseError,
    breakdown_of,
    check_limits,
    check_run_time,
    is_open,
    max_in_flight_of,
    max_wait_s_of,
    pacing_of,
    profile_of,
    shape_of,
    warmup_s_of,
)
from bench.load.plugin.output import OutputFailed, show
from bench.load.plugin.page import Page, check_page_address
from bench.load.plugin.process import LoadProcess
from bench.load.plugin.rehearsal import rehearse_report, rehearse_result
from bench.load.plugin.salvage import Troubles, count_lines, store_counts
from bench.load.plugin.service import Service, machine_identity, pin_generator
from bench.load.plugin.user import SocketIOUser
from bench.load.plugin.workers import GO_NOTICE_NS, Workers, own_clock_ns
from bench.machine.descriptors import Reserve, file_limit_reason_in, is_file_limit_reason, raise_file_limit
from bench.machine.interrupts import INTERRUPTED, give_interrupts_back, is_starting
from bench.machine.system import missing
from bench.printable import error_line
from bench.report.formats.text import print_document
from bench.report.lines import print_lines, print_stored
from bench.report.load import load_document
from bench.results.header import CommitInfo, MachineInfo
from bench.results.load import CONNECT, Generator, LoadResult, Scenario, Second, Window
from bench.results.provenance import commit_info, machine_info, packages, service_directory
from bench.results.store import ResultError, Store
from bench.server import ServerError
from bench.timing.arrivals import schedule
from bench.timing.rates import Share

logger = logging.getLogger(__name__)

locust_guard.install()

_REPORT_INTERVAL_S = 1.0
_USAGE_INTERVAL_S = 0.2
_ASKED_USERS_INTERVAL_S = 0.1
_WORKERS_READY_TIMEOUT_S = 5.0
_KINDS_IN_A_LINE = 3
_INIT_TIMEOUT_S = 60.0
_MASTER_SILENCE_S, _IDLE_MASTER_SILENCE_S = 15, 60
"""The time that a worker goes on without a sign of its master, in seconds: while it has users, and else (as Locust)."""
_MOST_ARRIVALS_COUNTED = 3_000_000
"""The number of arrivals of lost workers that are drawn again at most, which takes a few seconds."""
_LAST_WORKER_S = 2.0
"""The time from a test that has lost all its workers to the master's end, in seconds. Locust's own end of the test
comes first."""
_EXIT_S = 1.0
"""The time that a shutdown may take between its end and that of the process, in seconds."""
_LEAVING_S = 5.0
"""The time in which interrupts are ignored once a run has ended, in seconds. Locust's master takes half a second to
leave."""
_LOST = "its worker was lost"
_RESERVED_FILES = 8
"""The number of files that are reserved for the end of a run. To store a result takes three at a time, and modules that
were loaded late may take some more."""
_AFTER_LAST_STAGE_NS = 10_000_000
"""How long after the last stage the test is ended: workers' clocks are not quite the master's."""


_installed = Event()
_worker_runs: WeakKeyDictionary[Environment, WorkerRun] = WeakKeyDictionary()


@events.test_start.add_listener
def _await_installation(environment: Environment, **_: Any) -> None:
    """Hold up a test that the master starts before this worker's initialisation has reached `_install`.

    The master has a worker that joins a running test spawn users at once. Nobody would have begun the test then.
    """
    if _installed.is_set() or not getattr(environment.parsed_options, "worker", False):
        return
    _installed.wait(_INIT_TIMEOUT_S)
    run = _worker_runs.get(environment)
    if run is not None:  # Locust fires an event only for those that listened when it began to
        run.on_test_start()


@events.init.add_listener
def _install(environment: Environment, runner: Runner, **_: Any) -> None:
    """Take part in this Locust process, if there are Socket.IO users in it."""
    try:
        _take_part(environment, runner)
    finally:
        _installed.set()
        # Timers count from when gevent's loop last looked at the clock, which was before everything was imported: the
        # --run-time that Locust sets next would be shorter by as much, or over at once.
        gevent.get_hub().loop.update_now()


def _take_part(environment: Environment, runner: Runner) -> None:
    if not any(issubclass(user_class, SocketIOUser) for user_class in environment.user_classes):
        if is_starting():
            give_interrupts_back()
        return
    try:
        raise_file_limit()
        if isinstance(runner, WorkerRunner):
            rehearse_report()
            _worker_runs[environment] = WorkerRun(environment, runner)
        else:
            rehearse_result()
            OwnerRun(environment, runner)
    except MisuseError as error:
        _say_and_exit(runner, str(error), 2)
    except ServerError as error:
        _say_and_exit(runner, str(error), 1)
    except KeyboardInterrupt:
        _say_and_exit(runner, "Interrupted before the test began", INTERRUPTED)


def _say_and_exit(runner: Runner, line: str, code: int) -> None:
    logger.log(logging.INFO if code == INTERRUPTED else logging.ERROR, "%s", line)
    if isinstance(runner, MasterRunner):
        # Workers that were forked beside it would wait a minute for this master's heartbeat.
        forked = getattr(runner.environment.parsed_options, "processes", None) or 0
        give_up_at = time.monotonic() + _WORKERS_READY_TIMEOUT_S
        while len(runner.clients) < forked and time.monotonic() < give_up_at:
            gevent.sleep(0.05)
        runner.quit()
    sys.exit(code)


class _Run:
    """What all processes of a test have in common."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.process = LoadProcess.of(environment)
        self.active = False
        self._has_begun = False
        """True if a test has begun in this process."""
        self._ending: gevent.Greenlet | None = None
        self.troubles = Troubles()
        """The troubles of the present test: what could not be done, so that its figures are not whole."""
        self._reserve = Reserve(_RESERVED_FILES)
        self._own_limits: dict[type[SocketIOUser], int] = {}
        """By user class: its own max_in_flight."""
        self._own_waits: dict[type[SocketIOUser], float | None] = {}
        """The own longest_wait of each user class."""
        _refuse_blocking_tasks(environment)
        self.process.all_there = self._on_all_there
        self._quitting = False
        self._shutting_down: Any = None
        """The greenlet in which Locust shuts down."""
        self._leaves_until_s = 0.0
        if is_starting():
            give_interrupts_back()
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # a closed terminal sends it, and nohup ignores it
            self._hangups = gevent.signal_handler(signal.SIGHUP, os.kill, os.getpid(), signal.SIGTERM)
        self._interrupts = gevent.signal_handler(signal.SIGINT, self._on_interrupt)
        added = environment.events
        added.test_start.add_listener(self._on_test_start)
        added.spawning_complete.add_listener(self._on_spawning_complete)
        added.test_stopping.add_listener(self._on_test_stopping)
        added.quitting.add_listener(self._on_quitting)
        added.quit.add_listener(self._on_quit)

    @property
    def options(self) -> Namespace:
        """The command line; on a worker with what the master said of it."""
        return self.environment.parsed_options or Namespace()

    def end(self, force: bool = False) -> None:
        """Return when the test has ended. `force`, or a KeyboardInterrupt, cuts short an end that is under way."""
        if not self.active:
            return
        if self._ending is None:
            self._ending = gevent.spawn(self._end_test)
        elif force:
            self._force()
        while not self._ending.ready():
            try:
                self._ending.join()
            except KeyboardInterrupt:
                self._force()
        if not self._ending.successful():
            self.environment.process_exit_code = 1  # gevent has printed why

    def _begin(self) -> None:
        self.active, self._ending = True, None
        self._has_begun = True
        self.troubles = Troubles()
        self._reserve.hold()

    def _begin_process(self, started_ns: int, share: Share) -> None:
        users = _socket_io_users(self.environment)
        self._limit_in_flight()
        is_open_load = is_open(self.options, users)
        self.process.begin(
            started_ns,
            pacing_of(self.options, share),
            warmup_s_of(self.options),
            is_open_load,
            breakdown_of(self.options),
        )

    def _limit_in_flight(self) -> None:
        limit, wait_s = max_in_flight_of(self.options), max_wait_s_of(self.options)
        for user_class in _socket_io_users(self.environment):
            own = self._own_limits.setdefault(user_class, user_class.max_in_flight)
            user_class.max_in_flight = own if limit is None else limit
            own_wait_s = self._own_waits.setdefault(user_class, user_class.longest_wait)
            user_class.longest_wait = own_wait_s if wait_s is None else wait_s

    def _on_spawning_complete(self, **_: Any) -> None:
        self.process.all_spawned()

    def _on_test_stopping(self, **_: Any) -> None:
        self.end()

    def _on_test_start(self, **_: Any) -> None:
        raise NotImplementedError

    def _on_all_there(self) -> None:
        raise NotImplementedError

    def _on_quitting(self, **_: Any) -> None:
        raise NotImplementedError

    def _end_test(self) -> None:
        raise NotImplementedError

    def _force(self) -> None:
        raise NotImplementedError

    def _quit_once(self) -> None:
        """Return where Locust's shutdown is the first. Another one waits until that has ended the process.

        The runner that a signal's shutdown quits is what the main greenlet waits for, to begin a shutdown of its own.
        """
        current = gevent.getcurrent()
        if self._shutting_down is None:
            self._shutting_down = current
        while self._shutting_down is not current:
            gevent.sleep(_EXIT_S)  # where it leaves, its SystemExit strikes here
            if self._shutting_down.dead:  # it has failed
                self._shutting_down = current

    def _on_quit(self, **event: Any) -> None:
        # All that is left is to exit: a late Ctrl-C, or one that is on its way already, would only print a traceback.
        self._quitting = True
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if not self.process.close():
            # Python would wait for its lock, or for the thread. This is registered last, so it runs first.
            atexit.register(_exit_at_once, event.get("exit_code", 1))

    def _on_interrupt(self) -> None:
        if self._quitting or time.monotonic() < self._leaves_until_s:
            return
        if self._has_begun or not getattr(self.options, "headless", False):
            gevent.get_hub().handle_system_error(KeyboardInterrupt, KeyboardInterrupt())
        else:  # Locust expects no KeyboardInterrupt before a test has begun
            gevent.get_hub().handle_system_error(SystemExit, SystemExit(INTERRUPTED))


class WorkerRun(_Run):
    """A worker: runs its share of the users and reports to the master."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        super().__init__(environment)
        with contextlib.suppress(MisuseError):  # the master reports it
            hide_hosts(environment, _all_socket_io_users(environment))
        self._runner = runner
        locust_guard.guard_worker(runner)
        runner.register_message(HELLO, self._on_hello)
        runner.register_message(DRAIN, self._on_drain, concurrent=True)
        runner.register_message(GO, self._on_go)
        self._reporting: gevent.Greenlet | None = None
        self.process.changed = self._tell_whether_there_are_users
        self._say_hello()
        gevent.spawn(self._watch_master)

    def _say_hello(self) -> None:
        self._runner.send_message(HELLO, own_version().model_dump())

    def _on_hello(self, msg: Message, **_: Any) -> None:
        try:
            masters = read(Version, msg.data)
        except MessageError as error:
            logger.error("the master does not say which version it is: %s", error)
            return
        if masters != own_version():
            self._leave(f"this worker is version {own_version()}, and its master is version {masters}")

    def _watch_master(self) -> None:
        """Leave if the master has gone: its workers would go on loading a service that nobody looks at.

        Silence is counted in turns of this loop, so that a process that was stopped does not blame its master.
        """
        silent_s, heard = 0, None
        while not self._quitting:
            gevent.sleep(1.0)
            silent_s = silent_s + 1 if self._runner.last_heartbeat_timestamp == heard else 0
            heard = self._runner.last_heartbeat_timestamp
            if locust_guard.has_lost_its_parent():
                self._leave("the master of this worker has ended: so does the worker")
                return
            if silent_s >= (_MASTER_SILENCE_S if self.active else _IDLE_MASTER_SILENCE_S):
                self._leave(f"the master of this worker has been silent for {silent_s} s: the worker ends")
                return

    def _leave(self, reason: str) -> None:
        logger.error("%s", reason)
        self.environment.process_exit_code = 1
        gevent.spawn(self._runner.quit)

    def on_test_start(self) -> None:
        """Begin a test that Locust has started already."""
        self._on_test_start()

    def _on_test_start(self, **_: Any) -> None:
        self._say_hello()
        options = self.options
        if getattr(options, "service_machine", None) not in (None, machine_identity()):
            logger.error(
                "the service of this run listens on the master's machine alone: for workers on other machines,"
                " start the master with --host"
            )
            self.environment.process_exit_code = 1
            gevent.spawn(self._runner.quit)
            return
        pin_generator(tuple(getattr(options, "generator_cores", ())))
        # The run's start is the master's, told as wall time, because perf_counter is another on another machine.
        started_ns = own_clock_ns(getattr(options, "started_unix_ns", None) or time.time_ns())
        index = max(0, self._runner.worker_index)
        share = Share(index, max(index + 1, getattr(options, "workers", 1)))
        try:
            self._begin_process(started_ns, share)
        except MisuseError:
            return  # the master says so, and stops
        self._begin()
        if self._reporting is None:
            self._reporting = gevent.spawn(self._report_regularly)

    def _on_all_there(self) -> None:
        if profile_of(self.options) is None:
            self.process.go(perf_counter_ns())
        else:
            self._tell_whether_there_are_users(True)

    def _tell_whether_there_are_users(self, there_are: bool) -> None:
        self._runner.send_message(READY, Ready(users=there_are).model_dump())

    def _on_go(self, msg: Message, **_: Any) -> None:
        try:
            go = read(Go, msg.data)
            share = Share(go.index, go.count)
        except (MessageError, ValueError) as error:
            logger.error("the master's message to go cannot be read: %s", error)
            return
        start_ns = own_clock_ns(go.start_unix_ns)
        self.process.go(start_ns, share, start_ns + go.since_start_ns)

    def _report_regularly(self) -> None:
        while True:
            gevent.sleep(_REPORT_INTERVAL_S)
            if self.active:
                with self.troubles.during("a report to the master"):
                    self._send(final=False)

    def _send(self, final: bool) -> None:
        report = self.process.report(final)
        report.troubles.extend(self.troubles.reasons)
        self._runner.send_message(REPORT, report.model_dump())

    def _on_drain(self, msg: Message, **_: Any) -> None:
        try:
            self.end(force=read(Drain, msg.data).force)
        except MessageError as error:
            logger.error("the master's message to drain cannot be read: %s", error)

    def _on_quitting(self, **_: Any) -> None:
        # Ctrl-C reaches master and workers alike: that the master has asked us to drain already is no reason to hurry.
        self.end()
        # Locust interrupts the workers that it forked when their master has gone; this one is going already.
        self._quitting = True
        self._quit_once()

    def _end_test(self) -> None:
        # Where it is this worker alone that quits, the others take over its share while it awaits its replies.
        try:
            self._tell_whether_there_are_users(False)
            with self.troubles.during("stopping the users"):
                self.process.drain(self.environment.stop_timeout)
            self._reserve.release()
            # Locust's own figures first: once this process's final report is there, the master has all of both.
            with self.troubles.during("Locust's own figures"):
                data: dict[str, Any] = {}
                self.environment.events.report_to_master.fire(client_id=self._runner.client_id, data=data)
                self._runner.send_message("stats", data)
            self._send(final=True)
        finally:
            self.active = False

    def _force(self) -> None:
        self.process.force()

    def _on_quit(self, **event: Any) -> None:
        if self._reporting is not None:
            self._reporting.kill()
        super()._on_quit(**event)


class OwnerRun(_Run):
    """The process that owns the run, with or without workers: it keeps the service, merges, writes the result."""

    def __init__(self, environment: Environment, runner: Runner) -> None:
        super().__init__(environment)
        self._runner = runner
        self._started_at = dt.datetime.now(dt.UTC)
        self._started_ns = perf_counter_ns()
        self._stopped_ns: int | None = None
        self._merger = Merger()
        self._workers = self._workers_of(runner)
        self._service: Service | None = None
        self._service_urls: set[str] = set()
        """All URLs that the service has had: the web page's form may still have an earlier URL."""
        self._starting = RLock()
        self._folder = Path.cwd()
        """The working directory, which may be gone at the end."""
        self._commit = CommitInfo()
        self._packages: dict[str, str] = {}
        self._watching: gevent.Greenlet | None = None
        self._asked_users = AskedUsers(())
        self._seed = str(getattr(self.options, "seed", ""))
        self._go_ns: int | None = None
        self._is_invalid = False
        """True if the test is being ended because its figures are wrong."""
        self.process.invalid = self._on_invalid
        self._last_stage: gevent.Greenlet | None = None
        environment.events.worker_report.add_listener(self._on_worker_report)
        self._is_beginning = False
        """True while a test is about to begin, so that there is nothing yet that could be ended."""
        self._is_interrupted = False
        """True if there was a Ctrl-C meanwhile."""
        self._was_spawning = False
        """True if users were still being spawned when the test was stopped."""
        self._have_all_left = False
        """True if there was no worker any more when the test was stopped."""
        self._lacks: list[str] = []
        """The reasons why the result is partial."""
        self._asked = Namespace()
        """The options as they were when the test started: the web page's form may bring others meanwhile."""
        _leave_out_unnamed(environment)
        self._check(self.options)
        if (lacks := missing()) is not None:
            logger.warning("%s", lacks)
        if environment.web_ui is not None:
            check_page_address(environment.web_ui.host, environment.web_ui.port)
        if environment.web_ui is not None and environment.web_ui.app is not None:
            environment.web_ui.app.before_request(Page(environment, self._check, self._restart_service).guard)
        hide_hosts(environment, _all_socket_io_users(environment))
        hosts = [user_class.host for user_class in environment.user_classes if issubclass(user_class, SocketIOUser)]
        if not environment.host and not all(hosts):
            self._start_service()

    # ------------------------------------------------------------------ its workers

    def _workers_of(self, runner: Runner) -> Workers | None:
        if not isinstance(runner, MasterRunner):
            return None
        locust_guard.guard_master(runner)
        if getattr(self.options, "processes", None):
            # Workers that die before they have connected would be waited for without end.
            self.options.expect_workers_max_wait = (
                self.options.expect_workers_max_wait or locust_guard.FORKED_WORKERS_WAIT_S
            )
            locust_guard.end_forked_workers_at_exit()
        return Workers(runner, self._share_out, self._on_refusal, self._on_invalid)

    def _on_interrupt(self) -> None:
        if self._is_beginning:
            self._is_interrupted = True
        elif self._workers is not None and not self._has_begun and getattr(self.options, "headless", False):
            # Locust would print a traceback, and leave the connected workers behind.
            logger.error("interrupted before the test began: there were %d workers", self._workers.number)
            gevent.spawn(self._leave, 130)
        else:
            super()._on_interrupt()

    def _on_refusal(self) -> None:
        if getattr(self.options, "headless", False):  # else the user of the web page decides
            gevent.spawn(self._leave, 2)

    def _leave(self, code: int) -> None:
        """Have the process and its workers end before any test has begun."""
        if self._workers is None or self._has_begun:
            return
        self._has_begun = True  # or is never to begin
        self._workers.send_all_away()
        gevent.sleep(0.2)
        gevent.get_hub().handle_system_error(SystemExit, SystemExit(code))

    # ------------------------------------------------------------------ the service

    def _start_service(self) -> None:
        app = getattr(self.options, "app", DEFAULT_APP)
        service = Service(app, stamps=breakdown_of(self.options))
        service.start()
        atexit.register(service.stop)
        self._service = service
        self._take_url(service)
        logger.info("Started %s at %s", app, service.url)
        self.options.generator_cores = service.cores
        self.options.service_machine = machine_identity()
        pin_generator(service.cores)

    @property
    def _own_service(self) -> Service | None:
        """The service, where it is the one under test: the web form can name another host."""
        return self._service if self.environment.host in self._service_urls else None

    def _take_url(self, service: Service) -> None:
        self._service_urls.add(service.url)
        self.environment.host = service.url

    def _restart_service(self, host: str | None) -> None:
        """Replace a service that died in an earlier test, or since, if it is the host. Raises ServerError.

        A second caller that asks for that while the service is being started waits for the start.
        """
        service = self._service
        if service is None or host not in self._service_urls:
            return
        with self._starting:
            try:
                service.check()
            except ServerError as death:
                logger.warning("%s Starting it again.", death)
                service.start()
            self._take_url(service)

    def _watch(self) -> bool:
        """Read what the service uses while the test runs, and log its death; return true if it died."""
        service = self._own_service
        if service is None:
            return False
        with self.troubles.during("reading what the service uses"):
            service.begin()
        while self.active:
            gevent.sleep(_USAGE_INTERVAL_S)
            with self.troubles.during("reading what the service uses"):
                service.read()
            if self._has_died(service):
                return True
        return False

    def _has_died(self, service: Service) -> bool:
        try:
            service.check()
        except ServerError as death:
            logger.error("the service died: %s", death)
            self.environment.process_exit_code = 1
            return True
        return False

    def _stop_watching(self) -> None:
        if self._watching is None:
            return
        was_told = self._watching.successful() and self._watching.value
        self._watching.kill()
        service = self._own_service
        if service is not None:
            with self.troubles.during("reading what the service uses"):
                service.read()
            if not was_told:
                self._has_died(service)

    # ------------------------------------------------------------------ start

    def _check(self, options: Namespace) -> None:
        """Raises MisuseError."""
        pacing_of(options, WHOLE)
        warmup_s_of(options)
        users = _socket_io_users(self.environment)
        run_time = getattr(options, "run_time", None)
        check_run_time("" if run_time is None else str(run_time))
        check_limits(options, users)
        is_open(options, users)

    def _on_test_start(self, **_: Any) -> None:
        self._has_begun = self._is_beginning = True
        try:
            self._check(self.options)
            self._restart_service(self.environment.host)
            self._asked = Namespace(**vars(self.options))
            self._commit, self._packages = self._commit_of_service(), packages()
        except (MisuseError, ServerError) as error:  # of users picked on the web page; or it died just now
            logger.error("%s", error)
            self.environment.process_exit_code = 1
            gevent.spawn_later(_WORKERS_READY_TIMEOUT_S, self._end_early)
            return
        finally:
            self._is_beginning = False
        if self._is_interrupted:
            self._has_begun = self._is_interrupted = False
            self._on_interrupt()
            return
        self._started_at, self._started_ns, self._stopped_ns = dt.datetime.now(dt.UTC), perf_counter_ns(), None
        self.options.started_unix_ns = time.time_ns()
        self.options.seed = self._seed or secrets.token_hex(4)
        self._merger, self._go_ns, self._is_invalid = Merger(), None, False
        self._begin()
        self._limit_in_flight()
        if self._workers is not None:
            self.options.workers = self._workers.begin(self._merger)
        else:
            self._begin_process(self._started_ns, WHOLE)
        self._watching = gevent.spawn(self._watch)
        classes = {user_class.__name__ for user_class in self.environment.user_classes}
        socket_io = {user_class.__name__ for user_class in _socket_io_users(self.environment)}
        self._asked_users = AskedUsers(socket_io, classes - socket_io)
        gevent.spawn(self._note_asked_users, self._asked_users)

    def _note_asked_users(self, asked: AskedUsers) -> None:
        """Note the numbers of users as the run goes on: a load shape, and the web page, may ask for other numbers."""
        while self.active and self._ending is None and asked is self._asked_users:
            with self.troubles.during("noting the users"):
                self._note_asked_users_now()
            gevent.sleep(_ASKED_USERS_INTERVAL_S)

    def _note_asked_users_now(self) -> None:
        runner = self._runner
        t_s = (perf_counter_ns() - self._started_ns) / NS_PER_S
        self._asked_users.note(t_s, runner.target_user_count, runner.target_user_classes_count)

    def _commit_of_service(self) -> CommitInfo:
        """Return the commit of the service if the run started it, else of the working directory, as they are now."""
        app = getattr(self._asked, "app", DEFAULT_APP)
        try:
            return commit_info(service_directory(app) if self._own_service is not None else self._folder)
        except OSError as error:  # the working directory is gone
            return CommitInfo(error=error_line(error))

    def _on_all_there(self) -> None:
        if profile_of(self._asked) is None:
            self.process.go(perf_counter_ns())
        else:
            self.process.go(self._decide_on_go())

    def _on_spawning_complete(self, **options: Any) -> None:
        super()._on_spawning_complete(**options)
        if self._workers is not None:
            self._workers.spawned()
            self._share_out()

    def _on_worker_report(self, **_: Any) -> None:
        bound_errors(self.environment.stats)

    def _share_out(self) -> None:
        if self._workers is not None and self.active and self._ending is None:
            self._workers.share_out(self._go_ns, self._decide_on_go)

    def _decide_on_go(self) -> int:
        """When the schedule starts: at a whole second of the run, so that stages are whole seconds of its timeline."""
        profile = profile_of(self._asked)
        since_start_ns = perf_counter_ns() + GO_NOTICE_NS - self._started_ns
        self._go_ns = self._started_ns + -(-since_start_ns // NS_PER_S) * NS_PER_S
        if profile is not None and profile.duration_s is not None:
            self._last_stage = gevent.spawn(self._end_last_stage, self._go_ns + round(profile.duration_s * NS_PER_S))
        return self._go_ns

    def _end_last_stage(self, end_ns: int) -> None:
        # gevent's timers count from when its loop last looked at the clock, so one is up to as much too early.
        while (left_ns := end_ns + _AFTER_LAST_STAGE_NS - perf_counter_ns()) > 0:
            gevent.sleep(left_ns / NS_PER_S)
        self._last_stage = None  # or the end, which we are about to wait for, would kill it
        logger.info("The last stage of the rate is over")
        try:
            self._end_early()
        except Exception as error:
            self.troubles.add("ending the test after its last stage", error)
            self._on_interrupt()  # or the test would go on for ever

    def _on_invalid(self) -> None:
        """End the test if some process knows that the figures are wrong: to go on gains nothing."""
        if self.active and self._ending is None and not self._is_invalid:
            self._is_invalid = True
            gevent.spawn(self._end_early)  # the caller is needed for the end

    def _end_early(self) -> None:
        if getattr(self.options, "headless", False):
            self._runner.quit()
        else:
            self._runner.stop()

    # ------------------------------------------------------------------ end

    def _on_quitting(self, **_: Any) -> None:
        # Who presses Ctrl-C while replies are awaited does not want to wait for them.
        self.end(force=True)
        has_run = self._has_begun and not self._is_beginning
        if not has_run and getattr(self.options, "headless", False) and self.environment.process_exit_code is None:
            self._failed("Locust was ended before the test began")
        # The result is stored. A late Ctrl-C would only print a traceback; but another listener may never end.
        self._leaves_until_s = time.monotonic() + _LEAVING_S
        self._quit_once()

    def _on_quit(self, **event: Any) -> None:
        super()._on_quit(**event)
        if self._service is not None:
            self._service.stop()

    def _end_test(self) -> None:
        """Return when every process has drained and reported, or will not, and the result is shown and written."""
        self._stopped_ns = perf_counter_ns()
        try:
            with self.troubles.during("noting the users"):
                self._note_asked_users_now()
            self._was_spawning = self._runner.state == STATE_SPAWNING
            self._have_all_left = self._workers is not None and not self._workers.number
            if self._last_stage is not None:
                self._last_stage.kill()
            logger.info("Stopping: replies in flight are still awaited, Ctrl-C cuts that short")
            with self.troubles.during("stopping the users"):
                self._drain()
            self._lacks = []
            with self.troubles.during("looking for what is lacking"):
                self._lacks = self._what_is_lacking()
            self._finish()
        finally:
            if self._workers is not None:
                self._workers.end()
                if not self._workers.number and getattr(self.options, "headless", False):
                    # Locust's master stops the test if its last worker goes missing, and then waits for nobody.
                    gevent.spawn_later(_LAST_WORKER_S, self._runner.quit)
            self.active = False

    def _drain(self) -> None:
        if self._workers is not None:
            timeouts = [user_class.reply_timeout for user_class in _socket_io_users(self.environment)]
            self._workers.drain(self.environment.stop_timeout + 2 * max(timeouts, default=0.0))
            return
        try:
            self.process.drain(self.environment.stop_timeout)
        finally:
            self._merger.receive("local", self.process.report(final=True))

    def _what_is_lacking(self) -> list[str]:
        """Return why the result is partial: workers that are lost, and their arrivals; users that never were."""
        lacks = []
        if self._workers is not None:
            missing = self._workers.missing()
            self._merger.late = self._workers.not_throughout()
            if self._have_all_left and not missing:
                lacks.append("its last worker quit before the run was over")
            if missing:
                lacks.append(f"no final report from {', '.join(map(shown, missing))}")
            lacks += [
                f"worker {shown(worker)} stood still for some seconds: nothing came of its users then, and where others"
                " had its share meanwhile it was sent twice"
                for worker in self._workers.came_back()
            ]
            lacks += self._workers.refusals()
            lacks += [text for worker in missing if (text := self._drop_arrivals_of(worker))]
        return [*lacks, *self._merger.cut_off, *self._users_lacking()]

    def _drop_arrivals_of(self, worker: str) -> str | None:
        """Count as dropped a lost worker's arrivals that are in no account; return why, if that is impossible."""
        profile = profile_of(self._asked)
        if self._workers is None or profile is None or self._go_ns is None:
            return None
        reports = [received.report for received in self._merger.processes.values() if received.report.final]
        stopped_ns = max(
            (report.window_end_ns for report in reports if report.window_end_ns is not None),
            default=(self._stopped_ns or perf_counter_ns()) - self._started_ns,
        )
        go_ns = self._go_ns - self._started_ns
        if profile.expected((stopped_ns - go_ns) / NS_PER_S) > _MOST_ARRIVALS_COUNTED:
            return "too many arrivals to count those of its share that were neither sent nor dropped"

        def arrivals(share: Share) -> Iterator[int]:
            return schedule(profile, shape_of(self._asked), share, self.options.seed)

        its_arrivals_ns = [go_ns + at_ns for at_ns in self._workers.arrivals_of(worker, arrivals, stopped_ns - go_ns)]
        lost_ns = self._merger.not_accounted(worker, its_arrivals_ns)
        if not lost_ns:
            return None
        names = self._merger.names() - {CONNECT}
        if len(names) != 1:
            return f"{len(lost_ns)} arrivals of its share are in no row, for it is not known of which they were"
        self._merger.drop(worker, names.pop(), lost_ns, _LOST)
        return f"{len(lost_ns)} arrivals of its share were lost with it, and count as dropped"

    def _users_lacking(self) -> list[str]:
        """Return in which way there were fewer users than were asked for."""
        classes = {user_class.__name__ for user_class in _socket_io_users(self.environment)}
        began = self._merger.began
        if not self._was_spawning:
            counts = self._runner.target_user_classes_count
            asked = sum(number for name, number in counts.items() if name in classes)
        elif len(classes) == len(self.environment.user_classes):
            asked = self._runner.target_user_count
        else:
            return ["the run ended before all users were spawned"]
        return [f"only {began} of {asked} users ever began"] if began < asked else []

    def _force(self) -> None:
        if self._workers is not None:
            self._workers.hurry()
        else:
            self.process.force()

    def _finish(self) -> None:
        """Show the result, then write it. Whatever fails on the way, the counts are shown and written."""
        self._reserve.release()
        with self.troubles.during("looking after the service"):
            self._stop_watching()
        with self.troubles.during("Locust's own figures"):
            rename(self.environment.stats, self._merger.learnt())
        self.troubles.reasons.extend(reason for reason in self._merger.troubles if reason not in self.troubles.reasons)
        result = self.troubles.attempt("the result", self._result, lambda: None)
        if result is None:
            self._finish_without_result()
            return
        self._show(lambda console: print_document(load_document(result), console))
        self._keep(lambda: Store(self._results).save(result))
        if not result.window.duration_s:
            logger.warning(
                "The run ended before its users were there and warm: it has counts, but no times and no throughput"
            )
        if breakdown_of(self.options) and not any(operation.breakdown for operation in result.operations):
            logger.warning("--breakdown: no reply had `handled_ns`, when its handler began and ended on this machine")
        exceptions = _exceptions(result)
        if exceptions is not None:
            logger.error("%s", exceptions)
            if self.environment.process_exit_code is None:
                # Locust exits like this if a task raised. It does not know of all exceptions: of those of event
                # handlers, say.
                self.environment.process_exit_code = getattr(self.options, "exit_code_on_error", 1)
        # If the figures are wrong, or a worker's are lacking, the absence of figures is no other fault.
        is_known = self._workers is None or not self._workers.missing()
        nothing = _nothing_measured(result) if is_known and not result.invalid_reason else None
        reasons = (result.invalid_reason, nothing, result.partial_reason, _cut_off(result), _out_of_files(result))
        for reason in reasons:
            if reason is not None:
                self._failed(reason)

    def _finish_without_result(self) -> None:
        reasons = self.troubles.reasons
        with self.troubles.during("showing the counts"):
            lines = list(count_lines(self._merger))
            self._show(lambda console: print_lines(console, lines))
        self._keep(lambda: store_counts(self._results, self._merger, self._started_at, reasons))
        self._failed(f"no result can be made of what was counted: {'; '.join(reasons)}")

    def _show(self, print_on: Callable[[Console], None]) -> None:
        try:
            show(print_on)
        except OutputFailed as error:
            self._failed(str(error))
        except Exception as error:
            self._failed(f"cannot show the result: {error_line(error)}")

    def _keep(self, save: Callable[[], Path]) -> None:
        """Store the result, and print where it is."""
        path = None
        try:
            path = save()
        except ResultError as error:
            self._failed(str(error))
        except Exception as error:
            self._failed(f"cannot store the result: {error_line(error)}")
        self._show(lambda console: print_stored(console, path and self._shortened(path)))

    def _failed(self, reason: str) -> None:
        logger.error("%s", reason)
        self.environment.process_exit_code = 1

    @property
    def _results(self) -> Path:
        return self._folder / str(getattr(self.options, "results", "results"))

    def _shortened(self, path: Path) -> Path:
        return path.relative_to(self._folder) if path.is_relative_to(self._folder) else path

    def _result(self) -> LoadResult:
        """Return the result, of which only the counts are indispensable."""
        environment, options, merger = self.environment, self._asked, self._merger
        attempt = self.troubles.attempt
        stopped_ns = self._stopped_ns or perf_counter_ns()
        ran_ns = stopped_ns - self._started_ns
        window = attempt("the window", lambda: merger.window(ran_ns, warmup_s_of(options)), lambda: _no_window(ran_ns))
        service = self._own_service
        users = _socket_io_users(environment)
        shares: dict[int, float] = attempt(
            "the service's CPU", lambda: {} if service is None else service.shares(self._started_ns), dict
        )
        timeline: tuple[Second, ...] = attempt("the timeline", lambda: merger.timeline(shares), tuple)
        profile = profile_of(options)
        stages = attempt(
            "the stages",
            lambda: () if profile is None else merger.stages(profile, self._go_s, window.end_s, timeline),
            tuple,
        )
        server = attempt(
            "the service",
            lambda: (
                None
                if service is None
                else service.described(
                    self._started_ns + round(window.start_s * 1e9),
                    self._started_ns + round(window.end_s * 1e9),
                    merger.round_trips_in_window(apart=CONNECT),
                )
            ),
            lambda: None,
        )
        scenario = attempt("the scenario", self._scenario, self._least_scenario)
        timeout_us = max(user_class.reply_timeout for user_class in users) * 1e6
        operations = attempt(
            "the times of the operations",
            lambda: merger.operations(timeout_us, CONNECT),
            lambda: merger.operations(timeout_us, CONNECT, counts_only=True),
        )
        generator = attempt(
            "the generator",
            lambda: merger.generator(CONNECT),
            lambda: Generator(processes=max(1, len(merger.processes))),
        )
        machine = attempt("the machine", machine_info, MachineInfo)
        reasons = [*self._lacks, *self.troubles.reasons]
        return LoadResult(
            datetime=self._started_at,
            commit_info=self._commit,
            machine_info=machine,
            packages=self._packages,
            scenario=scenario,
            server=server,
            generator=generator,
            window=window,
            operations=operations,
            timeline=timeline,
            stages=stages,
            partial=bool(reasons),
            partial_reason="; ".join(reasons) or None,
            forced=merger.forced,
            exceptions=merger.exceptions(),
            invalid_reason=merger.invalid_reason,
        )

    def _scenario(self) -> Scenario:
        environment, options = self.environment, self._asked
        users = _socket_io_users(environment)
        return Scenario(
            user_classes=tuple(sorted(user_class.__name__ for user_class in users)),
            users=self._asked_users.users,
            users_by_class=self._asked_users.by_class,
            user_steps=self._asked_users.steps,
            **self._open_load(),
            duration_s=float(options.run_time) if getattr(options, "run_time", None) else None,
            transport=", ".join(sorted({"+".join(user_class.transports) for user_class in users})),
            url=environment.host or next((user_class.host for user_class in users if user_class.host), None),
            app=getattr(options, "app", DEFAULT_APP) if self._own_service is not None else None,
        )

    def _least_scenario(self) -> Scenario:
        names = tuple(sorted(user_class.__name__ for user_class in _socket_io_users(self.environment)))
        return Scenario(
            user_classes=names, users=0, model="open" if self._merger.is_open else "closed", transport="unknown"
        )

    @property
    def _go_s(self) -> float:
        """When the schedule started, in seconds of the run."""
        return math.inf if self._go_ns is None else (self._go_ns - self._started_ns) / NS_PER_S

    def _open_load(self) -> dict[str, Any]:
        """What the scenario says of the model."""
        users = _socket_io_users(self.environment)
        if not is_open(self._asked, users):
            return {"model": "closed"}
        profile = profile_of(self._asked)
        pipelined = [user_class for user_class in users if user_class.pipelined]
        described = {
            "model": "open",
            "seed": self.options.seed,
            "pipelined": tuple(sorted(user_class.__name__ for user_class in pipelined)),
            "max_in_flight": max((user_class.max_in_flight for user_class in pipelined), default=None),
            "max_wait_s": max(
                (user_class.wait_limit_s() for user_class in users if not user_class.pipelined), default=None
            ),
        }
        if profile is not None:
            rate_per_s = profile.stages[-1].from_per_s
            if profile.duration_s is not None:
                rate_per_s = profile.expected(profile.duration_s) / profile.duration_s
            return {**described, "rate": str(profile), "rate_per_s": rate_per_s, "arrivals": shape_of(self._asked)}
        counts = self._runner.target_user_classes_count
        waits: dict[str, Any] = {user.__name__: user.wait_time for user in users}
        shapes = {wait.shape for wait in waits.values()}
        return {
            **described,
            "rate_per_s": sum(wait.rate_per_s * counts.get(name, 0) for name, wait in waits.items()),
            "arrivals": shapes.pop() if len(shapes) == 1 else None,
        }


def _socket_io_users(environment: Environment) -> list[type[SocketIOUser]]:
    return [user_class for user_class in environment.user_classes if issubclass(user_class, SocketIOUser)]


def _all_socket_io_users(environment: Environment) -> list[type[SocketIOUser]]:
    """Return the classes of Socket.IO users, with those that can still be picked on the page."""
    pickable = cast("dict[str, type[User]]", environment.available_user_classes or {})
    classes = {*environment.user_classes, *pickable.values()}
    return [user_class for user_class in classes if issubclass(user_class, SocketIOUser)]


def _refuse_blocking_tasks(environment: Environment) -> None:
    for user_class in _socket_io_users(environment):
        if blocking := list(tasks_that_do_not_await(user_class)):
            raise MisuseError(f"{blocking[0]} is not `async def`: the tasks of a SocketIOUser are coroutines")
        if not user_class.tasks:
            raise MisuseError(f"{user_class.__name__} has no tasks: decorate an `async def` method with @task")


def _leave_out_unnamed(environment: Environment) -> None:
    """Users that are meant to run only by name run only by name."""
    options = environment.parsed_options
    if options is None or options.user_classes or options.class_picker:
        return
    chosen = [
        user_class
        for user_class in environment.user_classes
        if not (issubclass(user_class, SocketIOUser) and user_class.only_when_named)
    ]
    if not chosen:
        raise MisuseError("every user class here runs only when it is named: name one on the command line")
    environment.user_classes = chosen


def _nothing_measured(result: LoadResult) -> str | None:
    """Why there is nothing to see in the result, where there is not."""
    connect = next((operation for operation in result.operations if operation.name == CONNECT), None)
    if connect is None:
        if any(second.users for second in result.timeline):
            return "no attempt to connect had ended when the run ended"
        return "no user was started before the run ended"
    if not connect.ok:
        reasons = _first_kinds(list(connect.errors)) or "the run ended before the first connection was made"
        return f"no user ever connected: {reasons}"
    others = [operation for operation in result.operations if operation.name != CONNECT]
    if not any(operation.sent for operation in others):
        dropped = dict.fromkeys(reason for operation in others for reason in operation.dropped_because)
        return f"nothing was sent: {'; '.join(dropped) or 'no task performed a round trip'}"
    return None


def _first_kinds(kinds: Sequence[str]) -> str:
    """Return a few of the kinds of errors, in a line."""
    more = len(kinds) - _KINDS_IN_A_LINE
    return cut("; ".join(kinds[:_KINDS_IN_A_LINE])) + (f"; and {more} more kinds of errors" if more > 0 else "")


def _exceptions(result: LoadResult) -> str | None:
    """Return what users' own code raised, in a line; None if it raised nothing."""
    if not result.exceptions:
        return None
    number = sum(exception.count for exception in result.exceptions)
    return f"users' own code raised {number:,} exceptions: " + _first_kinds([found.text for found in result.exceptions])


def _exit_at_once(code: int) -> None:
    """End the process as the interpreter would, but without waiting for threads."""
    atexit.unregister(_exit_at_once)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _no_window(end_ns: int) -> Window:
    return Window(start_s=end_ns / NS_PER_S, end_s=end_ns / NS_PER_S, warmup_s=0.0)


def _out_of_files(result: LoadResult) -> str | None:
    """Return what kept users from connecting if the limit of open files did, in the words of the attempts' errors."""
    found = {
        kind: times
        for operation in result.operations
        for kind, times in operation.errors.items()
        if is_file_limit_reason(kind)
    }
    if not found:
        return None
    (kind, *_) = found
    return f"{sum(found.values())} attempts to connect failed: {file_limit_reason_in(kind)}"


def _cut_off(result: LoadResult) -> str | None:
    """What is missing because the run was ended by force."""
    if not result.forced:
        return None
    unfinished = sum(operation.unfinished for operation in result.operations)
    return f"the run was ended by force: {unfinished} replies were still awaited"
