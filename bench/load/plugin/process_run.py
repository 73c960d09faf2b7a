"""A test in a Locust process: its users' sessions, and the tally of what they do. No master, no workers here.

An object of this module is made when a test begins, and the next test has another. Everything here runs on the gevent
side. `drain_outbox` takes what the engine's thread has put into its outbox: a greenlet calls it many times a second.
Whoever waits for sessions to end calls it as well.
"""

from __future__ import annotations

import gc
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter_ns, process_time_ns
from typing import Any

import gevent
from locust.env import Environment

from bench.load.engine.counters import ProcessCounters
from bench.load.engine.interface import SessionUser
from bench.load.engine.loop import Engine
from bench.load.engine.notes import Hint, UnsupportedTask
from bench.load.engine.pacing import WHOLE, Pacer
from bench.load.engine.session import Session, SessionEnded
from bench.load.engine.standstill import Standstill
from bench.load.metrics.cpu_use import CpuUse
from bench.load.metrics.exceptions import ExceptionLog, Raised, UncaughtFilter
from bench.load.metrics.live import LiveProcess
from bench.load.metrics.recorder import Batch, LoopDelays
from bench.load.metrics.report import LONGEST_REASON, MOST_STEPS, ClockReport, LostService, Report
from bench.load.metrics.tally import Tally
from bench.load.metrics.troubles import Troubles
from bench.load.plugin.feeds import UserFeeds
from bench.load.plugin.locust_statistics import FiringTime, log_batch
from bench.load.plugin.run_settings import RunSettings
from bench.results.load import OperationKey
from bench.scenarios.feeds import Feed, FeedError
from bench.timing.rates import NS_PER_S, Share
from bench.wire.clock_watch import ClockWatch

logger = logging.getLogger(__name__)

_GC_THRESHOLD = gc.get_threshold()

#: While users arrive, the oldest generation would be gone through again and again.
_ARRIVING_GC_THRESHOLD = 50_000, 1_000, 1_000

#: The number of objects that a user's round trips in flight take, and the most that the collector waits for.
#:
#: What a round trip allocates is freed when its reply has come, without the collector. Until then there are as many
#: objects as users have in flight. With a thousand users, the default of 700 objects had the collector go through them
#: without end, a tenth of all CPU time. The bound keeps the pause when there is something to collect under a
#: millisecond.
_GC_OBJECTS_PER_USER, _GC_MOST_OBJECTS = 20, 20_000

#: The time that the engine's loop may take to say when it took the last arrival, in seconds: a task that blocks may
#: delay it.
_END_OF_SENDING_TIMEOUT_S = 2.0

#: The time, in seconds, in which arrivals that wait when the test stops may still find a user that has become free.
_LAST_USERS_S = 1.0

#: The time that sessions may take to end when they are aborted, in seconds: closing a connection takes a second.
_ABORT_TIMEOUT_S = 5.0

#: The standstill of an engine's loop after which it is not waited for any more, in seconds: a task does not give
#: control back.
_BLOCKED_S = 5.0

_STOP_STUCK_TIMEOUT_S = 1.0

#: The number of times that Locust hears at most of exceptions of one kind that came together. Locust takes each of them
#: singly.
_MOST_FIRED_PER_ITEM = 20


@dataclass(frozen=True)
class ProcessHooks:
    """The calls by which a process tells its role in a run of what has happened."""

    #: The call made once in a test, when all users are there. It has to see to it that `start_load` is called.
    on_all_users_connected: Callable[[], None]
    #: The call made once in a test, when its figures are known to be wrong. It has to see to it that the test ends.
    on_unsupported_task: Callable[[], None] | None = None
    #: The call made later, whenever the last user has gone (False) and when there is a user again (True).
    #:
    #: A process with this hook has no share of the schedule in between.
    on_users_changed: Callable[[bool], None] | None = None
    #: The call that returns the number of the next row of a unique feed, over all processes. None: there is no other.
    next_unique_row: Callable[[Feed], int] | None = None


@dataclass(frozen=True)
class SendingEnded:
    """The news that the engine takes no arrival that is due later. All that it noted before has been handed over."""

    at_ns: int


class UserGreenlet(gevent.Greenlet):  # type: ignore[misc]  # gevent is not typed
    """The greenlet by which Locust knows a running user. It is started when its session has ended, and ends at once.

    Locust counts, joins and kills users by their greenlets, and a greenlet that waits for its session would cost as
    much memory as the rest of the connection. So this greenlet does not run while the session lives, and it passes a
    `kill` on.
    """

    __slots__ = ("_stop_session", "session")

    def __init__(self, user: SessionUser, stop_session: Callable[[Session], None] | None = None) -> None:
        super().__init__(self._end, user)  # Locust finds the user in the greenlet's first argument
        self._stop_session = stop_session
        self.session: Session | None = None

    def session_ended(self) -> None:
        """End the user: its session is over."""
        self.session = None
        self.start()

    def kill(self, exception: Any = gevent.GreenletExit, block: bool = True, timeout: float | None = None) -> None:
        """Stop the session as `ProcessRun.drain` stops all; with `block`, return when it has ended."""
        if self.session is None or self._stop_session is None:
            super().kill(exception, block, timeout)
            return
        self._stop_session(self.session)
        if block:
            self.join(timeout)

    def _end(self, _user: SessionUser) -> None:
        """Do nothing: an exception that ended the session has been noted already, once for all users that it ended."""


class ProcessRun:
    """The sessions of one process in one test, and the tally of what they do."""

    def __init__(self, environment: Environment, engine: Engine, settings: RunSettings, hooks: ProcessHooks) -> None:
        gc.unfreeze()
        gc.set_threshold(*_ARRIVING_GC_THRESHOLD)
        self._environment = environment
        self._engine = engine
        self._settings = settings
        self._hooks = hooks
        self._tally = Tally(settings.started_ns, settings.is_open, settings.slowest)
        self._counters = ProcessCounters()
        self._pacer = Pacer(settings.open_load, engine.note_alarm)
        self._members: dict[Session, UserGreenlet] = {}
        #: The number of sessions begun so far: when that many have arrived, all users are there.
        self._began = 0
        #: The number of sessions begun so far when there was last no session left.
        self._gone = 0
        self._is_accepting = True
        self._are_spawned = False
        #: True once all users have been there.
        self.are_all_connected = False
        self._has_users = False
        #: The sessions that take arrivals, if the load has any: those of users with tasks.
        self._takers: set[Session] = set()
        self._took_arrivals = False
        self._is_aborted = False
        #: The loss of the service as it was when the test was to end, and whether any user was connected then.
        self._lost_at_end: tuple[bool, LostService | None] | None = None
        #: The sessions that did not end, not even when they were aborted.
        self._abandoned: list[Session] = []
        #: The reason why they did not end.
        self._cut_off: str | None = None
        self._invalid_reason: str | None = None
        self._troubles = Troubles()
        self._feeds = UserFeeds(settings.rows, settings.open_load.seed, hooks.next_unique_row)
        self._exception_log = ExceptionLog(logger)
        self._uncaught_filter = UncaughtFilter()
        logging.getLogger().addFilter(self._uncaught_filter)
        self._firing_time = FiringTime()
        self._clock = ClockWatch.here()
        self._cpu = CpuUse(settings.started_ns, process_time_ns())
        self._window_cpu_ns: int | None = None
        self._standstill = Standstill(engine, time.monotonic())
        self._is_standstill_logged = False
        #: True if sessions did not end: the next test has to have another engine.
        self.has_given_up_engine = False
        #: True if the engine's thread did not end either.
        self.is_stuck = False

    # ------------------------------------------------------------------ from start to end

    @property
    def takes_arrivals(self) -> bool:
        """True if any user here has a task that an arrival could begin."""
        return bool(self._takers)

    @property
    def live(self) -> LiveProcess:
        """The work so far, as it is noted."""
        return self._tally

    @property
    def arrived(self) -> int:
        """The number of users that have tried to connect so far."""
        return self._counters.arrived

    @property
    def window_start_ns(self) -> int | None:
        """The time, since the run's start, at which the steady window begins; None if nobody knows yet."""
        start_ns = self._tally.window_start_ns
        return None if start_ns is None else start_ns - self._tally.started_ns

    def all_spawned(self) -> None:
        """Note that Locust has spawned all users: they are there as soon as each has tried to connect."""
        self._are_spawned = True

    def start_load(self, start_ns: int, share: Share | None = WHOLE, since_ns: int = 0) -> None:
        """Start the load itself at `start_ns`: a share of the schedule, if the load has a schedule, and the warm-up.

        Called again with another share where the number of processes changes: that share counts from `since_ns` on. A
        process whose users take no arrivals has no share (None).
        """
        if not self._is_accepting:
            return
        if share is not None:
            self._engine.submit(self._pacer.follow, share, start_ns, since_ns)
        if self._tally.window_start_ns is None:
            self._tally.open_window(start_ns + round(self._settings.warmup_s * NS_PER_S))

    def drain(self, stop_timeout_s: float) -> None:
        """Stop all sessions and return when they have ended and been counted. Called once.

        Nothing more is sent, but for tasks that may finish within `stop_timeout_s`; replies are awaited up to their
        timeout, unless `abort` is called meanwhile.
        """
        self._is_accepting = False
        self._lost_at_end = self._look_at_connections()
        self._tell_who_never_arrived()
        gc.set_threshold(*_GC_THRESHOLD)
        with self._troubles.during("noting users and CPU"):
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
            self._is_aborted = True
            for session in list(self._members):
                self._engine.submit(session.abort)
            self._wait_for_sessions(_ABORT_TIMEOUT_S, even_aborted=True)
        if self._members:
            self._abandon_sessions()
        self.drain_outbox()
        self._exception_log.summarise(time.monotonic(), at_once=True)

    def _tell_who_never_arrived(self) -> None:
        """Log how many users the run has waited for in vain: without them it has no window."""
        waiting = self._began - self._counters.arrived
        if self._are_spawned and waiting > 0 and not self.are_all_connected:
            logger.warning(
                "%d of %d users had not ended an attempt to connect when the run ended: before_connect takes that "
                "long, or the server does not answer",
                waiting,
                self._began,
            )

    def abort(self) -> None:
        """Cut the draining short: what is in flight stays unfinished."""
        self._is_aborted = bool(self._members)

    def report(self, final: bool) -> Report:
        """Return the tally so far."""
        report = self._tally.report(
            unfinished=self.unfinished(),
            late=Counter(self._counters.late),
            tasks=dict(self._counters.operations),
            unexpected=Counter(self._counters.unexpected),
            window_cpu_ns=self._window_cpu_ns,
            final=final,
            forced=self._is_aborted,
            cut_off=self._cut_off,
            invalid_reason=self._invalid_reason,
            began=self._began,
            clock=self._clock_report(),
        )
        report.troubles.extend(self._troubles.reasons)
        is_connected, lost = self._lost_at_end or self._look_at_connections()
        return report.model_copy(update={"is_connected": is_connected, "lost": lost})

    @property
    def lost_service(self) -> LostService | None:
        """The loss of the service, if it is lost to all users of this process."""
        _, lost = self._lost_at_end or self._look_at_connections()
        return lost

    def _look_at_connections(self) -> tuple[bool, LostService | None]:
        """Return whether any user is connected, and the loss of the service if it is lost to all of them."""
        if any(session.client.connected for session in self._members):  # mostly the first is
            return True, None
        counters = self._counters
        lost_ns, number = counters.lost_ns, counters.failed_attempts
        if lost_ns is None or not number or not self._members:
            return False, None
        return False, LostService(
            lost_ns=max(0, lost_ns - self._tally.started_ns),
            failed_attempts=number,
            because=counters.failed_because[:LONGEST_REASON],
        )

    def counts(self) -> Report:
        """Return the counts so far, without any time, without seconds, and without what has not ended."""
        return self._tally.counts(tasks=self._counters.operations, began=self._began)

    def unfinished(self) -> Counter[OperationKey]:
        """Return what has begun and not ended (yet), by operation. Goes through all sessions."""
        round_trips = Counter(self._counters.abandoned)
        for session in [*self._members, *self._abandoned]:
            if session.exchange is not None:
                round_trips += session.exchange.in_flight_by_name()
        unfinished = Counter(dict(self._counters.ongoing))
        unfinished.update({OperationKey(name): number for name, number in round_trips.items()})
        return unfinished

    def _clock_report(self) -> ClockReport:
        self._clock.look(perf_counter_ns())
        started_ns = self._settings.started_ns
        return ClockReport(
            bound_ns=self._clock.bound_ns,
            steps=[(step.at_ns - started_ns, step.by_ns) for step in self._clock.steps[:MOST_STEPS]],
            process_because=self._clock.process_because[:LONGEST_REASON],
        )

    def dismiss(self) -> None:
        """Leave the log of this process: another test begins."""
        logging.getLogger().removeFilter(self._uncaught_filter)

    # ------------------------------------------------------------------ one user

    def give_rows(self, user: SessionUser) -> bool:
        """Give a new user its rows of feeds; return whether there were any. If not, the run says so, and has failed."""
        try:
            self._feeds.give(user)
        except FeedError as error:
            self._troubles.add_reason(f"a user did not start: {error}")
            return False
        return True

    def join(self, user: SessionUser, url: str, tokens: Iterator[str]) -> UserGreenlet:
        """Begin a user's session; if the test is ending, or lacks a row for the user, the user ends at once."""
        greenlet = UserGreenlet(user, self._stop_session)
        if not self._is_accepting or user._lacks_rows:
            greenlet.start()
            return greenlet
        dispatcher = self._pacer.dispatcher_of(type(user).__name__, user.wait_time)
        session = Session(user, url, tokens, self._engine, self._counters, self._settings.open_load, dispatcher)
        greenlet.session = session
        self._members[session] = greenlet
        self._began += 1
        if user.tasks:
            self._takers.add(session)
        self._engine.begin(session.start)
        return greenlet

    def _stop_session(self, session: Session) -> None:
        """Stop one session as `drain` stops all: in order, and abort it if that takes too long."""
        self._engine.submit(session.request_stop)
        gevent.spawn_later(2 * session.user.reply_timeout + 2.0, self._abort_session, session)

    def _abort_session(self, session: Session) -> None:
        if session in self._members:
            self._engine.submit(session.abort)
            gevent.spawn_later(_ABORT_TIMEOUT_S, self._give_up, session)

    def _give_up(self, session: Session) -> None:
        """Abandon a session that did not end: Locust waits for the greenlet of a user that it stops, even for ever."""
        if session in self._members and self._is_accepting:  # else `drain` takes care of it
            self._cut_off = self._standstill.reason(time.monotonic()) or (
                f"a user did not end within {_ABORT_TIMEOUT_S:g} s of being cancelled"
            )
            logger.error("%s", self._cut_off)
            self._is_aborted = True
            self._abandon(session)

    # ------------------------------------------------------------------ from the engine

    def look(self) -> None:
        """Take the engine's news, note users and CPU, and log what is due. Called many times a second."""
        self.drain_outbox()
        self._exception_log.summarise(time.monotonic())
        self._log_standstill()
        if self._is_accepting:
            with self._troubles.during("noting users and CPU"):
                self._note_use()

    def drain_outbox(self) -> None:
        """Take what the engine's thread has handed over so far. What comes meanwhile is for the next call.

        A failure to count something is noted as a trouble.
        """
        if self.has_given_up_engine:
            return
        outbox = self._engine.outbox
        for _ in range(len(outbox)):
            if not outbox:
                break  # a listener has let another call run meanwhile
            item = outbox.popleft()
            try:
                self._take(item)
            except Exception as error:
                self._troubles.add("counting what the users did", error)
        with self._troubles.during("looking after the users"):
            self._look_after_users()

    def _take(self, item: Any) -> None:
        if isinstance(item, Batch):
            self._tally.add(item)
            log_batch(self._environment, item, self._firing_time)
        elif isinstance(item, LoopDelays):
            self._tally.note_delays(item)
        elif isinstance(item, SessionEnded):
            if item.session in self._members:
                self._part_with(item.session)
        elif isinstance(item, Raised):
            self._take_exceptions(item)
        elif isinstance(item, SendingEnded):
            if item.at_ns >= self._tally.started_ns:  # not of an earlier test, whose end did not wait for it
                self._close_window(item.at_ns)
        elif isinstance(item, UnsupportedTask):
            self._note_unsupported_task(item.text)
        elif isinstance(item, Hint):
            logger.warning("%s", item.text)

    def _look_after_users(self) -> None:
        members, arrived = self._members, self._counters.arrived
        if self._are_spawned and not self.are_all_connected and members and arrived == self._began:
            self.are_all_connected = self._has_users = True
            self._took_arrivals = self.takes_arrivals
            self._settle()
            self._hooks.on_all_users_connected()
        if not members:
            self._gone = self._began
        # New users have a share of the schedule only when they can take it: when the first has tried to connect.
        has_users = bool(members) and arrived > self._gone
        takes_arrivals = self.takes_arrivals
        is_other = (self._has_users, self._took_arrivals) != (has_users, takes_arrivals)
        if self.are_all_connected and self._is_accepting and is_other:
            self._has_users, self._took_arrivals = has_users, takes_arrivals
            if self._hooks.on_users_changed is not None:
                if not (has_users and takes_arrivals):  # its share is somebody else's now, until it gets another
                    self._engine.submit(self._pacer.pause)
                self._hooks.on_users_changed(has_users)
        self._cpu.note_window(perf_counter_ns(), process_time_ns(), self._tally.window_start_ns)

    def _note_unsupported_task(self, reason: str) -> None:
        if self._invalid_reason is None:
            self._invalid_reason = reason
            if self._hooks.on_unsupported_task is not None:
                self._hooks.on_unsupported_task()

    def _take_exceptions(self, raised: Raised) -> None:
        error = raised.error
        if error is not None:
            self._tally.add_exceptions(raised)
            if raised.holder is not None:
                user_error: Any = self._environment.events.user_error
                for _ in range(min(raised.count, _MOST_FIRED_PER_ITEM)):
                    user_error.fire(user_instance=raised.holder, exception=error, tb=error.__traceback__)
        self._exception_log.note(raised, time.monotonic())

    def _note_use(self) -> None:
        """Note users and CPU of the present second; its CPU when the next second has begun, or nothing follows."""
        now_ns = perf_counter_ns()
        self._clock.look(now_ns)
        second = self._cpu.second(now_ns, process_time_ns(), is_last=not self._is_accepting)
        if second is not None:
            self._tally.note_cpu(*second)
        if self._members:
            self._tally.note_users(now_ns, len(self._members))

    # ------------------------------------------------------------------ the window

    def _settle(self) -> None:
        """Exempt the connections, which are there to stay, from the collector, and have it run more rarely.

        Going through thousands of them would stop the loop again and again.
        """
        gc.collect()
        gc.freeze()
        objects = min(_GC_OBJECTS_PER_USER * len(self._members), _GC_MOST_OBJECTS)
        gc.set_threshold(max(_GC_THRESHOLD[0], objects), *_GC_THRESHOLD[1:])

    def _end_sending(self) -> None:
        """Close the window when the last arrival is taken, so that the schedule up to its end is what was scheduled."""
        self._engine.submit(self._take_last_arrivals)
        give_up_at = time.monotonic() + _END_OF_SENDING_TIMEOUT_S
        while self._tally.window_end_ns is None and time.monotonic() < give_up_at:
            gevent.sleep(0.001)
            self.drain_outbox()
            if self._is_blocked():
                break
        if self._tally.window_end_ns is None:
            self._close_window(perf_counter_ns())
        give_up_at = time.monotonic() + _LAST_USERS_S
        while self._pacer.has_waiting and self._members and not self._is_aborted and time.monotonic() < give_up_at:
            gevent.sleep(0.01)
            self.drain_outbox()
        self._engine.submit(self._pacer.close)

    def _take_last_arrivals(self) -> None:
        """Begin the last arrivals. In the engine's thread."""
        now_ns = perf_counter_ns()
        self._pacer.end(now_ns)
        self._engine.flush()
        self._engine.post(SendingEnded(now_ns))

    def _close_window(self, now_ns: int) -> None:
        if self._tally.window_end_ns is not None:
            return
        self._tally.close_window(now_ns)
        self._window_cpu_ns = self._cpu.in_window(now_ns, process_time_ns(), self._tally.window_start_ns)

    # ------------------------------------------------------------------ waiting

    def _stop_sessions(self, graceful: bool) -> None:
        for session in list(self._members):
            self._engine.submit(session.request_stop, graceful)

    def _wait_for_sessions(self, timeout_s: float, even_aborted: bool = False) -> None:
        give_up_at = time.monotonic() + timeout_s
        while self._members and time.monotonic() < give_up_at and (even_aborted or not self._is_aborted):
            gevent.sleep(0.01)
            self.drain_outbox()
            if self._is_blocked():
                break

    # ------------------------------------------------------------------ an engine that stands still

    def _is_blocked(self) -> bool:
        return self._standstill.seconds(time.monotonic()) > _BLOCKED_S

    def _abandon_sessions(self) -> None:
        """Go on without the sessions that do not end, and with what they have noted; the engine is given up.

        Locust would wait for their greenlets for ever.
        """
        blocked = self._standstill.reason(time.monotonic())
        self.is_stuck = not self._engine.stop(_STOP_STUCK_TIMEOUT_S)
        self._engine.flush()  # a blocked or stopped loop does not flush any more
        self.drain_outbox()
        self.has_given_up_engine = True
        users = "1 user" if len(self._members) == 1 else f"{len(self._members)} users"
        self._cut_off = blocked or f"{users} did not end within {_ABORT_TIMEOUT_S:g} s of being cancelled"
        for session in list(self._members):
            self._abandon(session)

    def _abandon(self, session: Session) -> None:
        self._abandoned.append(session)
        self._part_with(session)

    def _part_with(self, session: Session) -> None:
        """Take note that a session is over."""
        self._takers.discard(session)
        self._members.pop(session).session_ended()

    def _log_standstill(self) -> None:
        """Log once that the loop stands still, for as long as it does."""
        if self.has_given_up_engine or self._standstill.seconds(time.monotonic()) < _BLOCKED_S:
            self._is_standstill_logged = False
        elif not self._is_standstill_logged and self._members:
            self._is_standstill_logged = True
            logger.error("%s", self._standstill.reason(time.monotonic()))
