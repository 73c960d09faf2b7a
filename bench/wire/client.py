"""FastClient: Socket.IO with as little CPU per message as Python allows.

picows moves the frames (polling.py does where there is no WebSocket), `protocol` reads them. One object per
connection, and over a WebSocket no task, no queue and no lock: a frame is decoded and its handler called in the
callback in which it arrived, so `received_ns` is the frame's own time. What is rare is asked for after what is
frequent. Nothing here logs or starts a thread: under Locust the loop runs in a thread from which a log call may block.

A connection ends in `_end`, once, with one reason, whoever ended it; what a transport delivers afterwards is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, Unpack
from urllib.parse import quote

import picows.picows as ws  # by the module's name, under which client.pxd has its C types
from picows import WSCloseCode, WSError, WSHandshakeError, ws_connect

from bench.wire import protocol
from bench.wire.connection import MAX_MESSAGE_BYTES, Connection, ConnectKeywords, with_keywords
from bench.wire.endpoint import Address, Endpoint, namespaces_of, request_headers, websocket_url
from bench.wire.errors import (
    CLOSED,
    RESET,
    CallTimeout,
    ConnectFailed,
    Disconnected,
    MessageTooLarge,
    Reason,
    broken,
    close_reason,
    impossible_frame,
    kind_of,
    one_line,
    os_reason,
    tls_hint,
    too_large,
    was_reset,
)
from bench.wire.interface import Handler, acknowledged, arguments
from bench.wire.polling import PollingTransport
from bench.wire.protocol import plain_event, plain_message

__all__ = ["FastClient", "websocket_url"]

# picows takes its buffer once per connection; the default of 16 KiB is most of what an idle connection costs.
_READ_BUFFER_BYTES = 1024

_CLOSING_TIMEOUT_S = 1.0

# picows would send the same headers to wherever a server sends it. With a secret in them, no redirect is followed.
_MAX_REDIRECTS = 5

# A heartbeat may have arrived already when the loop is late and looks at its timers first.
_HEARTBEAT_GRACE_S = 0.05

_TEXT = ws.WSMsgType.TEXT
_BINARY = ws.WSMsgType.BINARY
_CONTINUATION = ws.WSMsgType.CONTINUATION


class _Namespace:
    """What a client knows of one namespace."""

    __slots__ = ("callbacks", "calls", "handlers", "is_joined")

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.callbacks: dict[int, Handler] = {}
        """By id: what awaits its acknowledgement."""
        self.calls: dict[asyncio.Future[tuple[Any, ...]], None] = {}
        self.is_joined = False

    def leave(self, reason: str) -> None:
        """Nothing will be acknowledged any more."""
        self.is_joined = False
        self.callbacks.clear()
        for answer in self.calls:
            if not answer.done():
                answer.set_exception(Disconnected(reason))


class FastClient(ws.WSListener):
    """A Socket.IO connection over WebSocket, polling, or first one, then the other; see interface.Client."""

    def __init__(self) -> None:
        self.received_ns = 0
        self.upgrade_ns: int | None = None
        self.sid: str | None = None
        """The session id in the default namespace, or in the first one joined."""
        default = _Namespace()
        self._namespaces = {protocol.DEFAULT_NAMESPACE: default}
        self._handlers = default.handlers
        self._callbacks = default.callbacks
        self._closed_callbacks: list[Callable[[str], None]] = []
        self._last_ack_id = 0
        self._transport: ws.WSTransport | PollingTransport | None = None
        self._websocket: ws.WSTransport | None = None
        """The transport, once `connect` is through, while it is a WebSocket over which the default namespace is joined:
        the hot path's only question."""
        self._max_payload_bytes = sys.maxsize
        self._max_message_bytes = MAX_MESSAGE_BYTES
        self._reason = "never connected"
        self._address: Address | None = None
        self._attempt: _Attempt | None = None
        """While `connect` runs."""
        self._opened: protocol.Open | None = None
        self._is_established = False
        # Of a message that came in part: its fragments, or its attachments.
        self._is_partial = False
        self._fragments: bytearray | None = None
        self._fragments_kind = _TEXT
        self._assembly: protocol.Assembly | None = None
        self._is_choked = False
        self._is_accused = False
        """Whether picows keeps an error for whoever waits; where nobody did, the loop would complain."""
        # The heartbeat: one timer, which looks at when the last one came and sets itself anew.
        self._pinged_ns = 0
        self._is_overdue = False
        self._heartbeat: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------------ the interface

    @property
    def connected(self) -> bool:
        """Whether events can be emitted now."""
        return self._is_established

    async def connect(
        self, url: str, connection: Connection | None = None, **keywords: Unpack[ConnectKeywords]
    ) -> None:
        """Connect and join the namespaces; see interface.Client. Raises ConnectFailed."""
        connection = with_keywords(connection, keywords)
        if self._transport is not None or self._attempt is not None:
            raise ConnectFailed("this client is connected already")
        endpoint = Endpoint.of(url, connection)
        handled = tuple(name for name, space in self._namespaces.items() if space.handlers)
        namespaces = namespaces_of(connection.namespaces if connection.namespaces is not None else handled or ("/",))
        address = self._address = endpoint.address
        wait_timeout = connection.connect_timeout
        attempt = self._attempt = _Attempt(endpoint, connection, namespaces)
        self._begin(connection.max_message_bytes)
        try:
            async with asyncio.timeout(wait_timeout):
                if connection.transports[0] == "websocket":
                    await self._open_websocket(attempt.urls["websocket"], attempt)
                else:
                    await self._open_polling(attempt)
                await attempt.joined
        except TimeoutError:
            raise ConnectFailed(f"{address.shown} did not answer the handshake within {wait_timeout:g} s") from None
        except ConnectFailed as failure:
            if not address.secrets:
                raise
            raise ConnectFailed(address.hide(str(failure)), failure.data) from None
        finally:
            self._attempt = None
            _forget(attempt.joined)
            if not self._is_established:
                self._fail("it did not come to a connection")

    def on(self, event: str, handler: Handler, namespace: str | None = None) -> None:
        """Call `handler(*arguments)` for every such event; `disconnect` and `*` are special."""
        name = namespace or protocol.DEFAULT_NAMESPACE
        self._namespaces.setdefault(name, _Namespace()).handlers[event] = handler

    def when_closed(self, callback: Callable[[str], None]) -> None:
        """Call `callback(reason)` when an established connection ends, whoever ended it."""
        self._closed_callbacks.append(callback)

    async def emit(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        """Emit an event; returns when it was handed to the transport (ns). See interface.Client for what it raises."""
        return self.emit_now(event, data, namespace=namespace, callback=callback)

    def emit_now(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        """The same without a coroutine, which this client has no need of. The load's hot path."""
        websocket = self._websocket
        if namespace is not None or websocket is None:
            return self._emit_anything(event, data, namespace or protocol.DEFAULT_NAMESPACE, callback)
        try:
            if callback is not None:
                message = protocol.encode_event(event, arguments(data), self._last_ack_id + 1)
            elif data is None or isinstance(data, tuple):
                message = protocol.encode_event(event, arguments(data))
            else:
                message = plain_message(event, data)
        except TypeError:
            return self._emit_anything(event, data, protocol.DEFAULT_NAMESPACE, callback)
        if len(message) > self._max_payload_bytes:
            raise self._too_large(len(message))
        if callback is not None:
            self._last_ack_id += 1
            self._callbacks[self._last_ack_id] = callback
        sent_ns = perf_counter_ns()
        websocket.send(_TEXT, message)
        return sent_ns

    async def call(self, event: str, data: Any = None, *, namespace: str | None = None, timeout: float = 60.0) -> Any:
        """Emit an event and return its acknowledgement. Raises CallTimeout, Disconnected, and what `emit` raises."""
        answer: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

        def resolve(*values: Any) -> None:
            if not answer.done():
                answer.set_result(values)

        await self.emit(event, data, namespace=namespace, callback=resolve)
        ack_id = self._last_ack_id
        space = self._namespaces[namespace or protocol.DEFAULT_NAMESPACE]
        space.calls[answer] = None
        try:
            async with asyncio.timeout(timeout):
                return acknowledged(await answer)
        except TimeoutError:
            raise CallTimeout(f"{event} was not acknowledged within {timeout:g} s") from None
        finally:
            del space.calls[answer]
            space.callbacks.pop(ack_id, None)

    async def disconnect(self) -> None:
        """Leave all namespaces and close the connection. Does nothing where there is none."""
        transport = self._transport
        if transport is None:
            return
        self._reason = "disconnected by the client"
        if self._is_established:
            for name, space in self._namespaces.items():
                if space.is_joined:
                    transport.send(_TEXT, protocol.encode_disconnect(name))
            transport.send_close(WSCloseCode.OK)
        transport.disconnect()
        try:
            async with asyncio.timeout(_CLOSING_TIMEOUT_S):
                with contextlib.suppress(Exception):  # how it would have ended without us
                    await transport.wait_disconnected()
        except TimeoutError:
            pass
        finally:  # a peer that reads nothing does not keep the connection open, nor does a cancelled caller
            if self._transport is transport:
                self._fail(self._reason)

    # ------------------------------------------------------------------ connecting

    def _begin(self, max_message_bytes: int) -> None:
        self._reason = CLOSED
        self._max_message_bytes = max_message_bytes
        self._max_payload_bytes = sys.maxsize
        self._opened = None
        self._is_choked = False
        self.sid = None
        self.upgrade_ns = None

    async def _open_websocket(self, target: str, attempt: _Attempt) -> None:
        """Return once `on_ws_connected` was called. Raises ConnectFailed or TimeoutError."""

        def listener(*_: Any) -> ws.WSListener:
            if self._attempt is not attempt:
                raise ConnectionAbortedError("it was given up")
            return self

        try:
            _, connected = await ws_connect(
                listener,
                target,
                ssl_context=attempt.context,
                extra_headers=attempt.headers,
                logger_name=_PicowsLog(self),  # type: ignore[arg-type]  # it takes whatever has a logger's methods
                enable_auto_pong=False,
                max_frame_size=self._max_message_bytes,
                read_buffer_init_size=_READ_BUFFER_BYTES,
                # picows's faster transports complain to the loop of handshakes that fail.
                use_aiofastnet=None if attempt.context is None else False,
                websocket_handshake_timeout=attempt.wait_timeout,
                max_redirects=0 if attempt.is_secret else _MAX_REDIRECTS,
            )
        except (WSHandshakeError, WSError) as error:
            raise ConnectFailed(f"{attempt.url} is no Socket.IO server: {_handshake_reason(error)}") from None
        except ssl.SSLError as error:
            raise ConnectFailed(f"{attempt.url}: {os_reason(error)}") from None
        except TimeoutError:
            raise
        except OSError as error:
            hint = tls_hint(attempt.context is not None) if isinstance(error, ConnectionResetError) else ""
            raise ConnectFailed(f"{attempt.url} cannot be reached: {os_reason(error)}{hint}") from None
        except ValueError as error:  # of what no URL and no answer may contain
            raise ConnectFailed(f"{attempt.url} is no Socket.IO server: {one_line(error)}") from None
        if connected is None:
            hint = tls_hint(attempt.context is not None)
            raise ConnectFailed(
                f"{attempt.url} is no Socket.IO server: it closed the connection without an answer{hint}"
            )

    async def _open_polling(self, attempt: _Attempt) -> None:
        transport = self._transport = PollingTransport(
            self, attempt.urls["polling"], attempt.headers, attempt.context, self._max_message_bytes
        )
        attempt.is_held = True
        try:
            await transport.open()
        except ConnectFailed as failure:
            self._reason = str(failure)
            raise ConnectFailed(f"{attempt.url}: {failure}") from None
        if self._opened is None or self._transport is not transport:
            raise ConnectFailed(f"{attempt.url}: {self._reason}")
        if "websocket" in attempt.urls and "websocket" in self._opened.upgrades:
            await self._upgrade(transport, self._opened, attempt)
        if self._transport is transport:
            transport.start()
        self._join(attempt)

    async def _upgrade(self, polling: PollingTransport, opened: protocol.Open, attempt: _Attempt) -> None:
        """Replace polling by a WebSocket, if that can be done; polling goes on where it cannot.

        Nothing is sent and no request waits meanwhile, so nothing can be overtaken.
        """
        started_ns = perf_counter_ns()
        probe = attempt.probe = asyncio.get_running_loop().create_future()
        attempt.headers = request_headers(attempt.headers, polling.cookies())
        try:
            async with asyncio.timeout(attempt.wait_timeout / 2):
                await self._open_websocket(f"{attempt.urls['websocket']}&sid={quote(opened.sid, safe='')}", attempt)
                await probe
        except (ConnectFailed, TimeoutError):
            pass
        else:
            websocket = attempt.probed
            assert websocket is not None, "what has answered the probe is there"
            attempt.probed = None
            websocket.send(_TEXT, protocol.UPGRADE)
            self._transport = websocket
            polling.disconnect(graceful=False)
            self.upgrade_ns = perf_counter_ns() - started_ns
        finally:
            _forget(probe)
            if attempt.probed is not None:
                attempt.probed.disconnect(graceful=False)

    def _open(self, opened: protocol.Open) -> None:
        attempt = self._attempt
        if self._opened is not None or attempt is None:
            self._fail(broken("the server sent a second handshake"))
            return
        self._opened = opened
        if opened.max_payload_bytes:
            self._max_payload_bytes = opened.max_payload_bytes
        self._pinged_ns = perf_counter_ns()
        self._is_overdue = False
        self._check_heartbeat()
        if isinstance(self._transport, PollingTransport):
            self._transport.opened(opened)
        if not attempt.is_held:
            self._join(attempt)

    def _join(self, attempt: _Attempt) -> None:
        for name in attempt.unjoined:
            self._namespaces.setdefault(name, _Namespace())
            self._send(_TEXT, protocol.encode_connect(attempt.auth, name))

    def _joined(self, packet: protocol.Connected) -> None:
        attempt = self._attempt
        if attempt is None or packet.namespace not in attempt.unjoined:
            self._fail(broken(f"the server connected {one_line(packet.namespace)}, which was not asked for"))
            return
        attempt.unjoined.remove(packet.namespace)
        self._namespaces[packet.namespace].is_joined = True
        if self.sid is None or packet.namespace == protocol.DEFAULT_NAMESPACE:
            self.sid = packet.sid
        if not attempt.unjoined and not attempt.joined.done():
            self._is_established = True
            is_joined = self._namespaces[protocol.DEFAULT_NAMESPACE].is_joined
            if is_joined and not isinstance(self._transport, PollingTransport):
                self._websocket = self._transport
            attempt.joined.set_result(None)

    # ------------------------------------------------------------------ what picows calls

    def on_ws_connected(self, transport: ws.WSTransport) -> None:
        """Keep the transport; the server's handshake comes next, or its answer to the probe."""
        attempt = self._attempt
        assert attempt is not None, "the listener is only given to an attempt that goes on"
        if attempt.probe is None:
            self._transport = transport
        else:
            attempt.probed = transport
            transport.send(_TEXT, protocol.PROBE)

    def on_ws_frame(self, transport: ws.WSTransport, frame: ws.WSFrame) -> None:
        """Decode one frame and act on it."""
        if transport is not self._transport:
            self._receive_probed(transport, frame)
            return
        self.received_ns = perf_counter_ns()
        if frame.msg_type is _TEXT and frame.fin and not self._is_partial:
            message = frame.get_payload_as_bytes()
            values = plain_event(message) if self._websocket is not None else None
            handler = self._handlers.get(values[0]) if values is not None else None
            if values is None or handler is None:
                self._receive(message)
                return
            try:
                if len(values) == 2:
                    handler(values[1])
                else:
                    handler(*values[1:])
            except BaseException as error:  # the user's code raised it, and picows would end the connection for it
                _report(f"the handler of {values[0]}", error)
        else:
            self._receive_frame(transport, frame)

    def pause_writing(self) -> None:
        """The server reads more slowly than it is sent to."""
        self._is_choked = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._is_choked = False

    def on_ws_disconnected(self, transport: ws.WSTransport) -> None:
        """Tell whoever waits that the connection is gone."""
        attempt = self._attempt
        if self._is_accused:
            task = asyncio.get_running_loop().create_task(_forget_error(transport))
            _forgetting.add(task)
            task.add_done_callback(_forgetting.discard)
        if self._transport is transport:
            self._end(RESET if self._reason == CLOSED and was_reset(transport.underlying_transport) else self._reason)
        elif attempt is not None and attempt.probed is transport:
            attempt.probed = None
            if attempt.probe is not None and not attempt.probe.done():
                attempt.probe.set_exception(ConnectFailed("the server closed the connection"))

    def on_impossible_frame(self, what: str) -> None:
        """picows found a frame that cannot be; it would go on for a moment, and deliver what comes next."""
        transport = self._transport
        self._is_accused = True
        if isinstance(transport, ws.WSTransport):
            self._end(impossible_frame(what, self._max_message_bytes))
            # Not at once: picows is about to tell the server.
            asyncio.get_running_loop().call_soon(transport.disconnect, False)

    def _receive_probed(self, transport: ws.WSTransport, frame: ws.WSFrame) -> None:
        """The first frame of a WebSocket to upgrade to; anything of a connection that has ended is dropped."""
        attempt = self._attempt
        if attempt is None or attempt.probed is not transport or attempt.probe is None or attempt.probe.done():
            return
        if frame.msg_type == _TEXT and frame.fin and frame.get_payload_as_bytes() == b"3probe":
            attempt.probe.set_result(None)
        else:
            attempt.probe.set_exception(ConnectFailed("the server did not answer the probe"))

    def _receive_frame(self, transport: ws.WSTransport, frame: ws.WSFrame) -> None:
        """Frames that are not a whole text message, or come while attachments are awaited."""
        kind = frame.msg_type
        if kind == ws.WSMsgType.CLOSE:
            code = int(frame.get_close_code())  # type: ignore[call-overload]  # an int for codes without a name
            said = one_line(frame.get_close_reason() or "")
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
            self._end(close_reason(code, said) if self._reason == CLOSED else self._reason)
        elif kind == ws.WSMsgType.PING:
            if self._is_read():
                transport.send_pong(frame.get_payload_as_bytes())
        elif kind != ws.WSMsgType.PONG:
            self._receive_data(kind, frame.get_payload_as_bytes(), frame.fin)

    def _receive_data(self, kind: ws.WSMsgType, payload: bytes, is_last: bool) -> None:
        if (kind == _CONTINUATION) != (self._fragments is not None):
            self._fail(broken("the server sent fragments of messages out of order"))
            return
        if self._fragments is not None:
            self._fragments += payload
            if len(self._fragments) > self._max_message_bytes:
                self._fail(too_large(self._max_message_bytes))
                return
            if not is_last:
                return
            kind, payload = self._fragments_kind, bytes(self._fragments)
            self._fragments = None
        elif not is_last:
            self._fragments, self._fragments_kind, self._is_partial = bytearray(payload), kind, True
            return
        self._is_partial = self._assembly is not None
        self._receive_message(kind == _BINARY, payload)

    # ------------------------------------------------------------------ what polling calls

    def on_polled(self, transport: PollingTransport, is_binary: bool, message: bytes) -> None:
        """A message that came by polling."""
        if transport is self._transport:
            self.received_ns = perf_counter_ns()
            self._receive_message(is_binary, message)

    def on_polling_ended(self, transport: PollingTransport, reason: str | None) -> None:
        """Tell whoever waits that the connection is gone."""
        if transport is self._transport:
            self._end(reason or self._reason)

    # ------------------------------------------------------------------ packets

    def _receive_message(self, is_binary: bool, message: bytes) -> None:
        """Any whole message."""
        assembly = self._assembly
        if not is_binary and assembly is None:
            self._receive(message)
        elif not is_binary:
            self._fail(broken(f"the server sent {one_line(assembly)}, then something else"))
        elif assembly is None:
            self._fail(broken("the server sent an attachment of nothing"))
        else:
            self._receive_attachment(assembly, message)

    def _receive(self, message: bytes) -> None:
        """A whole text message, while no attachments are awaited."""
        try:
            packet = protocol.decode(message)
        except protocol.ProtocolError as error:
            self._fail(broken(f"the server sent {error}"))
            return
        if self._websocket is not None:
            if type(packet) is protocol.Event and packet.namespace == protocol.DEFAULT_NAMESPACE:
                self._handle_event(packet, self._handlers)
                return
            if type(packet) is protocol.Ack and packet.namespace == protocol.DEFAULT_NAMESPACE:
                callback = self._callbacks.pop(packet.ack_id, None)
                if callback is not None:
                    try:
                        callback(*packet.arguments)
                    except BaseException as error:
                        _report("the handler of an acknowledgement", error)
                return
        self._receive_packet(packet)

    def _receive_packet(self, packet: protocol.Packet) -> None:
        """What is rare: anything but events and acknowledgements in the default namespace."""
        if self._opened is None and type(packet) is not protocol.Open:
            self._fail(broken("the server sent something before its handshake"))
        elif type(packet) is protocol.Ping:
            self._pinged_ns = self.received_ns
            self._is_overdue = False
            if self._is_read():
                self._send(_TEXT, protocol.PONG)
        elif type(packet) is protocol.Event:
            if (space := self._namespace(packet.namespace)) is not None:
                self._handle_event(packet, space.handlers)
        elif type(packet) is protocol.Ack:
            if (space := self._namespace(packet.namespace)) is not None:
                callback = space.callbacks.pop(packet.ack_id, None)
                if callback is not None:
                    self._run(callback, packet.arguments, "an acknowledgement")
        elif type(packet) is protocol.BinaryHeader:
            self._expect_attachments(packet)
        elif type(packet) is protocol.Open:
            self._open(packet)
        elif type(packet) is protocol.Connected:
            self._joined(packet)
        elif type(packet) is protocol.ConnectError:
            self._refused(packet)
        elif type(packet) is protocol.Disconnect:
            self._left(packet.namespace)
        elif type(packet) is protocol.Close:
            self._fail(CLOSED)

    def _namespace(self, name: str) -> _Namespace | None:
        """Where a packet belongs. A server may emit to a namespace before it says that it is joined."""
        space = self._namespaces.get(name)
        if space is None:
            self._fail(broken(f"the server sent a packet of {one_line(name)}, which was not asked for"))
        return space

    def _expect_attachments(self, header: protocol.BinaryHeader) -> None:
        try:
            self._assembly = protocol.Assembly(header)
        except protocol.ProtocolError as error:
            self._fail(broken(f"the server sent {error}"))
        else:
            self._is_partial = True

    def _receive_attachment(self, assembly: protocol.Assembly, attachment: bytes) -> None:
        if assembly.size_bytes + len(attachment) > self._max_message_bytes:
            self._fail(too_large(self._max_message_bytes))
            return
        packet = assembly.add(attachment)
        if packet is not None:
            self._assembly = None
            self._is_partial = False
            self._receive_packet(packet)

    def _refused(self, packet: protocol.ConnectError) -> None:
        where = "" if packet.namespace == protocol.DEFAULT_NAMESPACE else f" to {one_line(packet.namespace)}"
        reason = f"the server refused the connection{where}: {one_line(packet.message)}"
        self._fail(Reason("the server refused the connection", reason), packet.data)

    def _left(self, name: str) -> None:
        """The server has ended a namespace; with the last one, the connection ends."""
        space = self._namespaces.get(name)
        reason = "the server disconnected this client"
        others = any(other.is_joined for other in self._namespaces.values() if other is not space)
        if space is None or not space.is_joined or not others:
            self._fail(reason)
            return
        space.leave(reason)
        if name == protocol.DEFAULT_NAMESPACE:
            self._websocket = None
        if (handler := space.handlers.get("disconnect")) is not None:
            self._run(handler, (reason,), "disconnect")

    def _handle_event(self, event: protocol.Event, handlers: dict[str, Handler]) -> None:
        handler = handlers.get(event.name)
        values = event.arguments
        if handler is None:
            handler = handlers.get("*")
            values = (event.name, *values)
        result = None
        if handler is not None:
            try:
                result = handler(*values)
            except BaseException as error:  # the user's code raised it, and picows would end the connection for it
                _report(f"the handler of {event.name}", error)
        if event.ack_id is not None:
            self._acknowledge(event, event.ack_id, result)

    def _acknowledge(self, event: protocol.Event, ack_id: int, result: Any) -> None:
        values = arguments(result)
        try:
            try:
                messages = [protocol.encode_ack(ack_id, values, event.namespace)]
            except TypeError:
                messages = protocol.encode_binary_ack(ack_id, values, event.namespace)
            self._check_size(messages)
        except (TypeError, MessageTooLarge) as error:
            _report(f"the handler of {event.name}, asked for an acknowledgement,", error)
            return
        if self._is_read():
            self._send_all(messages)

    # ------------------------------------------------------------------ sending

    def _emit_anything(self, event: str, data: Any, namespace: str, callback: Handler | None) -> int:
        """An event with attachments, or to another namespace."""
        space = self._namespaces.get(namespace)
        if not self._is_established:
            raise Disconnected(self._reason)
        if space is None or not space.is_joined:
            raise Disconnected(f"{namespace} is not joined")
        ack_id = None if callback is None else self._last_ack_id + 1
        values = arguments(data)
        try:
            messages = [protocol.encode_event(event, values, ack_id, namespace)]
        except TypeError:
            messages = protocol.encode_binary_event(event, values, ack_id, namespace)
        self._check_size(messages)
        if callback is not None:
            self._last_ack_id += 1
            space.callbacks[self._last_ack_id] = callback
        sent_ns = perf_counter_ns()
        self._send_all(messages)
        return sent_ns

    def _is_read(self) -> bool:
        """Whether to answer a server: not if it asks without reading the answers, which ends the connection."""
        transport = self._transport
        if transport is None:
            return False
        if isinstance(transport, PollingTransport):
            unsent_bytes = transport.unsent_bytes
        elif self._is_choked:
            unsent_bytes = transport.underlying_transport.get_write_buffer_size()
        else:
            return True
        if unsent_bytes <= self._max_message_bytes:
            return True
        self._fail(f"the server does not read what it asks for, {self._max_message_bytes} bytes by now")
        return False

    def _send(self, kind: ws.WSMsgType, message: bytes) -> None:
        if self._transport is not None:
            self._transport.send(kind, message)

    def _send_all(self, messages: list[bytes]) -> None:
        """A text message and its attachments."""
        self._send(_TEXT, messages[0])
        for attachment in messages[1:]:
            self._send(_BINARY, attachment)

    def _check_size(self, messages: list[bytes]) -> None:
        """Raises MessageTooLarge if one of them is."""
        if len(messages[0]) > self._max_payload_bytes:
            raise self._too_large(len(messages[0]))
        for attachment in messages[1:]:
            size_bytes = len(attachment)
            if isinstance(self._transport, PollingTransport):
                size_bytes = protocol.payload_size_bytes(size_bytes)
            if size_bytes > self._max_payload_bytes:
                raise self._too_large(size_bytes)

    def _too_large(self, size_bytes: int) -> MessageTooLarge:
        message = f"{size_bytes} bytes; the server takes {self._max_payload_bytes} in one message"
        return MessageTooLarge(message, size_bytes, self._max_payload_bytes)

    # ------------------------------------------------------------------ the end

    def _check_heartbeat(self) -> None:
        opened = self._opened
        assert opened is not None, "the timer begins with the handshake and ends with the connection"
        limit_s = (opened.ping_interval_ms + opened.ping_timeout_ms) / 1e3
        left_s = limit_s - (perf_counter_ns() - self._pinged_ns) / 1e9
        if left_s <= 0:
            if self._is_overdue:
                self._fail(f"the server sent no heartbeat for {limit_s:g} s")
                return
            self._is_overdue = True
            left_s = _HEARTBEAT_GRACE_S
        self._heartbeat = asyncio.get_running_loop().call_later(left_s, self._check_heartbeat)

    def _fail(self, reason: str, data: Any = None) -> None:
        """End the connection for a reason that everybody who waits is told."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)
            self._end(reason, data)

    def _end(self, reason: str, data: Any = None) -> None:
        """The connection is gone: forget all of it, then tell whoever waits."""
        was_established, self._is_established = self._is_established, False
        if self._address is not None and self._address.secrets:
            reason = Reason(self._address.hide(kind_of(reason)), self._address.hide(reason))
        self._reason = reason
        self._is_partial = False
        self._transport = self._websocket = self._fragments = self._assembly = None
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None
        told = [space.handlers.get("disconnect") for space in self._namespaces.values() if space.is_joined]
        for space in self._namespaces.values():
            space.leave(reason)
        attempt = self._attempt
        if attempt is not None and not attempt.joined.done():
            attempt.joined.set_exception(ConnectFailed(reason, data))
        if not was_established:
            return
        for callback in self._closed_callbacks:
            self._run(callback, (reason,), "the end")
        for handler in told:
            if handler is not None:
                self._run(handler, (reason,), "disconnect")

    @staticmethod
    def _run(handler: Handler, values: tuple[Any, ...], what: str) -> None:
        try:
            handler(*values)
        except BaseException as error:  # the user's code raised it, and picows would end the connection for it
            _report(f"the handler of {what}", error)


class _PicowsLog:
    """What picows takes for its logger. Nothing is logged; but of a frame that cannot be, it tells nobody else."""

    __slots__ = ("_client",)

    def __init__(self, client: FastClient) -> None:
        self._client = client

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - a logger's
        """Nothing is logged."""
        return False

    def _drop(self, *_: Any, **__: Any) -> None:
        """Nothing is logged."""

    debug = info = log = warning = _drop

    def error(self, text: str, *values: Any, **_: Any) -> None:
        """Pass on what its parser found."""
        if text.startswith("WS parser"):
            what = values[0][-1] if values and isinstance(values[0], tuple) and values[0] else "it cannot be parsed"
            self._client.on_impossible_frame(one_line(what))

    exception = error


class _Attempt:
    """One run of `connect`: what it was asked for, and how far it has come."""

    def __init__(
        self,
        endpoint: Endpoint,
        connection: Connection,
        namespaces: list[str],
    ) -> None:
        self.url = endpoint.address.shown
        self.is_secret = endpoint.is_secret
        self.urls = endpoint.urls
        self.headers = endpoint.headers
        self.context = endpoint.context
        self.auth = connection.auth
        self.wait_timeout = connection.connect_timeout
        self.unjoined = namespaces
        """Namespaces that the server has not accepted yet."""
        self.joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_held = False
        """Whether the namespaces are joined later than at the handshake, because of an upgrade before."""
        self.probe: asyncio.Future[None] | None = None
        self.probed: ws.WSTransport | None = None
        """The WebSocket that may replace polling."""


def _forget(future: asyncio.Future[None]) -> None:
    """Nobody will ask for it: asyncio would complain of an exception that nobody has seen."""
    if not future.cancel() and not future.cancelled():
        future.exception()


_forgetting: set[asyncio.Task[None]] = set()


async def _forget_error(transport: ws.WSTransport) -> None:
    with contextlib.suppress(Exception):
        await transport.wait_disconnected()


def _report(what: str, error: BaseException) -> None:
    message = one_line(f"{what} raised {error!r}")
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})


def _handshake_reason(error: WSError) -> str:
    """What the server said, where it said something in HTTP."""
    response = getattr(error, "response", None)
    location = response.headers.get("Location") if response is not None else None
    if response is not None and location is not None and 300 <= int(response.status) < 400:
        return f"HTTP {int(response.status)}, a redirect to {one_line(location)}: give the URL where it really is"
    said = one_line((getattr(error, "raw_body", None) or b"")[:300].decode(errors="replace"))
    if response is None or not said:
        return one_line(error)
    return f"HTTP {int(response.status)}: {said}"
