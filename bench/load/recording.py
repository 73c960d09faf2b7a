"""What the sessions of one process note down while they run: a few numbers per success, a tuple per failure.

This is the hot path. Nothing is computed here: at each flush the numbers collected so far are handed over whole, as a
`Batch`, and the thread that takes them does the counting. Belongs to the engine's thread. All times are nanoseconds of
`time.perf_counter_ns`.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import NamedTuple

CONNECT = "connect"
"""The operation that every session performs before any round trip."""

TIMEOUT = "timeout"

UNSCHEDULED = 0
"""Stands for the intended time of an emission that no schedule wanted: all in a closed load, and in an open one all but
the first of each arrival's task. Such an emission is intended when it is sent."""

_ROOM_AT_FIRST = 1 << 14
"""How many times of successes there is room for: even, and what a process at work needs for a second or less."""


class Failure(NamedTuple):
    """An operation that did not succeed. `kind` is the word that it is counted under; `timeout` is no error."""

    sent_ns: int
    ended_ns: int
    kind: str
    intended_ns: int = UNSCHEDULED


class Batch(NamedTuple):
    """What happened to one operation between two flushes.

    `completed` holds sent and received alternately. In an open load `intended` holds as many times as there are pairs;
    in a closed one it is empty. `dropped` holds, by reason, when emissions were wanted that were not sent.
    `handled` has four times for each success whose reply told when it was handled: sent, begun and ended there,
    received.
    """

    operation: str
    completed: array[int]
    intended: array[int]
    failures: list[Failure]
    dropped: Mapping[str, array[int]]
    handled: array[int]


class Delays(NamedTuple):
    """How late the engine's loop was, sampled between two flushes: when, and by how much, alternately.

    `loop_lag` is of alarms that were set at random, so that it is what anything that wakes the loop waits for its turn,
    a reply's frame included (Poisson arrivals see time averages: R. Wolff, Operations Research 30, 1982). `queueing` is
    how long replies that had been read waited for the task that awaited them; what the last frames of a burst waited to
    be read is of the same size.
    """

    loop_lag: array[int]
    queueing: array[int]


class OperationLog:
    """Collects what happens to one operation until the next flush.

    The times of successes are written into one array that grows as needed and stays: compiled, that is two stores,
    where an append each would be two calls.
    """

    __slots__ = ("_dropped", "_failures", "_handled", "_intended", "_room", "_times", "_used", "_written", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._written = array("q", bytes(8 * _ROOM_AT_FIRST))
        self._times = self._written
        """The same; compiled, it is the memory itself."""
        self._room = _ROOM_AT_FIRST
        self._used = 0
        self._clear()

    def succeeded(self, sent_ns: int, received_ns: int) -> None:
        """Note a success of a closed load."""
        used = self._used
        if used == self._room:
            self._grow()
        self._times[used] = sent_ns
        self._times[used + 1] = received_ns
        self._used = used + 2

    def answered(self, intended_ns: int, sent_ns: int, received_ns: int) -> None:
        """Note a success of an open load."""
        self._intended.append(intended_ns)
        self.succeeded(sent_ns, received_ns)

    def handled(self, sent_ns: int, handled_ns: tuple[int, int] | None, received_ns: int) -> None:
        """Note when a success's reply says that it was handled, unless that cannot be: by another machine's clock."""
        if handled_ns is not None and sent_ns <= handled_ns[0] <= handled_ns[1] <= received_ns:
            self._handled.extend((sent_ns, *handled_ns, received_ns))

    def failed(self, sent_ns: int, ended_ns: int, kind: str, intended_ns: int = UNSCHEDULED) -> None:
        """Note a failure."""
        self._failures.append(Failure(sent_ns, ended_ns, kind, intended_ns))

    def drop(self, intended_ns: int, reason: str) -> None:
        """Note an emission that was not sent: when the schedule, or in a closed load the task, wanted it; and why not."""
        times = self._dropped.get(reason)
        if times is None:
            times = self._dropped[reason] = array("q")
        times.append(intended_ns)

    def flush(self) -> Batch | None:
        """Everything since the last flush, or None where there was nothing."""
        if not self._used and not self._failures and not self._dropped:
            return None
        completed = self._written[: self._used]
        batch = Batch(self.name, completed, self._intended, self._failures, self._dropped, self._handled)
        self._clear()
        return batch

    def _grow(self) -> None:
        self._written = self._written + array("q", bytes(8 * self._room))
        self._times = self._written
        self._room *= 2

    def _clear(self) -> None:
        self._used = 0
        self._intended: array[int] = array("q")
        self._failures: list[Failure] = []
        self._dropped: dict[str, array[int]] = {}
        self._handled: array[int] = array("q")
