"""A client's connection to a server of this package, over a non-blocking socket: HTTP, then WebSocket, then Socket.IO.

Rules: it reads when the server calls it, and never waits. Anything that does not look as clients send it goes the slow
way or ends the connection. WebSocket only, the default namespace, no attachments, no fragments. A server's own kind of
connection decides the answer to a FOO (`_answer`).
"""

import socket
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from bench.targets.messages import CLOSE, PING, PONG, TEXT, accept_key, answer, framed
from bench.targets.poller import READABLE, WRITABLE
from bench.targets.stats import Stats

try:
    from websockets.speedups import apply_mask
except ImportError:  # no binary of it for this machine
    from websockets.utils import apply_mask

__all__ = ["READ_BYTES", "Connection", "Ended", "apply_mask"]

#: The longest message that a server of this package reads.
MAX_PAYLOAD_BYTES = 1_000_000
#: The most that a server reads from a socket at once.
READ_BYTES = 8192

_HEAD_LIMIT_BYTES = 16384


class Ended(Exception):
    """The end of a connection: the client ended it, or sent what this server does not speak."""


class Server(Protocol):
    """The server of a connection, as far as its connections know it."""

    stats: Stats

    def watch(self, connection: "Connection", events: int) -> None:
        """Have the connection called when its socket is ready for these events (see poller)."""

    def page(self, method: str, path: str) -> str | None:
        """Return the body of a page; None if there is no such page."""

    def opening(self) -> bytes:
        """Return the frame that opens a session of Engine.IO."""

    def await_ping(self, connection: "Connection") -> None:
        """Have the connection pinged when its interval is over."""

    def note_pong(self, connection: "Connection") -> None:
        """Note that the connection answered its ping."""

    def note_joined(self, connection: "Connection") -> int:
        """Note that the connection joined the default namespace, and return how many have."""


class Connection:
    """A client, from its first byte to its end. It belongs to one server, which tells it what happens."""

    __slots__ = (
        "_is_last",
        "_recv",
        "_send",
        "_server",
        "_unread",
        "_unsent",
        "_upgraded",
        "awaited_ping",
        "joined",
        "socket",
    )

    def __init__(self, server: Server, accepted: socket.socket) -> None:
        self.socket = accepted
        self.joined = False
        #: The time at which the unanswered ping was sent (monotonic ns); 0 if every ping was answered.
        self.awaited_ping = 0
        self._server = server
        self._recv = accepted.recv
        self._send = accepted.send
        self._unread = b""
        self._unsent = b""
        self._upgraded = False
        #: True if the connection ends as soon as the unsent bytes are sent.
        self._is_last = False

    def readable(self, _: int) -> None:
        """Read what is there and answer it. Raises Ended or OSError."""
        self._take(self._recv(READ_BYTES))

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
            self._server.watch(self, READABLE | WRITABLE)

    def writable(self) -> None:
        """Send what was kept. Raises OSError."""
        data, self._unsent = self._unsent, b""
        self._server.watch(self, READABLE)
        self.send(data)
        if self._is_last and not self._unsent:
            raise Ended

    def _take(self, data: bytes) -> None:
        """Answer what was read, as far as it is whole. Raises Ended or OSError."""
        if not data:
            raise Ended
        if self._is_last:
            return
        self._unread += data
        if not self._upgraded:
            self._read_head()
        if self._upgraded:
            self._read_frames()

    # ------------------------------------------------------------------ HTTP

    def _read_head(self) -> None:
        head, end, rest = self._unread.partition(b"\r\n\r\n")
        if not end:
            if len(head) > _HEAD_LIMIT_BYTES:
                raise Ended
            return
        self._unread = rest
        request, *lines = head.split(b"\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        try:
            method, target = request.decode("latin-1").split(" ")[:2]
            url = urlsplit(target)
        except ValueError:
            raise Ended from None
        page = self._server.page(method, url.path)
        if page is not None:
            self._reply("200 OK", page)
            return
        key = fields.get(b"sec-websocket-key")
        if method != "GET" or key is None or parse_qs(url.query).get("transport") != ["websocket"]:
            self._reply("400 Bad Request", '{"code":0,"message":"this server speaks websocket only"}')
            return
        self._upgraded = True
        upgraded = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.send(upgraded + b"Sec-WebSocket-Accept: " + accept_key(key) + b"\r\n\r\n" + self._server.opening())
        self._server.await_ping(self)

    def _reply(self, status: str, body: str) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._is_last = True
        self.send(f"{head}Connection: close\r\n\r\n{body}".encode())
        if not self._unsent:
            raise Ended

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
                raise Ended
            end = start + 4 + length
            if len(data) < end:
                return
            self._unread = data[end:]
            message = apply_mask(data[start + 4 : end], data[start : start + 4]) if length else b""
            if data[0] == TEXT:
                self._receive(message)
            elif data[0] == PING:
                self.send(bytes((PONG, length)) + message)
            elif data[0] == CLOSE:
                self.send(bytes((CLOSE, length)) + message)
                raise Ended
            else:
                raise Ended

    # ------------------------------------------------------------------ Engine.IO and Socket.IO

    def _answer(self, reply: bytes) -> None:
        """Answer a FOO that was read with this reply."""
        self._server.stats.answered += 1
        self.send(framed(reply))

    def _receive(self, message: bytes) -> None:
        reply = answer(message)
        if reply is not None:
            self._answer(reply)
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
            raise Ended
