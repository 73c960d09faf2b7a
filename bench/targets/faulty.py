"""A Socket.IO server that is wrong in a known way, and reports what it did: the truth for `bench accuracy`.

It speaks as the echo server does: it answers FOO with BAR to the sender, or with the acknowledgement that the client
asked for. Its faults are in faults.py, its account in truth.py:

    GET /truth                 its account of the FOOs since its start, or since the last reset
    GET or POST /truth/reset   forget them, those that still wait for their reply too: a warm-up is not in the truth
    POST /truth/reset/NS       the same; the account since the arrivals leaves out so many nanoseconds

    python -m bench.targets.faulty --port 8081 --core 1 --delay 2ms

The server holds each reply back by itself: others go on meanwhile. The order in which FOOs are read decides which
delays are drawn and which replies are lost: the same seed and order, the same faults. A reset begins that sequence
anew, and so the count for every n-th lost reply; the stalls go on.

Precision: `epoll` waits by the millisecond. So `select` waits on it, by the microsecond, until 200 µs before a reply is
due. From there on the server polls without sleeping. It sends the reply within microseconds of its time, never before.
That costs its core whenever replies are held back: give it a core of its own. The server encodes a truth when it is
asked for, which takes milliseconds: ask when nothing is under way.

A client's time for a round trip is the delay that the server stamped, plus the way there and back. A server with no
fault shows the way: its clients' times less its own stamps, which are not zero either. Where the kernel tells when it
received a FOO, a second account begins there. So it contains the time in which the FOO waited to be read.
"""

import argparse
import gc
import json
import select
import socket
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from random import Random
from time import perf_counter_ns
from typing import TypeVar

from bench.targets.connection import READ_BYTES, Connection
from bench.targets.faults import DEFAULT_SEED, Bimodal, FaultError, Faults, Stall, duration_ns
from bench.targets.messages import framed
from bench.targets.serving import PING_INTERVAL_MS, PING_TIMEOUT_MS, CommandLine, Server
from bench.targets.truth import Record, Truth
from bench.wire.stamps import StampClock, ask_for_stamps, stamp_in

_AWAKE_NS = 200_000  # before a reply is due; more than a sleeping process is late by, mostly
_EVENTS_PER_POLL = 8  # few, so that replies that are due meanwhile do not wait for many

#: The room for what the kernel says beside the bytes of a read.
_CONTROL_BYTES = 64

#: The times at which a FOO was read, and at which the kernel received it (0: it does not tell), of `perf_counter_ns`.
_Came = tuple[int, int]

#: A reply that is held back: the time at which it is due, its place among replies due at once, the times at which its
#: FOO came, its connection, its frame, its record. Times are of `perf_counter_ns`.
_Held = tuple[int, int, _Came, "_FaultyConnection", bytes, Record]

T = TypeVar("T")


class _FaultyConnection(Connection):
    __slots__ = ("_arrived_ns", "_clock", "_faulty", "_looked_ns", "_read_ns", "_recvmsg")

    def __init__(self, server: "FaultyServer", accepted: socket.socket) -> None:
        super().__init__(server, accepted)
        self._faulty = server
        self._looked_ns = self._read_ns = self._arrived_ns = 0
        self._recvmsg = accepted.recvmsg
        #: The converter of the kernel's receive times; None if the system has none.
        self._clock: StampClock | None = server.clock
        try:
            ask_for_stamps(accepted)
        except OSError:
            self._clock = None

    def readable(self, _: int) -> None:
        """Read what is there, and stamp it. Raises Ended or OSError."""
        earlier_ns, self._looked_ns = self._looked_ns, perf_counter_ns()
        data, control, _flags, _address = self._recvmsg(READ_BYTES, _CONTROL_BYTES)
        self._read_ns = perf_counter_ns()
        if self._clock is not None:  # what was there when it last looked was read then
            self._arrived_ns = self._clock.converted(stamp_in(control), earlier_ns, self._read_ns)
        self._take(data)

    def _answer(self, reply: bytes) -> None:
        self._faulty.note_foo(self, (self._read_ns, self._arrived_ns), reply)


class FaultyServer(Server):
    """A server with the given faults on one port of the given hosts, until `stop`. Port 0 takes any free port."""

    def __init__(
        self,
        faults: Faults,
        hosts: Sequence[str] = ("127.0.0.1",),
        port: int = 0,
        *,
        ping_interval_ms: int = PING_INTERVAL_MS,
        ping_timeout_ms: int = PING_TIMEOUT_MS,
    ) -> None:
        super().__init__(hosts, port, ping_interval_ms=ping_interval_ms, ping_timeout_ms=ping_timeout_ms)
        self.faults = faults
        self.clock = StampClock()
        self._poll = self._wait
        #: A heap: the reply that is due next comes first.
        self._held: list[_Held] = []
        self._order = count()
        #: The descriptors that the server reads even in a stall: they tell it to end.
        self._ends = [self._woken]
        self._started_ns = perf_counter_ns()
        self.reset()

    def reset(self, warm_up_ns: int = 0) -> None:
        """Forget what happened so far. The account since the arrivals begins so long after the first of them."""
        self._record = Record(warm_up_ns)
        self._random = Random(self.faults.seed)
        self._stalls: list[tuple[int, int]] = []

    def truth(self) -> Truth:
        """Return the server's own account since the last reset."""
        stall = self.faults.stall
        lengths_ns = (stall.length_ns, stall.period_ns) if stall is not None else (0, 0)
        return self._record.truth(self._started_ns, *lengths_ns, self._stalls)

    def page(self, method: str, path: str) -> str | None:
        """Return the truth, or reset it, in addition to the pages of every server."""
        if (method, path) == ("GET", "/truth"):
            return self.truth().encoded()
        if method in ("GET", "POST") and path == "/truth/reset":
            self.reset()
            return "{}"
        if method == "POST" and path.startswith("/truth/reset/") and path.rpartition("/")[2].isdecimal():
            self.reset(int(path.rpartition("/")[2]))
            return "{}"
        return super().page(method, path)

    def stop_at_end_of(self, descriptor: int) -> None:
        """Have `run` return when a pipe's other end is closed, even in a stall."""
        super().stop_at_end_of(descriptor)
        self._ends.append(descriptor)

    def note_foo(self, connection: _FaultyConnection, came: _Came, reply: bytes) -> None:
        """Answer a FOO that was read, with its faults. Raises OSError if the answer cannot be sent at once."""
        faults, record = self.faults, self._record
        record.foos += 1
        if faults.busy_ns:
            until_ns = perf_counter_ns() + faults.busy_ns
            while perf_counter_ns() < until_ns:
                pass
        delay_ns = faults.delay_of_next_ns(self._random)
        if faults.lose and record.foos % faults.lose == 0:
            record.lost += 1
            record.lost_names.append(_name_in(reply))
        elif delay_ns:
            heappush(self._held, (came[0] + delay_ns, next(self._order), came, connection, framed(reply), record))
        else:
            self._write(connection, came, framed(reply), record)

    def _connection(self, accepted: socket.socket) -> Connection:
        return _FaultyConnection(self, accepted)

    def _write(self, connection: _FaultyConnection, came: _Came, frame: bytes, record: Record) -> None:
        if connection.socket.fileno() < 0:
            record.gone += 1
            return
        written_ns = perf_counter_ns()
        try:
            connection.send(frame)
        except OSError:
            record.gone += 1
            raise
        self.stats.answered += 1
        record.note_reply(*came, written_ns)

    # ------------------------------------------------------------------ waiting

    def _wait(self, timeout_s: float, _: int) -> list[tuple[int, int]]:
        """Return the next events of the sockets, as the poller's own `poll` does; meanwhile send the due replies."""
        until_ns = perf_counter_ns() + round(timeout_s * 1e9)
        stall = self.faults.stall
        if stall is not None:
            self._stand_still(stall)
            until_ns = min(until_ns, self._started_ns + stall.next_ns(perf_counter_ns() - self._started_ns))
        while self._held and self._held[0][0] <= perf_counter_ns():
            self._release()
        if self._held:
            until_ns = min(until_ns, self._held[0][0] - _AWAKE_NS)
        left_ns = until_ns - perf_counter_ns()
        if left_ns > 0 and self._running:
            self._sleep(left_ns)
        happened = self._poller.poll(0, _EVENTS_PER_POLL)
        if stall is not None:  # what has come since it began is not read before it ends
            self._stand_still(stall)
        return happened

    def _sleep(self, at_most_ns: int) -> None:
        """Wait until something happens, for the time given or a little less."""
        descriptor = self._poller.fileno()
        if descriptor is None:
            self._poller.poll(at_most_ns * 0.99e-9, 1)  # what has happened is told again
        else:
            _sleep([descriptor], at_most_ns)

    def _release(self) -> None:
        """Send the reply that is due next."""
        _, _, came, connection, frame, record = heappop(self._held)
        try:
            self._write(connection, came, frame, record)
        except OSError:
            self._end(connection.socket.fileno())

    def _stand_still(self, stall: Stall) -> None:
        """Do nothing until the current stall is over. During a stall the process only hears that it has to end."""
        begun_ns = perf_counter_ns()
        left_ns = stall.wait_ns(begun_ns - self._started_ns)
        if not left_ns:
            return
        until_ns = begun_ns + left_ns
        while self._running and (left_ns := until_ns - perf_counter_ns()) > 0:
            for descriptor in _sleep(self._ends, left_ns):
                self._readers[descriptor](descriptor)
        self._stalls.append((begun_ns, perf_counter_ns()))


def _sleep(descriptors: list[int], at_most_ns: int) -> list[int]:
    """Wait until a descriptor can be read, for the time given or a little less; return the readable descriptors.

    Less, because the kernel takes the liberty of 0.1 % of a timeout, 0.5 % in a process that is nice (fs/select.c,
    select_estimate_accuracy): 1 ms of a second. A caller that wants the rest asks again.
    """
    return select.select(descriptors, [], [], at_most_ns * 0.99e-9)[0]


def _name_in(reply: bytes) -> str:
    """Return the token of a reply; if it cannot be read as JSON, its bytes as text."""
    text = reply.partition(b'{"foo":')[2].decode(errors="replace")
    try:
        name, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except ValueError:
        return text
    return name if isinstance(name, str) else text


def _option(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return a reader for argparse, which shows the text of no other error."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except FaultError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _every(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise FaultError(f"{text!r} is no number to lose by: give 1 or more, such as 1000 for every thousandth")
    return int(text)


def main() -> None:
    """Serve until SIGTERM, Ctrl-C, or, with --end-with-stdin, the end of standard input."""
    command = CommandLine("bench.targets.faulty", "A server that is wrong in a known way; GET /truth tells how.")
    command.add_argument("--delay", type=_option(duration_ns), default=0, help="hold each reply back so long: 2ms")
    command.add_argument("--bimodal", type=_option(Bimodal.parse), help="usual,rare:share of the rare: 1ms,50ms:0.01")
    command.add_argument("--stall", type=_option(Stall.parse), help="stand still so long in every period: 1s/5s")
    command.add_argument("--lose", type=_option(_every), default=0, metavar="N", help="no reply to every N-th FOO")
    command.add_argument("--busy", type=_option(duration_ns), default=0, help="compute so long on each FOO: 5us")
    command.add_argument("--seed", type=int, default=DEFAULT_SEED, help=f"of what is drawn ({DEFAULT_SEED})")
    options = command.parse_args()
    faults = Faults(
        delay_ns=options.delay,
        bimodal=options.bimodal,
        stall=options.stall,
        lose=options.lose,
        busy_ns=options.busy,
        seed=options.seed,
    )
    gc.freeze()  # the collector would go through all of numpy, a pause that no stamp shows
    command.serve(options, lambda hosts, port, **pings: FaultyServer(faults, hosts, port, **pings))


if __name__ == "__main__":
    main()
