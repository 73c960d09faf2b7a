"""The receive times of many replies: how many are the kernel's, how wrong they may be, how long replies then waited.

The kernel stamps data as the machine receives it. It keeps one stamp for all that waits on a connection: the newest. So
the stamp is *exact* for the last message of what waited. For an earlier message it is *bounded*: that message may have
come earlier, by a known time at most. A reply without a stamp has the time at which this process had read it. Pure:
numbers in, numbers out, in nanoseconds.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bench.timing.histogram import Histogram, buckets_of

Values = NDArray[np.int64]

#: The error that says: this process's own clock told the time, and not the kernel.
UNSTAMPED = -1


class ReceiveTimes:
    """The receive times of a number of replies. They merge exactly."""

    __slots__ = ("bounded", "errors", "exact", "reading", "unstamped")

    def __init__(self) -> None:
        self.exact = 0
        self.bounded = 0
        self.unstamped = 0
        #: The greatest errors of the bounded times: each may be too late by so much.
        self.errors = Histogram()
        #: The reading delays: the times from the kernel's stamp until this process had read the reply.
        self.reading = Histogram()

    def record(self, reading_ns: Values, error_ns: Values, buckets: Values | None = None) -> None:
        """Record replies: their reading delays, and the greatest errors of their times, or UNSTAMPED.

        `buckets` are those of the delays, if they are known already (see `bench.timing.histogram.buckets_of`).
        """
        stamped = error_ns >= 0
        number = int(np.count_nonzero(stamped))
        self.unstamped += len(error_ns) - number
        if not number:
            return
        errors = error_ns[error_ns > 0]
        self.errors.record(errors)
        self.bounded += len(errors)
        self.exact += number - len(errors)
        if buckets is None:
            buckets = buckets_of(reading_ns)
        if number < len(error_ns):
            reading_ns, buckets = reading_ns[stamped], buckets[stamped]
        self.reading.record(reading_ns, buckets)

    def record_unstamped(self, number: int) -> None:
        """Record so many replies that the kernel told no time of."""
        self.unstamped += number

    def merge(self, other: ReceiveTimes) -> None:
        """Add the times of another's replies to these."""
        self.exact += other.exact
        self.bounded += other.bounded
        self.unstamped += other.unstamped
        self.errors.merge(other.errors)
        self.reading.merge(other.reading)

    @property
    def stamped(self) -> int:
        """The number of replies that have the kernel's time."""
        return self.exact + self.bounded

    @property
    def are_kernels(self) -> bool | None:
        """True if all have the kernel's time, False if any has not; None of nothing."""
        if self.unstamped:
            return False
        return True if self.stamped else None

    def error_ns(self, percent: float) -> int | None:
        """Return the error that `percent` of the kernel's times do not exceed, by nearest rank; None of nothing.

        The error of an exact time is 0.
        """
        if not self.stamped:
            return None
        rank = math.ceil(percent / 100 * self.stamped - 1e-9) - self.exact
        return 0 if rank <= 0 else self.errors.percentile_ns(100 * rank / self.bounded)

    @property
    def greatest_error_ns(self) -> int | None:
        """The greatest error of the kernel's times; None of nothing."""
        return None if not self.stamped else self.errors.max_ns or 0
