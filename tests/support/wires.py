"""A WebSocket of ours on a real connection whose other end is the test: bytes in, messages out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from bench.wire.connection import Connection
from bench.wire.endpoint import Endpoint
from bench.wire.opening import Opened, connected_socket
from bench.wire.protocol import Message
from bench.wire.tls_session import TlsSession
from bench.wire.transport import Listener
from bench.wire.websocket import WebSocketTransport

LIMIT_S = 60
MOST_BYTES = 1 << 20


@dataclass
class Heard:
    """A message, and what was said of its times."""

    message: Message
    received_ns: int
    read_ns: int
    error_ns: int


class Ear(Listener):
    """A listener that notes all that it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Heard] = []
        self.reasons: list[str] = []
        self.ended_now = asyncio.Event()

    def receive(self, message: Message, received_ns: int) -> None:
        self.heard.append(Heard(message, received_ns, self.read_ns, self.error_ns))

    def ended(self, reason: str) -> None:
        self.reasons.append(reason)
        self.ended_now.set()

    @property
    def messages(self) -> list[Message]:
        return [heard.message for heard in self.heard]


@dataclass
class Wire:
    """A WebSocket, who listens to it, and the other end of its connection."""

    websocket: WebSocketTransport
    ear: Ear
    peer: socket.socket

    def send(self, data: bytes) -> tuple[int, int]:
        """Send from the other end; returns when it began and when it was done (ns)."""
        before_ns = perf_counter_ns()
        self.peer.sendall(data)
        return before_ns, perf_counter_ns()

    async def ends(self) -> str:
        """Return the reason why it ended; there is no second."""
        async with asyncio.timeout(LIMIT_S):
            await self.ear.ended_now.wait()
            await self.websocket.wait_closed()
        (reason,) = self.ear.reasons
        return reason


@asynccontextmanager
async def wired(
    max_message_bytes: int = MOST_BYTES, rest: bytes = b"", tls: TlsSession | None = None
) -> AsyncIterator[Wire]:
    """Yield a WebSocket that is open, on a connection over the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection, is_stamped = await connected_socket("127.0.0.1", server.getsockname()[1])
        peer, _ = server.accept()
    endpoint = Endpoint.of("http://127.0.0.1:1", await Connection().for_attempt())
    ear = Ear()
    websocket = WebSocketTransport(ear, endpoint, endpoint.urls["websocket"], max_message_bytes)
    with peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        websocket.begin(Opened(connection, is_stamped, tls, rest))
        try:
            yield Wire(websocket, ear, peer)
        finally:
            websocket.abort()


def read_frames(peer: Any, number: int) -> bytes:
    """Return so many bytes that the client has sent."""
    data = b""
    while len(data) < number:
        part = peer.recv(number - len(data))
        assert part, "the client has closed"
        data += part
    return data
