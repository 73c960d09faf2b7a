"""The program of ours that `bench accuracy --wire` judges: this project's client and exchange on uvloop.

    python -m bench.validation.wire.client URL FILE --connections 50 --rate 1000 --seconds 2 --in-flight 1

With a rate, arrivals are those of independent users; each goes to a connection that is free, and waits if there is
none. Without a rate, each connection has so many emissions in flight all the time. FILE gets a line for each round
trip: its token, when it was sent and received, the error of that, and when this process had read the reply. The last
line of the output is JSON.

The rules of the compiled modules and of the clock are those of every process of this project: BENCH_PURE and
BENCH_PROCESS_CLOCK in the environment.
"""

import argparse
import asyncio
import gc
import json
import os
import socket
import sys
from array import array
from collections import deque
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from urllib.parse import urlsplit

import uvloop

from bench.exchange.requests import Exchange
from bench.load.engine.alarm import Alarm
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER
from bench.scenarios.tokens import tokens
from bench.timing.arrivals import schedule
from bench.timing.rates import RateProfile, Share
from bench.wire.client import FastClient

_TIMEOUT_NS = 10 * 1_000_000_000
_CONNECTING_AT_ONCE = 20
_WARM_UP_ROUND_TRIPS = 30
#: The time between two sends of the probe, in seconds.
_PROBE_S = 0.01

#: The probe's frame is as long as an emission's. Its mask is zero.
_PROBE_TEXT = b'42["FOO",{"name":"rt-probe-0-0000000000","to":"sender"}]'
_PROBE_FRAME = bytes((0x81, 0x80 | len(_PROBE_TEXT), 0, 0, 0, 0)) + _PROBE_TEXT
_UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_JOIN = bytes((0x81, 0x82, 0, 0, 0, 0)) + b"40"


class Records:
    """The times of all round trips. Arrays, because the collector would go through objects again and again."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.sent_ns = array("q")
        self.received_ns = array("q")
        self.error_ns = array("q")
        self.read_ns = array("q")

    def write(self, file: Path) -> None:
        """Write a line for each round trip. Raises OSError."""
        rows = zip(self.tokens, self.sent_ns, self.received_ns, self.error_ns, self.read_ns, strict=True)
        with file.open("w") as lines:
            lines.writelines(f"{' '.join(map(str, row))}\n" for row in rows)


class Probe:
    """A bare connection to the server, with which the duration of a `send` is measured now and then."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((str(address.hostname), address.port or 80))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for sent, awaited in ((_UPGRADE, b"maxPayload"), (_JOIN, b"40{")):
            self._socket.sendall(sent)
            answer = b""
            while awaited not in answer:
                answer += self._socket.recv(4096)
        self._socket.setblocking(False)
        self.durations_ns = array("q")

    async def run(self) -> None:
        """Send and time it, until cancelled."""
        loop = asyncio.get_running_loop()
        send = self._socket.send
        while True:
            await asyncio.sleep(_PROBE_S)
            before_ns = perf_counter_ns()
            send(_PROBE_FRAME)
            self.durations_ns.append(perf_counter_ns() - before_ns)
            await loop.sock_recv(self._socket, 4096)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


class Arrivals:
    """The arrivals of an open load: each is handed to a free connection, or waits for one."""

    def __init__(self, rate_per_s: float, seconds: float) -> None:
        profile = RateProfile.parse(f"{rate_per_s:.3f}:{seconds:g}s")
        self._times = schedule(profile, "poisson", Share(0, 1), "wire")
        self._start_ns = perf_counter_ns()
        self._next_ns: int | None = self._start_ns + next(self._times, 0)
        self._free: deque[asyncio.Future[bool]] = deque()
        self._waiting = 0
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._loop, self._ring)
        self._alarm.set(self._next_ns)

    async def taken(self) -> bool:
        """Return true once there is an arrival for the caller; false once there is none left."""
        if self._waiting:
            self._waiting -= 1
            return True
        if self._next_ns is None:
            return False
        free: asyncio.Future[bool] = self._loop.create_future()
        self._free.append(free)
        return await free

    def close(self) -> None:
        """Stop the alarm."""
        self._alarm.close()

    def _ring(self) -> None:
        now_ns = perf_counter_ns()
        while self._next_ns is not None and self._next_ns <= now_ns:
            if self._free:
                self._free.popleft().set_result(True)
            else:
                self._waiting += 1
            due_ns = next(self._times, None)
            self._next_ns = None if due_ns is None else self._start_ns + due_ns
        self._alarm.set(self._next_ns)
        while self._next_ns is None and self._free:
            self._free.popleft().set_result(False)


async def _perform(exchange: Exchange, records: Records) -> None:
    done = await exchange(FOO_BAR_TO_SENDER)
    records.tokens.append(done.reply[0]["foo"])
    records.sent_ns.append(done.sent_ns)
    records.received_ns.append(done.received_ns)
    records.error_ns.append(getattr(done, "error_ns", -1))
    records.read_ns.append(getattr(done, "read_ns", 0))


async def _closed(exchange: Exchange, records: Records, end_ns: int) -> None:
    while perf_counter_ns() < end_ns:
        await _perform(exchange, records)


async def _open(exchange: Exchange, records: Records, arrivals: Arrivals) -> None:
    while await arrivals.taken():
        await _perform(exchange, records)


async def _connected(url: str, number: int, turn: asyncio.Semaphore) -> tuple[FastClient, Exchange]:
    client = FastClient()
    async with turn:
        await client.connect(url)
    return client, Exchange(client, tokens("w", number), _TIMEOUT_NS)


async def _main(options: argparse.Namespace) -> None:
    turn = asyncio.Semaphore(_CONNECTING_AT_ONCE)
    pairs = await asyncio.gather(*(_connected(options.url, number, turn) for number in range(options.connections)))
    probe = Probe(options.url)
    for _, exchange in pairs:
        for _ in range(_WARM_UP_ROUND_TRIPS):
            await exchange(FOO_BAR_TO_SENDER)
    gc.collect()
    gc.freeze()
    records = Records()
    probing = asyncio.create_task(probe.run())
    began_ns, cpu_ns = perf_counter_ns(), process_time_ns()
    if options.rate:
        arrivals = Arrivals(options.rate, options.seconds)
        await asyncio.gather(*(_open(exchange, records, arrivals) for _, exchange in pairs))
        arrivals.close()
    else:
        end_ns = began_ns + round(options.seconds * 1e9)
        flights = [_closed(exchange, records, end_ns) for _, exchange in pairs for _ in range(options.in_flight)]
        await asyncio.gather(*flights)
    took_ns, cpu_ns = perf_counter_ns() - began_ns, process_time_ns() - cpu_ns
    probing.cancel()
    probe.close()
    report = {
        "round_trips": len(records.tokens),
        "rate_per_s": len(records.tokens) / took_ns * 1e9,
        "cpu_share": cpu_ns / took_ns,
        "send_ns": sorted(probe.durations_ns)[len(probe.durations_ns) // 2] if probe.durations_ns else None,
        "received_clock": getattr(pairs[0][0], "received_clock", "process"),
    }
    records.write(options.file)
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()
    os._exit(0)  # orderly goodbyes would tell nothing more


def main() -> None:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(prog="bench.validation.wire.client")
    parser.add_argument("url")
    parser.add_argument("file", type=Path)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--in-flight", type=int, default=1, help="on each connection, without a rate")
    parser.add_argument("--rate", type=float, default=0, help="arrivals/s; 0: emissions follow each other")
    parser.add_argument("--seconds", type=float, default=2.0)
    uvloop.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
