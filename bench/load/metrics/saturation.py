"""The saturation of a generator's process: it did not keep up, and measured itself. Pure: seconds in, a reason out.

Each whole second of the steady window is judged by itself. So a hiccup of the machine does not condemn a run, and a
generator that falls behind towards the end is found. A process is saturated if two seconds in a row are, or a tenth of
all.

A process that stands still notes nothing meanwhile, and the delay that it notes afterwards is one sample among many. So
the time for which it stood still is counted separately, in the seconds in which it passed. A second without any note
stood still as a whole.

The limits were chosen by driving a generator into saturation and back: docs/measurements.md, "Saturation".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.timing.histogram import Histogram
from bench.timing.rates import NS_PER_S

#: The share of a core from which on a process has no time left, and does all else late.
CPU_SHARE = 0.95

#: The limit to the generator's own delays at the median, in nanoseconds; five times this for a tenth of them. Beyond
#: it they are of the size of what it measures, on any network.
LATE_NS = 2_000_000

#: The share of the median service time from which on waiting replies count. Replies that arrive in bursts wait for each
#: other even in an idle generator. So their waiting counts only where it is also at least this share of the reported
#: time.
QUEUEING_SHARE = 0.2

#: The length from which on a delay of the loop is a standstill, in nanoseconds. A second that stood still for this
#: long, a tenth of it, is saturated. So is a second whose delays pass the limits for a tenth of the time.
STANDSTILL_NS = 100_000_000

_TAIL = 5
_CONSECUTIVE = 2
_SHARE_OF_SECONDS = 0.1


@dataclass(frozen=True)
class JudgedSecond:
    """The notes of one process in one second. Times in nanoseconds."""

    second: int
    cpu_share: float | None
    send_lateness: Histogram
    loop_lag: Histogram
    queueing: Histogram
    #: The service times of the replies received in it.
    service: Histogram
    #: The part of the second in which the loop stood still, in standstills of STANDSTILL_NS and more.
    standstill_ns: int = 0

    @classmethod
    def unnoted(cls, second: int) -> JudgedSecond:
        """Return a second about which the process noted nothing: it stood still from its beginning to its end."""
        return cls(second, None, Histogram(), Histogram(), Histogram(), Histogram(), NS_PER_S)


@dataclass(frozen=True)
class Saturation:
    """The reason why a process is saturated, and since which second of the run."""

    reason: str
    since_s: int


def saturation(seconds: Sequence[JudgedSecond]) -> Saturation | None:
    """Return why a process was saturated in these seconds; None if it was not.

    The seconds are all those of the window, in order.
    """
    standstill_ns = sum(second.standstill_ns for second in seconds)
    saturated = [
        (second.second, reason) for second in seconds if (reason := _reason(second, standstill_ns)) is not None
    ]
    if not saturated:
        return None
    if len(seconds) <= _CONSECUTIVE or len(saturated) >= max(_CONSECUTIVE, _SHARE_OF_SECONDS * len(seconds)):
        return Saturation(saturated[0][1], saturated[0][0])
    for (first, reason), (second, _) in pairwise(saturated):
        if second == first + 1:
            return Saturation(reason, first)
    return None


def _reason(second: JudgedSecond, standstill_ns: int) -> str | None:
    """Return why a second is saturated; None if it is not.

    `standstill_ns` is the standstill of the whole window, for the text.
    """
    if second.cpu_share is not None and second.cpu_share >= CPU_SHARE:
        return f"a process of it used {second.cpu_share:.0%} of a core"
    if second.standstill_ns >= STANDSTILL_NS:
        return f"its event loop stood still for {standstill_ns / NS_PER_S:.1f} s"
    service_ns = second.service.percentile_ns(50) or 0
    for late, at_least_ns, said in (
        (second.send_lateness, 0, "it sent {} later than scheduled"),
        (second.loop_lag, 0, "its event loop was {} late"),
        (second.queueing, QUEUEING_SHARE * service_ns, "replies waited {} in it before they were looked at"),
    ):
        for percent, limit_ns in ((50, LATE_NS), (90, _TAIL * LATE_NS)):
            value_ns = late.percentile_ns(percent)
            if value_ns is not None and value_ns > max(limit_ns, at_least_ns):
                often = "half of the time" if percent == 50 else "a tenth of the time"
                return said.format(f"{value_ns / 1e6:.1f} ms and more") + f", {often}"
    return None
