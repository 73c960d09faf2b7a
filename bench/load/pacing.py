"""Open load in one process: the engine's thread begins a task at each arrival, whether or not earlier ones have ended.

A `Stream` is one schedule and the sessions that take its arrivals in turn; the `Pacer` wakes the loop when one is due.
Schedules belong to the process, not to each user: one for the share of `--rate` that this process has, over all its
users, and one for each user class whose `wait_time` is `arrivals(…)`, whose rate follows the number of its users.

An arrival that nobody can take is dropped and counted: every user has as many tasks on their way as it may, or no
connection. What is overdue when the test stops is begun then, however late. So what the schedule wanted up to then is
what was sent and what was dropped, whatever the load.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from time import perf_counter_ns
from typing import Protocol

from bench.load.alarm import Alarm
from bench.timing.arrivals import Arrivals, RateProfile, Shape, Share, VaryingSchedule, schedule

_AT_ONCE = 64
"""How many overdue arrivals are begun before the loop looks at its sockets again."""


WHOLE = Share(0, 1)
"""All of a schedule, where there is one process."""


@dataclass(frozen=True)
class Pacing:
    """What an open load is asked for. Without a profile, users have arrivals of their own or it is a closed load."""

    profile: RateProfile | None = None
    shape: Shape = "poisson"
    seed: str = ""
    share: Share = WHOLE
    """This process's, as far as its users' own arrivals are concerned."""


class Taker(Protocol):
    """A session, as a stream sees it."""

    def take(self, intended_ns: int) -> bool:
        """Begin a task for the arrival that was due then; returns whether another one could be taken."""

    def drop(self, intended_ns: int) -> None:
        """Note that an arrival, which might have been this session's, was not begun, and why nobody could take it."""


class Timetable(Protocol):
    """When arrivals are due. Times of `perf_counter_ns`."""

    @property
    def next_ns(self) -> int | None:
        """When the next one is due, or was; None: none is to come as things are."""

    def advance(self) -> None:
        """On to the one after it."""


class FixedTimetable:
    """A schedule's arrivals from its start on; those before `since_ns` are somebody else's."""

    def __init__(self, arrivals_ns: Iterator[int], started_ns: int, since_ns: int = 0) -> None:
        self._arrivals_ns = arrivals_ns
        self._started_ns = started_ns
        self._successor: tuple[int, FixedTimetable] | None = None
        self.next_ns: int | None = None
        self.advance()
        while self.next_ns is not None and self.next_ns < since_ns:
            self.advance()

    def advance(self) -> None:
        """On to the next arrival."""
        arrival_ns = next(self._arrivals_ns, None)
        self.next_ns = None if arrival_ns is None else self._started_ns + arrival_ns
        self._hand_over()

    def succeed(self, since_ns: int, successor: FixedTimetable) -> None:
        """From `since_ns` on, another share is this one's."""
        self._successor = since_ns, successor
        self._hand_over()

    def _hand_over(self) -> None:
        if self._successor is None:
            return
        since_ns, successor = self._successor
        if self.next_ns is None or self.next_ns >= since_ns:
            self._arrivals_ns, self._started_ns = successor._arrivals_ns, successor._started_ns
            self.next_ns, self._successor = successor.next_ns, successor._successor


class Stream:
    """Hands the arrivals of one timetable to its sessions in turn."""

    def __init__(self, pacer: Pacer) -> None:
        self.timetable: Timetable | None = None
        self._pacer = pacer
        self._members: OrderedDict[Taker, None] = OrderedDict()
        self._ready: OrderedDict[Taker, None] = OrderedDict()

    def join(self, session: Taker) -> None:
        """From now on arrivals may be this session's, though it may not be ready for them."""
        self._members[session] = None
        self._counted()

    def leave(self, session: Taker) -> None:
        """It takes no more."""
        self._ready.pop(session, None)
        if self._members.pop(session, self) is None:
            self._counted()

    def ready(self, session: Taker) -> None:
        """It could take one now."""
        self._ready[session] = None

    def unready(self, session: Taker) -> None:
        """It could not: it has no connection."""
        self._ready.pop(session, None)

    @property
    def next_ns(self) -> int | None:
        """When the next arrival is due; None: none is to come as things are."""
        return None if self.timetable is None else self.timetable.next_ns

    def begin_due(self, now_ns: int, at_once: int | None = _AT_ONCE) -> None:
        """Begin what is due, though not too much at once."""
        timetable, ready = self.timetable, self._ready
        if timetable is None:
            return
        for _ in count() if at_once is None else range(at_once):
            intended_ns = timetable.next_ns
            if intended_ns is None or intended_ns > now_ns:
                return
            timetable.advance()
            if ready:
                session, _none = ready.popitem(last=False)
                if session.take(intended_ns):
                    ready[session] = None
            else:
                self._drop(intended_ns)

    def end(self, now_ns: int) -> None:
        """Begin what is due by now, and nothing more."""
        self.begin_due(now_ns, at_once=None)
        self.timetable = None

    def _drop(self, intended_ns: int) -> None:
        if self._members:  # without any user, nobody wants anything
            session, _none = self._members.popitem(last=False)
            self._members[session] = None
            session.drop(intended_ns)

    def _counted(self) -> None:
        """The number of sessions has changed."""


class _UserStream(Stream):
    """The arrivals of the users of one class, each of whom has a rate of its own."""

    def __init__(self, pacer: Pacer, arrivals: Arrivals, seed: str, share: Share) -> None:
        super().__init__(pacer)
        self._arrivals = arrivals
        self._varying = self.timetable = VaryingSchedule(arrivals.shape, seed, share)

    def _counted(self) -> None:
        self._varying.set_rate(perf_counter_ns(), self._arrivals.rate_per_s * len(self._members))
        self._pacer.wake()


class Pacer:
    """The streams of one process, and the alarm that rings when the next arrival is due. In the engine's thread."""

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self.total = Stream(self)
        """All users' together, where the profile says how much."""
        self._user_streams: dict[tuple[str, Arrivals], Stream] = {}
        self._alarm: Alarm | None = None
        self._ended = False

    def stream_of(self, user_class: str, wait_time: object) -> Stream | None:
        """Where a user's arrivals come from; None: it takes none, and waits for its replies. From any thread."""
        if self._pacing.profile is not None:
            return self.total
        if not isinstance(wait_time, Arrivals):
            return None
        stream = self._user_streams.get((user_class, wait_time))
        if stream is None:
            # Of another seed than other classes': they would draw the same numbers.
            stream = _UserStream(self, wait_time, f"{self._pacing.seed}/{user_class}", self._pacing.share)
            self._user_streams[user_class, wait_time] = stream
        return stream

    def follow(self, share: Share, started_ns: int, since_ns: int) -> None:
        """Take on a share of the profile's schedule, which started at `started_ns`, from `since_ns` on."""
        pacing = self._pacing
        if pacing.profile is not None and not self._ended:
            arrivals_ns = schedule(pacing.profile, pacing.shape, share, pacing.seed)
            timetable = FixedTimetable(arrivals_ns, started_ns, since_ns)
            if isinstance(self.total.timetable, FixedTimetable):
                self.total.timetable.succeed(since_ns, timetable)
            else:
                self.total.timetable = timetable
            self.wake()

    def wake(self) -> None:
        """A timetable has changed."""
        if self._ended:
            return
        if self._alarm is None:
            self._alarm = Alarm(asyncio.get_running_loop(), self._ring)
        self._alarm.set(
            min((due_ns for stream in self._streams() if (due_ns := stream.next_ns) is not None), default=None)
        )

    def end(self, now_ns: int) -> None:
        """Begin what is due by `now_ns`, and nothing more."""
        self._ended = True
        for stream in self._streams():
            stream.end(now_ns)
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None

    def _streams(self) -> tuple[Stream, ...]:
        return self.total, *self._user_streams.values()

    def _ring(self) -> None:
        now_ns = perf_counter_ns()
        for stream in self._streams():
            stream.begin_due(now_ns)
        self.wake()
