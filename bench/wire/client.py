"""FastClient: Socket.IO with as little CPU per message as Python allows.

A transport moves the messages (websocket.py, polling.py), a Conversation knows what they mean. This client joins both
to the user's handlers, to futures and to timers. A message is decoded, and its handler called, in the callback in which
it arrived. The most frequent message, a plain event in either direction, takes a short way through `emit_now` and
`receive`. Nothing here logs or starts a thread: under Locust the loop runs in a thread from which a log call may block.

A connection ends in `_end`, once, with one reason, whoever ended it; what a transport delivers afterwards is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import perf_counter_ns
from typing import Any, Unpack
from urllib.parse import quote

from bench.wire import protocol
from bench.wire.connection import MAX_MESSAGE_BYTES, Connection, ConnectKeywords, with_keywords
from bench.wire.conversation import (
    BY_THE_CLIENT,
    Acknowledged,
    Action,
    Conversation,
    Ended,
    Established,
    Left,
    Opened,
    Send,
)
from bench.wire.endpoint import Endpoint, with_cookies
from bench.wire.errors import (
    CLOSED,
    CallTimeout,
    ConnectFailed,
    Disconnected,
    MessageTooLarge,
    Reason,
    kind_of,
    one_line,
    unread,
    unready,
    without_secrets,
)
from bench.wire.handlers import is_asynchronous, one_after_the_other
from bench.wire.interface import Handler, acknowledged
from bench.wire.polling import PollingTransport
from bench.wire.protocol import DEFAULT_NAMESPACE, Message, plain_event, plain_message
from bench.wire.stamps import ReceivedClock, received_clock
from bench.wire.transport import Listener, Transport
from bench.wire.websocket import WebSocketTransport

_CLOSING_TIMEOUT_S = 1.0

#: The names of handlers that are no names of events.
_SPECIAL = frozenset({"disconnect", "*"})

#: The time to find out if a server that has not answered speaks another serializer, in seconds.
_ASKING_OTHERWISE_S = 0.3


class Waiter:
    """The base of what waits for a message, and goes on when the message has been handled."""

    __slots__ = ()

    def wake(self) -> None:
        """Go on now, if nothing is against it."""

    def wake_soon(self) -> None:
        """Go on in the loop's next turn."""


class ArgumentsHandler:
    """The base of handlers that take an event's arguments as a tuple. To spread them costs more, in each message."""

    __slots__ = ()

    def handle(self, arguments: tuple[Any, ...]) -> None:
        """Take the arguments of an event."""

    def __call__(self, *arguments: Any) -> None:
        """Take them one by one, as every handler does."""
        self.handle(arguments)


class FastClient(Listener):
    """A Socket.IO connection over WebSocket, polling, or first polling, then WebSocket; see interface.Client."""

    emits_now = True

    # An object of its own for the attributes would lie on another page: with many connections that costs time.
    __slots__ = (
        "_assembled_bytes",
        "_calls",
        "_closed_callbacks",
        "_conversation",
        "_endpoint",
        "_established",
        "_handler_tasks",
        "_handlers",
        "_handlers_of",
        "_heartbeat",
        "_is_connected",
        "_is_packed",
        "_is_plain",
        "_joins_later",
        "_listeners",
        "_max_message_bytes",
        "_max_payload_bytes",
        "_plain_websocket",
        "_transport",
        "_websocket",
        "_woken",
        "message_bytes",
        "not_upgraded",
        "received_ns",
        "takes_text",
    )

    def __init__(self) -> None:
        super().__init__()
        self.received_ns = 0
        #: The size of the last message, sent or received, with its attachments.
        #:
        #: Right after `emit_now` it is that of the emission. Inside a handler it is that of the handler's event.
        self.message_bytes = 0
        #: Why the connection still polls though it should have been upgraded; empty if it does not, or should not.
        self.not_upgraded = ""
        #: Whether the conversation is plain, so that events can be read here.
        self._is_plain = False
        default: dict[str, Handler] = {}
        self._handlers = default
        #: The WebSocket, while the default namespace is joined over it: the only question of the hot path.
        self._plain_websocket: WebSocketTransport | None = None
        #: Whether events of the default namespace can be given as the text that is sent.
        self.takes_text = False
        self._max_payload_bytes = 0
        #: The size of the message that arrives, with the attachments that have arrived.
        self._assembled_bytes = 0
        self._handlers_of = {DEFAULT_NAMESPACE: default}
        #: The handlers of `on`, if there are any, and of `listen`, by namespace and event: where there are listeners.
        self._listeners: dict[tuple[str, str], tuple[Handler | None, Handler]] = {}
        #: The handlers that are `async def` and have not returned yet.
        self._handler_tasks: set[asyncio.Task[Any]] = set()
        self._calls: dict[asyncio.Future[tuple[Any, ...]], str] = {}
        #: Each with its namespace, if it is also to be called when that is left.
        self._closed_callbacks: list[tuple[str | None, Callable[[str], None]]] = []
        self._conversation = Conversation([], None, MAX_MESSAGE_BYTES)
        self._conversation.end("never connected")
        self._max_message_bytes = MAX_MESSAGE_BYTES
        self._endpoint: Endpoint | None = None
        #: The transport, from the beginning of a connection to its end.
        self._transport: Transport | None = None
        #: The same, if it is a WebSocket.
        self._websocket: WebSocketTransport | None = None
        #: The future of the attempt to connect, while `connect` runs.
        self._established: asyncio.Future[None] | None = None
        self._is_connected = False
        #: Whether the conversation is in MessagePack, so that no event is written or read here.
        self._is_packed = False
        #: Whether the namespaces are joined later than at the handshake, because of an upgrade before.
        self._joins_later = False
        #: The waiter for the message that is being handled, which goes on after the handlers.
        self._woken: Waiter | None = None
        #: The timer of the heartbeat, which looks when the last heartbeat came and sets itself anew.
        self._heartbeat: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------------ the interface

    @property
    def connected(self) -> bool:
        """Return whether events can be emitted now."""
        return self._is_connected

    @property
    def sid(self) -> str | None:
        """Return the session id in the default namespace, or in the first namespace that was joined."""
        return self._conversation.sid

    async def connect(
        self, url: str, connection: Connection | None = None, **keywords: Unpack[ConnectKeywords]
    ) -> None:
        """Connect and join the namespaces; see interface.Client. Raises ConnectFailed."""
        connection = with_keywords(connection, keywords)
        if self._transport is not None or self._established is not None:
            raise ConnectFailed("this client is connected already")
        established = self._established = asyncio.get_running_loop().create_future()
        endpoint: Endpoint | None = None
        try:
            async with asyncio.timeout(connection.connect_timeout):
                connection = await connection.for_attempt()
                endpoint = self._prepare(url, connection)
                if connection.transports[0] == "websocket":
                    await self._open_websocket(endpoint, connection)
                else:
                    await self._open_polling(endpoint, connection)
                await established
            if not self._is_connected:  # the server has let it in, and out again in the same moment
                raise ConnectFailed(self._conversation.reason)
        except TimeoutError:
            if endpoint is None:
                raise ConnectFailed(unready(connection.connect_timeout)) from None
            reason = await self._unanswered(connection.connect_timeout)
            raise ConnectFailed(f"{endpoint.address.shown}: {without_secrets(reason, endpoint.secrets)}") from None
        except ConnectFailed as failure:
            if endpoint is None or isinstance(failure.args[0], Reason):  # from `_end`, which has hidden them
                raise
            raise ConnectFailed(endpoint.secrets.hide(str(failure)), failure.data) from None
        finally:
            self._established = None
            _forget(established)
            if not self._is_connected:
                self._abort("it did not come to a connection")

    def _prepare(self, url: str, connection: Connection) -> Endpoint:
        """Begin a conversation with these settings; return the endpoint to open it to. Raises ConnectFailed."""
        endpoint = Endpoint.of(url, connection)
        handled = tuple(name for name, handlers in self._handlers_of.items() if handlers)
        namespaces = connection.namespaces or handled or (DEFAULT_NAMESPACE,)
        self._conversation = Conversation(
            namespaces, connection.auth, connection.max_message_bytes, connection.serializer
        )
        self._is_packed = connection.serializer == "msgpack"
        self.not_upgraded = ""
        self._max_message_bytes = connection.max_message_bytes
        self._endpoint = endpoint
        self.read_ns, self.error_ns = 0, -1  # as of a transport that has no other clock than the process's
        return endpoint

    async def _unanswered(self, seconds: float) -> str:
        """Return why a server has not answered within so many seconds, if it can be found out.

        A server with another serializer says nothing. So it is asked once more, in that.
        """
        conversation = self._conversation
        reason = conversation.unanswered(seconds)
        messages = conversation.join_otherwise()
        if self._transport is None or not messages:
            return reason
        answered = self._established = asyncio.get_running_loop().create_future()
        self._transport.send(messages)
        try:
            async with asyncio.timeout(min(seconds, _ASKING_OTHERWISE_S)):
                await answered
        except TimeoutError:
            return reason
        except ConnectFailed:
            return reason if kind_of(conversation.reason) == CLOSED else conversation.reason
        finally:
            _forget(answered)
        return reason

    def on(self, event: str, handler: Handler, namespace: str | None = None) -> None:
        """Call `handler(*arguments)` for every such event; `disconnect` and `*` are special."""
        name = namespace or DEFAULT_NAMESPACE
        if is_asynchronous(handler):
            handler = partial(self._begin_handler, event, handler)
        if (name, event) in self._listeners:
            _, listener = self._listeners[name, event]
            self._listeners[name, event] = handler, listener
            handler = one_after_the_other(handler, listener)
        self._handlers_of.setdefault(name, {})[event] = handler

    def listen(self, event: str, handler: Handler, namespace: str | None = None) -> None:
        """Call the handler for every such event beside the handler of `on`, whichever is registered first.

        The handler of `on` is that of `*`, if the event has none of its own. Where the server asks for an
        acknowledgement, it is what this handler returns. The handler that was registered last counts.
        """
        name = namespace or DEFAULT_NAMESPACE
        if is_asynchronous(handler):
            handler = partial(self._begin_handler, event, handler)
        handlers = self._handlers_of.setdefault(name, {})
        known = self._handler_of_on(name, event)
        self._listeners[name, event] = known, handler
        handlers[event] = one_after_the_other(known or partial(self._unhandled, name, event), handler)

    def _handler_of_on(self, namespace: str, event: str) -> Handler | None:
        listened = self._listeners.get((namespace, event))
        return self._handlers_of[namespace].get(event) if listened is None else listened[0]

    def _unhandled(self, namespace: str, event: str, *values: Any) -> None:
        """Take an event that has a listener alone."""
        handler = None if event in _SPECIAL else self._handler_of_on(namespace, "*")
        if handler is not None:
            handler(event, *values)

    def cancel_handlers(self) -> None:
        """Cancel the handlers that are `async def` and have not returned yet."""
        for task in list(self._handler_tasks):
            task.cancel()

    def off(self, event: str, namespace: str | None = None) -> None:
        """Call the handler of `on` for this event no more."""
        name = namespace or DEFAULT_NAMESPACE
        handlers = self._handlers_of.get(name, {})
        if (name, event) in self._listeners:
            _, listener = self._listeners[name, event]
            self._listeners[name, event] = None, listener
            handlers[event] = one_after_the_other(partial(self._unhandled, name, event), listener)
        else:
            handlers.pop(event, None)

    def when_closed(self, callback: Callable[[str], None], namespace: str | None = None) -> None:
        """Call `callback(reason)` when an established connection ends, or the namespace; see interface.Client."""
        self._closed_callbacks.append((namespace, callback))

    def abort(self, reason: str) -> None:
        """End the connection at once, for this reason of the caller's own. Does nothing where there is none."""
        self._abort(reason)

    async def emit(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        """Emit an event; returns when it was handed to the transport (ns). See interface.Client for what it raises."""
        return self.emit_now(event, data, namespace=namespace, callback=callback)

    def emit_now(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        """Do the same without a coroutine, which this client has no need of. This is the load's hot path."""
        websocket = self._plain_websocket
        if (
            websocket is None
            or namespace is not None
            or callback is not None
            or data is None
            or isinstance(data, tuple)
        ):
            return self._emit_anything(event, data, namespace or DEFAULT_NAMESPACE, callback)
        try:
            message = plain_message(event, data)
        except TypeError:  # there are bytes in it, or nothing that can be sent
            return self._emit_anything(event, data, DEFAULT_NAMESPACE, None)
        if len(message) > self._max_payload_bytes:
            raise self._conversation.too_large(len(message))
        self.message_bytes = len(message)
        return websocket.send_text(message)

    def emit_text(self, message: bytes) -> int:
        """Emit an event of the default namespace that is encoded already. Only while `takes_text`. Hot path as well."""
        if len(message) > self._max_payload_bytes:
            raise self._conversation.too_large(len(message))
        self.message_bytes = len(message)
        return self._plain_websocket.send_text(message)  # type: ignore[union-attr]  # the caller has asked

    def _emit_anything(self, event: str, data: Any, namespace: str, callback: Handler | None) -> int:
        messages = self._conversation.emit(event, data, namespace, callback)
        transport = self._transport
        assert transport is not None, "an established conversation has a transport"
        self.message_bytes = sum(map(_size_bytes, messages))
        return transport.send(messages)

    @property
    def unsent_bytes(self) -> int:
        """Return how many bytes wait because the server does not read them."""
        return 0 if self._transport is None else self._transport.unsent_bytes

    @property
    def received_clock(self) -> ReceivedClock:
        """Return the clock by which events are received; see interface.Client."""
        return received_clock() if self._transport is None else self._transport.received_clock

    def read_now(self) -> None:
        """Take what waits to be read, without waiting. Only a WebSocket can be asked to."""
        if self._websocket is not None:
            self._websocket.read_now()

    async def call(self, event: str, data: Any = None, *, namespace: str | None = None, timeout: float = 60.0) -> Any:
        """Emit an event and return its acknowledgement. Raises CallTimeout, Disconnected, and what `emit` raises."""
        answer: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

        def resolve(*values: Any) -> None:
            if not answer.done():
                answer.set_result(values)

        name = namespace or DEFAULT_NAMESPACE
        conversation = self._conversation
        await self.emit(event, data, namespace=name, callback=resolve)
        ack_id = conversation.last_ack_id
        self._calls[answer] = name
        try:
            async with asyncio.timeout(timeout):
                return acknowledged(await answer)
        except TimeoutError:
            raise CallTimeout(f"{event} was not acknowledged within {timeout:g} s") from None
        finally:
            del self._calls[answer]
            conversation.withdraw(name, ack_id)

    def withdraw_first(self, namespace: str, is_vain: Callable[[Handler], bool]) -> None:
        """Forget the oldest callback of an acknowledgement that has not come and is in vain, as the function says."""
        self._conversation.withdraw_first(namespace, is_vain)

    async def disconnect(self) -> None:
        """Leave all namespaces and close the connection. Does nothing where there is none."""
        transport = self._transport
        if transport is None:
            return
        transport.send(self._conversation.leave())
        transport.close()
        try:
            async with asyncio.timeout(_CLOSING_TIMEOUT_S):
                await transport.wait_closed()
        except TimeoutError:
            pass
        finally:  # a peer that reads nothing does not keep the connection open, nor does a cancelled caller
            if self._transport is transport:
                self._abort(self._conversation.reason)

    # ------------------------------------------------------------------ connecting

    async def _open_websocket(self, endpoint: Endpoint, connection: Connection) -> None:
        self._joins_later = False
        websocket = WebSocketTransport(self, endpoint, endpoint.urls["websocket"], connection.max_message_bytes)
        self._transport = self._websocket = websocket
        await websocket.open()

    async def _open_polling(self, endpoint: Endpoint, connection: Connection) -> None:
        self._joins_later = True
        conversation = self._conversation
        polling = PollingTransport(self, endpoint, endpoint.urls["polling"], connection.max_message_bytes)
        conversation.is_text_only = polling.is_text_only
        self._transport = polling
        await polling.open()
        handshake = conversation.handshake
        if handshake is not None and "websocket" in endpoint.urls:
            if "websocket" in handshake.upgrades:
                await self._upgrade(polling, handshake, endpoint, connection)
            else:
                self.not_upgraded = "the server offers no WebSocket"
        if self._transport is None or handshake is None:
            raise ConnectFailed(f"{endpoint.address.shown}: {conversation.reason}")
        if self._transport is polling:
            polling.start()
        self._send(conversation.join())

    async def _upgrade(
        self, polling: PollingTransport, handshake: protocol.Open, endpoint: Endpoint, connection: Connection
    ) -> None:
        """Replace polling by a WebSocket, if that can be done; polling goes on where it cannot.

        Nothing is sent and no request waits meanwhile, so nothing can be overtaken.
        """
        conversation = self._conversation
        probed = _Probed(conversation)
        websocket = WebSocketTransport(
            probed,
            replace(endpoint, headers=with_cookies(endpoint.headers, polling.cookies())),
            f"{endpoint.urls['websocket']}&sid={quote(handshake.sid, safe='')}",
            connection.max_message_bytes,
        )
        is_upgraded = False
        try:
            async with asyncio.timeout(connection.connect_timeout / 2):
                await websocket.open()
                websocket.send(conversation.probe())
                websocket.send(await probed.answer)
            is_upgraded = self._transport is polling
        except ConnectFailed as failure:
            self.not_upgraded = str(without_secrets(str(failure), endpoint.secrets))
        except TimeoutError:
            self.not_upgraded = f"the WebSocket was not there within {connection.connect_timeout / 2:g} s"
        finally:
            _forget(probed.answer)
            conversation.give_up_probe()
            if not is_upgraded:
                websocket.abort()
        if is_upgraded:
            websocket.set_listener(self)
            self._transport = self._websocket = websocket
            conversation.is_text_only = websocket.is_text_only
            polling.abort()

    # ------------------------------------------------------------------ what the transport calls

    def receive(self, message: Message, received_ns: int) -> None:
        """Take a message and act on it. This is the load's hot path."""
        self.received_ns = received_ns
        if type(message) is bytes:
            self.message_bytes = len(message)
            if self._is_plain:
                values = plain_event(message)
                if values is not None:
                    handler = self._handlers.get(values[0])
                    if handler is not None:
                        try:
                            if isinstance(handler, ArgumentsHandler):
                                taker = handler
                                taker.handle(tuple(values[1:]))
                            elif len(values) == 2:
                                handler(values[1])
                            else:
                                handler(*values[1:])
                        except BaseException as error:  # the user's code raised it; the connection goes on
                            _report(f"the handler of {values[0]}", error)
                        if self._woken is not None:
                            self._wake()
                        return
            if self._is_plain or message.startswith(b"4"):  # a heartbeat may come before the last attachment
                self._assembled_bytes = len(message)
        else:
            if self._is_packed:  # it is a message of its own
                self._assembled_bytes = 0
            self._assembled_bytes += _size_bytes(message)  # an attachment follows the message to which it belongs
            self.message_bytes = self._assembled_bytes
        conversation = self._conversation
        action = conversation.receive(message, received_ns)
        self._is_plain = conversation.is_plain
        if action is not None:
            self._perform(action)
            if self._woken is not None:
                self._wake()

    def wake_after(self, waiter: Waiter) -> None:
        """Have a waiter go on once the message that is being handled has been. Called by the message's handler.

        What it sends then leaves at once, while what else has been read still waits. So it is only for messages with a
        time of the kernel's: any other time would suffer.
        """
        if self._woken is None:
            self._woken = waiter
        else:
            waiter.wake_soon()

    def _wake(self) -> None:
        woken, self._woken = self._woken, None
        assert woken is not None, "the caller has looked"
        woken.wake()

    def ended(self, reason: str) -> None:
        """Take note that the transport has ended."""
        self._end(self._conversation.end(reason))

    def _perform(self, action: Action) -> None:
        """Do what a message asks for."""
        if type(action) is Acknowledged:
            self._run(action.callback, action.arguments, "an acknowledgement")
        elif type(action) is protocol.Event:
            self._handle(action)
        elif type(action) is Send:
            self._answer(action.messages)
        elif type(action) is Opened:
            self._opened(action.handshake)
        elif type(action) is Established:
            self._is_connected = True
            self._find_plain_websocket()
            if self._established is not None and not self._established.done():
                self._established.set_result(None)
        elif type(action) is Left:
            self._left(action)
        elif type(action) is Ended:
            if self._transport is not None:
                self._transport.abort()
            self._end(action)

    def _opened(self, handshake: protocol.Open) -> None:
        assert self._transport is not None, "the handshake came over it"
        self._transport.opened(handshake)
        self._max_payload_bytes = self._conversation.max_payload_bytes
        self._set_heartbeat()
        if not self._joins_later:
            self._send(self._conversation.join())

    def _left(self, left: Left) -> None:
        """Take note that the server has ended a namespace, but not the last namespace."""
        self._find_plain_websocket()
        self._fail_calls(left.reason, left.namespace)
        for name, callback in list(self._closed_callbacks):
            if name == left.namespace:
                self._run(callback, (left.reason,), "the end")
        handler = self._handlers_of.get(left.namespace, {}).get("disconnect")
        if handler is not None:
            self._run(handler, (left.reason,), "disconnect")

    def _find_plain_websocket(self) -> None:
        is_joined = DEFAULT_NAMESPACE in self._conversation.joined()
        self._plain_websocket = self._websocket if is_joined and not self._is_packed else None
        self.takes_text = self._plain_websocket is not None

    def _handle(self, event: protocol.Event) -> None:
        handlers = self._handlers_of.get(event.namespace, {})
        handler = handlers.get(event.name)
        values = event.arguments
        if handler is None:
            handler = handlers.get("*")
            values = (event.name, *values)
        result = None
        if handler is not None:
            try:
                result = handler(*values)
            except BaseException as error:  # the user's code raised it; the connection goes on
                _report(f"the handler of {event.name}", error)
        if event.ack_id is None:
            return
        if isinstance(result, asyncio.Task):  # the handler is `async def`
            result.add_done_callback(partial(self._acknowledge_later, event, self._conversation))
        else:
            self._acknowledge(event, result)

    def _acknowledge(self, event: protocol.Event, result: Any) -> None:
        try:
            messages = self._conversation.acknowledge(event, result)
        except (TypeError, MessageTooLarge) as error:
            unsendable = TypeError(f"what the handler of {event.name} returns cannot be sent: {error}")
            _report(f"the handler of {event.name}, asked for an acknowledgement,", unsendable)
            messages = self._conversation.acknowledge(event, None)  # as after an exception: the server waits for it
        self._answer(messages)

    def _begin_handler(self, event: str, handler: Handler, *values: Any) -> asyncio.Task[Any]:
        """Have a handler that is `async def` run as a task of its own."""
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(handler(*values))
        self._handler_tasks.add(task)
        task.add_done_callback(partial(self._handler_ended, event))
        return task

    def _handler_ended(self, event: str, task: asyncio.Task[Any]) -> None:
        self._handler_tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _report(f"the handler of {event}", error)

    def _acknowledge_later(self, event: protocol.Event, asked: Conversation, task: asyncio.Task[Any]) -> None:
        """Acknowledge what a handler has returned, unless the connection is another by now."""
        is_gone = asked is not self._conversation or not self._is_connected or event.namespace not in asked.joined()
        if is_gone or task.cancelled():
            return
        self._acknowledge(event, None if task.exception() is not None else task.result())

    # ------------------------------------------------------------------ sending

    def _answer(self, messages: tuple[Message, ...]) -> None:
        """Answer the server; if it asks without reading the answers, that ends the connection."""
        transport = self._transport
        if transport is None:
            return
        if transport.unsent_bytes > self._max_message_bytes:
            self._abort(unread(self._max_message_bytes))
        else:
            transport.send(messages)

    def _send(self, messages: tuple[Message, ...]) -> None:
        if self._transport is not None:
            self._transport.send(messages)

    # ------------------------------------------------------------------ the end

    def _set_heartbeat(self) -> None:
        delay_s = (self._conversation.check_at_ns - perf_counter_ns()) / 1e9
        self._heartbeat = asyncio.get_running_loop().call_later(delay_s, self._check_heartbeat)

    def _check_heartbeat(self) -> None:
        missing = self._conversation.check_heartbeat(perf_counter_ns())
        if missing is None:
            self._set_heartbeat()
        else:
            self._perform(missing)

    def _abort(self, reason: str) -> None:
        """End the connection at once, for a reason of ours."""
        if self._transport is not None:
            self._perform(self._conversation.end(reason))

    def _end(self, end: Ended) -> None:
        """Forget all of a connection that is gone, then tell whoever waits."""
        conversation = self._conversation
        reason = end.reason
        was_connected, self._is_connected = self._is_connected, False
        if self._endpoint is not None and reason is not BY_THE_CLIENT:
            reason = conversation.reason = without_secrets(reason, self._endpoint.secrets)
        self._transport = self._websocket = self._plain_websocket = None
        self.takes_text = False
        self._is_plain = False
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None
        self._fail_calls(reason)
        if self._established is not None and not self._established.done():
            self._established.set_exception(ConnectFailed(reason, end.data))
        if not was_connected:
            return
        handlers = [self._handlers_of.get(name, {}).get("disconnect") for name in conversation.joined()]
        for _, callback in self._closed_callbacks:
            self._run(callback, (reason,), "the end")
        for handler in handlers:
            if handler is not None:
                self._run(handler, (reason,), "disconnect")

    def _fail_calls(self, reason: str, namespace: str | None = None) -> None:
        """Tell the calls, all or those of a namespace, that no acknowledgement will come."""
        for answer, name in self._calls.items():
            if (namespace is None or namespace == name) and not answer.done():
                answer.set_exception(Disconnected(reason))

    @staticmethod
    def _run(handler: Handler, values: tuple[Any, ...], what: str) -> None:
        try:
            handler(*values)
        except BaseException as error:  # the user's code raised it; the connection goes on
            _report(f"the handler of {what}", error)


class _Probed(Listener):
    """The listener of a WebSocket that may replace polling. It awaits the answer to the probe, and drops the rest."""

    def __init__(self, conversation: Conversation) -> None:
        super().__init__()
        self._conversation = conversation
        #: The messages to send over the WebSocket before all else.
        self.answer: asyncio.Future[tuple[Message, ...]] = asyncio.get_running_loop().create_future()

    def receive(self, message: Message, received_ns: int) -> None:
        """Take the answer to the probe."""
        if self.answer.done():
            return
        messages = self._conversation.receive_probed(message)
        if messages is None:
            self.answer.set_exception(ConnectFailed("the server did not answer the probe"))
        else:
            self.answer.set_result(messages)

    def ended(self, reason: str) -> None:
        """Take note that there will be no answer."""
        if not self.answer.done():
            self.answer.set_exception(ConnectFailed(reason))


def _size_bytes(message: Message) -> int:
    """Return the size of a message, without what a transport adds to it."""
    return len(message) if isinstance(message, bytes) else len(message.data)


def _forget(future: asyncio.Future[Any]) -> None:
    """Keep asyncio from complaining of an exception that nobody will ask for."""
    if not future.cancel() and not future.cancelled():
        future.exception()


def _report(what: str, error: BaseException) -> None:
    message = one_line(f"{what} raised {error!r}")
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
