"""The reference client: python-socketio's AsyncClient behind the project's interface.

It shows what a user of the Python client sees. `received_ns` is the moment at which python-socketio calls the handler.
So the client's own decoding and dispatching are part of the figure. Reconnecting and signals are left to the caller;
what python-socketio leaves behind where a connection fails, or its peer is silent, is ended here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter_ns
from typing import Any, Unpack
from urllib.parse import urlsplit

import aiohttp
import socketio

from bench.wire.connection import Connection, ConnectKeywords, with_keywords
from bench.wire.endpoint import Endpoint, with_query
from bench.wire.errors import (
    CallTimeout,
    ConnectFailed,
    Disconnected,
    no_handshake,
    no_join,
    one_line,
    os_reason,
    refusal,
    refused,
    unready,
    with_tls_advice,
    without_secrets,
)
from bench.wire.handlers import is_asynchronous
from bench.wire.http_answers import http_reason
from bench.wire.interface import Handler, acknowledged
from bench.wire.protocol import DEFAULT_NAMESPACE, said_of
from bench.wire.stamps import ReceivedClock

_CLOSING_TIMEOUT_S = 1.0

#: The time that python-socketio gets to give up after the last refusal, in seconds.
_REFUSED_S = 0.1


class ReferenceClient:
    """A Socket.IO connection through python-socketio; see interface.Client for what its methods promise."""

    emits_now = False
    received_clock: ReceivedClock = "process"

    def __init__(self) -> None:
        self.received_ns = 0
        self.not_upgraded = ""
        # By default it would take Ctrl-C from the loop that it runs in.
        self._client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        self._reason = "never connected"
        self._disconnect_handlers: dict[str, Handler] = {}
        #: Each with its namespace, if it is also to be called when that is left.
        self._closed_callbacks: list[tuple[str | None, Callable[[str], None]]] = []
        #: The namespaces with handlers.
        self._handled: dict[str, None] = {}
        self._joined: set[str] = set()
        self._calls: dict[str, set[asyncio.Future[tuple[Any, ...]]]] = {}
        #: The limit of the attempt to connect.
        self._limit = asyncio.Timeout(None)
        self._refusals: list[str] = []
        self._refusal_data: Any = None
        #: The `disconnect` handlers that are `async def` and have not returned yet.
        self._handler_tasks: set[asyncio.Task[Any]] = set()

    @property
    def connected(self) -> bool:
        """Return whether events can be emitted now."""
        return bool(self._client.connected)

    @property
    def async_client(self) -> socketio.AsyncClient:
        """The client of python-socketio itself."""
        return self._client

    async def connect(
        self, url: str, connection: Connection | None = None, **keywords: Unpack[ConnectKeywords]
    ) -> None:
        """Connect and join the namespaces; see interface.Client. Raises ConnectFailed.

        By polling, `max_message_bytes` has no effect: python-socketio takes answers of any size.
        """
        connection = with_keywords(connection, keywords)
        wait_timeout = connection.connect_timeout
        try:
            async with asyncio.timeout(wait_timeout):
                connection = await connection.for_attempt()
        except TimeoutError:
            raise ConnectFailed(unready(wait_timeout)) from None
        endpoint = Endpoint.of(url, connection)
        address, context = endpoint.address, endpoint.context
        path = f"{urlsplit(url).path.rstrip('/')}/{connection.socketio_path.strip('/')}/"
        names = list(connection.namespaces or self._handled or (DEFAULT_NAMESPACE,))
        if connection.serializer == "msgpack":
            self._client.packet_class = socketio.msgpack_packet.MsgPackPacket
        for name in names:
            self._client.on("disconnect", partial(self._closed, name), namespace=name)
            self._client.on("connect_error", partial(self._refused, name), namespace=name)
        # The client needs an HTTP session of its own, because python-engineio gives the headers to the first polling
        # request alone.
        self._client.eio.http = aiohttp.ClientSession(
            headers=endpoint.headers,
            connector=aiohttp.TCPConnector(ssl=True if context is None else context),
            trace_configs=[_refusing_redirects()],
        )
        self._client.eio.websocket_extra_options = {"max_msg_size": connection.max_message_bytes}
        self._refusals, self._refusal_data = [], None
        connected = False
        try:
            async with asyncio.timeout(wait_timeout) as self._limit:
                await self._client.connect(
                    with_query(address.url, connection.query),
                    headers=endpoint.headers,
                    auth=connection.auth,
                    transports=list(connection.transports),
                    namespaces=names,
                    socketio_path=path,  # it ignores the path of the URL
                    wait_timeout=wait_timeout,
                )
            connected = True
        except TimeoutError:
            if self._refusals:
                raise self._refusal(endpoint) from None
            raise ConnectFailed(f"{address.shown}: {self._unanswered(names, wait_timeout)}") from None
        except (socketio.exceptions.ConnectionError, aiohttp.ClientError, ValueError) as error:
            if self._client.failed_namespaces and self._refusals:
                raise self._refusal(endpoint) from None
            if str(error) == _NOT_JOINED:
                raise ConnectFailed(f"{address.shown}: {self._unanswered(names, wait_timeout)}") from None
            raise ConnectFailed(f"{address.shown}: {endpoint.secrets.hide(_reason(error, path))}") from None
        finally:
            if not connected:
                await self._release()
        self._reason = "the server closed the connection"
        self._joined = set(names)
        stays_polling = "websocket" in connection.transports and self._client.transport() == "polling"
        self.not_upgraded = "python-socketio does not say why" if stays_polling else ""

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

    def when_closed(self, callback: Callable[[str], None], namespace: str | None = None) -> None:
        """Call `callback(reason)` when an established connection ends, or the namespace; see interface.Client."""
        self._closed_callbacks.append((namespace, callback))

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
        engine.state = "disconnected"  # where it was cancelled in the middle of its end, it could never connect again

    def _refused(self, namespace: str, data: Any = None, *_: Any) -> None:
        if self._client.eio.sid is None:  # python-socketio tells of what keeps it from connecting in the same way
            return
        said, added = said_of(data)
        self._refusals.append(refusal(namespace, said))
        self._refusal_data = self._refusal_data if added is None else added
        if len(self._refusals) + len(self._client.namespaces) == len(self._client.connection_namespaces):
            # By polling, python-socketio would wait for the server's next heartbeat before it gives up.
            self._limit.reschedule(asyncio.get_running_loop().time() + _REFUSED_S)

    def _refusal(self, endpoint: Endpoint) -> ConnectFailed:
        said = without_secrets(refused(self._refusals), endpoint.secrets)
        return ConnectFailed(f"{endpoint.address.shown}: {said}", self._refusal_data)

    def _unanswered(self, names: Sequence[str], seconds: float) -> str:
        """Return what the server has not answered within so many seconds."""
        if self._client.eio.sid is None:
            return no_handshake(seconds)
        unjoined = [name for name in names if name not in self._client.namespaces]
        return f"{no_join(seconds, unjoined)}; or it speaks another serializer, see --serializer"

    def _closed(self, namespace: str, reason: str = "", *_: Any) -> None:
        if self._reason != "disconnected by the client":
            self._reason = one_line(reason) or self._reason
        self._joined.discard(namespace)
        for answer in self._calls.get(namespace, ()):
            if not answer.done():
                answer.set_exception(Disconnected(self._reason))
        for name, callback in self._closed_callbacks:
            if not self._joined or name == namespace:
                callback(self._reason)
        if (handler := self._disconnect_handlers.get(namespace)) is not None:
            result = handler(self._reason)
            if asyncio.iscoroutine(result):
                task = asyncio.get_running_loop().create_task(result)
                self._handler_tasks.add(task)
                task.add_done_callback(self._handler_tasks.discard)

    def _timed(self, handler: Handler) -> Handler:
        if is_asynchronous(handler):

            async def begin(*values: Any) -> Any:
                self.received_ns = perf_counter_ns()
                return await handler(*values)

            return begin

        def handle(*values: Any) -> Any:
            self.received_ns = perf_counter_ns()
            return handler(*values)

        return handle


def _refusing_redirects() -> aiohttp.TraceConfig:
    """Return what has aiohttp fail at a redirect; see http_answers. python-engineio has it follow each of them."""

    async def refuse(_session: object, _context: object, redirect: aiohttp.TraceRequestRedirectParams) -> None:
        location = redirect.response.headers.get("Location")
        raise aiohttp.ClientConnectionError(
            http_reason(redirect.response.status, b"", redirect.response.url.path, location)
        )

    config = aiohttp.TraceConfig()
    config.on_request_redirect.append(refuse)
    return config


#: python-socketio's words for requests to join that were not answered in time.
_NOT_JOINED = "Unexpected connection error"

#: python-engineio's words for an answer that is not 200.
_STATUS = re.compile(r"Unexpected status code (\d+) ")


def _reason(error: BaseException, path: str) -> str:
    """Return the first cause of an error: python-socketio wraps it in errors that say less."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    if isinstance(error, aiohttp.WSServerHandshakeError):
        location = None if error.headers is None else error.headers.get("Location")
        return http_reason(error.status, "" if error.status == 101 else error.message, path, location)
    if error.args and (status := _STATUS.match(str(error.args[0]))) is not None:
        body = error.args[1] if len(error.args) > 1 else ""
        return http_reason(int(status[1]), body if isinstance(body, str) else repr(body), path)
    return with_tls_advice(os_reason(error) if isinstance(error, OSError) else one_line(error))
