"""Open load in one process: the engine's thread begins a task at each arrival, whether or not earlier ones have ended.

A `Dispatcher` has one schedule and the sessions that take its arrivals in turn. The `Pacer` wakes the loop when an
arrival is due.
Schedules belong to the process, not to each user. The share of `--rate` that this process has is one schedule, over all
its users. Each user class whose `wait_time` is `arrivals(…)` has another, whose rate follows the number of its users.

A user takes an arrival only when it is connected and has no task under way: its tasks would disturb each other on its
connection. While no user is free, arrivals wait in the dispatcher, in the order in which they were intended. An arrival
that has waited for as long as it may is dropped. Users of a pipelined class take arrivals while they have room. Where
only these take part, an arrival that finds no user with room is dropped at once.

When the test stops, what is overdue and finds a free user is begun, however late. What waits for a user then still gets
a user that becomes free within a moment, so the end of a run that keeps up drops nothing. The rest is dropped. Each
drop is counted with its reason. So what the schedule wanted up to then is what was sent and what was dropped, whatever
the load.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from time import perf_counter_ns
from typing import Protocol

from bench.load.engine.alarm import Alarm
from bench.results.load import ENDED, NO_USER_LEFT
from bench.timing.arrivals import Arrivals, Shape, VaryingSchedule, schedule
from bench.timing.rates import NS_PER_S, RateProfile, Share

#: The number of overdue arrivals that are begun before the loop looks at its sockets again.
_AT_ONCE = 64

NOT_CONNECTED = "no user was connected"

#: All of a schedule, where there is one process.
WHOLE = Share(0, 1)


class PacedUser(Protocol):
    """The settings of a user, or of a class of users, that an open load goes by."""

    pipelined: bool
    max_in_flight: int
    longest_wait: float | None
    reply_timeout: float


@dataclass(frozen=True)
class ArrivalLimits:
    """The limits to the arrivals of one user."""

    #: The number of the user's tasks that may be on their way at the same time.
    most_at_once: int
    #: The longest time that an arrival may wait for this user, in seconds; None for a pipelined user.
    max_wait_s: float | None


@dataclass(frozen=True)
class OpenLoad:
    """The settings of an open load. Without a profile, users have arrivals of their own or it is a closed load."""

    profile: RateProfile | None = None
    shape: Shape = "poisson"
    seed: str = ""
    #: The share that this process has of its users' own arrivals.
    share: Share = WHOLE
    #: The number of tasks of a pipelined user that may be on their way; None: the number that its class says.
    max_in_flight: int | None = None
    #: The longest time that an arrival waits for a user that is not pipelined, in seconds; None: as its class says.
    max_wait_s: float | None = None

    def limits_of(self, user: PacedUser | type[PacedUser]) -> ArrivalLimits:
        """Return the limits for a user, or for the users of a class.

        They are those of the command line, if it has any, else those of the class.
        """
        if user.pipelined:
            return ArrivalLimits(user.max_in_flight if self.max_in_flight is None else self.max_in_flight, None)
        own_wait_s = user.reply_timeout if user.longest_wait is None else user.longest_wait
        return ArrivalLimits(1, own_wait_s if self.max_wait_s is None else self.max_wait_s)


class ArrivalSink(Protocol):
    """A session, as a dispatcher sees it."""

    @property
    def most_at_once(self) -> int:
        """The number of the sink's tasks that may be on their way at the same time."""

    @property
    def max_wait_ns(self) -> int | None:
        """The longest time that an arrival may wait for this user, in nanoseconds; None for a pipelined user."""

    def start_task(self, intended_ns: int, waited_ns: int | None) -> bool:
        """Begin a task for the arrival that was due then; return whether another arrival could be taken.

        `waited_ns` says how long no user was free for it; None in a dispatcher whose arrivals never wait.
        """

    def drop(self, intended_ns: int, reason: str, waited_ns: int | None) -> None:
        """Note that an arrival, which might have been this session's, was not begun."""


class Schedule(Protocol):
    """The times at which arrivals are due, of `perf_counter_ns`."""

    @property
    def next_ns(self) -> int | None:
        """The time at which the next arrival is due, or was; None: none is to come as things are."""

    def advance(self) -> None:
        """Go on to the arrival after that."""


class FixedSchedule:
    """A schedule's arrivals from its start on; those before `since_ns` are somebody else's."""

    def __init__(self, arrivals_ns: Iterator[int], started_ns: int, since_ns: int = 0) -> None:
        self._arrivals_ns = arrivals_ns
        self._started_ns = started_ns
        self._successor: tuple[int, FixedSchedule] | None = None
        self.next_ns: int | None = None
        self.advance()
        while self.next_ns is not None and self.next_ns < since_ns:
            self.advance()

    def advance(self) -> None:
        """Go on to the next arrival."""
        arrival_ns = next(self._arrivals_ns, None)
        self.next_ns = None if arrival_ns is None else self._started_ns + arrival_ns
        self._hand_over()

    def succeed(self, since_ns: int, successor: FixedSchedule) -> None:
        """Go on with another schedule's arrivals from `since_ns` on."""
        self._successor = since_ns, successor
        self._hand_over()

    def _hand_over(self) -> None:
        if self._successor is None:
            return
        since_ns, successor = self._successor
        if self.next_ns is None or self.next_ns >= since_ns:
            self._arrivals_ns, self._started_ns = successor._arrivals_ns, successor._started_ns
            self.next_ns, self._successor = successor.next_ns, successor._successor


class Dispatcher:
    """A schedule whose arrivals its sessions take in turn. `clock` tells nanoseconds of `perf_counter_ns`."""

    def __init__(self, pacer: Pacer, clock: Callable[[], int] = perf_counter_ns) -> None:
        self.schedule: Schedule | None = None
        self._pacer = pacer
        self._clock = clock
        self._members: OrderedDict[ArrivalSink, None] = OrderedDict()
        #: The sessions that could take an arrival now; empty while an arrival waits.
        self._available: OrderedDict[ArrivalSink, None] = OrderedDict()
        #: True if the dispatcher's rate is that of the run, however many users there are.
        self.is_of_all_users = True
        self._connected: set[ArrivalSink] = set()
        #: The arrivals for which no user is free, oldest first: when each was intended, and since when it waits.
        #:
        #: An arrival waits since this process looked and found no free user. What it was late until then is the
        #: process's fault.
        self._waiting: deque[tuple[int, int]] = deque()
        #: The number of members whose class lets arrivals wait for its users.
        self._awaited = 0
        self._max_wait_ns = 0

    def join(self, session: ArrivalSink) -> None:
        """Let this session have arrivals from now on, even if it is not ready for them yet."""
        if session in self._members:
            return
        self._members[session] = None
        if session.max_wait_ns is not None:
            self._awaited += 1
            self._max_wait_ns = max(self._max_wait_ns, session.max_wait_ns)
        self._counted()

    def leave(self, session: ArrivalSink) -> None:
        """Give the session no arrival any more."""
        self.make_unavailable(session)
        if session not in self._members:
            return
        if len(self._members) == 1:
            self._drop_waiting(NO_USER_LEFT)
        del self._members[session]
        if session.max_wait_ns is not None:
            self._awaited -= 1
        self._counted()

    def make_available(self, session: ArrivalSink) -> None:
        """Let a session that could begin a task have the next arrival: that which waits longest, if any waits."""
        self._connected.add(session)
        if self._waiting:
            now_ns = self._clock()
            self._give_up(now_ns)
            while self._waiting:
                intended_ns, since_ns = self._waiting.popleft()
                if not session.start_task(intended_ns, now_ns - since_ns):
                    return
        self._available[session] = None

    def make_unavailable(self, session: ArrivalSink) -> None:
        """Give the session no arrival until `make_available`: it has no connection."""
        self._available.pop(session, None)
        self._connected.discard(session)

    @property
    def next_ns(self) -> int | None:
        """The time at which the next arrival is due; None: none is to come as things are."""
        return None if self.schedule is None else self.schedule.next_ns

    @property
    def wakes_ns(self) -> int | None:
        """The time of the next thing to do: an arrival is due, or has waited for as long as it may."""
        due_ns = self.next_ns
        if not self._waiting:
            return due_ns
        overdue_ns = self._waiting[0][1] + self._max_wait_ns
        return overdue_ns if due_ns is None else min(due_ns, overdue_ns)

    def begin_due(self, now_ns: int, at_once: int | None = _AT_ONCE) -> None:
        """Begin what is due, though not too much at once."""
        due, available = self.schedule, self._available
        self._give_up(now_ns)
        if due is None:
            return
        waited_ns = 0 if self._awaited else None
        for _ in count() if at_once is None else range(at_once):
            intended_ns = due.next_ns
            if intended_ns is None or intended_ns > now_ns:
                return
            due.advance()
            if available:
                session, _none = available.popitem(last=False)
                if session.start_task(intended_ns, waited_ns):
                    available[session] = None
            elif self._awaited:
                self._waiting.append((intended_ns, now_ns))
            elif self._members:  # an arrival without any user is nobody's
                session = self._next_member()
                full = f"every user has {session.most_at_once} tasks on their way"
                session.drop(intended_ns, full if self._connected else NOT_CONNECTED, None)

    def end(self, now_ns: int) -> None:
        """Begin what is due by now and finds a free user. What still waits may be begun later, and nothing else."""
        self.begin_due(now_ns, at_once=None)
        self.schedule = None

    def close(self) -> None:
        """Drop what still waits."""
        self._drop_waiting(ENDED)

    @property
    def has_waiting(self) -> bool:
        """True if an arrival waits for a user to become free. From any thread."""
        return bool(self._waiting)

    def _give_up(self, now_ns: int) -> None:
        """Drop what has waited for as long as it may."""
        waiting = self._waiting
        while waiting and now_ns - waiting[0][1] >= self._max_wait_ns:
            intended_ns, since_ns = waiting.popleft()
            reason = f"no user was free within {self._max_wait_ns / NS_PER_S:g} s"
            self._next_member().drop(intended_ns, reason, now_ns - since_ns)

    def _drop_waiting(self, reason: str) -> None:
        if self._waiting:
            now_ns = self._clock()
            while self._waiting:
                intended_ns, since_ns = self._waiting.popleft()
                self._next_member().drop(intended_ns, reason, max(0, now_ns - since_ns))

    def _next_member(self) -> ArrivalSink:
        session, _none = self._members.popitem(last=False)
        self._members[session] = None
        return session

    def _counted(self) -> None:
        """Take note that the number of sessions has changed."""


class _ClassDispatcher(Dispatcher):
    """The arrivals of the users of one class, each of whom has a rate of its own."""

    def __init__(self, pacer: Pacer, arrivals: Arrivals, seed: str, share: Share) -> None:
        super().__init__(pacer)
        self.is_of_all_users = False
        self._arrivals = arrivals
        self._varying = self.schedule = VaryingSchedule(arrivals.shape, seed, share)

    def _counted(self) -> None:
        self._varying.set_rate(perf_counter_ns(), self._arrivals.rate_per_s * len(self._members))
        self._pacer.wake()


class Pacer:
    """The dispatchers of one process, and the alarm that rings when the next arrival is due. In the engine's thread."""

    def __init__(self, open_load: OpenLoad, note_alarm: Callable[[int, int], None] | None = None) -> None:
        self.open_load = open_load
        #: The call for each ring of the alarm, with the time that it was set to and the present time.
        self._note_alarm = note_alarm
        #: The time that the alarm is set to; 0 if that was past already, or if it is not set.
        self._rings_ns = 0
        #: The dispatcher of the rate of all users together, which the profile gives.
        self.total = Dispatcher(self)
        self._class_dispatchers: dict[tuple[str, Arrivals], Dispatcher] = {}
        self._alarm: Alarm | None = None
        self._ended = False
        self._closed = False

    def dispatcher_of(self, user_class: str, wait_time: object) -> Dispatcher | None:
        """Return what a user's arrivals come from; None: it takes none, and waits for its replies. From any thread."""
        if self.open_load.profile is not None:
            return self.total
        if not isinstance(wait_time, Arrivals):
            return None
        dispatcher = self._class_dispatchers.get((user_class, wait_time))
        if dispatcher is None:
            # Of another seed than other classes': they would draw the same numbers.
            load = self.open_load
            dispatcher = _ClassDispatcher(self, wait_time, f"{load.seed}/{user_class}", load.share)
            self._class_dispatchers[user_class, wait_time] = dispatcher
        return dispatcher

    def follow(self, share: Share, started_ns: int, since_ns: int) -> None:
        """Take on a share of the profile's schedule, which started at `started_ns`, from `since_ns` on."""
        load = self.open_load
        if load.profile is not None and not self._ended:
            arrivals_ns = schedule(load.profile, load.shape, share, load.seed)
            following = FixedSchedule(arrivals_ns, started_ns, since_ns)
            if isinstance(self.total.schedule, FixedSchedule):
                self.total.schedule.succeed(since_ns, following)
            else:
                self.total.schedule = following
            self.wake()

    def pause(self) -> None:
        """Have no share of the profile's schedule, until `follow` gives another share."""
        if not self._ended:
            self.total.schedule = None
            self.wake()

    def wake(self) -> None:
        """Take note that a schedule has changed."""
        if self._closed:
            return
        if self._alarm is None:
            self._alarm = Alarm(asyncio.get_running_loop(), self._ring)
        at_ns = min((at_ns for each in self._dispatchers() if (at_ns := each.wakes_ns) is not None), default=None)
        self._rings_ns = 0 if at_ns is None or at_ns <= perf_counter_ns() else at_ns
        self._alarm.set(at_ns)

    def end(self, now_ns: int) -> None:
        """Begin what is due by `now_ns` and finds a free user. What still waits may be begun until `close`."""
        self._ended = True
        for dispatcher in self._dispatchers():
            dispatcher.end(now_ns)
        self.wake()

    def close(self) -> None:
        """Drop what still waits for a user."""
        self._closed = True
        for dispatcher in self._dispatchers():
            dispatcher.close()
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None

    @property
    def has_waiting(self) -> bool:
        """True if an arrival waits for a user to become free. From any thread."""
        return any(dispatcher.has_waiting for dispatcher in self._dispatchers())

    def _dispatchers(self) -> tuple[Dispatcher, ...]:
        return self.total, *self._class_dispatchers.values()

    def _ring(self) -> None:
        now_ns = perf_counter_ns()
        if self._rings_ns and self._note_alarm is not None:
            self._note_alarm(self._rings_ns, now_ns)
        for dispatcher in self._dispatchers():
            dispatcher.begin_due(now_ns)
        self.wake()
