"""The parts of a round trip's CPU time, one rung of a ladder at a time, against the bare echo server.

Each rung is a process of its own with the same number of connections, whose CPU time the kernel counts:

- `frames`: constant frames through the transport and uvloop, and a callback for each reply;
- `messages`: also a token, JSON both ways, matching by the token, and two readings of the clock;
- `tasks`: also a task for each connection that awaits a future.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys

import orjson
import uvloop

from bench.machine.cores import generator_cores, pinned_to, server_core
from bench.targets.process import EchoProcess
from bench.wire.connection import Connection
from bench.wire.endpoint import Endpoint
from bench.wire.protocol import Message
from bench.wire.transport import Listener
from bench.wire.websocket import WebSocketTransport

RUNGS = ("frames", "messages", "tasks")

_OPEN = b"40"
_CONSTANT = b'42["FOO",{"name":"rt-parts-0"}]'
_WARM_UP_S = 1.0


_MAX_MESSAGE_BYTES = 1 << 20


class Client(Listener):
    """A client of the echo server that sends the next message as soon as the reply has come, as its rung does it."""

    def __init__(self, rung: str, counted: list[int], endpoint: Endpoint) -> None:
        super().__init__()
        self._rung = rung
        self._counted = counted
        self.websocket = WebSocketTransport(self, endpoint, endpoint.urls["websocket"], _MAX_MESSAGE_BYTES)
        self._number = 0
        self._pending: dict[str, int] = {}
        self._future: asyncio.Future[int] | None = None
        self.joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def receive(self, message: Message, received_ns: int) -> None:
        """Take a message of the handshake, a heartbeat, or a reply."""
        assert isinstance(message, bytes), "the echo server sends text"
        if message.startswith(b"42"):
            self._reply(message, received_ns)
        elif message.startswith(b"0"):
            self._send(_OPEN)
        elif message.startswith(b"40"):
            self.joined.set_result(None)
        elif message == b"2":
            self._send(b"3")

    def begin(self) -> None:
        """Send the first message."""
        if self._rung == "tasks":
            self._task = asyncio.create_task(self._work())
        else:
            self._emit()

    async def _work(self) -> None:
        while True:
            self._future = asyncio.get_running_loop().create_future()
            self._emit()
            await self._future

    def _emit(self) -> None:
        if self._rung == "frames":
            self._send(_CONSTANT)
            return
        self._number += 1
        token = f"rt-{id(self)}-{self._number}"
        self._pending[token] = self._send(b"42" + orjson.dumps(["FOO", {"name": token}]))

    def _reply(self, text: bytes, received_ns: int) -> None:
        self._counted[0] += 1
        if self._rung == "frames":
            self._emit()
            return
        _, values = orjson.loads(text[2:])
        service_ns = received_ns - self._pending.pop(values["foo"])
        if self._future is None:
            self._emit()
        elif not self._future.done():  # it is cancelled at the end
            self._future.set_result(service_ns)

    def _send(self, message: bytes) -> int:
        return self.websocket.send_text(message)


async def _climb(rung: str, url: str, connections: int, seconds: float) -> None:
    counted = [0]
    endpoint = Endpoint.of(url, await Connection().for_attempt())
    clients: list[Client] = []
    for _ in range(connections):
        client = Client(rung, counted, endpoint)
        clients.append(client)
        await client.websocket.open()
        await client.joined
    for client in clients:
        client.begin()
    await asyncio.sleep(_WARM_UP_S)
    before, number = os.times(), counted[0]
    await asyncio.sleep(seconds)
    after, number = os.times(), counted[0] - number
    user, system = (after.user - before.user) / number * 1e6, (after.system - before.system) / number * 1e6
    print(
        f"{rung:10} {connections:5} connections: {user + system:5.1f} µs, of which the kernel {system:.1f}", flush=True
    )


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.round_trip_parts", description=__doc__)
    parser.add_argument("--connections", default="50,1000", help="numbers of them (50,1000)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each rung (5)")
    parser.add_argument("--rung", choices=RUNGS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rung:
        uvloop.run(_climb(options.rung, options.url, int(options.connections), options.seconds))
        return 0
    with EchoProcess(core=server_core()) as echo, pinned_to(generator_cores()[:1]):
        for connections in options.connections.split(","):
            for rung in RUNGS:
                command = [sys.executable, "-m", "measurements.round_trip_parts", "--rung", rung, "--url", echo.url]
                command += ["--connections", connections, "--seconds", str(options.seconds)]
                subprocess.run(command, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
