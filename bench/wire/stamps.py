"""The kernel's receive times of messages: whether there are any, and what they are in nanoseconds of perf_counter_ns.

Linux stamps each segment of TCP as it arrives, by the clock of the day (CLOCK_REALTIME). That clock and the monotonic
clock go at the same rate, and differ by an offset. The offset changes only when somebody sets the clock, or by a leap
second: a step. A StampClock measures the offset by readings in brackets: monotonic, day, monotonic. Half of the best
bracket is how wrong the offset can be.

The offset is measured again each second, and when a stamp contradicts what is possible. A message is received after the
message before it on its connection, and not later than it is read. Where even the new offset contradicts that, nobody
can tell when the message was received; then the time is that of the process.

Stamps are used wherever the system has them. `use_process_clock` and the environment variable BENCH_PROCESS_CLOCK=1 ask
for the time of the process instead: when it had read a message.
"""

from __future__ import annotations

import os
import time
from _socket import SO_RCVTIMEO, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, socket  # gevent replaces the module `socket`'s
from collections.abc import Callable
from contextlib import closing
from struct import Struct, pack
from time import perf_counter_ns
from typing import Any, Literal

#: The names of the two clocks by which messages are received.
ReceivedClock = Literal["kernel", "process"]

#: The environment variable that has this process, and its children, take its own time of each message.
PROCESS_CLOCK = "BENCH_PROCESS_CLOCK"

#: The option of a socket that has the kernel's stamps come with what is read, and the kind of message they come in.
SO_TIMESTAMPING = SCM_TIMESTAMPING = 37

#: Stamps by software as segments arrive, and their report (linux/net_tstamp.h: RX_SOFTWARE and SOFTWARE).
_SOFTWARE_STAMPS = 1 << 3 | 1 << 4

#: A time as the system has it: seconds and nanoseconds. The first of three is the stamp by software.
_STAMP = Struct("ll")

#: The time between two measurements of the offset, in nanoseconds.
_CHECK_INTERVAL_NS = 1_000_000_000

#: The number of brackets of which the best counts.
_BRACKETS = 8

_ASKED_FOR = "the process's clock was asked for"

#: The most messages that a probe sends until a stamp comes. The kernel begins a moment after it was asked.
_PROBES = 50
_PROBE_PAUSE_S = 0.001
_PROBE_TIMEOUT_S = 1


class StampClock:
    """A converter of the kernel's stamps to nanoseconds of `perf_counter_ns`."""

    __slots__ = ("_monotonic_ns", "_next_check_ns", "_realtime_ns", "bound_ns", "contradictions", "offset_ns", "steps")

    def __init__(
        self, realtime_ns: Callable[[], int] = time.time_ns, monotonic_ns: Callable[[], int] = perf_counter_ns
    ) -> None:
        self._realtime_ns = realtime_ns
        self._monotonic_ns = monotonic_ns
        #: The number of times that the clock of the day was set while this was in use.
        self.steps = 0
        #: The number of stamps that nobody can convert: impossible by every offset.
        self.contradictions = 0
        #: The clock of the day minus the monotonic clock, in nanoseconds, and how wrong it can be.
        self.offset_ns, self.bound_ns = self._measured()
        self._next_check_ns = monotonic_ns() + _CHECK_INTERVAL_NS

    def converted(self, stamp_ns: int, earliest_ns: int, now_ns: int) -> int:
        """Return when the kernel received what has this stamp; 0: it cannot be told, or there is no stamp.

        It was not received before `earliest_ns`, nor after `now_ns`, when it had been read.
        """
        if stamp_ns == 0:
            return 0
        if now_ns >= self._next_check_ns:
            self._check(now_ns)
        received_ns = stamp_ns - self.offset_ns
        if received_ns > now_ns:
            if received_ns > now_ns + self.bound_ns:
                return self._converted_anew(stamp_ns, earliest_ns, now_ns)
            return now_ns
        if received_ns < earliest_ns - self.bound_ns:
            return self._converted_anew(stamp_ns, earliest_ns, now_ns)
        return received_ns

    def _converted_anew(self, stamp_ns: int, earliest_ns: int, now_ns: int) -> int:
        """Return the same with an offset that is measured now, because the stamp is impossible by the last."""
        self._check(now_ns)
        received_ns = stamp_ns - self.offset_ns
        if earliest_ns - self.bound_ns <= received_ns <= now_ns + self.bound_ns:
            return min(received_ns, now_ns)
        self.contradictions += 1
        return 0

    def _check(self, now_ns: int) -> None:
        """Measure again: a changed offset is a step; else the better of the two measurements stays."""
        self._next_check_ns = now_ns + _CHECK_INTERVAL_NS
        offset_ns, bound_ns = self._measured()
        if abs(offset_ns - self.offset_ns) > bound_ns + self.bound_ns:
            self.steps += 1
        elif bound_ns >= self.bound_ns:
            return
        self.offset_ns, self.bound_ns = offset_ns, bound_ns

    def _measured(self) -> tuple[int, int]:
        """Return the offset and how wrong it can be, from the narrowest of some brackets."""
        best_offset_ns = best_width_ns = 0
        for number in range(_BRACKETS):
            before_ns = self._monotonic_ns()
            realtime_ns = self._realtime_ns()
            width_ns = self._monotonic_ns() - before_ns
            if number == 0 or width_ns < best_width_ns:
                best_width_ns = width_ns
                best_offset_ns = realtime_ns - before_ns - width_ns // 2
        return best_offset_ns, best_width_ns - best_width_ns // 2


def stamp_in(control: list[tuple[int, int, bytes]]) -> int:
    """Return the stamp in what the kernel says beside the data, in nanoseconds of the day's clock; 0: there is none."""
    for level, kind, data in control:
        if kind == SCM_TIMESTAMPING and level == SOL_SOCKET and len(data) >= _STAMP.size:
            seconds: int
            seconds, nanoseconds = _STAMP.unpack_from(data)
            return seconds * 1_000_000_000 + int(nanoseconds)
    return 0


def ask_for_stamps(connection: socket) -> None:
    """Have the kernel's stamps come with what is read from this socket. Raises OSError if the system has none."""
    connection.setsockopt(SOL_SOCKET, SO_TIMESTAMPING, _SOFTWARE_STAMPS)


class _Process:
    """The choice of this process: made at the first question, unless it was made before."""

    def __init__(self) -> None:
        #: The reason for the process's clock; empty: the kernel's is used. None: nobody has asked yet.
        self.reason: str | None = None
        self.clock: StampClock | None = None
        #: The descriptor of a socket that is kept as long as the process lives; None: not yet. The kernel stamps while
        #: any socket asks for it, and begins a moment after the first has: messages until then would have no stamp.
        self.asking: int | None = None


_process = _Process()


def use_process_clock() -> None:
    """Take this process's own time of each message, also where the system has stamps. Call it before connecting."""
    _process.reason, _process.clock = _ASKED_FOR, None


def use_clock_of_system() -> None:
    """Take the kernel's times where the system has them, unless the environment asks for the process's.

    So it is from the start: this takes `use_process_clock` back. Call it before connecting.
    """
    if _process.reason == _ASKED_FOR:
        _process.reason = None


def is_kernel_clock() -> bool:
    """Return whether connections that begin now have the kernel's times of their messages."""
    return process_clock_reason() == ""


def received_clock() -> ReceivedClock:
    """Return the name of the clock by which connections that begin now receive their messages."""
    return "kernel" if is_kernel_clock() else "process"


def process_clock_reason() -> str:
    """Return why the kernel's times are not used; empty where they are."""
    if _process.reason is None:
        _process.reason = _ASKED_FOR if os.environ.get(PROCESS_CLOCK, "0") not in ("", "0") else _probed()
    return _process.reason


def stamp_clock() -> StampClock | None:
    """Return the converter of this process's stamps, the same for all its loops. None: they are not used."""
    if not is_kernel_clock():
        return None
    if _process.clock is None:
        _process.clock = StampClock()
    return _process.clock


def _probed() -> str:
    """Return why this system has no stamps; empty if it has. A message to ourselves tells."""
    try:
        if _process.asking is None:
            with closing(socket(type=SOCK_DGRAM)) as asking:
                ask_for_stamps(asking)
                _process.asking = os.dup(asking.fileno())
        with closing(socket(type=SOCK_STREAM)) as listener, closing(socket(type=SOCK_STREAM)) as receiver:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            ask_for_stamps(receiver)
            receiver.connect(listener.getsockname())
            receiver.setsockopt(SOL_SOCKET, SO_RCVTIMEO, pack("ll", _PROBE_TIMEOUT_S, 0))
            descriptor, _ = listener._accept()  # type: ignore[attr-defined]  # it is there
            with closing(socket(fileno=descriptor)) as sender:
                return _probed_over(sender, receiver)
    except (OSError, AttributeError) as error:
        return f"the system has no receive times: {getattr(error, 'strerror', None) or error}"


def _probed_over(sender: Any, receiver: Any) -> str:
    for _ in range(_PROBES):
        sender.send(b"?")
        if stamp_in(receiver.recvmsg(1, 64)[1]):
            return ""
        time.sleep(_PROBE_PAUSE_S)
    return "the system does not say when it has received what is read"
