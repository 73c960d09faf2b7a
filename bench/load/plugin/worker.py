"""A worker of a run: it has its share of the users, and reports to the master."""

from __future__ import annotations

import contextlib
import logging
import time
from argparse import Namespace
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import gevent
from locust.env import Environment
from locust.rpc import Message
from locust.runners import WorkerRunner

from bench.load.engine.pacing import WHOLE
from bench.load.plugin import locust_guard
from bench.load.plugin.feeds import RowsOfMaster
from bench.load.plugin.hosts import hide_hosts
from bench.load.plugin.lifecycle import CurrentTest, Lifecycle
from bench.load.plugin.messages import (
    DRAIN,
    GO,
    HELLO,
    READY,
    REPORT,
    ROWS,
    Drain,
    Go,
    MessageError,
    Ready,
    RowsGiven,
    RowsWanted,
    Version,
    own_version,
    read,
)
from bench.load.plugin.options import MisuseError, profile_of
from bench.load.plugin.process_run import ProcessHooks
from bench.load.plugin.run_secrets import WorkerSecrets
from bench.load.plugin.run_settings import RunSettings
from bench.load.plugin.service import machine_identity, pin_generator
from bench.load.plugin.user_classes import all_socket_io_users, refuse_impossible_users, socket_io_users
from bench.load.plugin.workers import own_clock_ns
from bench.timing.rates import Share

logger = logging.getLogger(__name__)

_REPORT_INTERVAL_S = 1.0

#: The time that a worker goes on without a sign of its master, in seconds: while it has users, and else (as Locust).
_MASTER_SILENCE_S, _IDLE_MASTER_SILENCE_S = 15, 60


class RunWorker:
    """The worker's role in a run: see `lifecycle.Role`."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self._environment = environment
        self._runner = runner
        self._reporting: gevent.Greenlet | None = None
        #: The rows of unique feeds in the last test.
        self._rows: RowsOfMaster | None = None
        refuse_impossible_users(environment)
        self._lifecycle = Lifecycle(environment, self)
        with contextlib.suppress(MisuseError):  # the master reports it
            hide_hosts(environment, all_socket_io_users(environment))
        locust_guard.guard_worker(runner)
        runner.register_message(HELLO, self._on_hello)
        runner.register_message(DRAIN, self._on_drain, concurrent=True)
        runner.register_message(GO, self._on_go)
        runner.register_message(ROWS, self._on_rows_given)
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
        while not self._lifecycle.phase.is_quitting:
            gevent.sleep(1.0)
            silent_s = silent_s + 1 if self._runner.last_heartbeat_timestamp == heard else 0
            heard = self._runner.last_heartbeat_timestamp
            if locust_guard.has_lost_its_parent():
                self._leave("the master of this worker has ended: so does the worker")
                return
            if silent_s >= (_IDLE_MASTER_SILENCE_S if self._lifecycle.test is None else _MASTER_SILENCE_S):
                self._leave(f"the master of this worker has been silent for {silent_s} s: the worker ends")
                return

    def _leave(self, reason: str) -> None:
        logger.error("%s", reason)
        self._environment.process_exit_code = 1
        gevent.spawn(self._runner.quit)

    # ------------------------------------------------------------------ a test

    def on_test_start(self) -> None:
        """Begin a test."""
        self._say_hello()
        options = self._lifecycle.options
        if getattr(options, "service_machine", None) not in (None, machine_identity()):
            self._leave(
                "the service of this run listens on the master's machine alone: for workers on other machines,"
                " start the master with --host"
            )
            return
        pin_generator(tuple(getattr(options, "generator_cores", ())))
        # The run's start is the master's, told as wall time, because perf_counter is another on another machine.
        started_ns = own_clock_ns(getattr(options, "started_unix_ns", None) or time.time_ns())
        index = max(0, self._runner.worker_index)
        share = Share(index, max(index + 1, getattr(options, "workers", 1)))
        try:
            users = socket_io_users(self._environment)
            settings = RunSettings.of(options, users, started_ns, share, self._share_of_rows(options))
        except MisuseError:
            return  # the master says so, and stops
        self._begin_secrets(getattr(options, "secrets_folder", None))
        classes = all_socket_io_users(self._environment)
        self._rows = RowsOfMaster(classes, self._ask_for_rows, self._users_to_come)
        hooks = ProcessHooks(
            self._on_all_users_connected,
            on_users_changed=self._send_ready,
            next_unique_row=self._rows.next_row,
        )
        test = CurrentTest()
        test.process = self._lifecycle.process.begin(settings, hooks)
        self._lifecycle.begin(test)
        if self._reporting is None:
            self._reporting = gevent.spawn(self._report_regularly)

    def _begin_secrets(self, folder: str | None) -> None:
        """Tell the master what the users learn that is secret, if it keeps the service's log."""
        process = self._lifecycle.process
        if folder is None or process.known_secrets is not None:
            return
        try:
            process.known_secrets = WorkerSecrets(Path(folder))
        except OSError as error:
            reason = error.strerror or error
            logger.warning("what the users of this worker log in with may stay in the service's output: %s", reason)

    def _share_of_rows(self, options: Namespace) -> Share:
        """Return the share of the rows that this worker has; all if it joined when the test had begun."""
        places = getattr(options, "worker_places", {})
        place = places.get(self._runner.client_id)
        return WHOLE if place is None else Share(place, len(places))

    def _ask_for_rows(self, wanted: RowsWanted) -> None:
        self._runner.send_message(ROWS, wanted.model_dump())

    def _users_to_come(self, class_names: set[str]) -> int:
        """Return the number of users of these classes that Locust is about to begin here."""
        asked, there = self._runner.target_user_classes_count, self._runner.user_classes_count
        return sum(max(0, asked.get(name, 0) - there.get(name, 0)) for name in class_names)

    def _on_rows_given(self, msg: Message, **_: Any) -> None:
        try:
            given = read(RowsGiven, msg.data)
        except MessageError as error:
            logger.error("the master's message about rows cannot be read: %s", error)
            return
        if self._rows is not None:
            self._rows.receive(given)

    def on_spawning_complete(self) -> None:
        """Note that Locust has spawned all users of this worker."""
        test = self._lifecycle.test
        if test is not None and test.process is not None:
            test.process.all_spawned()

    def _on_all_users_connected(self) -> None:
        test = self._lifecycle.test
        if profile_of(self._lifecycle.options) is not None:
            self._send_ready(True)
        elif test is not None and test.process is not None:
            test.process.start_load(perf_counter_ns())

    def _send_ready(self, has_users: bool) -> None:
        test = self._lifecycle.test
        takes_arrivals = test is not None and test.process is not None and test.process.takes_arrivals
        self._runner.send_message(READY, Ready(users=has_users, takes_arrivals=takes_arrivals).model_dump())

    def _on_go(self, msg: Message, **_: Any) -> None:
        try:
            go = read(Go, msg.data)
            share = Share(go.index, go.count) if go.has_share else None
        except (MessageError, ValueError) as error:
            logger.error("the master's message to go cannot be read: %s", error)
            return
        test = self._lifecycle.test
        if test is not None and test.process is not None:
            start_ns = own_clock_ns(go.start_unix_ns)
            test.process.start_load(start_ns, share, start_ns + go.since_start_ns)

    def _report_regularly(self) -> None:
        while True:
            gevent.sleep(_REPORT_INTERVAL_S)
            test = self._lifecycle.test
            if test is not None:
                with test.troubles.during("a report to the master"):
                    self._send_report(test, final=False)

    def _send_report(self, test: CurrentTest, final: bool) -> None:
        assert test.process is not None, "a worker has users"
        report = test.process.report(final)
        report.troubles.extend(test.troubles.reasons)
        self._runner.send_message(REPORT, report.model_dump())

    # ------------------------------------------------------------------ the end

    def _on_drain(self, environment: object, msg: Message) -> None:
        # Older versions of Locust call a concurrent listener by position, newer versions by name.
        try:
            self._lifecycle.end(abort=read(Drain, msg.data).force)
        except MessageError as error:
            logger.error("the master's message to drain cannot be read: %s", error)

    def on_interrupt(self) -> None:
        """React to Ctrl-C."""
        self._lifecycle.interrupt()

    def on_quitting(self) -> None:
        """End the test before Locust quits."""
        # Ctrl-C reaches master and workers alike: that the master has asked us to drain already is no reason to hurry.
        self._lifecycle.end()
        # Locust interrupts the workers that it forked when their master has gone; this worker is going already.
        self._lifecycle.phase.quit()
        self._lifecycle.quit_once()

    def on_quit(self) -> None:
        """Report no more."""
        if self._reporting is not None:
            self._reporting.kill()

    def end_test(self) -> None:
        """Stop the users, and report for the last time."""
        test = self._lifecycle.test
        assert test is not None, "a test is on"
        # Where it is this worker alone that quits, the others take over its share while it awaits its replies.
        self._send_ready(False)
        with test.troubles.during("stopping the users"):
            self._lifecycle.process.drain(self._environment.stop_timeout)
        self._lifecycle.reserve.release()
        # Locust's own figures first: once this process's final report is there, the master has all of both.
        with test.troubles.during("Locust's own figures"):
            data: dict[str, Any] = {}
            self._environment.events.report_to_master.fire(client_id=self._runner.client_id, data=data)
            self._runner.send_message("stats", data)
        self._send_report(test, final=True)

    def abort(self) -> None:
        """Cut the end that is under way short."""
        test = self._lifecycle.test
        if test is not None and test.process is not None:
            test.process.abort()
