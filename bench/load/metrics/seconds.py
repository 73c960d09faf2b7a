"""The seconds of a load, one after the other, kept between two looks at it. Pure.

A load that goes on is looked at each second, by the process that generates it. So a look must not cost more the longer
the load has gone on. What is in a second hardly changes any more, so a second is read when it has changed, and its
times stand in one long array with those of all other seconds. A second of which only the failures have changed, as a
timeout does to the second in which it was intended, keeps its times.

A load that has ended is read in the same way, in one look.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bench.load.metrics.report import BINS
from bench.results.load import OperationKey
from bench.statistics.intervals import JoinedSeconds
from bench.timing.histogram import Histogram

Integers = NDArray[np.int64]

#: The name and the kind of an operation.
Key = tuple[str, str]

#: The number of entries that there is room for at first. The room doubles where it is too small.
_ROOM = 1 << 12


@dataclass
class Lost:
    """The numbers of emissions that were intended in a second, and failed or were dropped."""

    timeouts: int = 0
    errors: int = 0
    dropped: int = 0


@dataclass
class SecondWork:
    """The work of all processes in one second, by the name and kind of an operation. Only scheduled kinds are in it."""

    #: The number that ended well.
    ok: int = 0
    #: The number of scheduled emissions that were sent in each part of it.
    sent_in: list[int] = field(default_factory=lambda: [0] * BINS)
    #: The response times of an open load, the service times of a closed load.
    times: dict[Key, Histogram] = field(default_factory=dict)
    lost: dict[Key, Lost] = field(default_factory=dict)
    #: The number of replies: of all that has times.
    replied: int = 0

    def add_times(self, key: Key, times: Histogram) -> None:
        """Add the times of a process, which are left as they are."""
        self.replied += times.count
        known = self.times.get(key)
        self.times[key] = times if known is None else Histogram.union((known, times))

    def add_sent(self, sent_in: Sequence[int]) -> None:
        """Add the emissions of a process, in each part of the second; nothing if there were none."""
        for place, sent in enumerate(sent_in):
            self.sent_in[place] += sent

    def add_lost(self, key: Key, timeouts: int, errors: int, dropped: int) -> None:
        """Add what a process has lost."""
        lost = self.lost.setdefault(key, Lost())
        lost.timeouts += timeouts
        lost.errors += errors
        lost.dropped += dropped


class WorkingProcess(Protocol):
    """A process of a load, as far as its seconds are known."""

    def version_of_second(self, number: int) -> int:
        """Return a number that changes whenever anything in a second does; 0 of a second in which nothing was noted."""

    def add_second(self, number: int, work: SecondWork, tasks: Mapping[str, OperationKey]) -> None:
        """Add its work in a second. `tasks` has the operation that each task begins with, by the task's key."""


class OperationSeconds:
    """The work on some operations together, second by second."""

    def __init__(self, keys: frozenset[Key]) -> None:
        self._keys = keys
        #: The number of replies in each second.
        self.replied: list[int] = []
        #: The numbers of what was lost, by the second in which it was intended.
        self.timeouts: list[int] = []
        self.errors: list[int] = []
        self.dropped: list[int] = []
        self._sums_ns: list[int] = []
        self._least_ns: list[int | None] = []
        self._most_ns: list[int | None] = []
        #: The times in each bucket, of the seconds in `_summed`.
        self._sums: Integers = np.zeros(0, dtype=np.int64)
        self._summed = range(0)
        #: The buckets of `_sums` that are not empty, and the number of times in each; None if they are not known yet.
        self._occupied: tuple[Integers, Integers] | None = None
        #: The number of entries up to each second, and up to the end.
        self._ends: list[int] = [0]
        self._buckets: Integers = np.empty(_ROOM, dtype=np.int64)
        self._counts: Integers = np.empty(_ROOM, dtype=np.int64)

    def take(self, seconds: Sequence[SecondWork], changed: Sequence[int]) -> None:
        """Take the seconds that have changed, by their numbers in ascending order, and those that are new."""
        known = len(self.replied)
        for place, number in enumerate(changed):
            if number >= known:
                break
            parts = self._parts(seconds[number])
            # Times are never taken back: as many are the same.
            if sum(part.count for part in parts) != self.replied[number]:
                self._keep(number)
                for later in changed[place:]:
                    if later < known:
                        self._lose(later, seconds[later])
                break
            self._lose(number, seconds[number])
        for number in range(len(self.replied), len(seconds)):
            self._append(seconds[number])

    def times(self, seconds: range) -> Histogram:
        """Return the times of successive seconds."""
        occupied, numbers = self._added_up(seconds)
        if not len(occupied):
            return Histogram()
        start, stop = seconds.start, seconds.stop
        return Histogram.of_counts(
            occupied,
            numbers,
            sum_ns=sum(self._sums_ns[start:stop]),
            min_ns=min(least_ns for least_ns in self._least_ns[start:stop] if least_ns is not None),
            max_ns=max(most_ns for most_ns in self._most_ns[start:stop] if most_ns is not None),
        )

    def lost(self, seconds: range) -> Lost:
        """Return what was lost in successive seconds."""
        within = slice(seconds.start, seconds.stop)
        return Lost(sum(self.timeouts[within]), sum(self.errors[within]), sum(self.dropped[within]))

    def joined(self, seconds: range, has_response: bool) -> JoinedSeconds:
        """Return the times of successive seconds, for their intervals.

        What was dropped had no service time, but a response time (`has_response`).
        """
        within, upto = slice(seconds.start, seconds.stop), slice(seconds.start, seconds.stop + 1)
        censored = np.array(self.timeouts[within], dtype=np.int64) + np.array(self.errors[within], dtype=np.int64)
        if has_response:
            censored += np.array(self.dropped[within], dtype=np.int64)
        ends = self._ends[upto] if seconds else [0]
        entries = slice(ends[0], ends[-1])
        occupied, numbers = self._added_up(seconds)
        return JoinedSeconds(
            occupied=occupied,
            numbers=numbers,
            buckets=self._buckets[entries],
            counts=self._counts[entries],
            entries=np.array([end - start for start, end in itertools.pairwise(ends)], dtype=np.int64),
            censored=censored,
            sums_ns=np.array(self._sums_ns[within], dtype=np.float64),
            bounds=Histogram() if seconds else None,
        )

    def _added_up(self, seconds: range) -> tuple[Integers, Integers]:
        """Return the buckets of successive seconds that are not empty, ascending, and the number of times in each.

        The seconds of the last call are known already, if these only go on further.
        """
        if seconds.start != self._summed.start or seconds.stop < self._summed.stop:
            self._empty_sums(seconds.start)
        if seconds.stop > self._summed.stop:
            self._add_to_sums(range(self._summed.stop, seconds.stop), 1)
            self._summed = seconds
        if self._occupied is None:
            occupied = np.flatnonzero(self._sums != 0)  # of booleans it is found much faster than of numbers
            self._occupied = occupied, self._sums[occupied]
        return self._occupied

    def _empty_sums(self, start: int) -> None:
        self._sums, self._summed, self._occupied = np.zeros(0, dtype=np.int64), range(start, start), None

    def _add_to_sums(self, seconds: range, sign: int) -> None:
        self._occupied = None
        entries = slice(self._ends[seconds.start], self._ends[seconds.stop])
        numbers = np.bincount(self._buckets[entries], self._counts[entries]).astype(np.int64)
        if len(numbers) > len(self._sums):
            self._sums = np.concatenate((self._sums, np.zeros(len(numbers) - len(self._sums), dtype=np.int64)))
        self._sums[: len(numbers)] += sign * numbers

    def _parts(self, second: SecondWork) -> list[Histogram]:
        return [second.times[key] for key in self._keys & second.times.keys()]

    def _keep(self, number: int) -> None:
        """Forget the times of all seconds from that number on."""
        if number <= self._summed.start:
            self._empty_sums(self._summed.start)
        elif number < self._summed.stop:
            self._add_to_sums(range(number, self._summed.stop), -1)
            self._summed = range(self._summed.start, number)
        for values in (self._sums_ns, self._least_ns, self._most_ns, self.replied):
            del values[number:]
        del self._ends[number + 1 :]

    def _lose(self, number: int, second: SecondWork) -> None:
        """Take what was lost in a second that is known."""
        self.timeouts[number], self.errors[number], self.dropped[number] = self._lost_in(second)

    def _lost_in(self, second: SecondWork) -> tuple[int, int, int]:
        found = [second.lost[key] for key in self._keys & second.lost.keys()]
        return (
            sum(lost.timeouts for lost in found),
            sum(lost.errors for lost in found),
            sum(lost.dropped for lost in found),
        )

    def _append(self, second: SecondWork) -> None:
        number = len(self.replied)
        parts = self._parts(second)
        end = self._ends[-1]
        for part in parts:
            buckets, counts = part.bucket_counts()
            start, end = end, end + len(buckets)
            self._make_room(end)
            self._buckets[start:end], self._counts[start:end] = buckets, counts
        known = [part for part in parts if part.count]
        self.replied.append(sum(part.count for part in parts))
        self._sums_ns.append(sum(part.sum_ns for part in parts))
        self._least_ns.append(min((part.min_ns or 0 for part in known), default=None))
        self._most_ns.append(max((part.max_ns or 0 for part in known), default=None))
        self._ends.append(end)
        if number == len(self.timeouts):
            for values, lost in zip((self.timeouts, self.errors, self.dropped), self._lost_in(second), strict=True):
                values.append(lost)

    def _make_room(self, number: int) -> None:
        if number > len(self._buckets):
            room = max(number, 2 * len(self._buckets))
            # New arrays: who looked before may still read the old ones.
            self._buckets = np.concatenate((self._buckets, np.empty(room - len(self._buckets), dtype=np.int64)))
            self._counts = np.concatenate((self._counts, np.empty(room - len(self._counts), dtype=np.int64)))


class LoadSeconds:
    """The seconds of a load, from its start on, kept between two looks at it."""

    def __init__(self) -> None:
        self._seconds: list[SecondWork] = []
        #: The versions of each second in the processes, and the number of the look at which it was read.
        self._versions: list[tuple[int, ...]] = []
        self._read_at: list[int] = []
        self._looks = 0
        self._processes: list[str] = []
        self._tasks: dict[str, OperationKey] = {}
        self._operations: dict[frozenset[Key], tuple[int, OperationSeconds]] = {}

    def read(self, processes: Mapping[str, WorkingProcess], tasks: Mapping[str, OperationKey], until_s: int) -> None:
        """Read what has changed in the seconds before `until_s`.

        `tasks` has the operation that each task begins with, by the task's key.
        """
        names = list(processes)
        # Where tasks have become known, what was lost may be of other operations than before.
        if names != self._processes or tasks != self._tasks or until_s < len(self._seconds):
            self._seconds, self._versions, self._read_at, self._operations = [], [], [], {}
            self._processes, self._tasks = names, dict(tasks)
        self._looks += 1
        everyone = list(processes.values())
        for number in range(until_s):
            versions = tuple([process.version_of_second(number) for process in everyone])
            is_new = number == len(self._seconds)
            if not is_new and versions == self._versions[number]:
                continue
            work = SecondWork()
            for process in everyone:
                process.add_second(number, work, self._tasks)
            if is_new:
                self._seconds.append(work)
                self._versions.append(versions)
                self._read_at.append(self._looks)
            else:
                self._seconds[number], self._versions[number] = work, versions
                self._read_at[number] = self._looks

    def __len__(self) -> int:
        return len(self._seconds)

    def __getitem__(self, number: int) -> SecondWork:
        return self._seconds[number]

    def of(self, keys: Collection[Key]) -> OperationSeconds:
        """Return the work on some operations together, second by second."""
        chosen = frozenset(keys)
        looked_at, found = self._operations.get(chosen) or (0, OperationSeconds(chosen))
        if looked_at < self._looks:
            changed = [number for number, read_at in enumerate(self._read_at) if read_at > looked_at]
            found.take(self._seconds, changed)
            self._operations[chosen] = self._looks, found
        return found
