"""The load as it goes on: what all processes did in the last whole seconds that all of them have noted. Pure.

A second is complete once a process's loop has noted anything two seconds later. Replies that were received in it may
wait in the loop for a while, and those are its slowest. A process that has noted nothing for a while is left out: if a
worker is lost, the others' figures go on.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

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


class LiveProcess(Protocol):
    """A process of a load, as far as it has noted its work."""

    def newest_second(self) -> int:
        """Return the newest second in which the process's loop has noted anything; -1 if there is none."""

    def live_second(self, number: int) -> LiveSecond | None:
        """Return its work in a second; None if it has noted none."""

    def failures_so_far(self) -> int:
        """Return how many operations have failed or were dropped, from the start of the run."""


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


def interval(processes: Collection[LiveProcess], since_s: int) -> Interval | None:
    """Return the work in the complete seconds from `since_s` on; None if there is no such second."""
    newest = max((process.newest_second() for process in processes), default=-1)
    heard = [process for process in processes if process.newest_second() >= max(0, newest - _MOST_BEHIND_S)]
    until_s = min((process.newest_second() for process in heard), default=-1) - _SETTLED_S + 1
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
