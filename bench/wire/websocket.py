"""The WebSocket as a transport. picows moves the frames; this module makes messages of them.

Rules of this file: a frame becomes a message in the callback in which it arrived, so `received_ns` is the frame's own
time. Over a WebSocket there is no task, no queue and no lock. Frames that cannot be, or fragments out of order, end the
transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from time import perf_counter_ns
from typing import Any
from urllib.parse import urlsplit

import picows.picows as ws  # by the module's name, under which websocket.pxd has its C types
from picows import WSCloseCode, WSError, WSHandshakeError, WSParsedURL, ws_connect

from bench.wire.endpoint import Endpoint
from bench.wire.errors import (
    CLOSED,
    RESET,
    ConnectFailed,
    broken,
    close_reason,
    impossible_frame,
    one_line,
    os_reason,
    tls_hint,
    too_large,
    unread,
    was_reset,
)
from bench.wire.http_answers import http_reason
from bench.wire.protocol import Binary, Message, Open
from bench.wire.source_addresses import socket_factory
from bench.wire.transport import NOBODY, Listener

#: picows takes its buffer once per connection; the default of 16 KiB is most of what an idle connection costs.
_READ_BUFFER_BYTES = 1024

#: The status of an answer that agrees to speak WebSocket.
_SWITCHED = 101

_TEXT = ws.WSMsgType.TEXT
_BINARY = ws.WSMsgType.BINARY
_CONTINUATION = ws.WSMsgType.CONTINUATION


class WebSocketTransport(ws.WSListener):
    """A WebSocket to `url`, with the headers and the TLS of `endpoint`; see Transport.

    It is picows's listener itself: on the hot path there is no object between the frames and the client.
    """

    is_text_only = False

    # An object of its own for the attributes would lie on another page: with many connections that costs time.
    __slots__ = (
        "_endpoint",
        "_fragments",
        "_fragments_kind",
        "_is_accused",
        "_is_choked",
        "_listener",
        "_max_message_bytes",
        "_timeout_s",
        "_url",
        "_websocket",
    )

    def __init__(
        self, listener: Listener, endpoint: Endpoint, url: str, max_message_bytes: int, timeout_s: float
    ) -> None:
        self._listener = listener
        # Of a message that came in part.
        self._fragments: bytearray | None = None
        self._websocket: ws.WSTransport | None = None
        self._fragments_kind = _TEXT
        self._is_choked = False
        #: Whether picows keeps an error for whoever waits; if nobody did, the loop would complain.
        self._is_accused = False
        self._max_message_bytes = max_message_bytes
        self._endpoint = endpoint
        self._url = url
        self._timeout_s = timeout_s

    def set_listener(self, listener: Listener) -> None:
        """Have another listener hear of what comes from now on."""
        self._listener = listener

    async def open(self) -> None:
        """Connect to the server; see Transport. The handshake's limit is `timeout_s`."""
        shown, context = self._endpoint.address.shown, self._endpoint.context
        try:
            _, connected = await ws_connect(
                lambda *_: self,
                self._url,
                ssl_context=context,
                extra_headers=self._endpoint.headers,
                logger_name=_PicowsLog(self),  # type: ignore[arg-type]  # it takes what has a logger's methods
                enable_auto_pong=False,
                max_frame_size=self._max_message_bytes,
                read_buffer_init_size=_READ_BUFFER_BYTES,
                # picows's faster transports complain to the loop of handshakes that fail.
                use_aiofastnet=None if context is None else False,
                websocket_handshake_timeout=self._timeout_s,
                max_redirects=0,  # see http_answers
                socket_factory=_bound_socket,
            )
        except (WSHandshakeError, WSError) as error:
            raise ConnectFailed(f"{shown} is no Socket.IO server: {_handshake_reason(error, self._url)}") from None
        except ssl.SSLError as error:
            raise ConnectFailed(f"{shown}: {os_reason(error)}") from None
        except TimeoutError:
            raise
        except OSError as error:
            hint = tls_hint(context is not None) if isinstance(error, ConnectionResetError) else ""
            raise ConnectFailed(f"{shown} cannot be reached: {os_reason(error)}{hint}") from None
        except ValueError as error:  # of what no URL and no answer may contain
            raise ConnectFailed(f"{shown} is no Socket.IO server: {one_line(error)}") from None
        if connected is None:
            hint = f"{tls_hint(context is not None)}; so does a server that has nothing at {urlsplit(self._url).path}"
            raise ConnectFailed(f"{shown} is no Socket.IO server: it closed the connection without an answer{hint}")

    def opened(self, handshake: Open) -> None:
        """Take note of the server's handshake. A WebSocket needs nothing from it."""

    def send(self, messages: tuple[Message, ...]) -> None:
        """Send all of these messages, in this order, without waiting."""
        websocket = self._websocket
        if websocket is not None:
            for message in messages:
                if isinstance(message, bytes):
                    websocket.send(_TEXT, message)
                else:
                    websocket.send(_BINARY, message.data)

    def send_text(self, message: bytes) -> None:
        """Send a text message over a connection that is there. This is the load's hot path."""
        self._websocket.send(_TEXT, message)  # type: ignore[union-attr]  # to ask for it would cost as much as half of it

    @property
    def unsent_bytes(self) -> int:
        """Return how many bytes wait because the server does not read them. Only a choked connection is asked."""
        if self._websocket is None or not self._is_choked:
            return 0
        return int(self._websocket.underlying_transport.get_write_buffer_size())

    def close(self) -> None:
        """Send a close frame, and end."""
        if self._websocket is not None:
            self._websocket.send_close(WSCloseCode.OK)
            self._websocket.disconnect()

    def abort(self) -> None:
        """End the connection at once; the listener hears nothing more."""
        self._listener = NOBODY
        if self._websocket is not None:
            self._websocket.disconnect(False)

    async def wait_closed(self) -> None:
        """Return once the connection is gone."""
        if self._websocket is not None:
            with contextlib.suppress(Exception):  # how it would have ended without us
                await self._websocket.wait_disconnected()

    # ------------------------------------------------------------------ what picows calls

    def on_ws_connected(self, transport: ws.WSTransport) -> None:
        """Keep picows's transport: from now on messages can be sent."""
        self._websocket = transport
        if self._listener is NOBODY:  # nobody waits for it any longer
            transport.disconnect(False)

    def on_ws_frame(self, transport: ws.WSTransport, frame: ws.WSFrame) -> None:
        """Hand a frame's message to the listener. This is the hot path."""
        received_ns = perf_counter_ns()
        if frame.msg_type is _TEXT and frame.fin and self._fragments is None:
            self._listener.receive(frame.get_payload_as_bytes(), received_ns)
        else:
            self._receive_frame(transport, frame, received_ns)

    def pause_writing(self) -> None:
        """Take note that the server reads more slowly than it is sent to."""
        self._is_choked = True

    def resume_writing(self) -> None:
        """Take note that the server has caught up."""
        self._is_choked = False

    def on_ws_disconnected(self, transport: ws.WSTransport) -> None:
        """Tell the listener that the connection is gone."""
        if self._is_accused:
            task = asyncio.get_running_loop().create_task(_forget_error(transport))
            _forgetting.add(task)
            task.add_done_callback(_forgetting.discard)
        if self._listener is not NOBODY:
            self._end(RESET if was_reset(transport.underlying_transport) else CLOSED)

    def on_impossible_frame(self, what: str) -> None:
        """End: picows found a frame that cannot be. It would go on for a moment, and deliver what comes next."""
        self._is_accused = True
        self._end(impossible_frame(what, self._max_message_bytes))
        # Not at once: picows is about to tell the server.
        asyncio.get_running_loop().call_soon(self.abort)

    def _receive_frame(self, transport: ws.WSTransport, frame: ws.WSFrame, received_ns: int) -> None:
        """Take a frame that is not a whole text message."""
        kind = frame.msg_type
        if self._listener is NOBODY:
            return
        if kind == ws.WSMsgType.CLOSE:
            code = int(frame.get_close_code())  # type: ignore[call-overload]  # an int for codes without a name
            said = one_line(frame.get_close_reason() or "")
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
            self._end(close_reason(code, said))
        elif kind == ws.WSMsgType.PING:
            if self.unsent_bytes > self._max_message_bytes:
                self._break(unread(self._max_message_bytes))
            else:
                transport.send_pong(frame.get_payload_as_bytes())
        elif kind != ws.WSMsgType.PONG:
            self._receive_data(kind, frame.get_payload_as_bytes(), frame.fin, received_ns)

    def _receive_data(self, kind: ws.WSMsgType, payload: bytes, is_last: bool, received_ns: int) -> None:
        if (kind == _CONTINUATION) != (self._fragments is not None):
            self._break(broken("the server sent fragments of messages out of order"))
            return
        if self._fragments is not None:
            self._fragments += payload
            if len(self._fragments) > self._max_message_bytes:
                self._break(too_large(self._max_message_bytes))
                return
            if not is_last:
                return
            kind, payload = self._fragments_kind, bytes(self._fragments)
            self._fragments = None
        elif not is_last:
            self._fragments, self._fragments_kind = bytearray(payload), kind
            return
        self._listener.receive(Binary(payload) if kind == _BINARY else payload, received_ns)

    def _break(self, reason: str) -> None:
        """End because of what the server does."""
        listener = self._listener
        self.abort()
        listener.ended(reason)

    def _end(self, reason: str) -> None:
        """Tell the listener of the end, once."""
        listener, self._listener = self._listener, NOBODY
        self._fragments = None
        listener.ended(reason)


class _PicowsLog:
    """The logger of picows. Nothing is logged; but only its logger hears of a frame that cannot be."""

    __slots__ = ("_transport",)

    def __init__(self, transport: WebSocketTransport) -> None:
        self._transport = transport

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - a logger's
        """Return that nothing is logged."""
        return False

    def _drop(self, *_: Any, **__: Any) -> None:
        """Log nothing."""

    debug = info = log = warning = _drop

    def error(self, text: str, *values: Any, **_: Any) -> None:
        """Pass on what the parser of picows found."""
        if text.startswith("WS parser"):
            what = values[0][-1] if values and isinstance(values[0], tuple) and values[0] else "it cannot be parsed"
            self._transport.on_impossible_frame(one_line(what))

    exception = error


async def _bound_socket(server: WSParsedURL) -> socket.socket | None:
    """Return a socket that is bound to a source address; None if there are no source addresses."""
    factory = socket_factory()
    if factory is None:
        return None
    found = await asyncio.get_running_loop().getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    return factory(found[0])


_forgetting: set[asyncio.Task[None]] = set()


async def _forget_error(transport: ws.WSTransport) -> None:
    with contextlib.suppress(Exception):
        await transport.wait_disconnected()


def _handshake_reason(error: WSError, url: str) -> str:
    """Return what the server said, if it said something in HTTP."""
    response = getattr(error, "response", None)
    if response is None:
        return one_line(error)
    status, location = int(response.status), response.headers.get("Location")
    if status == _SWITCHED or not 100 <= status < 600:
        return one_line(error)
    return http_reason(status, getattr(error, "raw_body", None) or b"", urlsplit(url).path, location)
