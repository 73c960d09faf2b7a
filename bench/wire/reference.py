"""The reference client: python-socketio's AsyncClient behind the project's interface.

It shows what a user of the Python client sees. `received_ns` is the moment at which python-socketio calls the handler.
So the client's own decoding and dispatching are part of the figure. Reconnecting and signals are left to the caller;
what python-socketio leaves behind where a connection fails, or its peer is silent, is ended here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from time import perf_counter_ns
from typing import Any, Unpack
from urllib.parse import urlsplit

import aiohttp
import socketio

from bench.wire.connection import Connection, ConnectKeywords, with_keywords
from bench.wire.endpoint import Endpoint, namespaces_of
from bench.wire.errors import CallTimeout, ConnectFailed, Disconnected, one_line, os_reason, with_tls_advice
from bench.wire.interface import Handler, acknowledged
from bench.wire.protocol import DEFAULT_NAMESPACE

_CLOSING_TIMEOUT_S = 1.0


class ReferenceClient:
    """A Socket.IO connection through python-socketio; see interface.Client for what its methods promise."""

    emits_now = False

    def __init__(self) -> None:
        self.received_ns = 0
        # By default it would take Ctrl-C from the loop that it runs in.
        self._client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        self._reason = "never connected"
        self._disconnect_handlers: dict[str, Handler] = {}
        self._closed_callbacks: list[Callable[[str], None]] = []
        #: The namespaces with handlers.
        self._handled: dict[str, None] = {}
        self._joined: set[str] = set()
        self._calls: dict[str, set[asyncio.Future[tuple[Any, ...]]]] = {}
        self._refusal: tuple[str, Any] = ("", None)

    @property
    def connected(self) -> bool:
        """Return whether events can be emitted now."""
        return bool(self._client.connected)

    async def connect(
        self, url: str, connection: Connection | None = None, **keywords: Unpack[ConnectKeywords]
    ) -> None:
        """Connect and join the namespaces; see interface.Client. Raises ConnectFailed.

        By polling, `max_message_bytes` has no effect: python-socketio takes answers of any size.
        """
        connection = with_keywords(connection, keywords)
        endpoint = Endpoint.of(url, connection)
        address, context = endpoint.address, endpoint.context
        wait_timeout = connection.connect_timeout
        asked = connection.namespaces if connection.namespaces is not None else tuple(self._handled) or ("/",)
        names = namespaces_of(asked)
        for name in names:
            self._client.on("disconnect", partial(self._closed, name), namespace=name)
            self._client.on("connect_error", partial(self._refused, name), namespace=name)
        # The client needs an HTTP session of its own, because python-engineio gives the headers to the first polling
        # request alone.
        self._client.eio.http = aiohttp.ClientSession(
            headers=endpoint.headers, connector=aiohttp.TCPConnector(ssl=True if context is None else context)
        )
        self._client.eio.websocket_extra_options = {"max_msg_size": connection.max_message_bytes}
        self._refusal = ("", None)
        connected = False
        try:
            async with asyncio.timeout(wait_timeout):
                await self._client.connect(
                    address.url,
                    headers=endpoint.headers,
                    auth=connection.auth,
                    transports=list(connection.transports),
                    namespaces=names,
                    socketio_path=f"{urlsplit(url).path}/{connection.socketio_path}",  # it ignores the path of the URL
                    wait_timeout=wait_timeout,
                )
            connected = True
        except TimeoutError:
            raise ConnectFailed(f"{address.shown} did not answer the handshake within {wait_timeout:g} s") from None
        except (socketio.exceptions.ConnectionError, aiohttp.ClientError, ValueError) as error:
            if self._client.failed_namespaces:
                said, data = self._refusal
                said = endpoint.secrets.hide(said)
                raise ConnectFailed(f"{address.shown}: the server refused the connection{said}", data) from None
            raise ConnectFailed(f"{address.shown}: {endpoint.secrets.hide(_reason(error))}") from None
        finally:
            if not connected:
                await self._release()
        self._reason = "the server closed the connection"
        self._joined = set(names)

    def on(self, event: str, handler: Handler, namespace: str | None = None) -> None:
        """Call `handler(*arguments)` for every such event; `disconnect` and `*` are special."""
        name = namespace or DEFAULT_NAMESPACE
        self._handled[name] = None
        if event == "disconnect":
            self._disconnect_handlers[name] = handler
        else:
            self._client.on(event, self._timed(handler), namespace=name)

    def off(self, event: str, namespace: str | None = None) -> None:
        """Call no handler for this event any more."""
        name = namespace or DEFAULT_NAMESPACE
        if event == "disconnect":
            self._disconnect_handlers.pop(name, None)
        else:
            self._client.handlers.get(name, {}).pop(event, None)

    def when_closed(self, callback: Callable[[str], None]) -> None:
        """Call `callback(reason)` when an established connection ends, whoever ended it."""
        self._closed_callbacks.append(callback)

    async def emit(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        """Emit an event; return when python-socketio got it (ns). Raises Disconnected."""
        timed = None if callback is None else self._timed(callback)
        sent_ns = perf_counter_ns()
        try:
            await self._client.emit(event, data, namespace=namespace, callback=timed)
        except socketio.exceptions.SocketIOError:
            raise Disconnected(self._reason) from None
        return sent_ns

    def emit_now(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        """Raise NotImplementedError: python-socketio waits when it emits."""
        raise NotImplementedError

    async def call(self, event: str, data: Any = None, *, namespace: str | None = None, timeout: float = 60.0) -> Any:
        """Emit an event and return its acknowledgement. Raises CallTimeout or Disconnected.

        python-socketio's own `call` would wait for the timeout where the connection is lost.
        """
        answer: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

        def resolve(*values: Any) -> None:
            if not answer.done():
                answer.set_result(values)

        calls = self._calls.setdefault(namespace or DEFAULT_NAMESPACE, set())
        calls.add(answer)
        try:
            await self.emit(event, data, namespace=namespace, callback=resolve)
            async with asyncio.timeout(timeout):
                return acknowledged(await answer)
        except TimeoutError:
            raise CallTimeout(f"{event} was not acknowledged within {timeout:g} s") from None
        finally:
            calls.discard(answer)

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

    def _refused(self, namespace: str, data: Any = None, *_: Any) -> None:
        where = "" if namespace == DEFAULT_NAMESPACE else f" to {namespace}"
        if isinstance(data, dict):
            self._refusal = (f"{where}: {one_line(data.get('message', data))}", data.get("data"))
        else:
            self._refusal = (f"{where}: {one_line(data)}", None)

    def _closed(self, namespace: str, reason: str = "", *_: Any) -> None:
        if self._reason != "disconnected by the client":
            self._reason = one_line(reason) or self._reason
        self._joined.discard(namespace)
        for answer in self._calls.get(namespace, ()):
            if not answer.done():
                answer.set_exception(Disconnected(self._reason))
        if not self._joined:
            for callback in self._closed_callbacks:
                callback(self._reason)
        if (handler := self._disconnect_handlers.get(namespace)) is not None:
            handler(self._reason)

    def _timed(self, handler: Handler) -> Handler:
        def handle(*values: Any) -> Any:
            self.received_ns = perf_counter_ns()
            return handler(*values)

        return handle


def _reason(error: BaseException) -> str:
    """Return the first cause of an error: python-socketio wraps it in errors that say less."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return with_tls_advice(os_reason(error) if isinstance(error, OSError) else one_line(error))
