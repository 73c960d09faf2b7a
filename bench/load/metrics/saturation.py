"""The saturation of a generator's process: it did not keep up, and spoilt figures. Pure: seconds in, a reason out.

Each whole second of the steady window is judged by itself. So a hiccup of the machine does not condemn a run, and a
generator that falls behind towards the end is found. A process is saturated if two seconds in a row are, or a tenth of
all.

A process that stands still notes nothing meanwhile, and the delay that it notes afterwards is one sample among many. So
the time for which it stood still is counted separately, in the seconds in which it passed. A second without any note
stood still as a whole.

A process that reads late spoils other figures where the kernel tells when replies were received:

- With the process's own clock a reply is received when it is read. So whatever keeps the loop makes every time longer,
  and a saturated generator measured itself.
- With the kernel's clock the service times stay true. It counts what the process sent late, or not at all: response
  times contain that, and a closed load sends less. A late loop by itself says nothing more. In an open load the send
  lateness is known. Where users send only after their reply, it counts how long replies wait, unread or read.
- In a second with times of both clocks, a late loop spoils those of the process alone: HTTP requests, say.
- On a connection with several messages in flight, a late reader gets the exact time of the last message only. Where the
  others' times may be wrong by as much as replies may wait, the service times are spoilt as well.

The limits were chosen by driving a generator into saturation and back: docs/measurements.md, "Saturation".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bench.results.load import Spoilt
from bench.results.receiving import ReceivedClock
from bench.timing.histogram import Histogram
from bench.timing.rates import NS_PER_S
from bench.timing.receive_times import ReceiveTimes

#: The share of a core from which on a process has no time left, and does all else late.
CPU_SHARE = 0.95

#: The limit to the generator's own delays at the median, in nanoseconds; five times this for a tenth of them. Beyond
#: it they are of the size of what it measures, on any network.
LATE_NS = 2_000_000

#: What a late process spoils if it tells all receive times itself.
ALL: tuple[Spoilt, ...] = ("service times", "response times", "throughput")

#: What a process spoils that sends late, if the kernel tells the receive times.
SENDING: tuple[Spoilt, ...] = ("response times", "throughput")

#: What is spoilt if the kernel's receive times are wrong.
TIMES: tuple[Spoilt, ...] = ("service times", "response times")

#: What a late process spoils in addition if it tells some of the receive times.
OF_PROCESS: tuple[Spoilt, ...] = ("times by the process's clock",)

#: All that can be spoilt, in the order in which it is said.
ORDER: tuple[Spoilt, ...] = (*ALL, *OF_PROCESS)

#: The share of the median service time from which on waiting replies count, and errors of their receive times.
#:
#: Replies that arrive in bursts wait for each other even in an idle generator. So their waiting counts only where it is
#: also at least this share of the reported time.
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
    #: True if emissions follow a schedule.
    is_open: bool = True
    #: True if an arrival had to wait for a user to become free.
    is_short_of_users: bool = False
    #: The receive times of the replies to round trips received in it.
    received: ReceiveTimes = field(default_factory=ReceiveTimes)
    #: The number of other ends in it that the process itself has timed.
    timed_by_process: int = 0

    @classmethod
    def unnoted(cls, second: int, is_open: bool = True) -> JudgedSecond:
        """Return a second about which the process noted nothing: it stood still from its beginning to its end."""
        return cls(second, None, Histogram(), Histogram(), Histogram(), Histogram(), NS_PER_S, is_open)

    @property
    def clocks(self) -> frozenset[ReceivedClock]:
        """The clocks that told when something in it was received, or ended."""
        of_kernel: frozenset[ReceivedClock] = frozenset(("kernel",) if self.received.stamped else ())
        of_process: frozenset[ReceivedClock] = frozenset(
            ("process",) if self.received.unstamped or self.timed_by_process else ()
        )
        return of_kernel | of_process

    @property
    def sends_after_replies(self) -> bool:
        """True if a reply that is read late makes a later emission late: in a closed load, or if users are too few."""
        return not self.is_open or self.is_short_of_users


@dataclass(frozen=True)
class Saturation:
    """The reason why a process is saturated, since which second of the run, and the figures that this spoils."""

    reason: str
    since_s: int
    spoils: tuple[Spoilt, ...]


@dataclass(frozen=True)
class Fault:
    """The reason why a second is saturated, and the figures that this spoils."""

    reason: str
    spoils: tuple[Spoilt, ...]


@dataclass(frozen=True)
class _Limit:
    """A limit to a delay: the words for what passes it, and the figures that are spoilt then.

    The delay counts only from `at_least_ns` on.
    """

    said: str
    spoils: tuple[Spoilt, ...]
    percentile_ns: Callable[[float], int | None]
    at_least_ns: float = 0


def saturation(seconds: Sequence[JudgedSecond]) -> Saturation | None:
    """Return why a process was saturated in these seconds; None if it was not.

    The seconds are all those of the window, in order. The reason is the first that counts. What is spoilt is that of
    all saturated seconds.
    """
    standstill_ns = sum(second.standstill_ns for second in seconds)
    clocks = frozenset[ReceivedClock]().union(*(second.clocks for second in seconds))
    faults = {second.second: faults_of(second, standstill_ns, clocks) for second in seconds}
    return saturation_by(faults, is_open=any(second.is_open for second in seconds))


def saturation_by(faults: Mapping[int, Sequence[Fault]], is_open: bool) -> Saturation | None:
    """Return why a process was saturated, by the faults of each second of its window, in order; None if it was not."""
    saturated = [(number, found[0].reason) for number, found in faults.items() if found]
    if not saturated:
        return None
    spoilt = {name for found in faults.values() for fault in found for name in fault.spoils}
    if not is_open:
        spoilt.discard("response times")  # a closed load has none
    spoils = tuple(name for name in ORDER if name in spoilt)
    if len(faults) <= _CONSECUTIVE or len(saturated) >= max(_CONSECUTIVE, _SHARE_OF_SECONDS * len(faults)):
        return Saturation(saturated[0][1], saturated[0][0], spoils)
    for (first, reason), (second_number, _) in pairwise(saturated):
        if second_number == first + 1:
            return Saturation(reason, first, spoils)
    return None


def faults_of(second: JudgedSecond, standstill_ns: int, clocks_of_all: frozenset[ReceivedClock]) -> tuple[Fault, ...]:
    """Return why a second is saturated, the first reason first; nothing if it is not.

    `standstill_ns` is the standstill of the whole window, for the text, and `clocks_of_all` are all its clocks. A
    second in which nothing was received is judged as the others are. Where the kernel tells times at all, a second
    with times of the process alone spoils these, and no others.
    """
    clocks = second.clocks | (clocks_of_all & {"kernel"}) if second.clocks else clocks_of_all
    return tuple(_faults(second, standstill_ns, clocks))


def _faults(second: JudgedSecond, standstill_ns: int, clocks: frozenset[ReceivedClock]) -> Iterator[Fault]:
    """Yield why a second with times by these clocks is saturated; nothing if it is not.

    `standstill_ns` is the standstill of the whole window, for the text.
    """
    by_lateness = ALL if "kernel" not in clocks else (*SENDING, *OF_PROCESS) if "process" in clocks else SENDING
    if second.cpu_share is not None and second.cpu_share >= CPU_SHARE:
        yield Fault(f"a process of it used {second.cpu_share:.0%} of a core", by_lateness)
    if second.standstill_ns >= STANDSTILL_NS:
        yield Fault(f"its event loop stood still for {standstill_ns / NS_PER_S:.1f} s", by_lateness)
    for limit in _limits(second, clocks):
        for percent, limit_ns in ((50, LATE_NS), (90, _TAIL * LATE_NS)):
            value_ns = limit.percentile_ns(percent)
            if value_ns is not None and value_ns > max(limit_ns, limit.at_least_ns):
                often = "half of the time" if percent == 50 else "a tenth of the time"
                yield Fault(limit.said.format(f"{value_ns / 1e6:.1f} ms and more") + f", {often}", limit.spoils)
                break


def _limits(second: JudgedSecond, clocks: frozenset[ReceivedClock]) -> Iterator[_Limit]:
    """Yield the limits to the delays of a second with times by these clocks."""
    waiting_ns = QUEUEING_SHARE * (second.service.percentile_ns(50) or 0)
    is_kernel = "kernel" in clocks
    yield _Limit("it sent {} later than scheduled", SENDING if is_kernel else ALL, second.send_lateness.percentile_ns)
    if "process" in clocks or not is_kernel:
        spoils = OF_PROCESS if is_kernel else ALL
        yield _Limit("its event loop was {} late", spoils, second.loop_lag.percentile_ns)
        looked_at = "replies waited {} in it before they were looked at"
        yield _Limit(looked_at, spoils, second.queueing.percentile_ns, waiting_ns)
    if not is_kernel:
        return
    if second.sends_after_replies:
        unread = "replies waited {} unread, and a user sends only after its reply"
        yield _Limit(unread, SENDING, second.received.reading.percentile_ns, waiting_ns)
        read = "replies waited {} for their task, and a user sends only after its reply"
        yield _Limit(read, SENDING, second.queueing.percentile_ns, waiting_ns)
    wrong = "receive times may be {} too late, because several messages were in flight on a connection"
    yield _Limit(wrong, TIMES, second.received.error_ns, waiting_ns)
