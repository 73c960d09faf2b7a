"""The account that a faulty server keeps of itself: the delay of each reply, the lost replies, the stalls.

The server writes a `Record` while it serves, which costs next to nothing then. It answers with a `Truth`. There is no
clock in here.
"""

import json
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np

from bench.timing.histogram import Histogram

#: The number of lost tokens that are known by name: the last ones.
LOST_NAMES = 10_000


@dataclass(frozen=True)
class Truth:
    """The true figures of the FOOs read since the start or the last reset. Times in ns of `time.perf_counter_ns`.

    `foos` = `replies` + `lost` + `gone` + `waiting`. These are the answered FOOs, those lost on purpose, those whose
    client was gone when the reply was due, and those held back now. The delay of a reply begins when the `recv` that
    completed its FOO returns. It ends just before the `send` of the BAR or the acknowledgement. So it contains no time
    on the wire and in the kernel. It does not contain the wait of an unread FOO for the end of a stall, either.

    `since_arrival_ns` has the same replies' delays from when the kernel received their FOO, so with its wait to be
    read. FOOs of a warm-up are left out. It is null if the kernel has not told that of each FOO.
    """

    foos: int
    replies: int
    lost: int
    gone: int
    waiting: int
    #: The delays as an HdrHistogram of bench.timing.histogram in V2 form; `histogram()` reads it.
    delays_ns: str
    min_ns: int | None
    max_ns: int | None
    sum_ns: int
    #: The time at which the server started: its stalls are counted from there.
    started_ns: int
    stall_ns: int
    stall_period_ns: int
    #: The beginning and end of each time that the server really stood still.
    stalls: tuple[tuple[int, int], ...]
    #: The last lost tokens, up to 10,000, in the order in which they were read.
    lost_names: tuple[str, ...]
    since_arrival_ns: str | None = None

    def encoded(self) -> str:
        """Return the account as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def decoded(cls, text: str | bytes) -> Self:
        """Return the account that `encoded` has written."""
        fields = json.loads(text)
        fields["stalls"] = tuple((start, end) for start, end in fields["stalls"])
        fields["lost_names"] = tuple(fields["lost_names"])
        return cls(**fields)

    def histogram(self) -> Histogram:
        """Return the delays. Raises HistogramError."""
        return Histogram.decode(self.delays_ns, min_ns=self.min_ns, max_ns=self.max_ns, sum_ns=self.sum_ns)

    def since_arrival(self) -> Histogram | None:
        """Return the delays since the kernel received each FOO; None if it did not tell. Raises HistogramError."""
        return None if self.since_arrival_ns is None else Histogram.decode(self.since_arrival_ns)


class Record:
    """A record of the FOOs since it was begun: 16 bytes for each reply."""

    __slots__ = (
        "_first_arrival_ns",
        "_untold",
        "_warm_up_ns",
        "delays_ns",
        "foos",
        "gone",
        "lost",
        "lost_names",
        "since_arrival_ns",
    )

    def __init__(self, warm_up_ns: int = 0) -> None:
        self._warm_up_ns = warm_up_ns
        self._first_arrival_ns = 0
        #: The number of replies to FOOs of which the kernel did not tell when it received them.
        self._untold = 0
        self.foos = 0
        self.gone = 0
        self.lost = 0
        self.lost_names: deque[str] = deque(maxlen=LOST_NAMES)
        self.delays_ns = array("q")
        #: The same from when the kernel received the FOO, without those of the warm-up.
        self.since_arrival_ns = array("q")

    def note_reply(self, read_ns: int, arrived_ns: int, written_ns: int) -> None:
        """Account for a reply: when its FOO was read, when the kernel received that (0: it did not tell), the end."""
        self.delays_ns.append(written_ns - read_ns)
        if not arrived_ns:
            self._untold += 1
            return
        if not self._first_arrival_ns:
            self._first_arrival_ns = arrived_ns
        if arrived_ns - self._first_arrival_ns >= self._warm_up_ns:
            self.since_arrival_ns.append(written_ns - arrived_ns)

    def truth(self, started_ns: int, stall_ns: int, stall_period_ns: int, stalls: Sequence[tuple[int, int]]) -> Truth:
        """Return the account. Its arguments are the facts that only the server knows."""
        histogram = Histogram()
        histogram.record(np.array(self.delays_ns, dtype=np.int64))
        replies = len(self.delays_ns)
        return Truth(
            foos=self.foos,
            replies=replies,
            lost=self.lost,
            gone=self.gone,
            waiting=self.foos - replies - self.lost - self.gone,
            delays_ns=histogram.encode(),
            min_ns=histogram.min_ns,
            max_ns=histogram.max_ns,
            sum_ns=histogram.sum_ns,
            started_ns=started_ns,
            stall_ns=stall_ns,
            stall_period_ns=stall_period_ns,
            stalls=tuple(stalls),
            lost_names=tuple(self.lost_names),
            since_arrival_ns=self._since_arrival(),
        )

    def _since_arrival(self) -> str | None:
        if self._untold or not self.since_arrival_ns:
            return None
        histogram = Histogram()
        histogram.record(np.array(self.since_arrival_ns, dtype=np.int64))
        return histogram.encode()
