"""The owner of a run, on one process or on a master with workers: it keeps the service, merges, writes the result.

**The end of a run is a handshake of our own.** Locust's master fires `test_stop` half a second after it has asked its
workers to stop, even if they have more to report. So at `test_stopping`, which comes first, the master has every worker
drain its sessions and waits for their final reports. Only then do Locust's own messages go out, and the result is
written, once per test. The same at Ctrl-C and when a worker quits: `quitting` is fired in reverse order of
registration, so that we come before Locust there too. All waits are bounded; what stays away makes the result partial.
"""

from __future__ import annotations

import logging
import secrets
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner, Runner

from bench.load.engine.pacing import WHOLE
from bench.load.metrics.asked_users import AskedUsers
from bench.load.metrics.lacks import drop_lost_arrivals, last_ns_of_schedule, user_lacks, worker_lacks
from bench.load.metrics.result import AskedLoad, RunFacts, make_result
from bench.load.plugin import locust_guard
from bench.load.plugin.connection_options import take_connection_options
from bench.load.plugin.hosts import hide_hosts
from bench.load.plugin.lifecycle import Lifecycle, exit_from_anywhere
from bench.load.plugin.live_lines import LiveLines, are_wanted
from bench.load.plugin.live_routes import add_routes
from bench.load.plugin.live_view import LiveView
from bench.load.plugin.load_command import load_command
from bench.load.plugin.locust_statistics import bound_errors, rename
from bench.load.plugin.objective_watch import ObjectiveWatch
from bench.load.plugin.objectives import check_junit, objectives_of
from bench.load.plugin.openmetrics import MetricsServer, exposition, metrics_address
from bench.load.plugin.options import (
    MisuseError,
    check_limits,
    check_run_time,
    check_users,
    is_open,
    labels_and_note_of,
    open_load_of,
    refuse_untraceable_tasks,
    report_of,
    slowest_of,
    trace_field_of,
    warmup_s_of,
)
from bench.load.plugin.own_service import OwnService, ServiceWatch
from bench.load.plugin.owned_run import OwnedRun, Preparation
from bench.load.plugin.page import Page, check_page_address, whole_labels
from bench.load.plugin.precision import LOOK_INTERVAL_S, PrecisionWatch, precisions_of
from bench.load.plugin.process_run import ProcessHooks
from bench.load.plugin.run_output import RunOutput
from bench.load.plugin.run_secrets import RunSecrets
from bench.load.plugin.run_settings import RunSettings
from bench.load.plugin.run_view import RunView
from bench.load.plugin.serving import secrets_of, served
from bench.load.plugin.user_classes import (
    all_socket_io_users,
    described,
    leave_out_unnamed,
    longest_reply_timeout_s,
    refuse_impossible_users,
    refuse_too_few_rows,
    refuse_users_left_without_tasks,
    socket_io_users,
)
from bench.load.plugin.workers import Workers
from bench.load.plugin.workers_in_run import GO_NOTICE_NS
from bench.machine.interrupts import INTERRUPTED
from bench.machine.system import missing
from bench.printable import error_line
from bench.project_settings import ProjectSettingsError, results_folder
from bench.results.header import CommitInfo
from bench.results.load import LoadResult
from bench.results.provenance import commit_elsewhere, commit_info, machine_info, packages, service_directory
from bench.results.service_log import ServiceLog
from bench.results.service_loss import ServiceLoss
from bench.server import ServerError
from bench.timing.arrivals import schedule
from bench.timing.rates import NS_PER_S, Share
from bench.wire.errors import SettingError

logger = logging.getLogger(__name__)

_ASKED_USERS_INTERVAL_S = 0.1

#: The time between two looks at the objectives of --slo-abort, in seconds.
_LOOK_AT_OBJECTIVES_S = 1.0

#: The time from a test that could not begin to its end, in seconds: its workers have to be ready to be stopped.
_WORKERS_READY_TIMEOUT_S = 5.0

#: The number of arrivals of lost workers that are drawn again at most, which takes a few seconds.
_MOST_ARRIVALS_COUNTED = 3_000_000

#: The time from a test that has lost all its workers to the master's end, in seconds. Locust's own end of the test
#: comes first.
_LAST_WORKER_S = 2.0

#: The time between two looks whether users are being spawned, in seconds.
_BEGINS_INTERVAL_S = 0.05

#: The time from the end of the last stage to that of the test, in nanoseconds: workers' clocks are not quite the
#: master's.
_AFTER_LAST_STAGE_NS = 10_000_000


def _results_of(options: Namespace) -> Path:
    """Return the folder of results. Raises MisuseError."""
    try:
        return results_folder(getattr(options, "results", None))
    except ProjectSettingsError as error:
        raise MisuseError(str(error)) from None


class RunOwner:
    """The owner's role in a run: see `lifecycle.Role`."""

    def __init__(self, environment: Environment, runner: Runner) -> None:
        self._environment = environment
        self._runner = runner
        self._service = OwnService(environment)
        self._workers: Workers | None = None
        refuse_impossible_users(environment)
        self._lifecycle = Lifecycle(environment, self)
        self._workers = self._workers_of(runner)
        #: The working directory, which may be gone at the end.
        self._folder = Path.cwd()
        self._results = _results_of(self._options)
        self._output = RunOutput(environment, self._folder, self._results, report_of(self._options))
        self._seed = str(getattr(self._options, "seed", ""))
        self._live: LiveLines | None = None
        self._view = LiveView()
        self._page: Page | None = None
        environment.events.worker_report.add_listener(self._on_worker_report)
        leave_out_unnamed(environment)
        self._check(self._options)
        try:
            take_connection_options(self._options, socket_io_users(environment))
        except SettingError as error:
            raise MisuseError(str(error)) from None
        if (lacks := missing()) is not None:
            logger.warning("%s", lacks)
        if environment.web_ui is not None:
            check_page_address(environment.web_ui.host, environment.web_ui.port)
        if environment.web_ui is not None and environment.web_ui.app is not None:
            self._page = Page(environment, self._check, self._service.restart)
            environment.web_ui.app.before_request(self._page.guard)
            environment.web_ui.app.after_request(whole_labels)
            base_path = str(getattr(self._options, "web_base_path", "") or "")
            add_routes(environment.web_ui, base_path, self._view, lambda accept: exposition(self._view, accept))
        address = metrics_address(str(getattr(self._options, "metrics", "") or ""))
        self._metrics = None if address is None else MetricsServer(address, self._view)
        hide_hosts(environment, all_socket_io_users(environment))
        users = socket_io_users(environment)
        secrets = RunSecrets(secrets_of(self._options, users))
        to_serve = served(self._options, environment.host or None, users, secrets.hide)
        if to_serve is not None:
            self._lifecycle.process.known_secrets = secrets.known
            self._service.start(to_serve, secrets)

    @property
    def _options(self) -> Namespace:
        return self._lifecycle.options

    @property
    def _test(self) -> OwnedRun | None:
        """The test that is on."""
        test = self._lifecycle.test
        return test if isinstance(test, OwnedRun) else None

    @property
    def _running(self) -> OwnedRun | None:
        """The test that is on, unless it is ending already."""
        return self._test if self._lifecycle.running is not None else None

    # ------------------------------------------------------------------ its workers

    def _workers_of(self, runner: Runner) -> Workers | None:
        if not isinstance(runner, MasterRunner):
            return None
        locust_guard.guard_master(runner)
        if getattr(self._options, "processes", None):
            # Workers that die before they have connected would be waited for without end.
            self._options.expect_workers_max_wait = (
                self._options.expect_workers_max_wait or locust_guard.FORKED_WORKERS_WAIT_S
            )
            locust_guard.end_forked_workers_at_exit()
        return Workers(runner, self._share_out, self._on_refusal, self._on_unsupported_task)

    def on_interrupt(self) -> None:
        """React to Ctrl-C."""
        if self._workers is not None and self._lifecycle.phase.is_waiting and self._lifecycle.is_headless:
            # Locust would print a traceback, and leave the connected workers behind.
            logger.error("interrupted before the test began: there were %d workers", self._workers.number)
            gevent.spawn(self._leave, INTERRUPTED)
        else:
            self._lifecycle.interrupt()

    def _on_refusal(self) -> None:
        if self._lifecycle.is_headless:  # else the user of the web page decides
            gevent.spawn(self._leave, 2)

    def _leave(self, code: int) -> None:
        """Have the process and its workers end before any test has begun."""
        if self._workers is None or not self._lifecycle.phase.is_waiting:
            return
        self._lifecycle.phase.begun()  # or is never to begin
        self._workers.send_all_away()
        gevent.sleep(0.2)
        exit_from_anywhere(code)

    # ------------------------------------------------------------------ start

    def _check(self, options: Namespace) -> None:
        """Raise MisuseError for options that cannot be."""
        open_load_of(options, WHOLE)
        warmup_s_of(options)
        labels_and_note_of(options)
        slowest_of(options)
        users = socket_io_users(self._environment)
        refuse_untraceable_tasks(options, users)
        run_time = getattr(options, "run_time", None)
        check_users(options, self._environment.shape_class is not None)
        check_run_time("" if run_time is None else str(run_time))
        check_limits(options, users)
        refuse_too_few_rows(self._environment, options)
        is_open(options, users)
        objectives_of(options, users)
        precisions_of(options, users)
        check_junit(options)

    def on_test_start(self) -> None:
        """Begin a test."""
        phase = self._lifecycle.phase
        phase.begin()
        try:
            prepared = self._prepare()
        except (MisuseError, ServerError) as error:  # of users picked on the web page; or it died just now
            phase.begun()
            logger.error("%s", error)
            self._environment.process_exit_code = 1
            gevent.spawn_later(_WORKERS_READY_TIMEOUT_S, self._end_early)
            return
        except BaseException:
            phase.begun()
            raise
        if not phase.begun():
            self.on_interrupt()
            return
        classes = {user_class.__name__ for user_class in self._environment.user_classes}
        socket_io = {user_class.__name__ for user_class in socket_io_users(self._environment)}
        asked_users = AskedUsers(socket_io, classes - socket_io)
        seed = self._seed or secrets.token_hex(4)
        test = OwnedRun(prepared, seed, asked_users, self._service.under_test)
        self._options.started_unix_ns = test.started_unix_ns
        self._options.seed = test.seed
        self._lifecycle.begin(test)
        if self._workers is not None:
            self._options.workers = self._workers.number_ready
            self._options.worker_places = self._workers.places()
            test.workers = self._workers.begin(test.merger)
        else:
            users = socket_io_users(self._environment)
            settings = RunSettings.of(self._options, users, test.started_ns, WHOLE, WHOLE)
            hooks = ProcessHooks(self._on_all_users_connected, self._on_unsupported_task)
            test.process = self._lifecycle.process.begin(settings, hooks)
        if test.service is not None:
            test.watch = ServiceWatch(
                self._environment, test.service, self._service.log_file, test.started_ns, test.troubles
            )
            test.watch.start(lambda: self._test is test)
        gevent.spawn(self._note_asked_users, test)
        if self._page is not None and self._page.ordered_s is not None and prepared.asked.run_time:
            gevent.spawn(self._end_by_run_time, test, float(prepared.asked.run_time), self._page, self._page.ordered_s)
        self._view.begin(test, self._users_there, longest_reply_timeout_s(self._environment))
        if prepared.objectives.aborts:
            gevent.spawn(self._end_when_missed, test)
        if prepared.precisions:
            gevent.spawn(self._end_when_precise, test)
        if are_wanted(self._options):
            self._live = LiveLines(RunView(test, self._users_there))
            self._live.start()

    def _end_by_run_time(self, test: OwnedRun, run_time_s: float, page: Page, ordered_s: float) -> None:
        """End a test of Locust's page after its run time, if Locust's timer went off before the test had begun.

        Locust starts the timer when the test is ordered, and its runner stops nothing before users are spawned.
        """
        while self._runner.state not in (STATE_SPAWNING, STATE_RUNNING):
            if self._running is not test:
                return
            gevent.sleep(_BEGINS_INTERVAL_S)
        if time.monotonic() - ordered_s < run_time_s:
            return
        gevent.sleep(run_time_s)
        if self._running is test and page.ordered_s == ordered_s:  # else the test was ordered to go on
            self._runner.stop()

    def _users_there(self) -> tuple[int, int]:
        """Return how many users there are, and how many are asked for."""
        test = self._test
        there = test.process.arrived if test is not None and test.process is not None else self._runner.user_count
        return there, self._runner.target_user_count

    def _prepare(self) -> Preparation:
        """Settle what has to be known before a test begins. Raises MisuseError, or ServerError."""
        refuse_users_left_without_tasks(self._environment)
        self._check(self._options)
        self._service.restart(self._environment.host)
        asked = Namespace(**vars(self._options))
        labels, note = labels_and_note_of(asked)
        users = socket_io_users(self._environment)
        return Preparation(
            asked=asked,
            open_load=open_load_of(asked, WHOLE),
            commit=self._commit_of_service(),
            packages=packages(),
            labels=labels,
            note=note,
            objectives=objectives_of(asked, users),
            precisions=precisions_of(asked, users),
        )

    def _commit_of_service(self) -> CommitInfo:
        """Return the commit of the service if the run started it, as it is now.

        A command's is that of the working directory. Of a service that runs elsewhere nothing is known.
        """
        service = self._service.under_test
        if service is None:
            return commit_elsewhere(self._environment.host)
        app = service.app
        try:
            directory = self._folder if app is None else app.directory or service_directory(app.app)
            return commit_info(directory, self._folder / self._results)
        except OSError as error:  # the working directory is gone
            return CommitInfo(error=error_line(error))

    def _note_asked_users(self, test: OwnedRun) -> None:
        """Note the numbers of users as the run goes on: a load shape, and the web page, may ask for other numbers."""
        while self._running is test:
            with test.troubles.during("noting the users"):
                self._note_asked_users_now(test)
            gevent.sleep(_ASKED_USERS_INTERVAL_S)

    def _note_asked_users_now(self, test: OwnedRun) -> None:
        runner = self._runner
        t_s = (perf_counter_ns() - test.started_ns) / NS_PER_S
        test.asked_users.note(t_s, runner.target_user_count, runner.target_user_classes_count)

    def _on_all_users_connected(self) -> None:
        test = self._test
        if test is not None and test.process is not None:
            is_scheduled = test.prepared.open_load.profile is not None
            test.process.start_load(self._decide_on_start(test) if is_scheduled else perf_counter_ns())

    def on_spawning_complete(self) -> None:
        """Note that Locust has spawned all users."""
        test = self._test
        if test is None:
            return
        if test.process is not None:
            test.process.all_spawned()
        if test.workers is not None:
            test.workers.note_spawned()
            self._share_out()

    def _on_worker_report(self, **_: Any) -> None:
        bound_errors(self._environment.stats)

    def _share_out(self) -> None:
        test = self._running
        if test is not None and test.workers is not None:
            test.workers.share_out(test.load_started_ns, lambda: self._decide_on_start(test))

    def _decide_on_start(self, test: OwnedRun) -> int:
        """Return when the schedule starts: at a whole second of the run, so that stages are seconds of its timeline."""
        profile = test.prepared.open_load.profile
        since_start_ns = perf_counter_ns() + GO_NOTICE_NS - test.started_ns
        start_ns = test.started_ns + -(-since_start_ns // NS_PER_S) * NS_PER_S
        test.load_started_ns = start_ns
        if profile is not None and profile.duration_s is not None:
            end_ns = start_ns + round(profile.duration_s * NS_PER_S)
            test.last_stage = gevent.spawn(self._end_last_stage, test, end_ns)
        return start_ns

    def _end_last_stage(self, test: OwnedRun, end_ns: int) -> None:
        # gevent's timers count from when its loop last looked at the clock, so a timer may ring too early by that time.
        while (left_ns := end_ns + _AFTER_LAST_STAGE_NS - perf_counter_ns()) > 0:
            gevent.sleep(left_ns / NS_PER_S)
        test.last_stage = None  # or the end, which we are about to wait for, would kill it
        logger.info("The last stage of the rate is over")
        try:
            self._end_early()
        except Exception as error:
            test.troubles.add("ending the test after its last stage", error)
            self.on_interrupt()  # or the test would go on for ever

    def _end_when_missed(self, test: OwnedRun) -> None:
        """End the test as soon as an objective is surely missed: to go on would only repeat that."""
        watch = ObjectiveWatch(test, longest_reply_timeout_s(self._environment))
        with test.troubles.during("looking at the objectives"):
            while self._running is test:
                missed = watch.look()
                if missed is not None and self._running is test:  # a look gives way to others
                    test.ended_because = f"the objective {missed.text!r} was surely missed"
                    logger.warning("%s: the run ends before its time (--slo-abort)", test.ended_because)
                    gevent.spawn(self._end_early)
                    return
                gevent.sleep(_LOOK_AT_OBJECTIVES_S)

    def _end_when_precise(self, test: OwnedRun) -> None:
        """End the test as soon as its figures are as precise as asked."""
        watch = PrecisionWatch(test, longest_reply_timeout_s(self._environment))
        with test.troubles.during("looking at the precision"):
            while self._running is test:
                gevent.sleep(LOOK_INTERVAL_S)
                if self._running is test and watch.look() and self._running is test:
                    logger.info("The figures are as precise as asked (--until)")
                    gevent.spawn(self._end_early)
                    return

    def _on_unsupported_task(self) -> None:
        """End the test if some process knows that the figures are wrong: to go on gains nothing."""
        test = self._running
        if test is not None and not test.is_unsupported:
            test.is_unsupported = True
            gevent.spawn(self._end_early)  # the caller is needed for the end

    def _end_early(self) -> None:
        if self._lifecycle.is_headless:
            self._runner.quit()
        else:
            self._runner.stop()

    # ------------------------------------------------------------------ end

    def on_quitting(self) -> None:
        """End the test before Locust quits."""
        # Who presses Ctrl-C while replies are awaited does not want to wait for them.
        self._lifecycle.end(abort=True)
        phase = self._lifecycle.phase
        if not phase.has_run and self._lifecycle.is_headless and self._environment.process_exit_code is None:
            self._output.fail("Locust was ended before the test began")
        # The result is stored. A late Ctrl-C would only print a traceback; but another listener may never end.
        phase.leave(time.monotonic())
        self._lifecycle.quit_once()

    def on_quit(self) -> None:
        """Stop the service, and what shows the run."""
        if self._metrics is not None:
            self._metrics.stop()
        self._service.stop()

    def end_test(self) -> None:
        """Return when every process has drained and reported, or will not, and the result is shown and written."""
        test = self._test
        assert test is not None, "a test is on"
        test.stopped_ns = perf_counter_ns()
        try:
            with test.troubles.during("noting the users"):
                self._note_asked_users_now(test)
            test.was_spawning = self._runner.state == STATE_SPAWNING
            test.have_all_workers_left = self._workers is not None and not self._workers.number
            if test.last_stage is not None:
                test.last_stage.kill()
            logger.info("Stopping: replies in flight are still awaited, Ctrl-C cuts that short")
            with test.troubles.during("stopping the users"):
                self._drain(test)
            lacks: list[str] = []
            with test.troubles.during("looking for what is lacking"):
                lacks = self._lacks(test)
            self._end_live_lines()
            self._finish(test, lacks)
        finally:
            self._end_live_lines()
            self._view.end(None, None)
            if self._workers is not None:
                self._workers.end()
                if not self._workers.number and self._lifecycle.is_headless:
                    # Locust's master stops the test if its last worker goes missing, and then waits for nobody.
                    gevent.spawn_later(_LAST_WORKER_S, self._runner.quit)

    def abort(self) -> None:
        """Cut the end that is under way short."""
        test = self._test
        if test is None:
            return
        if test.workers is not None:
            test.workers.hurry()
        elif test.process is not None:
            test.process.abort()

    def _end_live_lines(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _drain(self, test: OwnedRun) -> None:
        stop_timeout_s = self._environment.stop_timeout
        if test.workers is not None:
            test.workers.drain(stop_timeout_s + 2 * longest_reply_timeout_s(self._environment))
        elif test.process is not None:
            try:
                self._lifecycle.process.drain(stop_timeout_s)
            finally:
                test.merger.receive("local", test.process.report(final=True))

    def _lacks(self, test: OwnedRun) -> list[str]:
        """Return why the result is partial."""
        lacks = list(worker_lacks(test.lacking_workers()))
        if test.workers is not None:
            test.merger.late = test.workers.not_throughout()
            lacks += [text for worker in test.workers.missing() if (text := self._drop_arrivals_of(test, worker))]
        return [*lacks, *test.merger.cut_off, *user_lacks(test.merger.began, self._users_asked(test))]

    def _drop_arrivals_of(self, test: OwnedRun, worker: str) -> str | None:
        """Count as dropped a lost worker's arrivals that are in no tally; return in words what that comes to."""
        load = test.prepared.open_load
        profile = load.profile
        if test.workers is None or profile is None or test.load_started_ns is None:
            return None
        stopped_ns = last_ns_of_schedule(test.merger, test.end_ns - test.started_ns)
        go_ns = test.load_started_ns - test.started_ns
        if profile.expected((stopped_ns - go_ns) / NS_PER_S) > _MOST_ARRIVALS_COUNTED:
            return "too many arrivals to count those of its share that were neither sent nor dropped"

        def arrivals(share: Share) -> Iterator[int]:
            return schedule(profile, load.shape, share, test.seed)

        its_arrivals = test.workers.arrivals_of(worker, arrivals, stopped_ns - go_ns)
        return drop_lost_arrivals(test.merger, worker, (go_ns + at_ns for at_ns in its_arrivals))

    def _users_asked(self, test: OwnedRun) -> int | None:
        """Return the number of Socket.IO users that were asked for; None if Locust has not said that of them alone."""
        classes = {user_class.__name__ for user_class in socket_io_users(self._environment)}
        if not test.was_spawning:
            counts = self._runner.target_user_classes_count
            return sum(number for name, number in counts.items() if name in classes)
        return self._runner.target_user_count if len(classes) == len(self._environment.user_classes) else None

    def _finish(self, test: OwnedRun, lacks: list[str]) -> None:
        """Make the result, show it and write it."""
        self._lifecycle.reserve.release()
        if test.watch is not None:
            with test.troubles.during("looking after the service"):
                test.watch.stop()
        with test.troubles.during("Locust's own figures"):
            rename(self._environment.stats, test.merger.learnt())
        known = test.troubles.reasons
        known.extend(reason for reason in test.merger.troubles if reason not in known)
        result = test.troubles.attempt("the result", lambda: self._result(test, lacks), lambda: None)
        if result is None:
            self._output.give_counts(test.merger, test.started_at, test.troubles)
            self._service.show_last_words()
        elif not self._output.give(result, test.workers is not None and bool(test.workers.missing())):
            self._service.show_last_words()
        self._view.end(result, self._output.stored)

    def _result(self, test: OwnedRun, lacks: list[str]) -> LoadResult:
        facts = RunFacts(
            load=self._asked_load(test),
            started_at=test.started_at,
            started_ns=test.started_ns,
            stopped_ns=test.end_ns,
            load_started_ns=test.load_started_ns,
            warmup_s=warmup_s_of(test.prepared.asked),
            commit=test.prepared.commit,
            packages=test.prepared.packages,
            command=test.troubles.attempt("the command", self._typed_command, lambda: None),
            labels=test.prepared.labels,
            note=test.prepared.note,
            service_log=self._service_log(test),
            service_loss=test.troubles.attempt("the loss of the service", lambda: self._loss(test), lambda: None),
            lacks=lacks,
            objectives=test.prepared.objectives.objectives,
            precisions=test.prepared.precisions,
            ended_because=test.ended_because,
        )
        return make_result(facts, test.merger, test.troubles, test.service, machine_info)

    def _typed_command(self) -> str | None:
        known = secrets_of(self._options, socket_io_users(self._environment))
        return load_command(sys.argv, known.hide, headless=bool(self._options.headless))

    def _service_log(self, test: OwnedRun) -> ServiceLog | None:
        """Return what the service wrote during the test."""
        if test.watch is None:
            return None
        watch = test.watch
        return test.troubles.attempt("the service's log", lambda: watch.log(self._service.hide), lambda: None)

    def _loss(self, test: OwnedRun) -> ServiceLoss | None:
        """Return how the service was lost, with its last words if this process has started it; None if it was not."""
        loss = test.service_loss()
        if loss is None or test.watch is None:
            return loss
        return loss.model_copy(update={"wrote_last": self._service.hide(test.watch.wrote_last) or None})

    def _asked_load(self, test: OwnedRun) -> AskedLoad:
        asked, open_load = test.prepared.asked, test.prepared.open_load
        users = socket_io_users(self._environment)
        return AskedLoad(
            classes=described(users, open_load, asked),
            users=test.asked_users,
            is_open=is_open(asked, users),
            profile=open_load.profile,
            shape=open_load.shape,
            seed=test.seed,
            duration_s=float(asked.run_time) if getattr(asked, "run_time", None) else None,
            url=self._environment.host,
            app=None if test.service is None or test.service.app is None else test.service.app.app,
            trace_field=trace_field_of(asked),
            slowest=slowest_of(asked),
            counts=lambda: self._runner.target_user_classes_count,
        )
