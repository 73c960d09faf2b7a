"""A Locust process's part in its load tests: the engine, and the engine's news. No master, no workers here.

Everything here runs on the gevent side. A greenlet takes what the engine's thread has put into its outbox, many times a
second. What belongs to one test is in a `ProcessRun`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import count
from typing import ClassVar
from weakref import WeakKeyDictionary

import gevent
from locust.env import Environment

from bench.load.engine.interface import SessionUser
from bench.load.engine.loop import Engine
from bench.load.plugin.process_run import ProcessHooks, ProcessRun, UserGreenlet
from bench.load.plugin.run_settings import RunSettings
from bench.scenarios.tokens import tokens
from bench.secrets import KnownSecrets
from bench.wire.stamps import use_clock_of_system, use_process_clock

#: The time between two looks while users arrive, in seconds: their arriving has to be seen.
_LOOK_INTERVAL_S = 0.05

#: The time between two looks after that, in seconds: to note users and CPU. News of the engine is taken at once.
_STEADY_LOOK_INTERVAL_S = 0.25

#: The pause between two looks, in seconds: a flood from the engine must not keep the gevent side from all else.
_LOOK_PAUSE_S = 0.001


#: The number of users that are started before all else of the gevent side has its turn.
#:
#: Locust starts a second's users without a pause. Of thousands of users, that takes so long on a busy core that its
#: master takes the worker for lost, because it sends no heartbeat.
_STARTED_AT_ONCE = 50


class LoadProcess:
    """The engine of one process, and the test that it runs."""

    _of: ClassVar[WeakKeyDictionary[Environment, LoadProcess]] = WeakKeyDictionary()

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._engine = Engine()
        #: The present test, or the last test: late news of the engine belong to it.
        self._run: ProcessRun | None = None
        #: True if there is a thread that will not end.
        self._is_stuck = False
        self._origin = secrets.token_hex(4)
        self._connections = count()
        #: The number of users that were started since all else had its turn.
        self._started = 0
        self._looking: gevent.Greenlet | None = None
        #: The place for what the users learn that is secret; None if no log of a service has to be without it.
        self.known_secrets: KnownSecrets | None = None

    @classmethod
    def of(cls, environment: Environment) -> LoadProcess:
        """Return the load process of this environment."""
        process = cls._of.get(environment)
        if process is None:
            process = cls._of[environment] = cls(environment)
        return process

    def begin(self, settings: RunSettings, hooks: ProcessHooks) -> ProcessRun:
        """Begin a test."""
        if self._run is not None:
            self._run.dismiss()
        self._engine.breakdown = settings.breakdown
        self._engine.names_tokens = settings.slowest > 0
        self._engine.trace_field = settings.trace_field
        if settings.process_clock:
            use_process_clock()
        else:
            use_clock_of_system()  # an earlier test from the page may have had another
        self._run = ProcessRun(self._environment, self._engine, settings, hooks)
        self._engine.start()
        if self._looking is None:
            self._looking = gevent.spawn(self._look_regularly)
        return self._run

    def drain(self, stop_timeout_s: float) -> None:
        """Stop all sessions of the test, and return when they have ended and been counted: see `ProcessRun.drain`."""
        run = self._run
        assert run is not None, "a test has begun"
        try:
            run.drain(stop_timeout_s)
        finally:
            if run.has_given_up_engine:
                self._is_stuck = self._is_stuck or run.is_stuck
                self._engine = Engine()

    def join(self, user: SessionUser, url: str) -> UserGreenlet:
        """Begin a user's session; if no test is on, or the test is ending, the user ends at once."""
        if self._run is None:
            greenlet = UserGreenlet(user)
            greenlet.start()
            return greenlet
        return self._run.join(user, url, self._new_tokens())

    def pause_starting(self) -> None:
        """Let all else of the gevent side have its turn, after so many users. Called when a user has been started."""
        self._started += 1
        if self._started >= _STARTED_AT_ONCE:
            self._started = 0
            gevent.sleep(0)

    def give_rows(self, user: SessionUser) -> bool:
        """Give a new user its rows of feeds; return whether there were any. Without a test the user gets none."""
        return self._run is not None and self._run.give_rows(user)

    def close(self) -> bool:
        """End the engine's thread, as the last step. Return whether it has ended, and all engines before it as well."""
        if self._looking is not None:
            self._looking.kill()
            self._looking = None
        return self._engine.stop() and not self._is_stuck

    def _new_tokens(self) -> Iterator[str]:
        return tokens(self._origin, next(self._connections))

    def _look_regularly(self) -> None:
        while True:
            run = self._run
            is_steady = run is not None and run.are_all_connected
            self._engine.outbox_ready.wait(_STEADY_LOOK_INTERVAL_S if is_steady else _LOOK_INTERVAL_S)
            self._engine.outbox_ready.clear()
            if self._run is not None:
                self._run.look()
            gevent.sleep(_LOOK_PAUSE_S)
