"""python-socketio's server as an ASGI app needs it: it ends what it started, and says in one line what it cannot read.

Rules: nothing of FOO and BAR in here, and no second way to send or receive; only what python-socketio and
python-engineio leave undone.
"""

import asyncio
import logging
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

import engineio
import socketio
from engineio import packet
from engineio.payload import Payload

from app.logs import BoundedFilter

# By default a polling request of more than 16 packets is dropped whole, and only the log hears of it. A client that
# emits 17 times in a row loses them all. The size of the request is limited already. (The setting is that of the
# process.)
Payload.max_decode_packets = sys.maxsize

#: Packets of one client that cannot be read. No client library sends any; more of them end its connection.
MAX_UNREADABLE_PACKETS = 16

# The cost of a pending attachment in addition to its bytes, so that empty attachments count as well.
_ATTACHMENT_BYTES = 64


class UnreadableFilter(logging.Filter):
    """A filter that turns the traceback of a packet that cannot be read into the end of its line.

    A broken packet is its sender's mistake, and a client must not be able to fill the log with tracebacks. An exception
    that passed through what is done with a packet, the rest of this package, is a mistake of ours and keeps its own.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, shortened where it is about an unreadable packet."""
        if record.exc_info and record.exc_info[1] is not None:
            error, trace = record.exc_info[1:]
            modules = {frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(trace)} - {__name__}
            if not any(module.startswith("app.") for module in modules):
                record.msg, record.args, record.exc_info = f"{record.getMessage()}: {_reason(error)}", None, None
        return True


def _reason(error: BaseException) -> str:
    """Return the error's text as a literal. The text may contain what a client sent; it stays short and on its line."""
    return repr(f"{type(error).__name__}: {error}"[:200])


#: The log of python-socketio and python-engineio: errors only, as they do by default, under the service's own name.
logger = logging.getLogger("app.socketio_server")
logger.setLevel(logging.ERROR)
logger.addFilter(BoundedFilter())
logger.addFilter(UnreadableFilter())


class EngineServer(engineio.AsyncServer):  # type: ignore[misc]
    """An Engine.IO server that, once shut down, has no client and no task left, and may be started again.

    python-engineio leaves one sleeping task for the next heartbeat of each connection, keeps polling clients, and
    neither monitors nor shuts down cleanly a second time.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._background: set[asyncio.Task[Any]] = set()

    def start_background_task(
        self, target: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kwargs: Any
    ) -> asyncio.Task[Any]:
        """Start `target(*args, **kwargs)` as a task that `shutdown` ends."""
        task = asyncio.create_task(target(*args, **kwargs))
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def disconnect(self, sid: str | None = None) -> None:
        """Disconnect this client, or all clients, without waiting until they know.

        python-engineio waits, for ever if a polling client does not come back, and an oversized request with it.
        """
        for each in [sid] if sid is not None else list(self.sockets):
            socket = self.sockets.get(each)
            if socket is not None:
                await socket.close(wait=False, reason=self.reason.SERVER_DISCONNECT)
                self.sockets.pop(each, None)

    async def shutdown(self) -> None:
        """Disconnect every client that is left and end every background task."""
        await self.disconnect()
        await super().shutdown()
        tasks = list(self._background)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.service_task_event = None
        self.service_task_handle = None
        self.start_service_task = True


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]
    """A Socket.IO server on an `EngineServer` that is done with a client as soon as the client's connection ends.

    It disconnects a client that sends too much of a message that is not whole, or too much that cannot be read.
    """

    def __init__(self, *, max_http_buffer_size: int, **options: Any) -> None:
        super().__init__(max_http_buffer_size=max_http_buffer_size, **options)
        self._max_message_bytes = max_http_buffer_size
        self._unreadable: dict[str, int] = {}

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer

    async def handle_request(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve an ASGI request; a WebSocket that sends what is no Engine.IO packet is closed.

        python-engineio would let that escape as an exception, and take the client for connected until it misses a
        heartbeat.
        """
        try:
            await super().handle_request(scope, receive, send)
        except ValueError as error:
            if scope["type"] != "websocket":
                raise
            logger.error("closed a connection that does not speak Engine.IO: %s", _reason(error))
            for eio_sid, environ in list(self.environ.items()):
                if environ.get("asgi.scope") is scope:
                    await self.eio.disconnect(eio_sid)
            await send({"type": "websocket.close", "code": 1007})

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        if eio_sid not in self.environ:
            return  # disconnected, with the rest of a polling request still to come
        try:
            await super()._handle_eio_message(eio_sid, data)
        except Exception:
            # python-socketio would take every later message of this client for an attachment of the broken one
            self._binary_packet.pop(eio_sid, None)
            await self._count_unreadable(eio_sid)
            raise
        if self._binary_packet and eio_sid in self._binary_packet:
            await self._bound_attachments(eio_sid, len(data))

    async def _bound_attachments(self, eio_sid: str, size_bytes: int) -> None:
        """Apply the limit of a message to an event with its attachments, which arrive separately."""
        pending = self._binary_packet[eio_sid]
        pending.size_bytes = getattr(pending, "size_bytes", 0) + size_bytes + _ATTACHMENT_BYTES
        if pending.size_bytes > self._max_message_bytes:
            limit = self._max_message_bytes
            logger.error("disconnected client %s: an event with attachments of more than %d bytes", eio_sid, limit)
            await self._hang_up(eio_sid)

    async def _count_unreadable(self, eio_sid: str) -> None:
        self._unreadable[eio_sid] = unreadable = self._unreadable.get(eio_sid, 0) + 1
        if unreadable >= MAX_UNREADABLE_PACKETS:
            logger.error("disconnected client %s: it sent %d packets that cannot be read", eio_sid, unreadable)
            await self._hang_up(eio_sid)

    async def _hang_up(self, eio_sid: str) -> None:
        """Disconnect a client, and close its WebSocket, which python-engineio would go on to read."""
        socket = self.eio.sockets.get(eio_sid)
        await self.eio.disconnect(eio_sid)
        if socket is not None and socket.upgraded:
            await socket.queue.put(None)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        await super()._handle_eio_disconnect(eio_sid, reason)
        self._unreadable.pop(eio_sid, None)
        self._binary_packet.pop(eio_sid, None)
        # python-engineio keeps the open request of a polling client that leaves for up to 45 seconds. python-socketio's
        # client waits for it: to disconnect, and to say that it was refused.
        socket = self.eio.sockets.get(eio_sid)
        if socket is not None and not socket.upgraded:
            await socket.queue.put(packet.Packet(packet.NOOP))
