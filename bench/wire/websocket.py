"""The WebSocket as a transport: frames from a socket that the poller watches, and messages of them.

Rules of this file: a frame becomes a message in the callback in which it was read. Over a WebSocket there is no task,
no queue and no lock. Frames that cannot be, or fragments out of order, end the transport.

Theory of the times. The kernel says with each read when it received the last segment of what it hands over. It merges
what waits on a connection. So the time is exact for a message that ends where the read ends, if the read left nothing
behind. A message in several segments has the time of its last. For the messages before it in the same read the time is
the latest possible. The earliest is when the connection was last read empty, or the time of what was received before.
Their distance is the greatest error. A segment gets its time a little before it comes to the socket, so "read empty"
counts from that much earlier.

Two things make a time that is said to be exact wrong, and nothing tells of them: an end of the connection that arrives
right behind a message, between the poller's look and the read; and segments that arrive out of order, of which a lost
one comes last.
"""

from __future__ import annotations

import asyncio
import ssl
from time import perf_counter_ns
from urllib.parse import urlsplit

from bench.wire.endpoint import Endpoint
from bench.wire.errors import (
    CLOSED,
    RESET,
    ConnectFailed,
    Reason,
    broken,
    close_reason,
    one_line,
    os_reason,
    tls_hint,
    tls_reason,
    too_large,
    unread,
    was_reset,
)
from bench.wire.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    LAST,
    NORMAL,
    PING,
    PONG,
    TEXT,
    ImpossibleFrame,
    closing,
)
from bench.wire.handshake import Handshake, RefusedHandshake
from bench.wire.opening import Opened, open_websocket
from bench.wire.poller import BUFFER_BYTES, Poller
from bench.wire.protocol import Binary, Message, Open
from bench.wire.sockets import BROKEN, ENDED, HUNG_UP, READABLE, WRITABLE, Buffer, Channel, is_for_later
from bench.wire.stamps import ReceivedClock, StampClock, received_clock
from bench.wire.tls_session import TlsSession
from bench.wire.transport import NOBODY, Listener

#: The time from where a segment gets its time to its socket, in nanoseconds: no longer, unless the machine is choked.
_PASSAGE_NS = 50_000

#: The size from which a frame is put together outside the buffer.
_LONG_BYTES = 1 << 15

#: The size of the parts in which decrypted bytes go through a buffer. With what is kept they always fit in.
_PART_BYTES = 1 << 14

#: The most that is sent at a time of what waits, in bytes.
_SENT_AT_ONCE_BYTES = 1 << 18

# As numbers of C where this is compiled.
_TEXT = TEXT
_ENDED = ENDED
_TEXT_FRAME = LAST | TEXT
_BINARY_FRAME = LAST | BINARY
_CLOSE_FRAME = LAST | CLOSE
_PONG_FRAME = LAST | PONG


class WebSocketTransport(Channel):
    """A WebSocket to `url`, with the headers and the TLS of `endpoint`; see Transport.

    It is a channel of the poller itself: on the hot path there is no object between the socket and the client.
    """

    is_text_only = False

    # An object of its own for the attributes would lie on another page: with many connections that costs time.
    __slots__ = (
        "_clock",
        "_emptied_ns",
        "_endpoint",
        "_fragments",
        "_fragments_kind",
        "_is_closing",
        "_is_quick",
        "_is_reading",
        "_listener",
        "_long",
        "_long_is_last",
        "_long_kind",
        "_long_left_bytes",
        "_max_message_bytes",
        "_poller",
        "_pongs",
        "_received_ns",
        "_released",
        "_rest",
        "_tls",
        "_unsent",
        "_url",
    )

    def __init__(self, listener: Listener, endpoint: Endpoint, url: str, max_message_bytes: int) -> None:
        super().__init__()
        self._listener = listener
        self._endpoint = endpoint
        self._url = url
        self._max_message_bytes = max_message_bytes
        self._poller: Poller | None = None
        self._tls: TlsSession | None = None
        self._clock: StampClock | None = None
        #: From when on the messages of the next read were received: when the connection was last read empty, and when
        #: what was read last was received.
        self._emptied_ns = 0
        self._received_ns = 0
        #: Of a frame that came in part.
        self._rest: bytes | None = None
        #: The payload of a frame that does not fit into the buffer, as far as it has come.
        self._long: bytearray | None = None
        self._long_kind = TEXT
        self._long_is_last = True
        self._long_left_bytes = 0
        #: Of a message that came in part.
        self._fragments: bytearray | None = None
        self._fragments_kind = TEXT
        #: The answers to the pings of a read, which leave together; None: nothing. A flood of pings would fill the
        #: system's buffers with packets of ten bytes each, which slows down both ends for a long time.
        self._pongs: bytearray | None = None
        #: What the system does not take yet; None: nothing.
        self._unsent: bytearray | None = None
        #: Whether a frame can be given to the system as it is, at once.
        self._is_quick = False
        #: Whether the messages of a read are being handed over.
        self._is_reading = False
        #: Whether nothing more is read, and the end comes when all is sent.
        self._is_closing = False
        #: The future of those that wait for the end.
        self._released: asyncio.Future[None] | None = None

    def set_listener(self, listener: Listener) -> None:
        """Have another listener hear of what comes from now on."""
        self._listener = listener

    @property
    def received_clock(self) -> ReceivedClock:
        """Return the clock by which messages are received; before it is open: by which they would be."""
        if self.descriptor < 0:
            return received_clock()
        return "process" if self._clock is None else "kernel"

    async def open(self) -> None:
        """Connect to the server; see Transport. The handshake's limit is the caller's."""
        shown, context = self._endpoint.address.shown, self._endpoint.context
        try:
            handshake = Handshake(self._url, self._endpoint.headers)
            opened = await open_websocket(self._url, handshake, context)
        except RefusedHandshake as refused:
            raise ConnectFailed(f"{shown} is no Socket.IO server: {refused.reason}") from None
        except EOFError:
            hint = f"{tls_hint(context is not None)}; so does a server that has nothing at {urlsplit(self._url).path}"
            raise ConnectFailed(
                f"{shown} is no Socket.IO server: it closed the connection without an answer{hint}"
            ) from None
        except ssl.SSLError as error:
            raise ConnectFailed(f"{shown}: {os_reason(error)}") from None
        except TimeoutError:
            raise
        except OSError as error:
            hint = tls_hint(context is not None) if isinstance(error, ConnectionResetError) else ""
            raise ConnectFailed(f"{shown} cannot be reached: {os_reason(error)}{hint}") from None
        except ValueError as error:  # of what no URL may contain
            raise ConnectFailed(f"{shown} is no Socket.IO server: {one_line(error)}") from None
        self.begin(opened)

    def opened(self, handshake: Open) -> None:
        """Take note of the server's handshake. A WebSocket needs nothing from it."""

    def send(self, messages: tuple[Message, ...]) -> int:
        """Send all of these messages, in this order, without waiting; returns when (ns)."""
        if self.descriptor < 0 or self._is_closing:
            return perf_counter_ns()
        assert self._poller is not None, "it is open"
        masker = self._poller.masker
        return self._write(
            b"".join(
                [
                    masker.frame(_TEXT_FRAME, message)
                    if isinstance(message, bytes)
                    else masker.frame(_BINARY_FRAME, message.data)
                    for message in messages
                ]
            )
        )

    def send_text(self, message: bytes) -> int:
        """Send a text message over a connection that is there; returns when (ns). This is the load's hot path.

        The time is taken right before the system is asked to send, or when the message joined what waits to be sent.
        """
        if not self._is_quick:
            return self.send((message,))
        frame = self._poller.masker.frame(_TEXT_FRAME, message)  # type: ignore[union-attr]  # to ask would cost
        sent = self.send_now(frame)
        if sent != len(frame):
            self._keep(frame, sent)
        return self.sent_ns

    @property
    def unsent_bytes(self) -> int:
        """Return how many bytes wait because the server does not read them."""
        return 0 if self._unsent is None else len(self._unsent)

    def read_now(self) -> None:
        """Take what waits on the socket, without waiting. Inside the handling of what was read it does nothing."""
        if self.descriptor >= 0 and not self._is_reading and not self._is_closing:
            assert self._poller is not None, "it is open"
            self._poller.buffer.note_time()
            self._read(READABLE)

    def close(self) -> None:
        """Send a close frame, and end."""
        if self.descriptor >= 0 and not self._is_closing:
            self._say_goodbye(NORMAL)
            self._end_when_sent()

    def abort(self) -> None:
        """End the connection at once; the listener hears nothing more."""
        self._listener = NOBODY
        self._release()

    async def wait_closed(self) -> None:
        """Return once the connection is gone."""
        if self.descriptor < 0:
            return
        if self._released is None:
            self._released = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._released)

    # ------------------------------------------------------------------ reading

    def begin(self, opened: Opened) -> None:
        """Speak in frames from now on, beginning with what has come already."""
        if self._listener is NOBODY:  # nobody waits for it any longer
            opened.connection.close()
            return
        self._poller = poller = Poller.of(asyncio.get_running_loop())
        clock = poller.clock if opened.is_stamped else None
        self.take(opened.connection, clock is not None)
        self._clock = clock
        self._tls = opened.tls
        self._is_quick = opened.tls is None
        self._emptied_ns = self._received_ns = perf_counter_ns()
        poller.watch(self)
        if opened.rest:
            self._is_reading = True
            try:
                self._take_decrypted(opened.rest, self._emptied_ns, self._emptied_ns, -1, False)
            finally:
                self._is_reading = False

    def ready(self, events: int) -> None:
        """Read and write what can be. The poller calls this, and the loop where there is no poller."""
        if events & WRITABLE:
            self._send_unsent()
            if events == WRITABLE:
                return
        if self._is_closing:
            if events & (BROKEN | HUNG_UP):
                self._finish()
        elif self.descriptor >= 0 and not self._is_reading:
            self._read(events)

    def _read(self, events: int) -> None:
        """Read once, and hand over what that makes whole. This is the hot path."""
        poller = self._poller
        assert poller is not None, "it is open"
        free_buffers = poller.free_buffers
        buffer = free_buffers.pop() if free_buffers else Buffer(BUFFER_BYTES)  # in use: a read has led to this read
        self._is_reading = True
        try:
            at = 0
            if self._rest is not None and self._tls is None:
                at = len(self._rest)
                buffer.put(self._rest, 0)
            began_ns = poller.buffer.read_ns
            size = self.receive(buffer, at)
            if size <= 0:
                self._cannot_read(size)
                return
            size += at
            received_ns = read_ns = buffer.read_ns
            error_ns = -1
            is_exact = False
            if self._clock is not None:
                stamp_ns = self._clock.converted(buffer.stamp_ns, self._received_ns, read_ns)
                is_empty = size < buffer.size
                if stamp_ns:
                    earliest_ns = self._emptied_ns if self._emptied_ns > self._received_ns else self._received_ns
                    error_ns = stamp_ns - earliest_ns if stamp_ns > earliest_ns else 1
                    received_ns = self._received_ns = stamp_ns
                    is_exact = is_empty and not events & _ENDED
                if is_empty:
                    self._emptied_ns = began_ns - _PASSAGE_NS
            if self._tls is not None:
                self._take_encrypted(buffer.cut(0, size), received_ns, read_ns, error_ns, is_exact)
                return
            self._rest = None
            data = buffer.data
            if (
                size < 128
                and data[0] == _TEXT_FRAME
                and data[1] + 2 == size <= self._max_message_bytes
                and self._long is None
                and self._fragments is None
            ):
                # The usual: a short text, alone. In plain Python the way through `_take` costs twice as much.
                listener = self._listener
                if self._clock is not None:
                    listener.read_ns = read_ns
                    listener.error_ns = 0 if is_exact else error_ns
                listener.receive(buffer.cut(2, size), received_ns)
            else:
                self._take(buffer, size, received_ns, read_ns, error_ns, is_exact)
        finally:
            self._is_reading = False
            free_buffers.append(buffer)

    def _take(self, buffer: Buffer, size: int, received_ns: int, read_ns: int, error_ns: int, is_exact: bool) -> None:
        """Hand over the frames in the buffer, and keep the rest. This is the hot path.

        `error_ns` is the greatest error of the time, but for the last message if `is_exact`; -1: there is no stamp.
        """
        at = 0
        is_stamped = self._clock is not None
        head = self._poller.head  # type: ignore[union-attr]  # it is open
        try:
            while self.descriptor >= 0 and not self._is_closing:
                if self._long is not None:
                    at = min(self._long_left_bytes, size)
                    self._long += buffer.cut(0, at)
                    self._long_left_bytes -= at
                    if self._long_left_bytes:
                        return
                    message, self._long = bytes(self._long), None
                    kind, is_last = self._long_kind, self._long_is_last
                elif head.find(buffer.data, at, size, self._max_message_bytes):
                    kind, is_last = head.kind, head.is_last
                    if head.end > size:
                        if head.end - at > _LONG_BYTES:
                            self._long = bytearray(buffer.cut(head.begin, size))
                            self._long_left_bytes = head.end - size
                            self._long_kind, self._long_is_last = kind, is_last
                            at = size
                        return
                    message = buffer.cut(head.begin, head.end)
                    at = head.end
                else:
                    return
                listener = self._listener
                if is_stamped:
                    listener.read_ns = read_ns
                    listener.error_ns = 0 if is_exact and at == size else error_ns
                if kind == _TEXT and is_last and self._fragments is None:
                    listener.receive(message, received_ns)
                else:
                    self._take_unusual(kind, message, is_last, received_ns)
        except ImpossibleFrame as impossible:
            at = size
            self._say_goodbye(impossible.code)
            self._release()
            self._end(impossible.reason)
        finally:
            if at < size and self.descriptor >= 0:
                self._rest = buffer.cut(at, size)
            if self._pongs is not None:
                self._send_pongs()

    def _take_unusual(self, kind: int, payload: bytes, is_last: bool, received_ns: int) -> None:
        """Take a frame that is not a whole text message. Raises ImpossibleFrame."""
        if kind == CLOSE:
            code, said = closing(payload)
            self._say_goodbye(NORMAL)
            self._end_when_sent()
            self._end(close_reason(code, one_line(said)))
        elif kind == PING:
            if self._pongs is None:
                self._pongs = bytearray()
            if self.unsent_bytes + len(self._pongs) > self._max_message_bytes:
                self._break(unread(self._max_message_bytes))
            else:
                self._pongs += self._frame(_PONG_FRAME, payload)
        elif kind != PONG:
            self._take_data(kind, payload, is_last, received_ns)

    def _take_data(self, kind: int, payload: bytes, is_last: bool, received_ns: int) -> None:
        if (kind == CONTINUATION) != (self._fragments is not None):
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
        self._listener.receive(Binary(payload) if kind == BINARY else payload, received_ns)

    def _take_encrypted(self, data: bytes, received_ns: int, read_ns: int, error_ns: int, is_exact: bool) -> None:
        """Hand over the frames in what TLS decrypts this to."""
        tls = self._tls
        assert tls is not None, "there are encrypted bytes"
        try:
            for part, is_at_end in tls.decrypted(data):
                self._take_decrypted(part, received_ns, read_ns, error_ns, is_exact and is_at_end)
                if self.descriptor < 0:
                    return
        except ssl.SSLError as error:
            self._release()
            self._end(Reason("TLS failed", tls_reason(error)))
            return
        if answer := tls.to_send():
            self._write_as_it_is(answer)
        if tls.is_over:
            self._cannot_read(0)

    def _take_decrypted(self, data: bytes, received_ns: int, read_ns: int, error_ns: int, is_exact: bool) -> None:
        """Hand over the frames in these bytes, which came after those that are kept."""
        poller = self._poller
        assert poller is not None, "it is open"
        for begin in range(0, len(data), _PART_BYTES):
            buffer = poller.free_buffers.pop() if poller.free_buffers else Buffer(BUFFER_BYTES)
            try:
                part = data[begin : begin + _PART_BYTES]
                rest, self._rest = self._rest or b"", None
                buffer.put(rest, 0)
                buffer.put(part, len(rest))
                is_last = begin + _PART_BYTES >= len(data)
                self._take(buffer, len(rest) + len(part), received_ns, read_ns, error_ns, is_exact and is_last)
            finally:
                poller.free_buffers.append(buffer)

    def _cannot_read(self, code: int) -> None:
        """End if nothing more can ever be read, as `receive` said by this code."""
        if code < 0 and is_for_later(code):
            return
        reason = RESET if was_reset(self._socket) else CLOSED
        self._release()
        self._end(reason)

    # ------------------------------------------------------------------ writing

    def _frame(self, first: int, payload: bytes) -> bytes:
        assert self._poller is not None, "it is open"
        return self._poller.masker.frame(first, payload)

    def _write(self, data: bytes) -> int:
        """Send these frames, or keep them to be sent; returns when (ns)."""
        if self._tls is not None:
            try:
                data = self._tls.encrypted(data)
            except ssl.SSLError:  # what is read tells of it
                return perf_counter_ns()
        return self._write_as_it_is(data)

    def _write_as_it_is(self, data: bytes) -> int:
        if self._unsent is not None:
            self._unsent += data
            return perf_counter_ns()
        sent = self.send_now(data)
        if sent != len(data):
            self._keep(data, sent)
        return self.sent_ns

    def _keep(self, data: bytes, sent: int) -> None:
        """Keep what could not be sent, as `send_now` said. Where nothing can be, what is read tells of it."""
        if sent < 0 and not is_for_later(sent):
            return
        self._unsent = bytearray(data[max(sent, 0) :])
        self._is_quick = False
        assert self._poller is not None, "it is open"
        self._poller.watch_for(self, not self._is_closing, True)

    def _send_unsent(self) -> None:
        """Send what the system takes by now of what waits."""
        unsent = self._unsent
        if unsent is None:
            return
        sent = self.send_now(bytes(unsent[:_SENT_AT_ONCE_BYTES]))
        if sent < 0:
            if is_for_later(sent):
                return
            sent = len(unsent)  # the other end is gone, as what is read tells
        del unsent[:sent]
        if unsent:
            return
        self._unsent = None
        if self._is_closing:
            self._finish()
            return
        self._is_quick = self._tls is None
        assert self._poller is not None, "it is open"
        self._poller.watch_for(self, True, False)

    # ------------------------------------------------------------------ the end

    def _send_pongs(self) -> None:
        """Send the answers to the pings that have come."""
        pongs, self._pongs = self._pongs, None
        if pongs and self.descriptor >= 0 and not self._is_closing:
            self._write(bytes(pongs))

    def _say_goodbye(self, code: int) -> None:
        self._send_pongs()
        self._write(self._frame(_CLOSE_FRAME, code.to_bytes(2, "big")))
        if self._tls is not None and (goodbye := self._tls.goodbye()):
            self._write_as_it_is(goodbye)

    def _end_when_sent(self) -> None:
        """Read nothing more, and end when the system has taken all that waits."""
        self._is_closing = True
        self._is_quick = False
        assert self._poller is not None, "it is open"
        self._poller.watch_for(self, False, self._unsent is not None)
        if self._unsent is None:
            asyncio.get_running_loop().call_soon(self._finish)

    def _finish(self) -> None:
        """End, now that all is sent or nothing can be."""
        if self.descriptor >= 0:
            self._cannot_read(0)

    def _release(self) -> None:
        """Give back all that the connection has."""
        if self.descriptor < 0:
            return
        assert self._poller is not None, "it is open"
        self._poller.forget(self)
        self.release()
        self._is_quick = False
        self._rest = self._long = self._fragments = self._pongs = self._unsent = self._tls = None
        if self._released is not None and not self._released.done():
            self._released.set_result(None)

    def _break(self, reason: str) -> None:
        """End because of what the server does."""
        listener = self._listener
        self.abort()
        listener.ended(reason)

    def _end(self, reason: str) -> None:
        """Tell the listener of the end, once."""
        listener, self._listener = self._listener, NOBODY
        listener.ended(reason)
