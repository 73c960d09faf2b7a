"""An echo's median on asyncio's own loop, in a process without gevent and in a process that gevent has patched.

Client and echo server share the loop, over a socket pair. So the figure is that of the loop and its selector.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import subprocess
import sys
from statistics import median
from time import perf_counter_ns

from bench.machine.cores import generator_cores, pinned_to

_WARM_UP = 500


async def _median_us(number: int) -> float:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    replies: asyncio.Queue[None] = asyncio.Queue()

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

    class Client(Echo):
        def data_received(self, data: bytes) -> None:
            replies.put_nowait(None)

    server, _ = await loop.create_connection(Echo, sock=theirs)
    client, _ = await loop.create_connection(Client, sock=ours)
    durations_ns = []
    for _ in range(_WARM_UP + number):
        started_ns = perf_counter_ns()
        client.write(b"x")
        await replies.get()
        durations_ns.append(perf_counter_ns() - started_ns)
    client.close()
    server.close()
    return median(durations_ns[_WARM_UP:]) / 1e3


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.gevent_loop", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="processes of either kind (5)")
    parser.add_argument("--echoes", type=int, default=20_000, help="echoes of a process (20000)")
    parser.add_argument("--one", choices=("plain", "patched"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one == "patched":
        from gevent import monkey

        monkey.patch_all()
    if options.one:
        print(asyncio.run(_median_us(options.echoes)))
        return 0
    found: dict[str, list[float]] = {"plain": [], "patched": []}
    with pinned_to(generator_cores()[:1]):
        for kind in ("plain", "patched") * options.rounds:
            command = [sys.executable, "-m", "measurements.gevent_loop", "--one", kind, "--echoes", str(options.echoes)]
            found[kind].append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    print(f"without gevent: {median(found['plain']):.1f} µs")
    print(f"patched by gevent: {median(found['patched']):.1f} µs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
