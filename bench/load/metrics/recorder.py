"""The notes of a process's sessions while they run: a few numbers per success, a tuple per failure.

This is the hot path. Nothing is computed here. At each flush the numbers collected so far are handed over whole, as a
`Batch`. The thread that takes them does the counting. Belongs to the engine's thread. All times are nanoseconds of
`time.perf_counter_ns`.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from bench.load.metrics.exceptions import folded
from bench.results.load import MOST_OPERATIONS, OTHER_OPERATIONS, ROUND_TRIP, OperationKind

TIMEOUT = "timeout"

#: The kind of the notes of an event that came unasked. It is no operation: nobody performed it.
RECEIVED: Literal["received"] = "received"

#: All that is noted has one of these kinds.
NotedKind = OperationKind | Literal["received"]

#: The intended time of an emission that no schedule wanted. Those are all in a closed load. In an open load they are
#: all but the first of each arrival's task. Such an emission is intended when it is sent.
UNSCHEDULED = 0

#: The number of times of successes that there is room for: even, and what a busy process needs for a second or less.
_ROOM_AT_FIRST = 1 << 14


class Failure(NamedTuple):
    """An operation that did not succeed. `kind` is the word that it is counted under; `timeout` is no error."""

    sent_ns: int
    ended_ns: int
    kind: str
    intended_ns: int = UNSCHEDULED
    #: The time in which no user was free for it.
    waited_ns: int = 0
    #: The token of the emission, where the slowest are asked for.
    token: str = ""


class Batch(NamedTuple):
    """The events of one operation between two flushes.

    `completed` contains sent and received alternately. In an open load, `intended` has a time for each of these pairs;
    in a closed load it is empty. `dropped` has, by reason, the times at which emissions were wanted that were not sent.
    `handled` has four times for each success whose reply told when it was handled: sent, begun and ended there,
    received. `waits` has two numbers for each success for which no user was free at first: its place among the pairs,
    and how long it waited. `error_replies` counts successes whose reply is an object with an `error` in it.

    `reads` has two numbers for each of the pairs of `completed`: how long the reply that the machine had received
    waited for this process to read it, and the greatest error of `received` (0: none). An error of -1 says that
    `received` is when the process read it; where `reads` is empty, that is so of all pairs.

    With a `task`, whose operation is not known yet, `operation` is that task's name: all that is known is what was
    dropped.

    An emission that awaits no reply is received when it is sent, and an event that came unasked is sent when it is
    received: those pairs have the same number twice.
    """

    operation: str
    completed: array[int]
    intended: array[int]
    failures: list[Failure]
    dropped: Mapping[str, array[int]]
    handled: array[int]
    waits: array[int]
    task: str
    error_replies: int = 0
    kind: NotedKind = ROUND_TRIP
    #: The sizes of the messages that were sent and received, in all.
    sent_bytes: int = 0
    received_bytes: int = 0
    reads: array[int] = array("q")
    #: The tokens of the pairs of `completed`, where the slowest are asked for; else empty.
    tokens: Sequence[str] = ()


class LoopDelays(NamedTuple):
    """The samples of the engine's loop between two flushes: its delays, when and by how much, and its traffic.

    `loop_lag` is of alarms that were set at random. So it is the time that anything that wakes the loop waits for its
    turn, a reply's frame included (Poisson arrivals see time averages: R. Wolff, Operations Research 30, 1982).
    `queueing` is how long replies that had been read waited for who awaited them. Where the process itself tells a
    reply's time, the rest of a burst is read first, and the burst's last frames waited about as long to be read. Where
    the kernel tells it, who awaits a reply goes on in the callback that has read it. `queueing` is next to nothing
    then: the messages before it in the same read, and the reply's own handlers. `Batch.reads` has how long it waited to
    be read. `waits` tells of each arrival for which a user may have to become free: when it was intended, and how long
    none was free.

    `traffic` has three numbers for each look at the recorders: when, and the bytes that were sent and received since
    the look before.
    """

    loop_lag: array[int]
    queueing: array[int]
    waits: array[int]
    traffic: array[int] = array("q")


class NamedCounts(Counter[str]):
    """Counts by operation, for the operations that have rows of their own. The rest are counted together."""

    def __setitem__(self, name: str, number: int) -> None:
        if name in self or len(self) < MOST_OPERATIONS:
            super().__setitem__(name, number)
        else:  # `number` is the first of its name
            super().__setitem__(OTHER_OPERATIONS, self[OTHER_OPERATIONS] + number)


class Recorder:
    """The notes of what happens to one operation, until the next flush.

    The times of successes are written into one array that grows as needed and stays. Compiled, that is two stores; two
    appends would be two calls.
    """

    __slots__ = (
        *(
            "_dropped",
            "_failures",
            "_handled",
            "_intended",
            "_is_stamped",
            "_reads",
            "_reads_written",
            "_room",
            "_times",
        ),
        *("_tokens", "_used", "_waits", "_written"),
        *("error_replies", "kind", "name", "received_bytes", "sent_bytes", "task"),
    )

    def __init__(self, name: str, task: str = "", kind: NotedKind = ROUND_TRIP) -> None:
        self.name = name
        self.kind = kind
        #: The key of the task whose operation is not known yet; then the name is that of the task.
        self.task = task
        self._written = array("q", bytes(8 * _ROOM_AT_FIRST))
        #: The same array as `_written`; compiled, it is the memory itself.
        self._times = self._written
        #: The same for `Batch.reads`; there is none before the first message with a time of the kernel's.
        self._reads_written = array("q")
        self._reads = self._reads_written
        self._room = _ROOM_AT_FIRST
        self._used = 0
        self._clear()

    def succeeded(
        self, sent_ns: int, received_ns: int, received_bytes: int = 0, read_ns: int = 0, error_ns: int = -1
    ) -> None:
        """Note a success of a closed load, and the size of the message that ended it.

        `read_ns` and `error_ns` are those of the message's listener: see `bench.wire.transport.Listener`.
        """
        self.received_bytes += received_bytes
        used = self._used
        if used == self._room:
            self._grow()
        self._times[used] = sent_ns
        self._times[used + 1] = received_ns
        if error_ns >= 0:
            if not self._is_stamped:
                self._begin_reads()
            self._reads[used] = read_ns - received_ns
            self._reads[used + 1] = error_ns
        elif self._is_stamped:
            self._reads[used] = 0
            self._reads[used + 1] = -1
        self._used = used + 2

    def answered(
        self,
        intended_ns: int,
        sent_ns: int,
        received_ns: int,
        waited_ns: int = 0,
        received_bytes: int = 0,
        read_ns: int = 0,
        error_ns: int = -1,
    ) -> None:
        """Note a success of an open load, the time in which no user was free for it, and the size of its reply."""
        if waited_ns:
            self._waits.append(len(self._intended))
            self._waits.append(waited_ns)
        self._intended.append(intended_ns)
        self.succeeded(sent_ns, received_ns, received_bytes, read_ns, error_ns)

    def handled(self, sent_ns: int, handled_ns: tuple[int, int] | None, received_ns: int) -> None:
        """Note when a success's reply says that it was handled, unless that cannot be: by another machine's clock."""
        if handled_ns is not None and sent_ns <= handled_ns[0] <= handled_ns[1] <= received_ns:
            self._handled.extend((sent_ns, *handled_ns, received_ns))

    def named(self, token: str) -> None:
        """Note the token of the success that was noted last. Either all of a batch are named, or none is."""
        self._tokens.append(token)

    def failed(
        self,
        sent_ns: int,
        ended_ns: int,
        kind: str,
        intended_ns: int = UNSCHEDULED,
        waited_ns: int = 0,
        token: str = "",
    ) -> None:
        """Note a failure."""
        self._failures.append(Failure(sent_ns, ended_ns, folded(kind), intended_ns, waited_ns, token))

    def drop(self, intended_ns: int, reason: str) -> None:
        """Note an emission that was not sent, and why.

        `intended_ns` is when the schedule wanted it; in a closed load, when the task did.
        """
        times = self._dropped.get(reason)
        if times is None:
            times = self._dropped[reason] = array("q")
        times.append(intended_ns)

    def flush(self) -> Batch | None:
        """Return everything since the last flush, or None if there was nothing."""
        if not self._used and not self._failures and not self._dropped and not self.sent_bytes:
            return None
        completed = self._written[: self._used]
        batch = Batch(
            *(self.name, completed, self._intended, self._failures, self._dropped, self._handled),
            *(self._waits, self.task, self.error_replies, self.kind, self.sent_bytes, self.received_bytes),
            self._reads_written[: self._used] if self._is_stamped else array("q"),
            self._tokens,
        )
        self._clear()
        return batch

    def _grow(self) -> None:
        self._written = self._written + array("q", bytes(8 * self._room))
        self._times = self._written
        if self._reads_written:
            self._reads_written = self._reads_written + array("q", bytes(8 * self._room))
            self._reads = self._reads_written
        self._room *= 2

    def _begin_reads(self) -> None:
        """Have room for `Batch.reads`: none of the batch's successes so far has a time of the kernel's."""
        if not self._reads_written:
            self._reads_written = array("q", bytes(8 * self._room))
            self._reads = self._reads_written
        for place in range(0, self._used, 2):  # not by a slice: compiled, the array's memory is in use
            self._reads[place] = 0
            self._reads[place + 1] = -1
        self._is_stamped = True

    def _clear(self) -> None:
        self._used = 0
        #: Whether there is a success in the batch whose `received` is the kernel's.
        self._is_stamped = False
        #: The number of successes whose reply is an object with an `error` in it. The caller counts them.
        self.error_replies = 0
        #: The sizes of the operation's messages. The caller adds up those that were sent.
        self.sent_bytes = 0
        self.received_bytes = 0
        self._intended: array[int] = array("q")
        self._failures: list[Failure] = []
        self._dropped: dict[str, array[int]] = {}
        self._handled: array[int] = array("q")
        self._waits: array[int] = array("q")
        self._tokens: list[str] = []
