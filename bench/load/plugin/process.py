"""One Locust process's part in a load test: its engine, its sessions, its account. Knows nothing of master and workers.

Everything here runs on the gevent side. `turn` takes what the engine's thread has put into its outbox; a greenlet calls
it many times a second, and whoever waits for sessions to end calls it as well.
"""

from __future__ import annotations

import gc
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from time import perf_counter_ns, process_time_ns
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

import gevent
from locust.env import Environment

from bench.load.engine.loop import Engine
from bench.load.engine.pacing import WHOLE, Pacer, Pacing
from bench.load.engine.session import Invalid, Session, SessionEnded, Shared
from bench.load.metrics.exceptions import ExceptionLog, Raised, UncaughtFilter
from bench.load.metrics.recorder import Batch, Delays
from bench.load.metrics.tally import NS_PER_S, Account, Report
from bench.load.plugin.locust_statistics import FiringTime, log_batch
from bench.load.plugin.salvage import Troubles
from bench.results.load import CONNECT
from bench.scenarios.tokens import tokens
from bench.timing.rates import Share

if TYPE_CHECKING:
    from bench.load.plugin.user import SocketIOUser

logger = logging.getLogger(__name__)

_TURN_INTERVAL_S = 0.05
"""While users arrive, whose arriving has to be seen."""
_STEADY_TURN_INTERVAL_S = 0.25
"""After that: to note users and CPU. What the engine tells is taken at once."""

_GC_THRESHOLD = gc.get_threshold()
#: While users arrive, the oldest generation would be gone through again and again.
_ARRIVING_GC_THRESHOLD = 50_000, 1_000, 1_000
#: What a round trip allocates is freed when its reply has come, without the collector. Before that there is as much as
#: users have in flight: with a thousand of them, the collector would go through the default of 700 objects without end
#: (docs/measurements.md). The bound keeps the pause when there is something to collect under a millisecond.
_GC_OBJECTS_PER_USER, _GC_MOST_OBJECTS = 20, 20_000

_END_OF_SENDING_TIMEOUT_S = 2.0
"""How long the engine's loop may take to say when it took the last arrival: a task that blocks may hold it up."""

_LAST_USERS_S = 1.0
"""The time, in seconds, in which arrivals that wait when the test stops may still find a user that has become free."""

_ABORT_TIMEOUT_S = 5.0
"""How long sessions may take to end by force: closing a connection takes a second at most."""

_BLOCKED_S = 5.0
"""The standstill of an engine's loop after which it is not waited for any more, in seconds: a task does not give
control back."""

_MOST_BETWEEN_LOOKS_S = 1.0
"""The longest usual time between two looks at the loop, in seconds. After a longer time the whole process, or machine,
stood still."""

_SURELY_BLOCKED_S = 1.0
_STOP_STUCK_TIMEOUT_S = 1.0

_TURN_PAUSE_S = 0.001
"""The pause between two turns, in seconds: a flood from the engine must not keep the gevent side from everything
else."""

_MOST_TOLD_PER_ITEM = 20
"""The number of times that Locust hears at most of exceptions of one kind that came together. Locust takes each of them
singly."""


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

    def session_ended(self) -> None:
        """The session is over: so is the user."""
        self.session = None
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
        """Do nothing: an exception that ended the session has been noted already, once for all users that it ended."""


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
        self._gone = 0
        """The number of sessions begun so far when there was last no session left."""
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
        self._exception_log = ExceptionLog(logger)
        self._uncaught_filter = UncaughtFilter()
        self._firing_time = FiringTime()
        self._abandoned: list[Session] = []
        """The sessions that did not end, not even by force."""
        self._cut_off: str | None = None
        """The reason why they did not end."""
        self._beat = 0, 0.0, 0.0
        """The loop's last beat that was seen, since when it is the last, and when that was looked at."""
        self._is_blocked_told = False
        self._is_stuck = False
        """True if there is a thread that will not end."""
        self.invalid: Callable[[], None] | None = None
        """Called once in a test, when its figures are known to be wrong; has to see to it that the test ends."""
        self._invalid_reason: str | None = None
        self.troubles = Troubles()
        """The troubles of the present test: what could not be counted."""
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
        self._shared, self._joined, self._gone = Shared(), 0, 0
        self._accepting, self._spawned, self._forced = True, False, False
        self._are_there = False
        self._exception_log = ExceptionLog(logger)
        logging.getLogger().removeFilter(self._uncaught_filter)
        self._uncaught_filter = UncaughtFilter()
        logging.getLogger().addFilter(self._uncaught_filter)
        self._firing_time = FiringTime()
        self._abandoned, self._cut_off = [], None
        self._invalid_reason = None
        self.troubles = Troubles()
        self._pacer, self._warmup_ns = Pacer(pacing), round(warmup_s * NS_PER_S)
        self._window_cpu_started = None
        self._window_cpu_ns = None
        self._noted = started_ns, process_time_ns()
        self.engine.start()
        now_s = time.monotonic()
        self._beat = self.engine.beats, now_s, now_s
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
        if self._members:
            self._abandon_sessions()
        self.turn()
        self._exception_log.summarise(time.monotonic(), at_once=True)

    def force(self) -> None:
        """Cut the draining short: what is in flight stays unfinished."""
        self._forced = bool(self._members)

    def report(self, final: bool) -> Report:
        """The account so far."""
        unfinished = Counter(self._shared.abandoned)
        for session in [*self._members, *self._abandoned]:
            if session.exchange is not None:
                unfinished += session.exchange.in_flight_by_name()
        for session in self._abandoned:
            unfinished[CONNECT] += session.is_connecting
        report = self.account.report(
            unfinished=unfinished,
            late=Counter(self._shared.late),
            tasks=dict(self._shared.operations),
            unexpected=Counter(self._shared.unexpected),
            window_cpu_ns=self._window_cpu_ns,
            final=final,
            forced=self._forced,
            cut_off=self._cut_off,
            invalid_reason=self._invalid_reason,
            began=self._joined,
        )
        report.troubles.extend(self.troubles.reasons)
        return report

    @property
    def users(self) -> int:
        """How many sessions there are."""
        return len(self._members)

    def close(self) -> bool:
        """End the engine's thread, as the last step. Return whether it has ended, and all engines before it as well."""
        if self._turning is not None:
            self._turning.kill()
            self._turning = None
        return self.engine.stop() and not self._is_stuck

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
            gevent.spawn_later(_ABORT_TIMEOUT_S, self._give_up, session)

    def _give_up(self, session: Session) -> None:
        """Abandon a session that did not end: Locust waits for the greenlet of a user that it stops, even for ever."""
        if session in self._members and self._accepting:  # else `drain` takes care of it
            self._cut_off = self._blocked() or f"a user did not end within {_ABORT_TIMEOUT_S:g} s of being cancelled"
            logger.error("%s", self._cut_off)
            self._forced = True
            self._abandon(session)

    # ------------------------------------------------------------------ from the engine

    def turn(self) -> None:
        """Take what the engine's thread has handed over so far. What comes meanwhile is for the next turn.

        A failure to count something is noted as a trouble.
        """
        outbox = self.engine.outbox
        for _ in range(len(outbox)):
            if not outbox:
                break  # a listener has let another turn run meanwhile
            item = outbox.popleft()
            try:
                self._take(item)
            except Exception as error:
                self.troubles.add("counting what the users did", error)
        with self.troubles.during("looking after the users"):
            self._look_after_users()

    def _take(self, item: Any) -> None:
        if isinstance(item, Batch):
            self.account.add(item)
            log_batch(self.environment, item, self._firing_time)
        elif isinstance(item, Delays):
            self.account.note_delays(item)
        elif isinstance(item, SessionEnded):
            greenlet = self._members.pop(item.session, None)
            if greenlet is not None:
                greenlet.session_ended()
        elif isinstance(item, Raised):
            self._take_exceptions(item)
        elif isinstance(item, SendingEnded):
            if item.at_ns >= self.account.started_ns:  # not of an earlier test, whose end did not wait for it
                self._close_window(item.at_ns)
        elif isinstance(item, Invalid):
            self._note_invalid(item.text)

    def _look_after_users(self) -> None:
        if self._spawned and not self._are_there and self._members and self._shared.arrived == self._joined:
            self._are_there = self._has_users = True
            self._settle()
            if self.all_there is not None:
                self.all_there()
        if not self._members:
            self._gone = self._joined
        # New users have a share of the schedule only when they can take it: when the first has tried to connect.
        has_users = bool(self._members) and self._shared.arrived > self._gone
        if self._are_there and self._accepting and self._has_users != has_users:
            self._has_users = has_users
            if self.changed is not None:
                if not has_users:  # its share is somebody else's now, until it is given another share
                    self.engine.submit(self._pacer.pause)
                self.changed(has_users)
        window_start_ns = self.account.window_start_ns
        if self._window_cpu_started is None and window_start_ns is not None and perf_counter_ns() >= window_start_ns:
            self._window_cpu_started = perf_counter_ns(), process_time_ns()

    def _note_invalid(self, reason: str) -> None:
        if self._invalid_reason is None:
            self._invalid_reason = reason
            if self.invalid is not None:
                self.invalid()

    def _take_exceptions(self, raised: Raised) -> None:
        error = raised.error
        if error is not None:
            self.account.add_exceptions(raised)
            if raised.holder is not None:
                told: Any = self.environment.events.user_error
                for _ in range(min(raised.count, _MOST_TOLD_PER_ITEM)):
                    told.fire(user_instance=raised.holder, exception=error, tb=error.__traceback__)
        self._exception_log.note(raised, time.monotonic())

    def _turn_regularly(self) -> None:
        while True:
            self.engine.told.wait(_STEADY_TURN_INTERVAL_S if self._are_there else _TURN_INTERVAL_S)
            self.engine.told.clear()
            self.turn()
            self._exception_log.summarise(time.monotonic())
            self._tell_if_blocked()
            if self._accepting:
                with self.troubles.during("noting users and CPU"):
                    self._note_use()
            gevent.sleep(_TURN_PAUSE_S)

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
            if self._blocked_s() > _BLOCKED_S:
                break
        if self.account.window_end_ns is None:
            self._close_window(perf_counter_ns())
        give_up_at = time.monotonic() + _LAST_USERS_S
        while self._pacer.has_waiting and self._members and not self._forced and time.monotonic() < give_up_at:
            gevent.sleep(0.01)
            self.turn()
        self.engine.submit(self._pacer.close)

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
            if self._blocked_s() > _BLOCKED_S:
                break

    # ------------------------------------------------------------------ an engine that stands still

    def _blocked_s(self) -> float:
        """Return how long the engine's loop has stood still, in seconds, while this side did not."""
        now_s = time.monotonic()
        beat, since_s, looked_at_s = self._beat
        if self.engine.beats != beat:
            beat, since_s = self.engine.beats, now_s
        elif now_s - looked_at_s > _MOST_BETWEEN_LOOKS_S:
            since_s += now_s - looked_at_s
        self._beat = beat, since_s, now_s
        return now_s - since_s

    def _abandon_sessions(self) -> None:
        """Go on without the sessions that do not end, and with what they have noted; if need be, on another engine.

        Locust would wait for their greenlets for ever.
        """
        blocked = self._blocked()
        if not self.engine.stop(_STOP_STUCK_TIMEOUT_S):
            self._is_stuck = True
        self.engine.flush()  # a blocked or stopped loop does not flush any more
        self.turn()
        users = "1 user" if len(self._members) == 1 else f"{len(self._members)} users"
        self._cut_off = blocked or f"{users} did not end within {_ABORT_TIMEOUT_S:g} s of being cancelled"
        for session in list(self._members):
            self._abandon(session)
        self.engine = Engine()

    def _abandon(self, session: Session) -> None:
        self._abandoned.append(session)
        self._members.pop(session).session_ended()

    def _blocked(self) -> str | None:
        """Return how long the loop has been blocked, and where; None if it is not blocked."""
        blocked_s = self._blocked_s()
        if blocked_s < _SURELY_BLOCKED_S:
            return None
        place = self.engine.place()
        where = "" if place is None else f": {place}"
        return f"the engine's event loop has been blocked for {blocked_s:.0f} s by a task{where}"

    def _tell_if_blocked(self) -> None:
        """Log once that the loop stands still, for as long as it does."""
        if self._blocked_s() < _BLOCKED_S:
            self._is_blocked_told = False
        elif not self._is_blocked_told and self._members:
            self._is_blocked_told = True
            logger.error("%s", self._blocked())
