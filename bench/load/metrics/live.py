"""The load as it goes on: what all processes did in the last whole seconds that all have noted, and so far. Pure.

A second is complete once a process's loop has noted anything two seconds later. Replies that were received in it may
wait in the loop for a while, and those are its slowest. A process that has noted nothing for a while is left out: if a
worker is lost, the others' figures go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.load.metrics.saturation import JudgedSecond
from bench.load.metrics.seconds import WorkingProcess
from bench.load.metrics.slowest import Slow
from bench.results.load import OperationKey
from bench.statistics.percentiles import is_greatest
from bench.timing.histogram import Histogram

#: The number of seconds after a second in which its process has to have noted something.
_SETTLED_S = 2

#: The number of seconds by which a process may be behind the others, and still be waited for.
_MOST_BEHIND_S = 5


class CountedSecond(Protocol):
    """The counts of one process in one second of the run, as they are noted or reported."""

    @property
    def users(self) -> int:
        """The number of users."""

    @property
    def sent(self) -> int:
        """The number of emissions that were sent."""

    @property
    def ok(self) -> int:
        """The number that ended well."""

    @property
    def failed(self) -> int:
        """The number that failed."""

    @property
    def dropped(self) -> int:
        """The number that were wanted and not sent."""

    @property
    def dropped_without_time(self) -> int:
        """The number of `dropped` that would have had no time."""

    @property
    def cpu_share(self) -> float | None:
        """The share of a core that the process used; None if it is not known."""


@dataclass(frozen=True)
class LiveSecond:
    """The work of one process in one second of the run."""

    counts: CountedSecond
    #: The response times of an open load, the service times of a closed load.
    times: Histogram
    #: The number of replies in it, by operation.
    replies: Mapping[OperationKey, int]
    #: The send lateness of what the schedule wanted; empty in a closed load.
    lateness: Histogram


@dataclass
class OperationTimes:
    """The times of one operation, in nanoseconds."""

    service: Histogram = field(default_factory=Histogram)
    #: The response times; empty in a closed load, and of what no schedule wants.
    response: Histogram = field(default_factory=Histogram)

    def merge(self, other: OperationTimes) -> None:
        """Add the times of another process, or of another part of the run."""
        self.service.merge(other.service)
        self.response.merge(other.response)


@dataclass
class LiveOperation:
    """The work on one operation so far: the counts from the start of the run on, and the times of its steady window."""

    ok: int = 0
    timeouts: int = 0
    errors: int = 0
    dropped: int = 0
    #: The number of emissions of the window that failed, and that were dropped: their times are censored.
    window_failed: int = 0
    window_dropped: int = 0
    times: OperationTimes = field(default_factory=OperationTimes)
    #: The times outside of the window, of a process that has a window with nothing of the operation in it.
    outside: OperationTimes = field(default_factory=OperationTimes)

    def add(self, other: LiveOperation) -> None:
        """Add another process's work on the same operation."""
        self.ok += other.ok
        self.timeouts += other.timeouts
        self.errors += other.errors
        self.dropped += other.dropped
        self.window_failed += other.window_failed
        self.window_dropped += other.window_dropped
        self.times.merge(other.times)
        self.outside.merge(other.outside)

    @property
    def failed(self) -> int:
        """The number that failed, but for what was dropped."""
        return self.timeouts + self.errors

    @property
    def are_of_run(self) -> bool:
        """True if nothing of it lies within the window: then its times are those of the whole run, as in the result."""
        return bool(self.outside.service.count) and not (
            self.times.service.count or self.window_failed or self.window_dropped
        )

    @property
    def has_response(self) -> bool:
        """True if the operation's times begin when the schedule wanted it."""
        return bool(self._judged.response.count)

    @property
    def shown(self) -> Histogram:
        """The response times if there are any, else the service times."""
        return self._judged.response if self.has_response else self._judged.service

    @property
    def censored(self) -> int:
        """The number of emissions whose time is longer than all that `shown` has."""
        failed, dropped = (self.failed, self.dropped) if self.are_of_run else (self.window_failed, self.window_dropped)
        return failed + (dropped if self.has_response else 0)

    @property
    def _judged(self) -> OperationTimes:
        return self.outside if self.are_of_run else self.times


class LiveProcess(WorkingProcess, Protocol):
    """A process of a load, as far as it has noted its work."""

    @property
    def is_open(self) -> bool:
        """True if emissions follow a schedule."""

    def window_ns(self) -> tuple[int | None, int | None]:
        """Return when its steady window begins and ends, in ns since the run's start; None for what is not known."""

    def newest_second(self) -> int:
        """Return the newest second in which the process's loop has noted anything; -1 if there is none."""

    def live_second(self, number: int) -> LiveSecond | None:
        """Return its work in a second; None if it has noted none."""

    def judged_second(self, number: int) -> JudgedSecond:
        """Return what tells how the process itself was in a second."""

    def failures_so_far(self) -> int:
        """Return how many operations have failed or were dropped, from the start of the run."""

    def live_operations(self) -> Mapping[OperationKey, LiveOperation]:
        """Return the work on each operation so far."""

    def times_so_far(self) -> Mapping[OperationKey, OperationTimes]:
        """Return all times from the start of the run on. Of each operation they only ever become more."""

    def slowest_so_far(self) -> Mapping[OperationKey, Sequence[Slow]]:
        """Return the slowest round trips that were answered, the slowest first, where the run was asked for them."""

    def unasked_so_far(self) -> Mapping[str, int]:
        """Return how many events came unasked, by their names."""


@dataclass
class Interval:
    """The work of all processes in whole seconds of the run: from second `first_s` up to, not including, `until_s`."""

    first_s: int
    until_s: int
    #: The number of users in the last of these seconds.
    users: int = 0
    sent: int = 0
    ok: int = 0
    failed: int = 0
    dropped: int = 0
    dropped_without_time: int = 0
    #: The share of a core that the busiest process used; None if it is not known.
    cpu_share: float | None = None
    times: Histogram = field(default_factory=Histogram)
    #: The number of replies, by operation.
    replies: Counter[OperationKey] = field(default_factory=Counter)
    #: The send lateness of what the schedule wanted.
    lateness: Histogram = field(default_factory=Histogram)

    @property
    def seconds(self) -> int:
        """The number of seconds."""
        return self.until_s - self.first_s

    @property
    def has_times(self) -> bool:
        """True if anything was answered, or could not be."""
        return bool(self.times.count or self._censored)

    def percentile_ns(self, percent: float) -> int | None:
        """Return a percentile of the times in ns; None if it falls among what failed or was dropped."""
        return self.times.percentile_ns(percent, self._censored)

    def is_longest(self, name: str) -> bool:
        """Return true if there are so few times that a percentile, by field name, is the longest of them."""
        # Among failures the longest is not known.
        return bool(self.times.count) and not self._censored and is_greatest(name, self.times.count)

    @property
    def _censored(self) -> int:
        return self.failed + self.dropped - self.dropped_without_time


def heard_of(processes: Collection[LiveProcess]) -> list[LiveProcess]:
    """Return the processes that are not far behind the others, as a lost worker is."""
    newest = max((process.newest_second() for process in processes), default=-1)
    return [process for process in processes if process.newest_second() >= max(0, newest - _MOST_BEHIND_S)]


def number_lost(processes: Collection[LiveProcess]) -> int:
    """Return how many processes are far behind the others: none before the others have noted several seconds."""
    newest = max((process.newest_second() for process in processes), default=-1)
    return sum(process.newest_second() < newest - _MOST_BEHIND_S for process in processes)


def complete_until_s(processes: Iterable[LiveProcess]) -> int:
    """Return the first second that is not complete in all of these processes."""
    return max(0, min((process.newest_second() for process in processes), default=-1) - _SETTLED_S + 1)


def interval(
    processes: Collection[LiveProcess], since_s: int, before_s: int | None = None, has_ended: bool = False
) -> Interval | None:
    """Return the work in the complete seconds from `since_s` on, and before `before_s`; None if there is none.

    Of a load that has ended, all seconds are complete, and all processes are heard of.
    """
    heard = list(processes) if has_ended else heard_of(processes)
    until_s = before_s if has_ended and before_s is not None else complete_until_s(heard)
    if before_s is not None:
        until_s = min(until_s, before_s)
    if until_s <= since_s:
        return None
    found = Interval(since_s, until_s)
    for process in heard:
        shares = []
        for number in range(since_s, until_s):
            second = process.live_second(number)
            if second is None:
                continue
            _add(found, second, is_last=number == until_s - 1)
            if second.counts.cpu_share is not None:
                shares.append(second.counts.cpu_share)
        if shares:
            found.cpu_share = max(found.cpu_share or 0.0, sum(shares) / len(shares))
    return found


def operations_of(processes: Iterable[LiveProcess]) -> dict[OperationKey, LiveOperation]:
    """Return the work of all processes on each operation so far."""
    found: dict[OperationKey, LiveOperation] = {}
    for process in processes:
        for key, operation in process.live_operations().items():
            found.setdefault(key, LiveOperation()).add(operation)
    return found


def times_of(processes: Iterable[LiveProcess]) -> dict[OperationKey, OperationTimes]:
    """Return all times of all processes from the start of the run on."""
    found: dict[OperationKey, OperationTimes] = {}
    for process in processes:
        for key, times in process.times_so_far().items():
            found.setdefault(key, OperationTimes()).merge(times)
    return found


def _add(found: Interval, second: LiveSecond, is_last: bool) -> None:
    counts = second.counts
    if is_last:
        found.users += counts.users
    found.sent += counts.sent
    found.ok += counts.ok
    found.failed += counts.failed
    found.dropped += counts.dropped
    found.dropped_without_time += counts.dropped_without_time
    found.times.merge(second.times)
    found.replies.update(second.replies)
    found.lateness.merge(second.lateness)
