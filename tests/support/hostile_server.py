"""A server that does what no server should: each way of going wrong is a function over a raw connection.

As a program (`python -m tests.support.hostile_server PORT_FILE`) it breaks the protocol at each client's first event.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import socket
import ssl
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.frames import frame

Way = Callable[["Connection"], Awaitable[None]]

HANDSHAKE = b'0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
JOINED = b'40{"sid":"xyz"}'
FLOOD_BYTES = 64 * 1024


def placeholders(*numbers: int) -> bytes:
    return b",".join(b'{"_placeholder":true,"num":%d}' % number for number in numbers)


class Connection:
    """A client, seen from the server: raw bytes in and out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.path = ""
        self.query = ""
        self.headers: dict[str, str] = {}
        self.received: list[bytes] = []
        self._reader = reader
        self._writer = writer

    async def request(self) -> None:
        """Read an HTTP request."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        self.path, _, self.query = head[0].split()[1].partition("?")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        await self._reader.readexactly(int(self.headers.get("content-length", 0)))

    async def respond(self, body: bytes, status: str = "200 OK") -> None:
        """Answer an HTTP request."""
        await self.send(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body))

    async def accept(self) -> None:
        """Make it a WebSocket."""
        key = self.headers["sec-websocket-key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        answer = base64.b64encode(hashlib.sha1(key).digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        await self.send(head + b"Sec-WebSocket-Accept: %b\r\n\r\n" % answer)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def message(self) -> bytes:
        """Read one short frame."""
        head = await self._reader.readexactly(2)
        size = head[1] & 0x7F
        if size == 126:
            size = int.from_bytes(await self._reader.readexactly(2))
        mask = await self._reader.readexactly(4)
        masked = await self._reader.readexactly(size)
        self.received.append(bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked)))
        return self.received[-1]

    async def join(self) -> None:
        """Perform the handshakes, as they should be."""
        await self.request()
        await self.accept()
        await self.send(frame(HANDSHAKE))
        assert await self.message() == b"40"
        await self.send(frame(JOINED))

    def reset(self) -> None:
        """Hang up not in order: as the kernel does for a process that dies with something unread."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def silence(self) -> None:
        """Say nothing more, until the client goes."""
        while await self._reader.read(FLOOD_BYTES):
            pass


def says(*frames: bytes) -> Way:
    """Return a behaviour: join as it should be, say this to the first event, and no more."""

    async def way(connection: Connection) -> None:
        await connection.join()
        await connection.message()
        await connection.send(b"".join(frames))
        await connection.silence()

    return way


def says_first(*frames: bytes) -> Way:
    """Return a behaviour: a WebSocket as it should be, on which it says this."""

    async def way(connection: Connection) -> None:
        await connection.request()
        await connection.accept()
        await connection.send(b"".join(frames))
        await connection.silence()

    return way


def floods(first: bytes, more: bytes) -> Way:
    """Return a behaviour: join as it should be, answer the first event with `first`, then send `more` without end."""

    async def way(connection: Connection) -> None:
        await connection.join()
        await connection.message()
        await connection.send(first)
        while True:
            await connection.send(more)

    return way


def answers(data: bytes, *, closes: bool = True) -> Way:
    """Whatever is asked, this is the answer, in raw bytes."""

    async def way(connection: Connection) -> None:
        await connection.request()
        await connection.send(data)
        if not closes:
            await connection.silence()

    return way


def polls(*bodies: bytes, status: str = "200 OK") -> Way:
    """By polling: the handshake, then these answers to what is asked for, then silence; what is posted is fine."""
    left: list[bytes] = []

    async def way(connection: Connection) -> None:
        while True:
            await connection.request()
            if int(connection.headers.get("content-length", 0)):
                await connection.respond(b"ok")
            elif "sid=" not in connection.query:
                left[:] = bodies
                await connection.respond(HANDSHAKE.replace(b'"websocket"', b""))
            elif left:
                await connection.respond(left.pop(0), status)
            else:
                await connection.silence()
                return

    return way


async def gone_at_once(connection: Connection) -> None:
    """Hang up without a word."""


async def gone_after_request(connection: Connection) -> None:
    await connection.request()


async def gone_after_accept(connection: Connection) -> None:
    await connection.request()
    await connection.accept()


async def gone_after_handshake(connection: Connection) -> None:
    await connection.request()
    await connection.accept()
    await connection.send(frame(HANDSHAKE))


async def gone_after_joining(connection: Connection) -> None:
    await connection.join()


async def gone_after_connect_request(connection: Connection) -> None:
    await connection.request()
    await connection.accept()
    await connection.send(frame(HANDSHAKE))
    await connection.message()


async def gone_after_first_event(connection: Connection) -> None:
    await connection.join()
    await connection.message()


async def resets_after_first_event(connection: Connection) -> None:
    await connection.join()
    await connection.message()
    connection.reset()


async def never_answers(connection: Connection) -> None:
    await connection.silence()


async def acknowledges_a_thousand_times(connection: Connection) -> None:
    await connection.join()
    message = await connection.message()
    number = message[2 : message.index(b"[")]
    await connection.send(b"".join(frame(b"43%b[%d]" % (number, count)) for count in range(1000)))
    await connection.send(frame(b'42["DONE"]'))
    await connection.silence()


async def breaks_the_protocol(connection: Connection) -> None:
    """Join everybody, take an event, and answer with what is none."""
    await connection.join()
    await connection.message()
    await connection.send(frame(b"42[1]"))
    await connection.silence()


@asynccontextmanager
async def serving(way: Way, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Yield the port of a server that goes this way with everybody."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await way(Connection(reader, writer))
        finally:
            writer.close()

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, FLOOD_BYTES)  # so that it is soon full, unread
    server = await asyncio.start_server(serve, sock=listener, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def main(port_file: Path) -> None:
    async with serving(breaks_the_protocol) as port:
        port_file.write_text(str(port))  # noqa: ASYNC240 - once
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
