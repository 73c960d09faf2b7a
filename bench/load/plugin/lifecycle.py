"""The life of a Locust process, whatever its role in a run: it begins and ends tests, is interrupted, and quits.

The end of a test runs in a greenlet of its own, and whoever wants the test to end waits for it. Locust kills some of
those who ask, such as the greenlet that listens to workers, and several may ask at once. A KeyboardInterrupt that
strikes in the middle of counting would lose what is being counted, so SIGINT is delivered where the main greenlet
waits.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import time
from argparse import Namespace
from typing import Any, Protocol

import gevent
from locust.env import Environment

from bench.load.metrics.troubles import Troubles
from bench.load.plugin.phase import Phase, Reaction
from bench.load.plugin.process import LoadProcess
from bench.load.plugin.process_run import ProcessRun
from bench.machine.descriptors import Reserve
from bench.machine.interrupts import INTERRUPTED, give_interrupts_back, is_starting

#: The time that a shutdown may take between its end and that of the process, in seconds.
_EXIT_S = 1.0

#: The number of files that are reserved for the end of a run. To store a result takes three at a time, and modules that
#: were loaded late may take some more.
_RESERVED_FILES = 8


class Role(Protocol):
    """The part that a process has in a run: it owns the run, or works for a master."""

    def on_test_start(self) -> None:
        """Begin a test."""

    def on_spawning_complete(self) -> None:
        """Note that Locust has spawned all users."""

    def on_interrupt(self) -> None:
        """React to Ctrl-C."""

    def on_quitting(self) -> None:
        """Do what has to be done before Locust quits."""

    def on_quit(self) -> None:
        """Do what has to be done as the last step."""

    def end_test(self) -> None:
        """End the test, however long that takes."""

    def abort(self) -> None:
        """Cut the end that is under way short."""


class CurrentTest:
    """The test that a process takes part in: made when it begins, dropped when it has ended."""

    def __init__(self) -> None:
        #: The steps that failed, so that the figures are not whole.
        self.troubles = Troubles()
        #: The users of this process; None on a master, which has none.
        self.process: ProcessRun | None = None
        #: The greenlet in which the test ends, once it does.
        self.ending: gevent.Greenlet | None = None


class Lifecycle:
    """The life of a process under Locust. Listens to Locust's events, and tells the process's role of them."""

    def __init__(self, environment: Environment, role: Role) -> None:
        self.environment = environment
        self.process = LoadProcess.of(environment)
        self.phase = Phase()
        #: The test that is on.
        self.test: CurrentTest | None = None
        self.reserve = Reserve(_RESERVED_FILES)
        self._role = role
        #: The greenlet in which Locust shuts down.
        self._shutting_down: Any = None
        if is_starting():
            give_interrupts_back()
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # a closed terminal sends it, and nohup ignores it
            self._hangups = gevent.signal_handler(signal.SIGHUP, os.kill, os.getpid(), signal.SIGTERM)
        self._interrupts = gevent.signal_handler(signal.SIGINT, role.on_interrupt)
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

    @property
    def is_headless(self) -> bool:
        """True without Locust's web page."""
        return bool(getattr(self.options, "headless", False))

    @property
    def running(self) -> CurrentTest | None:
        """The test that is on, unless it is ending already."""
        return self.test if self.test is not None and self.test.ending is None else None

    def begin(self, test: CurrentTest) -> None:
        """Begin a test."""
        self.phase.begun()
        self.test = test
        self.reserve.hold()

    def end(self, abort: bool = False) -> None:
        """Return when the test has ended. `abort`, or a KeyboardInterrupt, cuts short an end that is under way."""
        test = self.test
        if test is None:
            return
        if test.ending is None:
            test.ending = gevent.spawn(self._end_test)
        elif abort:
            self._role.abort()
        while not test.ending.ready():
            try:
                test.ending.join()
            except KeyboardInterrupt:
                self._role.abort()
        if not test.ending.successful():
            self.environment.process_exit_code = 1  # gevent has printed why

    def interrupt(self) -> None:
        """Do what Ctrl-C does in the present phase."""
        reaction = self.phase.interrupt(time.monotonic(), self.is_headless)
        if reaction is Reaction.END_TEST:
            gevent.get_hub().handle_system_error(KeyboardInterrupt, KeyboardInterrupt())
        elif reaction is Reaction.EXIT:
            exit_from_anywhere(INTERRUPTED)

    def quit_once(self) -> None:
        """Return where Locust's shutdown is the first. Another shutdown waits until that has ended the process.

        The runner that a signal's shutdown quits is what the main greenlet waits for, to begin a shutdown of its own.
        """
        current = gevent.getcurrent()
        if self._shutting_down is None:
            self._shutting_down = current
        while self._shutting_down is not current:
            gevent.sleep(_EXIT_S)  # where it leaves, its SystemExit strikes here
            if self._shutting_down.dead:  # it has failed
                self._shutting_down = current

    def _end_test(self) -> None:
        try:
            self._role.end_test()
        finally:
            self.test = None

    def _on_test_start(self, **_: Any) -> None:
        self._role.on_test_start()

    def _on_spawning_complete(self, **_: Any) -> None:
        self._role.on_spawning_complete()

    def _on_test_stopping(self, **_: Any) -> None:
        self.end()

    def _on_quitting(self, **_: Any) -> None:
        self._role.on_quitting()

    def _on_quit(self, **event: Any) -> None:
        # All that is left is to exit: a late Ctrl-C, or a Ctrl-C on its way already, would only print a traceback.
        self.phase.quit()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if not self.process.close():
            # Python would wait for its lock, or for the thread. This is registered last, so it runs first.
            atexit.register(_exit_at_once, event.get("exit_code", 1))
        self._role.on_quit()


def exit_from_anywhere(code: int) -> None:
    """Raise SystemExit in the main greenlet."""
    gevent.get_hub().handle_system_error(SystemExit, SystemExit(code))


def _exit_at_once(code: int) -> None:
    """End the process as the interpreter would, but without waiting for threads."""
    atexit.unregister(_exit_at_once)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
