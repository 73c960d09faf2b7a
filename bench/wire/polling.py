"""HTTP long polling as a transport, over aiohttp.

A connection has two tasks. The first asks for messages, over and over. The second exists while there is something to
post; it posts one request at a time, so that the order is kept. All messages of an answer were received when the answer
was whole.

Nothing here logs or starts a thread: the loop's own getaddrinfo resolves names, which uvloop does without Python's
threads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter_ns
from urllib.parse import quote

import aiohttp
from yarl import URL

from bench.wire import protocol
from bench.wire.endpoint import Endpoint
from bench.wire.errors import (
    CLOSED,
    RESET,
    ConnectFailed,
    Reason,
    one_line,
    os_reason,
    protocol_reason,
    tls_hint,
    tls_reason,
)
from bench.wire.http_answers import http_reason, page_reason
from bench.wire.protocol import Binary, Message
from bench.wire.source_addresses import socket_options
from bench.wire.stamps import ReceivedClock
from bench.wire.transport import NOBODY, Listener

_HEADERS = {"Content-Type": "text/plain;charset=UTF-8"}


class _Failed(Exception):
    """A failure that ends polling. The text says why, the kind says it without the server's own words."""

    def __init__(self, kind: str, text: str | None = None) -> None:
        super().__init__(kind if text is None else text)
        self.kind = kind


class PollingTransport:
    """Long polling at `url`, with the headers and the TLS of `endpoint`; see Transport.

    After `open`, `start` begins to poll.
    """

    is_text_only = True
    received_clock: ReceivedClock = "process"

    def __init__(self, listener: Listener, endpoint: Endpoint, url: str, max_message_bytes: int) -> None:
        self._listener = listener
        self._endpoint = endpoint
        self._url = URL(url, encoded=True)
        self._max_message_bytes = max_message_bytes
        self._max_payload_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=aiohttp.ThreadedResolver(), ssl=endpoint.context or True, **socket_options()
            ),
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # also those of servers that have no name
            headers={"Accept-Encoding": "identity", **endpoint.headers},
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),  # a silent server is found out by its missing heartbeat
        )
        # aiohttp asks again by itself where a connection that it has used before is lost. The messages in the answer
        # would then be missing without a word, and their replies be said to have timed out.
        self._session._retry_connection = False
        self._unsent_bytes = 0
        self._is_opened = False
        self._outbox: deque[bytes] = deque()
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._release: asyncio.Task[None] | None = None
        self._is_closing = False
        self._is_ended = False

    async def open(self) -> None:
        """Ask for the handshake and hand it to the listener. Raises ConnectFailed."""
        try:
            await self._poll()
        except (_Failed, protocol.ProtocolError, aiohttp.ClientError, OSError, ValueError) as error:
            hung_up = isinstance(error, aiohttp.ServerDisconnectedError)
            hint = tls_hint(self._url.scheme == "https") if hung_up else ""
            self.abort()
            raise ConnectFailed(f"{self._endpoint.address.shown}: {_reason(error)}{hint}") from None

    def opened(self, handshake: protocol.Open) -> None:
        """Take note of the session, to which all further requests belong."""
        self._url = URL(f"{self._url}&sid={quote(handshake.sid, safe='')}", encoded=True)
        self._max_payload_bytes = handshake.max_payload_bytes
        self._is_opened = True

    def start(self) -> None:
        """Begin to poll."""
        self._reader = self._loop.create_task(self._read())

    def cookies(self) -> dict[str, str]:
        """Return what the server wants to be sent back, such as the mark of the process that has the session.

        The values are as they go over the wire. They win over cookies of the settings, as in all requests of polling.
        """
        found = self._session.cookie_jar.filter_cookies(self._url)
        return {name: morsel.coded_value for name, morsel in found.items()}

    def send(self, messages: tuple[Message, ...]) -> int:
        """Post messages that each fit into one request; returns when they were handed over (ns)."""
        sent_ns = perf_counter_ns()
        for message in messages:
            part = message if isinstance(message, bytes) else protocol.encode_binary_packet(message.data)
            self._outbox.append(part)
            self._unsent_bytes += len(part)
        if self._outbox and self._writer is None and not self._is_ended:
            self._writer = self._loop.create_task(self._write())
        return sent_ns

    @property
    def unsent_bytes(self) -> int:
        """Return how many bytes wait for their turn to be posted."""
        return self._unsent_bytes

    def close(self) -> None:
        """End the Engine.IO connection once everything is posted."""
        if self._is_opened:
            self.send((protocol.CLOSE,))
        self._is_closing = True
        if self._writer is None:
            self._end(CLOSED)

    def abort(self) -> None:
        """End the connection at once; the listener hears nothing more."""
        self._listener = NOBODY
        self._end(CLOSED)

    async def wait_closed(self) -> None:
        """Return once everything is released."""
        while self._release is None:
            if self._writer is not None:
                await asyncio.wait({self._writer})
            await asyncio.sleep(0)
        await asyncio.shield(self._release)

    # ------------------------------------------------------------------ the two tasks

    async def _read(self) -> None:
        try:
            while not self._is_ended:
                await self._poll()
        except (_Failed, protocol.ProtocolError, aiohttp.ClientError, OSError, ValueError) as error:
            self._end(_reason(error))

    async def _poll(self) -> None:
        async with self._session.get(self._url, allow_redirects=False) as response:  # see http_answers
            body = await self._body(response)
        received_ns = perf_counter_ns()
        if not self._is_opened and (page := page_reason(body)) is not None:
            raise _Failed(page.kind, page)
        for is_binary, message in protocol.decode_payload(body):
            if self._is_ended:
                return
            self._listener.receive(Binary(message) if is_binary else message, received_ns)

    async def _write(self) -> None:
        try:
            while self._outbox:
                body = protocol.encode_payload(self._next_parts())
                async with self._session.post(
                    self._url, data=body, headers=_HEADERS, allow_redirects=False
                ) as response:
                    await self._body(response)
        except (_Failed, aiohttp.ClientError, OSError, ValueError) as error:
            self._end(_reason(error))
        finally:
            self._writer = None
        if self._is_closing:
            self._end(CLOSED)

    def _next_parts(self) -> list[bytes]:
        """Return the parts that fit into one request, and take them from the outbox."""
        parts = [self._outbox.popleft()]
        left_bytes = self._max_payload_bytes - len(parts[0]) if self._max_payload_bytes else self._max_message_bytes
        while self._outbox and len(parts) < protocol.MAX_PACKETS_PER_PAYLOAD:
            left_bytes -= len(self._outbox[0]) + 1
            if left_bytes < 0:
                break
            parts.append(self._outbox.popleft())
        self._unsent_bytes -= sum(map(len, parts))
        return parts

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        while chunk := await response.content.readany():
            body += chunk
            if len(body) > self._max_message_bytes:
                response.close()
                limit = f"{self._max_message_bytes} bytes in one answer, the client's max_message_bytes"
                raise _Failed(f"the server sent more than {limit}")
        if response.status != 200:
            location = response.headers.get("Location")
            reason = http_reason(response.status, bytes(body), self._url.raw_path, location, self._is_opened)
            raise _Failed(reason.kind, reason)
        return bytes(body)

    def _end(self, reason: str) -> None:
        if self._is_ended:
            return
        self._is_ended = True
        current = asyncio.current_task()
        for task in (self._reader, self._writer):
            if task is not None and task is not current:
                task.cancel()
        self._release = self._loop.create_task(self._session.close())
        self._loop.call_soon(self._tell_end, reason)

    def _tell_end(self, reason: str) -> None:
        listener, self._listener = self._listener, NOBODY
        listener.ended(reason)


def _reason(error: Exception) -> Reason:
    if isinstance(error, protocol.ProtocolError):
        return protocol_reason(error)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return Reason("TLS failed", tls_reason(error.certificate_error))
    if isinstance(error, aiohttp.ClientSSLError):
        return Reason("TLS failed", tls_reason(error))
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Reason(CLOSED)
    if isinstance(error, ConnectionResetError):
        return Reason(RESET)
    if isinstance(error, _Failed):
        return Reason(error.kind, str(error))
    if isinstance(error, aiohttp.ClientError) and not isinstance(error, OSError):
        return Reason("the server did not answer in HTTP as it should", one_line(error))
    return Reason(os_reason(error) if isinstance(error, OSError) else one_line(error))
