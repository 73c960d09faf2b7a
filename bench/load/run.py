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
import datetime as dt
import logging
import math
import os
import secrets
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import flask  # Locust's web page
import gevent
from gevent.lock import RLock
from locust import events
from locust.env import Environment
from locust.rpc import Message
from locust.runners import MasterRunner, Runner, WorkerRunner
from rich.console import Console

from bench.descriptors import Reserve, file_limit_reason_in, is_file_limit_reason, raise_file_limit
from bench.interrupts import INTERRUPTED, give_interrupts_back, is_starting
from bench.load.account import NS_PER_S
from bench.load.merge import Merger
from bench.load.options import (
    DEFAULT_APP,
    MisuseError,
    breakdown_of,
    check_run_time,
    is_open,
    max_in_flight_of,
    pacing_of,
    profile_of,
    shape_of,
    warmup_s_of,
)
from bench.load.output import OutputFailed, show
from bench.load.pacing import WHOLE
from bench.load.process import LoadProcess
from bench.load.recording import CONNECT
from bench.load.rehearsal import rehearse_report, rehearse_result
from bench.load.salvage import Troubles, count_lines, one_line, store_counts
from bench.load.service import Service, machine_identity, pin_generator
from bench.load.tasks import tasks_that_do_not_await
from bench.load.user import SocketIOUser
from bench.load.workers import DRAIN, GO, GO_NOTICE_NS, READY, REPORT, Workers, own_clock_ns
from bench.report.lines import print_lines, print_stored
from bench.report.load_table import load_table
from bench.results.environment import commit_info, machine_info, packages, service_directory
from bench.results.model import CommitInfo, Generator, LoadResult, MachineInfo, Scenario, Second, Window
from bench.results.store import ResultError, Store
from bench.server import ServerError
from bench.timing.arrivals import Share
from bench.wire.client import websocket_url
from bench.wire.interface import ConnectFailed

logger = logging.getLogger(__name__)

_REPORT_INTERVAL_S = 1.0
_USAGE_INTERVAL_S = 0.2
_WORKERS_READY_TIMEOUT_S = 5.0
_SENDING_S = 0.2
"""How long messages to workers may take to leave this process."""
_RESERVED_FILES = 8
"""For the end of a run: to store a result takes three at a time, and what was loaded late may take some more."""
_AFTER_LAST_STAGE_NS = 10_000_000
"""How long after the last stage the test is ended: workers' clocks are not quite the master's."""


@events.init.add_listener
def _install(environment: Environment, runner: Runner, **_: Any) -> None:
    """Take part in this Locust process, if there are Socket.IO users in it."""
    if not any(issubclass(user_class, SocketIOUser) for user_class in environment.user_classes):
        if is_starting():
            give_interrupts_back()
        return
    try:
        raise_file_limit()
        if isinstance(runner, WorkerRunner):
            rehearse_report()
            WorkerRun(environment, runner)
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
        """Whether any test has."""
        self._ending: gevent.Greenlet | None = None
        self.troubles = Troubles()
        """Of the present test: what could not be done, so that its figures are not whole."""
        self._reserve = Reserve(_RESERVED_FILES)
        self._own_limits: dict[type[SocketIOUser], int] = {}
        """By user class: its own max_in_flight."""
        _refuse_blocking_tasks(environment)
        self.process.all_there = self._on_all_there
        self._quitting = False
        if is_starting():
            give_interrupts_back()
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # a terminal that is closed; nohup ignores it
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
        limit = max_in_flight_of(self.options)
        for user_class in _socket_io_users(self.environment):
            own = self._own_limits.setdefault(user_class, user_class.max_in_flight)
            user_class.max_in_flight = own if limit is None else limit

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

    def _on_quit(self, **_: Any) -> None:
        # All that is left is to exit: a late Ctrl-C, or one that is on its way already, would only print a traceback.
        self._quitting = True
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.process.close()

    def _on_interrupt(self) -> None:
        if self._quitting:
            return
        if self._has_begun or not getattr(self.options, "headless", False):
            gevent.get_hub().handle_system_error(KeyboardInterrupt, KeyboardInterrupt())
        else:  # Locust expects none while it waits for workers
            self._before_leaving()
            gevent.get_hub().handle_system_error(SystemExit, SystemExit(INTERRUPTED))

    def _before_leaving(self) -> None:
        """Called where Ctrl-C ends a process in which no test has begun."""


class WorkerRun(_Run):
    """A worker: runs its share of the users and reports to the master."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        super().__init__(environment)
        self._runner = runner
        runner.register_message(DRAIN, self._on_drain, concurrent=True)
        runner.register_message(GO, self._on_go)
        self._reporting: gevent.Greenlet | None = None
        self.process.changed = self._tell_whether_there_are_users

    def _on_test_start(self, **_: Any) -> None:
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
        self._runner.send_message(READY, {"users": there_are})

    def _on_go(self, msg: Message, **_: Any) -> None:
        go = msg.data
        start_ns = own_clock_ns(go["start_unix_ns"])
        self.process.go(start_ns, Share(go["index"], go["count"]), start_ns + go["since_start_ns"])

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
        self.end(force=bool(msg.data and msg.data["force"]))

    def _on_quitting(self, **_: Any) -> None:
        # Ctrl-C reaches master and workers alike: that the master has asked us to drain already is no reason to hurry.
        self.end()
        # Locust interrupts the workers that it forked when their master has gone; this one is going already.
        self._quitting = True

    def _end_test(self) -> None:
        # Where it is this worker alone that quits, the others take over its share while it awaits its replies.
        try:
            self._tell_whether_there_are_users(False)
            with self.troubles.during("stopping the users"):
                self.process.drain(self.environment.stop_timeout)
            self._reserve.release()
            # Locust's own figures first: once our final report is there, the master has all of both.
            with self.troubles.during("Locust's own figures"):
                data: dict[str, Any] = {}
                self.environment.events.report_to_master.fire(client_id=self._runner.client_id, data=data)
                self._runner.send_message("stats", data)
            self._send(final=True)
        finally:
            self.active = False

    def _force(self) -> None:
        self.process.force()

    def _on_quit(self, **_: Any) -> None:
        if self._reporting is not None:
            self._reporting.kill()
        super()._on_quit()


class OwnerRun(_Run):
    """The process that owns the run, with or without workers: it keeps the service, merges, writes the result."""

    def __init__(self, environment: Environment, runner: Runner) -> None:
        super().__init__(environment)
        self._runner = runner
        self._started_at = dt.datetime.now(dt.UTC)
        self._started_ns = perf_counter_ns()
        self._stopped_ns: int | None = None
        self._merger = Merger()
        self._workers = Workers(runner, self._share_out) if isinstance(runner, MasterRunner) else None
        self._service: Service | None = None
        self._service_urls: set[str] = set()
        """All that it has had: the web page's form may still have an earlier one."""
        self._starting = RLock()
        self._stops = 0
        """How often the web page has asked for the end of a test."""
        self._folder = Path.cwd()
        """The working directory, which may be gone at the end."""
        self._commit = CommitInfo()
        self._packages: dict[str, str] = {}
        self._watching: gevent.Greenlet | None = None
        self._seed = str(getattr(self.options, "seed", ""))
        self._go_ns: int | None = None
        self._last_stage: gevent.Greenlet | None = None
        self._asked = Namespace()
        """The options as they were when the test started: the web page's form may bring others meanwhile."""
        _leave_out_unnamed(environment)
        self._check(self.options)
        if environment.web_ui is not None and environment.web_ui.app is not None:
            environment.web_ui.app.before_request(self._check_form)
        hosts = [user_class.host for user_class in environment.user_classes if issubclass(user_class, SocketIOUser)]
        for host in {environment.host, *hosts} - {None, ""}:
            _refuse_bad_url(str(host))
        if not environment.host and not all(hosts):
            self._start_service()

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
        """Replace a service that died in an earlier test, or since, where it is the host. Raises ServerError.

        Whoever asks for that while it is being started waits for it.
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
        """Read what the service uses while the test runs, and tell if it dies; return true if it did."""
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
        max_in_flight_of(options)
        is_open(options, _socket_io_users(self.environment))

    def _check_form(self) -> flask.Response | None:
        """Answer the web page's form where it asks for what cannot be, as Locust answers to wrong fields of its own.

        To stop the test as soon as it had started would make Locust's master quarrel with its workers. So a service
        that has died is started again before the test is, and a Stop meanwhile means that test.
        """
        if flask.request.endpoint == "locust.stop":
            self._stops += 1
        if flask.request.endpoint != "locust.swarm":
            return None
        stops = self._stops
        try:
            form = flask.request.form.to_dict()
            check_run_time(form.get("run_time", ""))
            self._check(Namespace(**(vars(self.options) | form)))
            self._restart_service(form.get("host", self.environment.host))
        except (MisuseError, ServerError) as error:
            return self._refused(str(error))
        if stops != self._stops:
            return self._refused("the test was stopped before it began")
        return None

    def _refused(self, reason: str) -> flask.Response:
        logger.error("%s", reason)
        return flask.jsonify({"success": False, "message": reason, "host": self.environment.host})

    def _on_test_start(self, **_: Any) -> None:
        try:
            self._check(self.options)
            self._restart_service(self.environment.host)
        except (MisuseError, ServerError) as error:  # of users that were picked on the web page; it died just now
            logger.error("%s", error)
            self.environment.process_exit_code = 1
            gevent.spawn_later(_WORKERS_READY_TIMEOUT_S, self._give_up)
            return
        self._asked = Namespace(**vars(self.options))
        self._commit, self._packages = self._commit_of_service(), packages()
        self._started_at, self._started_ns, self._stopped_ns = dt.datetime.now(dt.UTC), perf_counter_ns(), None
        self.options.started_unix_ns = time.time_ns()
        self.options.seed = self._seed or secrets.token_hex(4)
        self._merger, self._go_ns = Merger(), None
        self._begin()
        self._limit_in_flight()
        if self._workers is not None:
            self.options.workers = self._workers.begin(self._merger)
        else:
            self._begin_process(self._started_ns, WHOLE)
        self._watching = gevent.spawn(self._watch)

    def _give_up(self) -> None:
        """End a test that never began."""
        if getattr(self.options, "headless", False):
            self._runner.quit()
        else:
            self._runner.stop()

    def _commit_of_service(self) -> CommitInfo:
        """The commit of the service where it is ours, else of the working directory, as they are now."""
        app = getattr(self._asked, "app", DEFAULT_APP)
        try:
            return commit_info(service_directory(app) if self._own_service is not None else self._folder)
        except OSError as error:  # the working directory is gone
            return CommitInfo(error=one_line(error))

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
            self._give_up()
        except Exception as error:
            self.troubles.add("ending the test after its last stage", error)
            self._on_interrupt()  # or it would go on for ever

    # ------------------------------------------------------------------ end

    def _on_quitting(self, **_: Any) -> None:
        # Who presses Ctrl-C while replies are awaited does not want to wait for them.
        self.end(force=True)

    def _on_quit(self, **_: Any) -> None:
        super()._on_quit()
        if self._service is not None:
            self._service.stop()

    def _end_test(self) -> None:
        """Return when every process has drained and reported, or will not, and the result is shown and written."""
        self._stopped_ns = perf_counter_ns()
        try:
            if self._last_stage is not None:
                self._last_stage.kill()
            logger.info("Stopping: replies in flight are still awaited, Ctrl-C cuts that short")
            with self.troubles.during("stopping the users"):
                self._drain()
            self._finish()
        finally:
            if self._workers is not None:
                self._workers.end()
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

    def _before_leaving(self) -> None:
        if isinstance(self._runner, MasterRunner):
            for worker in self._runner.clients.all:
                self._runner.server.send_to_client(Message("quit", None, worker.id))
            gevent.sleep(_SENDING_S)

    def _force(self) -> None:
        if self._workers is not None:
            self._workers.hurry()
        else:
            self.process.force()

    def _finish(self) -> None:
        """Show the result, then write it. Whatever fails on the way, what was counted is shown and written."""
        self._reserve.release()
        with self.troubles.during("looking after the service"):
            self._stop_watching()
        self.troubles.reasons.extend(reason for reason in self._merger.troubles if reason not in self.troubles.reasons)
        result = self.troubles.attempt("the result", self._result, lambda: None)
        if result is None:
            self._finish_without_result()
            return
        self._show(lambda console: load_table(result, console))
        self._keep(lambda: Store(self._results).save(result))
        if not result.window.duration_s:
            logger.warning(
                "The run ended before its users were there and warm: it has counts, but no times and no throughput"
            )
        if breakdown_of(self.options) and not any(operation.breakdown for operation in result.operations):
            logger.warning("--breakdown: no reply had `handled_ns`, when its handler began and ended on this machine")
        for reason in (_nothing_measured(result), result.partial_reason, _cut_off(result), _out_of_files(result)):
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
            self._failed(f"cannot show the result: {one_line(error)}")

    def _keep(self, save: Callable[[], Path]) -> None:
        """Store it, and say where."""
        path = None
        try:
            path = save()
        except ResultError as error:
            self._failed(str(error))
        except Exception as error:
            self._failed(f"cannot store the result: {one_line(error)}")
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
        """The result, of which nothing but its counts is indispensable."""
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
        missing = [] if self._workers is None else self._workers.missing()
        reasons = [f"no final report from {', '.join(missing)}"] if missing else []
        reasons += self.troubles.reasons
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
        )

    def _scenario(self) -> Scenario:
        environment, options = self.environment, self._asked
        users = _socket_io_users(environment)
        return Scenario(
            user_classes=tuple(sorted(user_class.__name__ for user_class in users)),
            users=self._runner.target_user_count,
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
        limits = {user_class.max_in_flight for user_class in users}
        described = {"model": "open", "seed": self.options.seed, "max_in_flight": max(limits)}
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


def _refuse_bad_url(url: str) -> None:
    try:
        websocket_url(url)
    except ConnectFailed as error:
        raise MisuseError(str(error)) from None


def _nothing_measured(result: LoadResult) -> str | None:
    """Why there is nothing to see in the result, where there is not."""
    connect = next((operation for operation in result.operations if operation.name == CONNECT), None)
    if connect is None:
        return "no user was started before the run ended"
    if not connect.ok:
        reasons = "; ".join(connect.errors) or "the run ended before the first connection was made"
        return f"no user ever connected: {reasons}"
    if not any(operation.sent for operation in result.operations if operation.name != CONNECT):
        return "nothing was sent: no task performed a round trip"
    return None


def _no_window(end_ns: int) -> Window:
    return Window(start_s=end_ns / NS_PER_S, end_s=end_ns / NS_PER_S, warmup_s=0.0)


def _out_of_files(result: LoadResult) -> str | None:
    """What kept users from connecting where it was the limit of open files, as each attempt's error has it."""
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
