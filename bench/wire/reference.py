"""ReferenceClient: python-socketio's AsyncClient behind the project's interface.

It shows what a user of the Python client sees: `received_ns` is the moment at which python-socketio calls the handler,
so the client's own decoding and dispatching are part of the figure. Reconnecting and signals are left to the caller;
what python-socketio leaves behind where a connection fails, or its peer is silent, is ended here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter_ns
from typing import Any

import socketio

from bench.wire.interface import CallTimeout, ConnectFailed, Disconnected, Handler, Transport

_CLOSING_TIMEOUT_S = 1.0


class ReferenceClient:
    """A Socket.IO connection through python-socketio; see interface.Client for what its methods promise."""

    def __init__(self) -> None:
        self.received_ns = 0
        # By default it would take Ctrl-C from the loop that it runs in.
        self._client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        self._reason = "never connected"
        self._disconnect_handler: Handler | None = None
        self._closed_callbacks: list[Callable[[str], None]] = []
        self._refusal: str | None = None
        self._client.on("disconnect", self._closed)
        self._client.on("connect_error", self._refused)

    @property
    def connected(self) -> bool:
        """Whether events can be emitted now."""
        return bool(self._client.connected)

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
        """Connect over the first transport that works, as python-socketio does. Raises ConnectFailed."""
        self._refusal = None
        connected = False
        try:
            async with asyncio.timeout(wait_timeout):
                await self._client.connect(
                    url,
                    headers=dict(headers or {}),
                    auth=auth,
                    transports=list(transports),
                    socketio_path=socketio_path,
                    wait_timeout=wait_timeout,
                )
            connected = True
        except TimeoutError:
            raise ConnectFailed(f"{url} did not answer the handshake within {wait_timeout:g} s") from None
        except (socketio.exceptions.ConnectionError, ValueError) as error:
            if self._client.failed_namespaces:
                raise ConnectFailed(f"{url}: the server refused the connection: {self._refusal}") from None
            raise ConnectFailed(f"{url}: {_reason(error)}") from None
        finally:
            if not connected:
                await self._release()
        self._reason = "the server closed the connection"

    def on(self, event: str, handler: Handler) -> None:
        """Call `handler(*arguments)` for every such event; `disconnect` and `*` are special."""
        if event == "disconnect":
            self._disconnect_handler = handler
        else:
            self._client.on(event, self._timed(handler))

    def when_closed(self, callback: Callable[[str], None]) -> None:
        """Call `callback(reason)` when an established connection ends, whoever ended it."""
        self._closed_callbacks.append(callback)

    async def emit(self, event: str, data: Any = None, *, callback: Handler | None = None) -> int:
        """Emit an event; returns when it was handed to python-socketio (ns). Raises Disconnected."""
        sent_ns = perf_counter_ns()
        try:
            await self._client.emit(event, data, callback=None if callback is None else self._timed(callback))
        except socketio.exceptions.SocketIOError:
            raise Disconnected(self._reason) from None
        return sent_ns

    async def call(self, event: str, data: Any = None, *, timeout: float = 60.0) -> Any:
        """Emit an event and return its acknowledgement. Raises CallTimeout or Disconnected."""
        try:
            return await self._client.call(event, data, timeout=timeout)
        except socketio.exceptions.TimeoutError:
            raise CallTimeout(f"{event} was not acknowledged within {timeout:g} s") from None
        except socketio.exceptions.SocketIOError:
            raise Disconnected(self._reason) from None

    async def disconnect(self) -> None:
        """Close the connection. Does nothing where there is none."""
        self._reason = "disconnected by the client"
        engine = self._client.eio
        closing = asyncio.create_task(self._client.shutdown())
        # Where it polls, it would wait for the answer to the open request, which the server gives in its own time. By
        # then all that was to be sent is sent.
        last = engine.write_loop_task if engine.transport() == "polling" else None
        try:
            await asyncio.wait({last or closing}, timeout=_CLOSING_TIMEOUT_S)
        finally:
            await self._release(closing)

    async def _release(self, *tasks: asyncio.Task[Any]) -> None:
        """End these tasks and python-socketio's, and close the sockets that it would keep."""
        engine = self._client.eio
        ending = [task for task in (*tasks, engine.read_loop_task, engine.write_loop_task) if task is not None]
        for task in ending:
            task.cancel()
        if engine.http is not None:
            await engine.http.close()
        await asyncio.gather(*ending, return_exceptions=True)

    def _refused(self, data: Any = None, *_: Any) -> None:
        self._refusal = str(data.get("message", data) if isinstance(data, dict) else data)

    def _closed(self, reason: str = "", *_: Any) -> None:
        if self._reason != "disconnected by the client":
            self._reason = reason or self._reason
        for callback in self._closed_callbacks:
            callback(self._reason)
        if self._disconnect_handler is not None:
            self._disconnect_handler(self._reason)

    def _timed(self, handler: Handler) -> Handler:
        def handle(*values: Any) -> Any:
            self.received_ns = perf_counter_ns()
            return handler(*values)

        return handle


def _reason(error: BaseException) -> str:
    """What went wrong first: python-socketio wraps it in errors that say less."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return " ".join(str(error).split()) or type(error).__name__
