"""One Locust process's part in a load test: its engine, its sessions, its account. Knows nothing of master and workers.

Everything here runs on the gevent side. `turn` takes what the engine's thread has put into its outbox; a greenlet calls
it many times a second, and whoever waits for sessions to end calls it as well.
"""

from __future__ import annotations

import gc
import logging
import secrets
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from time import perf_counter_ns, process_time_ns
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

import gevent
from locust.env import Environment

from bench.load.account import NS_PER_S, Account, Report
from bench.load.engine import Engine, LoopError
from bench.load.locust_statistics import log_batch
from bench.load.pacing import WHOLE, Pacer, Pacing
from bench.load.recording import CONNECT, Batch, Delays
from bench.load.salvage import Troubles
from bench.load.session import Refused, Session, SessionEnded, Shared, TaskRaised
from bench.roundtrip import tokens
from bench.timing.arrivals import Share

if TYPE_CHECKING:
    from bench.load.user import SocketIOUser

logger = logging.getLogger(__name__)

_TURN_INTERVAL_S = 0.05
"""While users arrive, whose arriving has to be seen."""
_STEADY_TURN_INTERVAL_S = 0.25
"""After that: to note users and CPU. What the engine tells is taken at once."""

_GC_THRESHOLD = gc.get_threshold()
_ARRIVING_GC_THRESHOLD = 50_000, 1_000, 1_000
"""While users arrive, the oldest generation would be gone through again and again: half of the time of 15,000 users."""
_GC_OBJECTS_PER_USER, _GC_MOST_OBJECTS = 20, 20_000
"""What a round trip allocates is freed when its reply has come, without the collector. Before that there is as much as
users have in flight: with a thousand of them, the default of 700 objects had the collector go through it without end, a
tenth of all CPU time. The bound keeps the pause when there is something to collect under a millisecond."""

_END_OF_SENDING_TIMEOUT_S = 2.0
"""How long the engine's loop may take to say when it took the last arrival: a task that blocks may hold it up."""

_ABORT_TIMEOUT_S = 5.0
"""How long sessions may take to end by force: closing a connection takes a second at most."""


@dataclass(frozen=True)
class SendingEnded:
    """The engine takes no arrival that is due after this. All that it noted before has been handed over."""

    at_ns: int


class UserGreenlet(gevent.Greenlet):  # type: ignore[misc]  # gevent is not typed
    """What Locust knows of a running user: a greenlet that is started when its session has ended, and ends at once.

    Locust counts, joins and kills users by their greenlets, and a greenlet that waits for its session would cost as
    much memory as the rest of the connection. So this one does not run while the session lives; what `kill` means to
    it, it passes on.
    """

    def __init__(self, user: SocketIOUser, process: LoadProcess) -> None:
        super().__init__(self._end, user)  # Locust finds the user in the greenlet's first argument
        self._process = process
        self.session: Session | None = None
        self._error: BaseException | None = None

    def session_ended(self, error: BaseException | None) -> None:
        """The session is over: so is the user."""
        self.session, self._error = None, error
        self.start()

    def kill(self, exception: Any = gevent.GreenletExit, block: bool = True, timeout: float | None = None) -> None:
        """Stop the session as `LoadProcess.drain` stops all; with `block`, return when it has ended."""
        if self.session is None:
            super().kill(exception, block, timeout)
            return
        self._process.stop_session(self.session)
        if block:
            self.join(timeout)

    def _end(self, _user: SocketIOUser) -> None:
        if self._error is not None:
            raise self._error


class LoadProcess:
    """Runs the sessions of one process and counts what they do."""

    _of: ClassVar[WeakKeyDictionary[Environment, LoadProcess]] = WeakKeyDictionary()

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.account = Account(perf_counter_ns(), CONNECT)
        self.engine = Engine()
        self._shared = Shared()
        self._joined = 0
        """How many sessions the test has begun so far: once as many have arrived, all users are there."""
        self._members: dict[Session, UserGreenlet] = {}
        self._accepting = False
        self._spawned = False
        self._forced = False
        self.all_there: Callable[[], None] | None = None
        """Called once in a test, when all users are there; has to see to it that `go` is called."""
        self.changed: Callable[[bool], None] | None = None
        """Called after that whenever the last user has gone (False) and when there is one again (True)."""
        self._are_there = False
        self._has_users = False
        self._refused: set[Refused] = set()
        self.troubles = Troubles()
        """Of the present test: what could not be counted."""
        self._pacer = Pacer(Pacing())
        self._warmup_ns = 0
        self._window_cpu_started: tuple[int, int] | None = None
        """When the window's CPU time began to be counted, and that CPU time."""
        self._window_cpu_ns: int | None = None
        self._noted = 0, 0
        """Since when, and since which CPU time of this process, the present second's share is counted."""
        self._origin = secrets.token_hex(4)
        self._connections = count()
        self._turning: gevent.Greenlet | None = None

    @classmethod
    def of(cls, environment: Environment) -> LoadProcess:
        """The one of this environment."""
        process = cls._of.get(environment)
        if process is None:
            process = cls._of[environment] = cls(environment)
        return process

    # ------------------------------------------------------------------ the run

    def begin(self, started_ns: int, pacing: Pacing, warmup_s: float, is_open: bool, breakdown: bool) -> None:
        """A test starts, at `started_ns` of this process's clock. Its window opens `warmup_s` after `go`."""
        self.engine.breakdown = breakdown
        gc.unfreeze()
        gc.set_threshold(*_ARRIVING_GC_THRESHOLD)
        self.account = Account(started_ns, CONNECT, is_open)
        self._shared, self._joined = Shared(), 0
        self._accepting, self._spawned, self._forced = True, False, False
        self._are_there = False
        self._refused = set()
        self.troubles = Troubles()
        self._pacer, self._warmup_ns = Pacer(pacing), round(warmup_s * NS_PER_S)
        self._window_cpu_started = None
        self._window_cpu_ns = None
        self._noted = started_ns, process_time_ns()
        self.engine.start()
        if self._turning is None:
            self._turning = gevent.spawn(self._turn_regularly)

    def all_spawned(self) -> None:
        """Locust has spawned all users: they are there as soon as each has tried to connect."""
        self._spawned = True

    def go(self, start_ns: int, share: Share = WHOLE, since_ns: int = 0) -> None:
        """The load itself starts at `start_ns`: a share of the schedule, where there is one, and the warm-up.

        Called again with another share where the number of processes changes: that share counts from `since_ns` on.
        """
        if not self._accepting:
            return
        self.engine.submit(self._pacer.follow, share, start_ns, since_ns)
        if self.account.window_start_ns is None:
            self.account.open_window(start_ns + self._warmup_ns)

    def drain(self, stop_timeout_s: float) -> None:
        """Stop all sessions and return when they have ended and been counted. Called once per test.

        Nothing more is sent, but for tasks that may finish within `stop_timeout_s`; replies are awaited up to their
        timeout, unless `force` is called meanwhile.
        """
        self._accepting = False
        gc.set_threshold(*_GC_THRESHOLD)
        with self.troubles.during("noting users and CPU"):
            self._note_use()
        self._end_sending()
        if stop_timeout_s:
            self._stop_sessions(graceful=True)
            self._wait_for_sessions(stop_timeout_s)
        self._stop_sessions(graceful=False)
        # A session ends within a reply's timeout, then runs on_stop within another.
        timeouts = [2 * session.user.reply_timeout for session in self._members]
        self._wait_for_sessions(max(timeouts, default=0.0) + 2.0)
        if self._members:
            self._forced = True
            for session in list(self._members):
                self.engine.submit(session.abort)
            self._wait_for_sessions(_ABORT_TIMEOUT_S, even_forced=True)
        self.turn()

    def force(self) -> None:
        """Cut the draining short: what is in flight stays unfinished."""
        self._forced = bool(self._members)

    def report(self, final: bool) -> Report:
        """The account so far."""
        unfinished = Counter(self._shared.abandoned)
        for session in list(self._members):
            if session.exchange is not None:
                unfinished += session.exchange.in_flight_by_name()
        report = self.account.report(
            unfinished=unfinished,
            late=Counter(self._shared.late),
            window_cpu_ns=self._window_cpu_ns,
            final=final,
            forced=self._forced,
        )
        report.troubles.extend(self.troubles.reasons)
        return report

    @property
    def users(self) -> int:
        """How many sessions there are."""
        return len(self._members)

    def close(self) -> None:
        """End the engine's thread. The last thing that is done."""
        if self._turning is not None:
            self._turning.kill()
            self._turning = None
        self.engine.stop()

    # ------------------------------------------------------------------ one user

    def join(self, user: SocketIOUser, url: str) -> UserGreenlet:
        """Begin a user's session; where the test is ending, the user ends at once."""
        greenlet = UserGreenlet(user, self)
        if not self._accepting:
            greenlet.start()
            return greenlet
        stream = self._pacer.stream_of(type(user).__name__, user.wait_time)
        own_tokens = tokens(self._origin, next(self._connections))
        session = Session(user, url, own_tokens, self.engine, self._shared, stream)
        greenlet.session = session
        self._members[session] = greenlet
        self._joined += 1
        self.engine.submit(session.start)
        return greenlet

    def stop_session(self, session: Session) -> None:
        """Stop one session as `drain` stops all: in order, and by force if that takes too long."""
        self.engine.submit(session.request_stop)
        gevent.spawn_later(2 * session.user.reply_timeout + 2.0, self._abort_session, session)

    def _abort_session(self, session: Session) -> None:
        if session in self._members:
            self.engine.submit(session.abort)

    # ------------------------------------------------------------------ from the engine

    def turn(self) -> None:
        """Take everything that the engine's thread has handed over. What cannot be counted is noted as a trouble."""
        while True:
            try:
                self._turn()
            except Exception as error:
                self.troubles.add("counting what the users did", error)
                if self.engine.outbox:
                    continue  # what failed is not in it any more
            return

    def _turn(self) -> None:
        outbox = self.engine.outbox
        while outbox:
            item = outbox.popleft()
            if isinstance(item, Batch):
                self.account.add(item)
                log_batch(self.environment, item)
            elif isinstance(item, Delays):
                self.account.note_delays(item)
            elif isinstance(item, SessionEnded):
                self._members.pop(item.session).session_ended(item.error)
            elif isinstance(item, TaskRaised):
                self._tell_of_error(item)
            elif isinstance(item, SendingEnded):
                if item.at_ns >= self.account.started_ns:  # not of a test whose end did not wait for it
                    self._close_window(item.at_ns)
            elif isinstance(item, Refused):
                if item not in self._refused:
                    self._refused.add(item)
                    logger.error("%s", item.text)
            elif isinstance(item, LoopError):
                logger.error("%s", item.message, exc_info=item.exception)
        if self._spawned and not self._are_there and self._members and self._shared.arrived == self._joined:
            self._are_there = self._has_users = True
            self._settle()
            if self.all_there is not None:
                self.all_there()
        if self._are_there and self._accepting and self._has_users != bool(self._members):
            self._has_users = bool(self._members)
            if self.changed is not None:
                self.changed(self._has_users)
        window_start_ns = self.account.window_start_ns
        if self._window_cpu_started is None and window_start_ns is not None and perf_counter_ns() >= window_start_ns:
            self._window_cpu_started = perf_counter_ns(), process_time_ns()

    def _tell_of_error(self, raised: TaskRaised) -> None:
        error = raised.error
        self.environment.events.user_error.fire(user_instance=raised.user, exception=error, tb=error.__traceback__)
        logger.error("%s\n%s", error, "".join(traceback.format_exception(error)))

    def _turn_regularly(self) -> None:
        while True:
            self.engine.told.wait(_STEADY_TURN_INTERVAL_S if self._are_there else _TURN_INTERVAL_S)
            self.engine.told.clear()
            self.turn()
            if self._accepting:
                with self.troubles.during("noting users and CPU"):
                    self._note_use()

    def _note_use(self) -> None:
        """Users and CPU of the present second; its CPU is noted when the next one has begun, or nothing follows."""
        now_ns, cpu_ns = perf_counter_ns(), process_time_ns()
        since_ns, cpu_since_ns = self._noted
        if (now_ns - since_ns) >= NS_PER_S or not self._accepting:
            self.account.note_cpu(since_ns, (cpu_ns - cpu_since_ns) / max(1, now_ns - since_ns))
            whole_seconds = (now_ns - self.account.started_ns) // NS_PER_S
            self._noted = self.account.started_ns + whole_seconds * NS_PER_S, cpu_ns
        if self._members:
            self.account.note_users(now_ns, self.users)

    # ------------------------------------------------------------------ the window

    def _settle(self) -> None:
        """Going through thousands of connections that are there to stay would stop the loop again and again."""
        gc.collect()
        gc.freeze()
        objects = min(_GC_OBJECTS_PER_USER * len(self._members), _GC_MOST_OBJECTS)
        gc.set_threshold(max(_GC_THRESHOLD[0], objects), *_GC_THRESHOLD[1:])

    def _end_sending(self) -> None:
        """The window ends when the last arrival is taken, so that the schedule up to its end is what was scheduled."""
        self.engine.submit(self._take_last_arrivals, self._pacer)
        give_up_at = time.monotonic() + _END_OF_SENDING_TIMEOUT_S
        while self.account.window_end_ns is None and time.monotonic() < give_up_at:
            gevent.sleep(0.001)
            self.turn()
        if self.account.window_end_ns is None:
            self._close_window(perf_counter_ns())

    def _take_last_arrivals(self, pacer: Pacer) -> None:
        """In the engine's thread."""
        now_ns = perf_counter_ns()
        pacer.end(now_ns)
        self.engine.flush()
        self.engine.tell(SendingEnded(now_ns))

    def _close_window(self, now_ns: int) -> None:
        if self.account.window_end_ns is not None:
            return
        self.account.close_window(now_ns)
        window_start_ns = self.account.window_start_ns
        if self._window_cpu_started is not None and window_start_ns is not None:
            since_ns, cpu_since_ns = self._window_cpu_started
            share = (process_time_ns() - cpu_since_ns) / max(1, now_ns - since_ns)
            self._window_cpu_ns = round(share * (now_ns - window_start_ns))

    # ------------------------------------------------------------------ waiting

    def _stop_sessions(self, graceful: bool) -> None:
        for session in list(self._members):
            self.engine.submit(session.request_stop, graceful)

    def _wait_for_sessions(self, timeout_s: float, even_forced: bool = False) -> None:
        give_up_at = time.monotonic() + timeout_s
        while self._members and time.monotonic() < give_up_at and (even_forced or not self._forced):
            gevent.sleep(0.01)
            self.turn()
