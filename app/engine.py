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
from engineio.payload import Payload

# By default a polling request of more than 16 packets is dropped whole, and only the log hears of it: a client that
# emits 17 times in a row loses them all. The size of the request is limited already. (It holds for the process.)
Payload.max_decode_packets = sys.maxsize


class UnreadableFilter(logging.Filter):
    """Turns the traceback of a packet that cannot be read into the end of its line.

    A broken packet is its sender's mistake, and a client must not be able to fill the log with tracebacks. An exception
    that passed through this package is a mistake of ours and keeps its traceback.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, shortened where it is about an unreadable packet."""
        if record.exc_info and record.exc_info[1] is not None:
            error, trace = record.exc_info[1:]
            frames = traceback.walk_tb(trace)
            if not any(str(frame.f_globals.get("__name__")).startswith("app.") for frame, _ in frames):
                # the text may hold what the client sent: as a literal it stays on its line, and short
                reason = repr(f"{type(error).__name__}: {error}"[:200])
                record.msg, record.args, record.exc_info = f"{record.getMessage()}: {reason}", None, None
        return True


#: The log of python-socketio and python-engineio: errors only, as they do by default, under the service's own name.
logger = logging.getLogger("app.engine")
logger.setLevel(logging.ERROR)
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

    async def shutdown(self) -> None:
        """Disconnect every client that is left and end every background task."""
        for socket in list(self.sockets.values()):
            await socket.close(wait=False, abort=True, reason=self.reason.SERVER_DISCONNECT)
        self.sockets.clear()
        await super().shutdown()
        tasks = list(self._background)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.service_task_event = None
        self.service_task_handle = None
        self.start_service_task = True


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]
    """A Socket.IO server on an `EngineServer`."""

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer
