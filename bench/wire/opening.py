"""The opening of a WebSocket: a socket to one of a host's addresses, TLS if it is asked for, and the handshake.

The event loop does the input and output here. What it connects is handed on as a socket that it knows nothing of.

Sockets are those of Python's C module: in a process that is patched for gevent, those of `socket` are gevent's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from _socket import AI_NUMERICHOST, IPPROTO_TCP, SOCK_STREAM, TCP_NODELAY, getaddrinfo, socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from bench.wire.handshake import Handshake
from bench.wire.source_addresses import bind_to_source
from bench.wire.stamps import ask_for_stamps, is_kernel_clock
from bench.wire.tls_session import TlsSession

_READ_BYTES = 1 << 16

#: The time that an answer's body is waited for when its head is there, in seconds. It may never come.
_BODY_WAIT_S = 0.5

_PORTS = {"ws": 80, "wss": 443}

_AddressInfo = tuple[int, int, int, str, Any]


@dataclass
class Opened:
    """A connection on which frames are spoken from now on."""

    connection: socket
    #: Whether the kernel says when it received what is read.
    is_stamped: bool
    tls: TlsSession | None
    #: What came after the server's answer, decrypted.
    rest: bytes


async def open_websocket(url: str, handshake: Handshake, context: ssl.SSLContext | None) -> Opened:
    """Connect to the server of a URL and agree on WebSocket. The socket is closed if it comes to nothing.

    Raises OSError, RefusedHandshake, and EOFError if the server closed without an answer.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection, is_stamped = await connected_socket(host, parts.port or _PORTS[parts.scheme])
    try:
        wire = _Wire(connection)
        tls = None
        if context is not None:
            tls = TlsSession(context, host)
            await _shake_hands(wire, tls)
        await wire.send(handshake.request if tls is None else tls.encrypted(handshake.request))
        rest = await _answer(wire, tls, handshake)
    except BaseException:
        connection.close()
        raise
    return Opened(connection, is_stamped, tls, rest)


async def connected_socket(host: str, port: int) -> tuple[socket, bool]:
    """Return a socket that is connected to one of a host's addresses, and whether the kernel says when it receives.

    The addresses are tried in the order of the system. Raises OSError.
    """
    failures: list[OSError] = []
    for family, kind, protocol, _, address in await _addresses(host, port):
        try:
            return await _connected(socket(family, kind, protocol), address)
        except OSError as failure:
            failures.append(failure)
    if len({failure.errno for failure in failures}) == 1:
        raise failures[0]
    reasons = dict.fromkeys(os.strerror(each.errno).lower() if each.errno else str(each) for each in failures)
    raise OSError(f"none of its {len(failures)} addresses answers: {', '.join(reasons)}")


async def _addresses(host: str, port: int) -> Sequence[_AddressInfo]:
    """Return the addresses of a host. An address is no name, for which the loop would need a thread. Raises OSError."""
    with contextlib.suppress(OSError):
        return cast("list[_AddressInfo]", getaddrinfo(host.encode(), port, 0, SOCK_STREAM, 0, AI_NUMERICHOST))
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    return cast("list[_AddressInfo]", found)


async def _connected(connection: socket, address: Any) -> tuple[socket, bool]:
    """Connect a socket, and return it. It is closed if it comes to nothing. Raises OSError."""
    try:
        connection.setblocking(False)
        is_stamped = False
        if is_kernel_clock():
            with contextlib.suppress(OSError):
                ask_for_stamps(connection)
                is_stamped = True
        bind_to_source(connection)
        await asyncio.get_running_loop().sock_connect(cast(Any, connection), address)
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection, is_stamped


class _Wire:
    """A socket, as the loop reads it and writes to it."""

    def __init__(self, connection: socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection: Any = connection

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._connection, data)

    async def receive(self) -> bytes:
        return await self._loop.sock_recv(self._connection, _READ_BYTES)


async def _shake_hands(wire: _Wire, tls: TlsSession) -> None:
    """Perform the handshake of TLS. Raises ssl.SSLError and OSError."""
    data = b""
    try:
        while not tls.shake_hands(data):
            await wire.send(tls.to_send())
            data = await wire.receive()
            if not data:
                raise ConnectionResetError
    except ssl.SSLError:
        with contextlib.suppress(OSError):
            await wire.send(tls.to_send())  # why it is refused
        raise
    await wire.send(tls.to_send())


async def _answer(wire: _Wire, tls: TlsSession | None, handshake: Handshake) -> bytes:
    """Return what comes after the server's answer. Raises RefusedHandshake, EOFError, OSError."""
    while True:
        if handshake.has_answer:
            try:
                async with asyncio.timeout(_BODY_WAIT_S):
                    data = await wire.receive()
            except (OSError, TimeoutError):
                raise handshake.refusal() from None
        else:
            data = await wire.receive()
        if tls is not None and data:
            data = b"".join(part for part, _ in tls.decrypted(data))
            if not data and not tls.is_over:
                continue
        rest = handshake.feed(data)
        if rest is not None:
            return rest
