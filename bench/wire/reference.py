"""ReferenceClient: python-socketio's AsyncClient behind the project's interface.

It shows what a user of the Python client sees: `received_ns` is the moment at which python-socketio calls the handler,
so the client's own decoding and dispatching are part of the figure. Reconnecting is left to the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter_ns
from typing import Any

import socketio

from bench.wire.interface import CallTimeout, ConnectFailed, Disconnected, Handler, Transport


class ReferenceClient:
    """A Socket.IO connection through python-socketio; see interface.Client for what its methods promise."""

    def __init__(self) -> None:
        self.received_ns = 0
        self._client = socketio.AsyncClient(reconnection=False)
        self._reason = "never connected"
        self._disconnect_handler: Handler | None = None
        self._closed_callbacks: list[Callable[[str], None]] = []
        self._client.on("disconnect", self._closed)

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
        except (socketio.exceptions.ConnectionError, TimeoutError, ValueError) as error:
            reason = str(error) or f"no answer to the handshake within {wait_timeout:g} s"
            await self._client.shutdown()
            raise ConnectFailed(f"{url}: {reason}") from None
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
        await self._client.shutdown()
        await self._client.eio.wait()

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
