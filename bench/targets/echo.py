"""The minimal Socket.IO server: FOO is answered with BAR to its sender, and next to nothing is paid for it.

What load generators are measured against, and a bare control: it has to be clearly cheaper per round trip than whatever
drives it, or it would measure itself. So one thread, one `epoll` (Linux, then) and no event loop above it: a round trip
is one `recv`, one `send` and a few operations on bytes. Rules: nothing is parsed that only has to be recognised, JSON
least of all; what does not look as clients send it goes the slow way or ends its connection; the server counts for
itself (`GET /stats`), so that nobody has to believe what a generator says. WebSocket only, the default namespace, no
attachments, no fragments.

One FOO has one answer: `BAR {"foo": …}`, or, where an acknowledgement was asked for, that instead of it. A service with
both would make a generator that awaits acknowledgements pay for a message that nobody awaits.

    python -m bench.targets.echo --port 8081 --core 1

prints one line of JSON with its port when it listens.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import resource
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import parse_qs, urlsplit

try:
    from websockets.speedups import apply_mask
except ImportError:  # no binary of it for this machine
    from websockets.utils import apply_mask

PING_INTERVAL_MS = 25_000
PING_TIMEOUT_MS = 20_000
MAX_PAYLOAD_BYTES = 1_000_000

NS_PER_MS = 1_000_000

_READ_BYTES = 8192
_HEAD_LIMIT_BYTES = 16384
_BACKLOG = 4096
_EVENTS_PER_POLL = 512
_BEAT_S = 0.02  # how late a ping may be when there is nothing else to do; to work it out would cost every round trip

_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3

_FOO = b'42["FOO",{"name":'
_BAR = b'42["BAR",{"foo":'
_FOO_LENGTH = len(_FOO)
_FOO_ACKNOWLEDGED = re.compile(rb'42(\d+)\["FOO",\{"name":')

_TEXT, _CLOSE, _PING = 0x81, 0x88, 0x89  # first bytes of whole frames: FIN and the opcode (RFC 6455, section 5.2)
_SHORT_HEADS = [bytes((_TEXT, length)) for length in range(126)]


@dataclass
class Stats:
    """What the server has counted since its start.

    A heartbeat is `missed` when no pong came within the ping timeout; its connection is then closed, as the official
    server does. `slowest_pong_ms` is the longest that an answered ping was under way.
    """

    answered: int = 0
    connections: int = 0
    """Clients that are connected now: their Socket.IO CONNECT was answered."""
    connected: int = 0
    """Clients that have ever connected."""
    pings: int = 0
    pongs: int = 0
    missed: int = 0
    slowest_pong_ms: float = 0.0
    cpu_ns: int = 0


def answer(message: bytes) -> bytes | None:
    """The answer to a FOO, as the text of a WebSocket message; None for what is no FOO.

    Whatever follows the name stays where it is, the `to` of a request too.
    """
    if message.startswith(_FOO):
        return _BAR + message[_FOO_LENGTH:]
    match = _FOO_ACKNOWLEDGED.match(message)
    if match is None:
        return None
    return b'43%b[{"foo":' % match[1] + message[match.end() :]


def framed(message: bytes) -> bytes:
    """A text message in one WebSocket frame, as a server sends it: unmasked."""
    length = len(message)
    if length < 126:
        return _SHORT_HEADS[length] + message
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2) + message
    return b"\x81\x7f" + length.to_bytes(8) + message


def accept_key(key: bytes) -> bytes:
    """What a server answers to `Sec-WebSocket-Key` (RFC 6455, section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _WEBSOCKET_GUID).digest())


class _Ended(Exception):
    """The connection is over: the client ended it, or sent what this server does not speak."""


class _Connection:
    __slots__ = ("_recv", "_send", "_server", "_unread", "_unsent", "_upgraded", "awaited_ping", "joined", "socket")

    def __init__(self, server: "EchoServer", accepted: socket.socket) -> None:
        self.socket = accepted
        self.joined = False
        self.awaited_ping = 0
        """When the ping was sent that is not answered yet (monotonic ns); 0 if there is none."""
        self._server = server
        self._recv = accepted.recv
        self._send = accepted.send
        self._unread = b""
        self._unsent = b""
        self._upgraded = False

    def readable(self, _: int) -> None:
        """Read what is there and answer it. Raises _Ended or OSError."""
        data = self._recv(_READ_BYTES)
        # One whole frame of less than 126 bytes, masked: all of the hot path.
        if self._upgraded and not self._unread and len(data) > 5 and data[0] == _TEXT and len(data) == data[1] - 122:
            message = apply_mask(data[6:], data[2:6])
            if message.startswith(_FOO):
                self._server.stats.answered += 1
                self.send(framed(_BAR + message[_FOO_LENGTH:]))
            else:
                self._receive(message)
            return
        if not data:
            raise _Ended
        self._unread += data
        if not self._upgraded:
            self._read_head()
        if self._upgraded:
            self._read_frames()

    def send(self, data: bytes) -> None:
        """Send, or keep what the client does not take yet. Raises OSError."""
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._unsent = data[sent:]
            self._server.watch(self, select.EPOLLIN | select.EPOLLOUT)

    def writable(self) -> None:
        """Send what was kept. Raises OSError."""
        data, self._unsent = self._unsent, b""
        self._server.watch(self, select.EPOLLIN)
        self.send(data)

    # ------------------------------------------------------------------ HTTP

    def _read_head(self) -> None:
        head, end, rest = self._unread.partition(b"\r\n\r\n")
        if not end:
            if len(head) > _HEAD_LIMIT_BYTES:
                raise _Ended
            return
        self._unread = rest
        request, *lines = head.split(b"\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        try:
            url = urlsplit(request.split(b" ")[1].decode("latin-1")) if request.startswith(b"GET ") else None
        except ValueError:
            raise _Ended from None
        if url is not None and url.path == "/stats":
            self._reply("200 OK", json.dumps(asdict(self._server.read_stats())))
        key = fields.get(b"sec-websocket-key")
        if url is None or key is None or parse_qs(url.query).get("transport") != ["websocket"]:
            self._reply("400 Bad Request", '{"code":0,"message":"this server speaks websocket only"}')
            return
        self._upgraded = True
        upgraded = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.send(upgraded + b"Sec-WebSocket-Accept: " + accept_key(key) + b"\r\n\r\n" + self._server.opening())
        self._server.await_ping(self)

    def _reply(self, status: str, body: str) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.send(f"{head}Connection: close\r\n\r\n{body}".encode())
        raise _Ended

    # ------------------------------------------------------------------ WebSocket

    def _read_frames(self) -> None:
        """Answer every whole frame that was read; keep the rest."""
        while len(self._unread) >= 2:
            data = self._unread
            length = data[1] & 0x7F
            start = 2
            if length > 125:
                start = 4 if length == 126 else 10
                length = int.from_bytes(data[2:start])
            if not data[1] & 0x80 or length > MAX_PAYLOAD_BYTES:
                raise _Ended
            end = start + 4 + length
            if len(data) < end:
                return
            self._unread = data[end:]
            message = apply_mask(data[start + 4 : end], data[start : start + 4]) if length else b""
            if data[0] == _TEXT:
                self._receive(message)
            elif data[0] == _PING:
                self.send(bytes((0x8A, length)) + message)
            elif data[0] == _CLOSE:
                self.send(bytes((_CLOSE, length)) + message)
                raise _Ended
            else:
                raise _Ended

    # ------------------------------------------------------------------ Engine.IO and Socket.IO

    def _receive(self, message: bytes) -> None:
        reply = answer(message)
        if reply is not None:
            self._server.stats.answered += 1
            self.send(framed(reply))
        elif message == b"3":
            self._server.note_pong(self)
        elif message == b"40" or message.startswith(b"40{"):
            self.send(framed(b'40{"sid":"%d"}' % self._server.note_joined(self)))
        elif message.startswith(b"40/"):
            namespace = message[2:].partition(b",")[0]
            self.send(framed(b'44%b,{"message":"Invalid namespace"}' % namespace))
        elif message[:2] == b"42":
            pass  # an event that nobody listens for
        else:  # DISCONNECT, Engine.IO's close, and whatever else
            raise _Ended


class EchoServer:
    """Serves on one port of the given hosts until `stop`. Port 0 takes any free one.

    `ping_interval_ms` is the time between two heartbeats of a client, `ping_timeout_ms` how long it has for its pong.
    """

    def __init__(
        self,
        hosts: Sequence[str] = ("127.0.0.1",),
        port: int = 0,
        *,
        ping_interval_ms: int = PING_INTERVAL_MS,
        ping_timeout_ms: int = PING_TIMEOUT_MS,
    ) -> None:
        self.stats = Stats()
        self._interval_ms, self._timeout_ms = ping_interval_ms, ping_timeout_ms
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[int], object]] = {}
        self._connections: dict[int, _Connection] = {}
        self._engine_sids = 0
        self._due: deque[tuple[int, _Connection]] = deque()
        """When whom is to be pinged, soonest first: the interval is everybody's."""
        self._deadlines: deque[tuple[int, _Connection, int]] = deque()
        """Until when which ping of whom has to be answered, soonest first."""
        self._running = True
        self._wake = os.eventfd(0)
        self._read(self._wake, os.eventfd_read)
        self._listeners: list[socket.socket] = []
        for host in hosts:
            listener = socket.create_server((host, port), backlog=_BACKLOG)
            listener.setblocking(False)
            port = listener.getsockname()[1]
            self._listeners.append(listener)
            self._read(listener.fileno(), self._accept)
        self.port = port

    def run(self) -> None:
        """Serve until `stop`."""
        poll, readers = self._epoll.poll, self._readers
        while self._running:
            for descriptor, happened in poll(_BEAT_S, _EVENTS_PER_POLL):
                if happened == select.EPOLLIN:
                    try:
                        readers[descriptor](descriptor)
                    except (_Ended, OSError):
                        self._end(descriptor)
                else:
                    self._rarely(descriptor, happened)
            if self._due or self._deadlines:
                self._beat()
        for descriptor in list(self._connections):
            self._end(descriptor)
        for listener in self._listeners:
            listener.close()
        self._epoll.close()
        os.close(self._wake)

    def stop(self, *_: object) -> None:
        """Have `run` return soon. From a signal handler or another thread, too: the poll alone would go on waiting."""
        self._running = False
        os.eventfd_write(self._wake, 1)

    def stop_at_end_of(self, descriptor: int) -> None:
        """Have `run` return when a pipe's other end is closed."""

        def read(_: int) -> None:
            if not os.read(descriptor, _READ_BYTES):
                self.stop()

        self._read(descriptor, read)

    def read_stats(self) -> Stats:
        """The counts so far."""
        self.stats.cpu_ns = time.process_time_ns()
        return self.stats

    # ------------------------------------------------------------------ for its connections

    def opening(self) -> bytes:
        """Engine.IO's handshake, framed."""
        self._engine_sids += 1
        handshake = {
            "sid": f"e{self._engine_sids}",
            "upgrades": [],
            "pingInterval": self._interval_ms,
            "pingTimeout": self._timeout_ms,
            "maxPayload": MAX_PAYLOAD_BYTES,
        }
        return framed(b"0" + json.dumps(handshake, separators=(",", ":")).encode())

    def note_joined(self, connection: _Connection) -> int:
        """A client has asked to CONNECT; returns the number that its session id is made of."""
        if not connection.joined:
            connection.joined = True
            self.stats.connections += 1
            self.stats.connected += 1
        return self.stats.connected

    def await_ping(self, connection: _Connection) -> None:
        """Ping the client after the interval, again and again."""
        self._due.append((time.monotonic_ns() + self._interval_ms * NS_PER_MS, connection))

    def note_pong(self, connection: _Connection) -> None:
        """A pong arrived."""
        if connection.awaited_ping:
            took_ns = time.monotonic_ns() - connection.awaited_ping
            connection.awaited_ping = 0
            self.stats.pongs += 1
            self.stats.slowest_pong_ms = max(self.stats.slowest_pong_ms, took_ns / NS_PER_MS)

    def watch(self, connection: _Connection, events: int) -> None:
        """Be told of these events of a connection from now on."""
        self._epoll.modify(connection.socket.fileno(), events)

    # ------------------------------------------------------------------ connections

    def _read(self, descriptor: int, reader: Callable[[int], object]) -> None:
        self._readers[descriptor] = reader
        self._epoll.register(descriptor, select.EPOLLIN)

    def _accept(self, descriptor: int) -> None:
        listener = next(listener for listener in self._listeners if listener.fileno() == descriptor)
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:  # nobody waits any longer, or there is no descriptor left for them
                return
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(self, accepted)
            self._connections[accepted.fileno()] = connection
            self._read(accepted.fileno(), connection.readable)

    def _rarely(self, descriptor: int, happened: int) -> None:
        """A connection can be written to again, or is broken."""
        connection = self._connections.get(descriptor)
        if connection is None:
            if descriptor in self._readers:  # the pipe's other end is closed
                self._readers[descriptor](descriptor)
            return
        try:
            if happened & select.EPOLLIN:
                connection.readable(descriptor)
            elif happened & (select.EPOLLHUP | select.EPOLLERR):
                raise _Ended
            if happened & select.EPOLLOUT:
                connection.writable()
        except (_Ended, OSError):
            self._end(descriptor)

    def _end(self, descriptor: int) -> None:
        connection = self._connections.pop(descriptor, None)
        if connection is None:
            return
        del self._readers[descriptor]
        self.stats.connections -= connection.joined
        connection.joined = False
        connection.socket.close()

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


def raise_descriptor_limit() -> int:
    """Let this process open as many files, and so connections, as it may; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def main() -> None:
    """Serve until SIGTERM, Ctrl-C, or the end of standard input where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.targets.echo", description="The minimal echo server.")
    parser.add_argument("--host", action="append", help="listen here, may be given several times (127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one (default)")
    parser.add_argument("--core", type=int, help="run on this core alone")
    parser.add_argument("--ping-interval-ms", type=int, default=PING_INTERVAL_MS)
    parser.add_argument("--ping-timeout-ms", type=int, default=PING_TIMEOUT_MS)
    parser.add_argument("--end-with-stdin", action="store_true", help="end when standard input, a pipe, ends")
    options = parser.parse_args()
    raise_descriptor_limit()
    try:
        if options.core is not None:
            os.sched_setaffinity(0, {options.core})
        server = EchoServer(
            options.host or ("127.0.0.1",),
            options.port,
            ping_interval_ms=options.ping_interval_ms,
            ping_timeout_ms=options.ping_timeout_ms,
        )
    except OSError as error:
        parser.exit(1, f"{parser.prog}: error: {error.strerror or error}\n")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.stop)
    if options.end_with_stdin:
        server.stop_at_end_of(sys.stdin.fileno())
    sys.stdout.write(json.dumps({"port": server.port}) + "\n")
    sys.stdout.flush()
    server.run()


if __name__ == "__main__":
    main()
