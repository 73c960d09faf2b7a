"""FastClient: Socket.IO over WebSocket with as little CPU per message as Python allows.

picows moves the frames, protocol.py reads them. One object per connection, no task, no queue and no lock: a frame is
decoded and its handler called in the callback in which it arrived, so `received_ns` is the frame's own time. Nothing
here logs: under Locust the loop runs in a thread from which a log call may block.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter_ns
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from picows import WSError, WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect

from bench.wire import protocol
from bench.wire.interface import (
    CallTimeout,
    ConnectFailed,
    Disconnected,
    Handler,
    Transport,
    acknowledged,
    arguments,
)

# picows takes its buffer once per connection; the default of 16 KiB is most of what an idle connection costs.
_READ_BUFFER_BYTES = 1024

_CLOSING_TIMEOUT_S = 1.0

_silent = logging.Logger("bench.wire.silent", level=logging.CRITICAL + 1)

_TEXT = WSMsgType.TEXT
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def websocket_url(url: str, socketio_path: str = "socket.io") -> str:
    """Where the server at `url` takes WebSocket connections. Its query is kept. Raises ConnectFailed for a bad URL."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConnectFailed(f"{url!r} is no URL of a server: expected something like http://127.0.0.1:8000")
    path = f"{parts.path.rstrip('/')}/{socketio_path.strip('/')}/"
    query = urlencode({"EIO": protocol.ENGINE_IO_VERSION, "transport": "websocket"})
    if parts.query:
        query = f"{parts.query}&{query}"
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, query, ""))


class FastClient(WSListener):
    """A Socket.IO connection over WebSocket; see interface.Client for what its methods promise."""

    def __init__(self) -> None:
        self.received_ns = 0
        self.sid: str | None = None
        self._handlers: dict[str, Handler] = {}
        self._closed_callbacks: list[Callable[[str], None]] = []
        self._callbacks: dict[int, Handler] = {}
        self._calls: set[asyncio.Future[tuple[Any, ...]]] = set()
        self._last_ack_id = 0
        self._transport: WSTransport | None = None
        self._joined: asyncio.Future[None] | None = None
        self._auth: Any = None
        self._connected = False
        self._fragments: list[bytes] = []
        self._reason = "never connected"

    # ------------------------------------------------------------------ the interface

    @property
    def connected(self) -> bool:
        """Whether events can be emitted now."""
        return self._connected

    async def connect(
        self,
        url: str,
        *,
        auth: Any = None,
        headers: Mapping[str, str] | None = None,
        transports: Sequence[Transport] = ("websocket",),
        socketio_path: str = "socket.io",
        wait_timeout: float = 5.0,
    ) -> None:
        """Connect over WebSocket, the only transport that this client has so far. Raises ConnectFailed."""
        if tuple(transports) != ("websocket",):
            raise ConnectFailed(f"the fast client speaks websocket only so far, not {', '.join(transports)}")
        if self._transport is not None:
            raise ConnectFailed("this client is connected already")
        target = websocket_url(url, socketio_path)
        self._auth = auth
        self._fragments.clear()
        self._reason = "the server closed the connection"
        self._joined = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(wait_timeout):
                await ws_connect(
                    lambda: self,
                    target,
                    extra_headers=headers,
                    logger_name=_silent,
                    read_buffer_init_size=_READ_BUFFER_BYTES,
                    websocket_handshake_timeout=wait_timeout,
                )
                await self._joined
        except TimeoutError:
            raise ConnectFailed(f"{url} did not answer the handshake within {wait_timeout:g} s") from None
        except (WSHandshakeError, WSError) as error:
            raise ConnectFailed(f"{url} is no Socket.IO server: {_first_line(error)}") from None
        except ssl.SSLError as error:
            raise ConnectFailed(f"{url}: TLS failed: {_first_line(error)}") from None
        except OSError as error:
            raise ConnectFailed(f"{url} cannot be reached: {_os_reason(error)}") from None
        finally:
            self._joined = None
            if not self._connected:
                self._abort()

    def on(self, event: str, handler: Handler) -> None:
        """Call `handler(*arguments)` for every such event; `disconnect` and `*` are special."""
        self._handlers[event] = handler

    def when_closed(self, callback: Callable[[str], None]) -> None:
        """Call `callback(reason)` when an established connection ends, whoever ended it."""
        self._closed_callbacks.append(callback)

    async def emit(self, event: str, data: Any = None, *, callback: Handler | None = None) -> int:
        """Emit an event; returns when it was handed to the transport (ns). Raises Disconnected."""
        if not self._connected:
            raise Disconnected(self._reason)
        ack_id = None
        if callback is not None:
            ack_id = self._last_ack_id = self._last_ack_id + 1
            self._callbacks[ack_id] = callback
        message = protocol.encode_event(event, arguments(data), ack_id)
        sent_ns = perf_counter_ns()
        self._transport.send(_TEXT, message)  # type: ignore[union-attr]  # connected: there is one
        return sent_ns

    async def call(self, event: str, data: Any = None, *, timeout: float = 60.0) -> Any:
        """Emit an event and return its acknowledgement. Raises CallTimeout or Disconnected."""
        answer: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

        def resolve(*values: Any) -> None:
            if not answer.done():
                answer.set_result(values)

        await self.emit(event, data, callback=resolve)
        self._calls.add(answer)
        try:
            async with asyncio.timeout(timeout):
                return acknowledged(await answer)
        except TimeoutError:
            raise CallTimeout(f"{event} was not acknowledged within {timeout:g} s") from None
        finally:
            self._calls.discard(answer)

    async def disconnect(self) -> None:
        """Close the connection. Does nothing where there is none."""
        transport = self._transport
        if transport is None:
            return
        self._reason = "disconnected by the client"
        if self._connected:
            transport.send(_TEXT, protocol.DISCONNECT)
            transport.send_close()
        transport.disconnect()
        try:
            async with asyncio.timeout(_CLOSING_TIMEOUT_S):
                await transport.wait_disconnected()
        except TimeoutError:
            pass
        finally:  # a peer that reads nothing does not keep the connection open, nor does a cancelled caller
            self._abort()

    # ------------------------------------------------------------------ what picows calls

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport; the server's handshake comes next."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Decode one frame and act on it."""
        self.received_ns = perf_counter_ns()
        kind = frame.msg_type
        if kind is _TEXT or kind == WSMsgType.CONTINUATION:
            payload = frame.get_payload_as_bytes()
            if not frame.fin or self._fragments:
                self._fragments.append(payload)
                if not frame.fin:
                    return
                payload = b"".join(self._fragments)
                self._fragments.clear()
            self._receive(payload)
        elif kind == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif kind == WSMsgType.BINARY:
            self._fail("the server sent a binary message, which is not supported yet")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Tell whoever waits that the connection is gone."""
        was_connected = self._connected
        self._connected = False
        self._transport = None
        self._callbacks.clear()
        self._fragments.clear()
        for answer in self._calls:
            if not answer.done():
                answer.set_exception(Disconnected(self._reason))
        if self._joined is not None and not self._joined.done():
            self._joined.set_exception(ConnectFailed(self._reason))
        if not was_connected:
            return
        for callback in self._closed_callbacks:
            callback(self._reason)
        if (handler := self._handlers.get("disconnect")) is not None:
            handler(self._reason)

    # ------------------------------------------------------------------ packets

    def _receive(self, message: bytes) -> None:
        try:
            packet = protocol.decode(message)
        except protocol.ProtocolError as error:
            self._fail(f"the server sent {error}")
            return
        if type(packet) is protocol.Event:
            if packet.namespace == protocol.DEFAULT_NAMESPACE:
                self._handle_event(packet)
        elif type(packet) is protocol.Ack:
            callback = self._callbacks.pop(packet.ack_id, None)
            if callback is not None:
                callback(*packet.arguments)
        elif type(packet) is protocol.Ping:
            self._send(protocol.PONG)
        elif type(packet) is protocol.Open:
            self._send(protocol.encode_connect(self._auth))
        elif type(packet) is protocol.Connected:
            if self._joined is not None and not self._joined.done():
                self.sid = packet.sid
                self._connected = True
                self._joined.set_result(None)
        elif type(packet) is protocol.ConnectError:
            self._fail(f"the server refused the connection: {packet.message}")
        elif type(packet) is protocol.Disconnect:
            self._fail("the server disconnected this client")
        elif type(packet) is protocol.BinaryHeader:
            self._fail("the server sent a binary event, which is not supported yet")
        elif type(packet) is protocol.Close:
            self._fail("the server closed the connection")

    def _handle_event(self, event: protocol.Event) -> None:
        handler = self._handlers.get(event.name)
        values = event.arguments
        if handler is None:
            handler = self._handlers.get("*")
            values = (event.name, *values)
        result = None
        if handler is not None:
            try:
                result = handler(*values)
            except Exception as error:  # of the user's making; picows would end the connection for it
                asyncio.get_running_loop().call_exception_handler(
                    {"message": f"the handler of {event.name} raised {error!r}", "exception": error}
                )
        if event.ack_id is not None:
            self._send(protocol.encode_ack(event.ack_id, arguments(result)))

    def _send(self, message: bytes) -> None:
        if self._transport is not None:
            self._transport.send(_TEXT, message)

    def _fail(self, reason: str) -> None:
        """End the connection for a reason that everybody who waits is told."""
        self._reason = reason
        self._abort()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.disconnect(graceful=False)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _os_reason(error: OSError) -> str:
    """The operating system's reason alone: asyncio and uvloop wrap it in differing words."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return _first_line(error)
