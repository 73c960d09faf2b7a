"""The common part of this package's servers: one thread, one poller, heartbeats, counts, a command line.

There is no event loop above it: the loop is one function, `Server.run`. Each server has its own kind of connection,
which decides the answer to a FOO. Each server counts for itself (`GET /stats`), so that nobody has to believe a
generator.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import NoReturn

from bench.machine.descriptors import OUT_OF_FILES, file_limit_reason, raise_file_limit
from bench.targets.connection import MAX_PAYLOAD_BYTES, READ_BYTES, Connection, Ended
from bench.targets.messages import framed
from bench.targets.poller import BROKEN, ENDED, READABLE, WRITABLE, poller
from bench.targets.stats import Stats

#: The time between two heartbeats of a client, as the official server has it.
PING_INTERVAL_MS = 25_000
#: The time that a client has for its pong, as the official server has it.
PING_TIMEOUT_MS = 20_000

NS_PER_MS = 1_000_000

_BACKLOG = 4096
_EVENTS_PER_POLL = 512
_BEAT_S = 0.02  # how late a ping may be when there is nothing else to do; to work it out would cost every round trip


class Server:
    """A server on one port of the given hosts, which serves until `stop`. Port 0 takes any free port.

    `ping_interval_ms` is the time between two heartbeats of a client, `ping_timeout_ms` the time that it has for its
    pong. A server that `shares_port` leaves some of the port's clients to other processes that share it: the kernel
    spreads them (SO_REUSEPORT). It has a port of its own as well, on this machine alone, where its owner asks for its
    counts.
    """

    def __init__(
        self,
        hosts: Sequence[str] = ("127.0.0.1",),
        port: int = 0,
        *,
        ping_interval_ms: int = PING_INTERVAL_MS,
        ping_timeout_ms: int = PING_TIMEOUT_MS,
        shares_port: bool = False,
    ) -> None:
        self.stats = Stats()
        self._interval_ms, self._timeout_ms = ping_interval_ms, ping_timeout_ms
        self._poller = poller()
        #: Waits for events, for so many seconds at most.
        self._poll: Callable[[float, int], list[tuple[int, int]]] = self._poller.poll
        self._readers: dict[int, Callable[[int], object]] = {}
        self._connections: dict[int, Connection] = {}
        self._engine_sids = 0
        #: The time of each client's next ping, the earliest first. All clients have the same interval.
        self._due: deque[tuple[int, Connection]] = deque()
        #: The deadline of each ping, its connection, and the time at which it was sent; the earliest deadline first.
        self._deadlines: deque[tuple[int, Connection, int]] = deque()
        self._running = True
        self._woken, self._wake = os.pipe()
        self._read(self._woken, lambda descriptor: os.read(descriptor, READ_BYTES))
        self._listeners: list[socket.socket] = []
        #: The listeners that are left alone because this process may open no more files, until it has closed some.
        self._paused: list[socket.socket] = []
        for host in hosts:
            port = self._listen(host, port, shares_port)
        self.port = port
        self.own_port = self._listen("127.0.0.1", 0, False) if shares_port else port

    def run(self) -> None:
        """Serve until `stop`."""
        poll, readers = self._poll, self._readers
        while self._running:
            for descriptor, happened in poll(_BEAT_S, _EVENTS_PER_POLL):
                if happened == READABLE:
                    try:
                        readers[descriptor](descriptor)
                    except (Ended, OSError):
                        self._end(descriptor)
                else:
                    self._rarely(descriptor, happened)
            if self._due or self._deadlines:
                self._beat()
        for descriptor in list(self._connections):
            self._end(descriptor)
        for listener in self._listeners:
            listener.close()
        self._poller.close()
        os.close(self._woken)
        os.close(self._wake)
        self._wake = -1  # another file may get that number

    def stop(self, *_: object) -> None:
        """Have `run` return soon. A signal handler or another thread may call it: it also ends a poll that waits."""
        self._running = False
        with contextlib.suppress(OSError):  # it has ended already
            os.write(self._wake, b"\0")

    def stop_at_end_of(self, descriptor: int) -> None:
        """Have `run` return when a pipe's other end is closed."""

        def read(_: int) -> None:
            if not os.read(descriptor, READ_BYTES):
                self.stop()

        self._read(descriptor, read)

    def read_stats(self) -> Stats:
        """Return the counts so far."""
        self.stats.cpu_ns = time.process_time_ns()
        return self.stats

    # ------------------------------------------------------------------ for its connections

    def page(self, method: str, path: str) -> str | None:
        """Return the JSON that answers an HTTP request; None if there is no such page."""
        return json.dumps(asdict(self.read_stats())) if (method, path) == ("GET", "/stats") else None

    def opening(self) -> bytes:
        """Return Engine.IO's handshake, framed."""
        self._engine_sids += 1
        handshake = {
            "sid": f"e{self._engine_sids}",
            "upgrades": [],
            "pingInterval": self._interval_ms,
            "pingTimeout": self._timeout_ms,
            "maxPayload": MAX_PAYLOAD_BYTES,
        }
        return framed(b"0" + json.dumps(handshake, separators=(",", ":")).encode())

    def note_joined(self, connection: Connection) -> int:
        """Note that a client has asked to CONNECT; return the number for its session id."""
        if not connection.joined:
            connection.joined = True
            self.stats.connections += 1
            self.stats.connected += 1
        return self.stats.connected

    def await_ping(self, connection: Connection) -> None:
        """Ping the client after the interval, again and again."""
        self._due.append((time.monotonic_ns() + self._interval_ms * NS_PER_MS, connection))

    def note_pong(self, connection: Connection) -> None:
        """Note that a pong arrived."""
        if connection.awaited_ping:
            took_ns = time.monotonic_ns() - connection.awaited_ping
            connection.awaited_ping = 0
            self.stats.pongs += 1
            self.stats.slowest_pong_ms = max(self.stats.slowest_pong_ms, took_ns / NS_PER_MS)

    def watch(self, connection: Connection, events: int) -> None:
        """Have the poller report these events of a connection from now on."""
        self._poller.modify(connection.socket.fileno(), events)

    # ------------------------------------------------------------------ connections

    def _read(self, descriptor: int, reader: Callable[[int], object]) -> None:
        self._readers[descriptor] = reader
        self._poller.register(descriptor, READABLE)

    def _connection(self, accepted: socket.socket) -> Connection:
        """Return the connection that serves a new client."""
        return Connection(self, accepted)

    def _listen(self, host: str, port: int, shares_port: bool) -> int:
        listener = socket.create_server((host, port), backlog=_BACKLOG, reuse_port=shares_port)
        listener.setblocking(False)
        self._listeners.append(listener)
        self._read(listener.fileno(), self._accept)
        return int(listener.getsockname()[1])

    def _accept(self, descriptor: int) -> None:
        listener = next(listener for listener in self._listeners if listener.fileno() == descriptor)
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError as error:  # nobody waits any longer, or there is no descriptor left for them
                if error.errno in OUT_OF_FILES:
                    self._pause(listener, error.errno)
                return
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = self._connection(accepted)
            self._connections[accepted.fileno()] = connection
            self._read(accepted.fileno(), connection.readable)

    def _pause(self, listener: socket.socket, number: int) -> None:
        """Leave those who wait alone: the poller would tell of them without end."""
        if not self._paused:
            sys.stderr.write(f"no more connections: {file_limit_reason(number)}\n")
        self._paused.append(listener)
        self._poller.unregister(listener.fileno())

    def _resume(self) -> None:
        while self._paused:
            self._poller.register(self._paused.pop().fileno(), READABLE)

    def _rarely(self, descriptor: int, happened: int) -> None:
        """Handle a connection that can be written to again, or that is broken."""
        connection = self._connections.get(descriptor)
        if connection is None:
            if descriptor in self._readers:  # the pipe's other end is closed
                self._readers[descriptor](descriptor)
            return
        try:
            if happened & READABLE:
                connection.readable(descriptor)
            elif happened & (ENDED | BROKEN):
                raise Ended
            if happened & WRITABLE:
                connection.writable()
        except (Ended, OSError):
            self._end(descriptor)

    def _end(self, descriptor: int) -> None:
        connection = self._connections.pop(descriptor, None)
        if connection is None:
            return
        del self._readers[descriptor]
        self.stats.connections -= connection.joined
        connection.joined = False
        self._poller.unregister(descriptor)
        connection.socket.close()
        if self._paused:
            self._resume()

    # ------------------------------------------------------------------ heartbeats

    def _beat(self) -> None:
        """Ping who is due, and give up who did not answer in time."""
        now_ns = time.monotonic_ns()
        while self._due and self._due[0][0] <= now_ns:
            _, connection = self._due.popleft()
            descriptor = connection.socket.fileno()
            if descriptor < 0:
                continue
            if not connection.awaited_ping:
                connection.awaited_ping = now_ns
                self._deadlines.append((now_ns + self._timeout_ms * NS_PER_MS, connection, now_ns))
                self.stats.pings += 1
                try:
                    connection.send(framed(b"2"))
                except OSError:
                    self._end(descriptor)
                    continue
            self._due.append((now_ns + self._interval_ms * NS_PER_MS, connection))
        while self._deadlines and self._deadlines[0][0] <= now_ns:
            _, connection, sent_ns = self._deadlines.popleft()
            if connection.awaited_ping == sent_ns and connection.socket.fileno() >= 0:
                self.stats.missed += 1
                self._end(connection.socket.fileno())


class CommandLine(argparse.ArgumentParser):
    """The options that all servers have, and a single line for anybody who misuses them."""

    def __init__(self, module: str, description: str) -> None:
        super().__init__(prog=f"python -m {module}", description=description)
        self.add_argument("--host", action="append", help="listen here, may be given several times (127.0.0.1)")
        self.add_argument("--port", type=_port, default=0, help="0 takes any free one (default)")
        self.add_argument("--core", type=int, help="run on this core alone")
        self.add_argument("--ping-interval-ms", type=int, default=PING_INTERVAL_MS)
        self.add_argument("--ping-timeout-ms", type=int, default=PING_TIMEOUT_MS)
        self.add_argument("--end-with-stdin", action="store_true", help="end when standard input, a pipe, ends")

    def error(self, message: str) -> NoReturn:
        """End with exit code 2, and without the usage: `--help` shows it."""
        self.exit(2, f"{self.prog}: error: {message}\n")

    def serve(self, options: argparse.Namespace, server_of: Callable[..., Server]) -> None:
        """Serve until SIGTERM, Ctrl-C, or, with --end-with-stdin, the end of standard input.

        `server_of` gets a Server's arguments. The method writes a line of JSON with its ports when the server listens.
        """
        raise_file_limit()
        try:
            if options.core is not None:
                os.sched_setaffinity(0, {options.core})
            server = server_of(
                options.host or ("127.0.0.1",),
                options.port,
                ping_interval_ms=options.ping_interval_ms,
                ping_timeout_ms=options.ping_timeout_ms,
                **({"shares_port": True} if getattr(options, "share_port", False) else {}),
            )
        except OSError as error:
            self.exit(1, f"{self.prog}: error: {error.strerror or error}\n")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, server.stop)
        if options.end_with_stdin:
            server.stop_at_end_of(sys.stdin.fileno())
        sys.stdout.write(json.dumps({"port": server.port, "own_port": server.own_port}) + "\n")
        sys.stdout.flush()
        server.run()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give 0 to 65535")
    return int(text)
