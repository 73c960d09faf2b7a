"""The client's side of a Socket.IO conversation, without I/O: messages in, actions out.

A Conversation is made for one connection and ends with it. It knows no socket, no clock and no event loop. `receive`
takes a message and returns the action that follows from it, if any; other methods return messages that the caller sends
over its transport. Times are passed in, in nanoseconds of one clock.

The states, and the ways from each to the next:

| state | the conversation waits for | next |
| --- | --- | --- |
| OPENING | the server's handshake | OPENED |
| OPENED | its caller, to upgrade or to join | PROBING by `probe`, JOINING by `join` |
| PROBING | the answer over the new transport | OPENED by `receive_probed` or `give_up_probe` |
| JOINING | the server's yes to each namespace | ESTABLISHED |
| ESTABLISHED | events and acknowledgements, in both directions | |
| ENDED | nothing: what arrives is ignored | |

From every state a conversation comes to ENDED, once and with a single reason. The server refuses a namespace, leaves
the last namespace, closes, breaks the protocol or is silent for too long. Or the caller ends it by `end`.

More rules:

- Before the handshake the server may send nothing else, and only one handshake.
- Attachments follow their header at once: meanwhile any other packet of Socket.IO breaks the protocol. Engine.IO's own
  packets, such as a heartbeat, may come at any time.
- A server may emit to a namespace that was asked for, or to the default namespace, before it says that it is joined.
- `receive` raises nothing, whatever the message is. A message that breaks the protocol ends the conversation.
- An acknowledgement that nobody awaits, or awaits no longer, is ignored.
- While `is_plain`, an event of the default namespace without acknowledgement changes nothing here. So a caller may
  decode the event itself (`protocol.plain_event`), which is the hot path of a client.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from bench.wire import protocol
from bench.wire.connection import Serializer
from bench.wire.errors import (
    CLOSED,
    REFUSED,
    Disconnected,
    MessageTooLarge,
    Reason,
    broken,
    closed_instead,
    kind_of,
    no_handshake,
    no_join,
    one_line,
    protocol_reason,
    refusal,
    refused,
    too_large,
)
from bench.wire.interface import Handler, arguments
from bench.wire.protocol import DEFAULT_NAMESPACE, Binary, Message, plain_ack

#: The reason for an end that the client wanted.
BY_THE_CLIENT = "disconnected by the client"

#: The reason for an end, or for leaving a namespace, that the server wanted.
BY_THE_SERVER = "the server disconnected this client"

#: The time between finding a heartbeat missing and ending, in nanoseconds: when a loop is late, the heartbeat may have
#: arrived already, but not been read yet.
HEARTBEAT_GRACE_NS = 50_000_000


class State(Enum):
    """The state of a conversation, as the module describes them."""

    OPENING = "opening"
    OPENED = "opened"
    PROBING = "probing"
    JOINING = "joining"
    ESTABLISHED = "established"
    ENDED = "ended"


#: The states to which each state may go.
NEXT_STATES = {
    State.OPENING: {State.OPENED, State.ENDED},
    State.OPENED: {State.PROBING, State.JOINING, State.ENDED},
    State.PROBING: {State.OPENED, State.ENDED},
    State.JOINING: {State.ESTABLISHED, State.ENDED},
    State.ESTABLISHED: {State.ENDED},
    State.ENDED: {State.ENDED},
}


class Send(NamedTuple):
    """The action to send messages that the server asked for."""

    messages: tuple[Message, ...]


class Opened(NamedTuple):
    """The server's handshake. The caller joins now, or upgrades before; it also looks after the heartbeat."""

    handshake: protocol.Open


class Established(NamedTuple):
    """The server's yes to the last namespace: events can be emitted."""


class Acknowledged(NamedTuple):
    """An acknowledgement that was awaited, and the callback that `emit` got for it."""

    callback: Handler
    arguments: tuple[Any, ...]


class Left(NamedTuple):
    """The end of one namespace, by the server, while others go on."""

    namespace: str
    reason: str


class Ended(NamedTuple):
    """The end of the conversation. `data` is what the server added to a refusal, if anything."""

    reason: str
    data: Any = None


Action: TypeAlias = Send | Opened | Established | protocol.Event | Acknowledged | Left | Ended


class _Namespace:
    """The state of one namespace."""

    __slots__ = ("callbacks", "is_joined", "is_recoverable")

    def __init__(self) -> None:
        #: The callbacks of the acknowledgements that are awaited, by id.
        self.callbacks: dict[int, Handler] = {}
        self.is_joined = False
        #: Whether the server ends its events with an offset.
        self.is_recoverable = False


class Conversation:
    """The state of one conversation. `namespaces` are to be joined in this order, each with `auth`.

    `serializer` is the format of packets: "json" or "msgpack".
    """

    __slots__ = (
        "_assembly",
        "_auth",
        "_default_callbacks",
        "_heartbeat_limit_ns",
        "_is_leaving",
        "_is_overdue",
        "_is_packed",
        "_max_message_bytes",
        "_namespaces",
        "_pinged_ns",
        "_refusal_data",
        "_refusals",
        "_unjoined",
        "check_at_ns",
        "handshake",
        "is_plain",
        "is_text_only",
        "last_ack_id",
        "max_payload_bytes",
        "reason",
        "sid",
        "state",
    )

    def __init__(
        self, namespaces: Iterable[str], auth: Any, max_message_bytes: int, serializer: Serializer = "json"
    ) -> None:
        self.state = State.OPENING
        #: Why the conversation ended; until then the reason that is given if nobody says anything better.
        self.reason: str = CLOSED
        #: The session id in the default namespace, or in the first namespace that was joined.
        self.sid: str | None = None
        #: Whether the conversation is established, the default namespace is joined, and no attachment is awaited. A
        #: conversation in MessagePack never is, nor that with a server that ends its events with an offset.
        self.is_plain = False
        #: Whether attachments travel as base64, which counts against the server's limit. The caller says so.
        self.is_text_only = False
        #: The server's handshake, once it has come.
        self.handshake: protocol.Open | None = None
        #: The largest message that the server takes, in bytes.
        self.max_payload_bytes = sys.maxsize
        #: The id of the last acknowledgement that was asked for. The namespaces share the numbers.
        self.last_ack_id = 0
        #: When to call `check_heartbeat` next.
        self.check_at_ns = 0
        self._auth = auth
        self._max_message_bytes = max_message_bytes
        default = _Namespace()
        self._default_callbacks = default.callbacks
        self._namespaces = {DEFAULT_NAMESPACE: default}
        self._is_packed = serializer == "msgpack"
        #: The refusals so far, while other namespaces have not been answered.
        self._refusals: list[str] = []
        self._refusal_data: Any = None
        self._unjoined = list(namespaces)
        self._assembly: protocol.Assembly | None = None
        self._is_leaving = False
        self._heartbeat_limit_ns = 0
        self._pinged_ns = 0
        self._is_overdue = False
        for name in self._unjoined:
            self._namespaces.setdefault(name, _Namespace())

    # ------------------------------------------------------------------ what arrives

    def receive(self, message: Message, received_ns: int) -> Action | None:
        """Take a whole message; return the action that follows, or None. Raises nothing."""
        if isinstance(message, Binary):
            if self._is_packed:
                return self._receive_packed(message.data, received_ns)
            return self._receive_attachment(message.data, received_ns)
        if self.is_plain:
            acknowledgement = plain_ack(message)
            if acknowledgement is not None:
                callback = self._default_callbacks.pop(acknowledgement[0], None)
                return None if callback is None else Acknowledged(callback, tuple(acknowledgement[1]))
        if self.state is State.ENDED:
            return None
        if self._assembly is not None and message.startswith(b"4"):
            return self._break(f"the server sent {one_line(self._assembly)}, then something else")
        try:
            packet = protocol.decode(message)
        except protocol.ProtocolError as error:
            return self.end(protocol_reason(error))
        if self._is_packed and message.startswith(b"4"):
            return self.end(self._other_serializer("JSON", "json"))
        return self._receive_packet(packet, received_ns)

    def _receive_packed(self, message: bytes, received_ns: int) -> Action | None:
        if self.state is State.ENDED:
            return None
        try:
            packet = protocol.unpack(message)
        except protocol.ProtocolError as error:
            return self._break(f"the server sent {error}")
        return self._receive_packet(packet, received_ns)

    def _receive_packet(self, packet: protocol.Packet, received_ns: int) -> Action | None:
        kind = type(packet)
        if type(packet) is protocol.Open:
            return self._open(packet, received_ns)
        if self.state is State.OPENING:
            return self._break("the server sent something before its handshake")
        if type(packet) is protocol.Event:
            space = self._namespaces.get(packet.namespace)
            if space is None:
                return self._break_unasked(packet.namespace)
            return protocol.without_offset(packet) if space.is_recoverable else packet
        if type(packet) is protocol.Ack:
            return self._acknowledged(packet)
        if type(packet) is protocol.BinaryHeader:
            return self._expect_attachments(packet)
        if kind is protocol.Ping:
            self._pinged_ns = received_ns
            self._is_overdue = False
            return Send((protocol.PONG,))
        if type(packet) is protocol.Connected:
            return self._joined(packet)
        if type(packet) is protocol.ConnectError:
            return self._refused(packet)
        if type(packet) is protocol.Disconnect:
            return self._left(packet)
        if kind is protocol.Close:
            return self.end(CLOSED)
        return None

    def _open(self, handshake: protocol.Open, received_ns: int) -> Action:
        if self.state is not State.OPENING:
            return self._break("the server sent a second handshake")
        self._enter(State.OPENED)
        self.handshake = handshake
        if handshake.max_payload_bytes:
            self.max_payload_bytes = handshake.max_payload_bytes
        self._pinged_ns = received_ns
        self._heartbeat_limit_ns = (handshake.ping_interval_ms + handshake.ping_timeout_ms) * 1_000_000
        self.check_at_ns = received_ns + self._heartbeat_limit_ns
        return Opened(handshake)

    def _joined(self, packet: protocol.Connected) -> Action | None:
        if self.state is not State.JOINING or packet.namespace not in self._unjoined:
            return self._break(f"the server connected {one_line(packet.namespace)}, which was not asked for")
        self._unjoined.remove(packet.namespace)
        space = self._namespaces[packet.namespace]
        space.is_joined, space.is_recoverable = True, packet.recoverable
        if self.sid is None or packet.namespace == DEFAULT_NAMESPACE:
            self.sid = packet.sid
        if self._unjoined:
            return None
        if self._refusals:
            return self._end_refused()
        self._enter(State.ESTABLISHED)
        return Established()

    def _refused(self, packet: protocol.ConnectError) -> Action | None:
        """Take note of a refusal. The conversation ends with the last answer, so that each refusal is known."""
        self._refusals.append(refusal(packet.namespace, packet.message))
        self._refusal_data = self._refusal_data if packet.data is None else packet.data
        if packet.namespace in self._unjoined:
            self._unjoined.remove(packet.namespace)
        if self._unjoined and self.state is State.JOINING:
            return None
        return self._end_refused()

    def _end_refused(self) -> Ended:
        return self.end(refused(self._refusals), self._refusal_data)

    def _left(self, packet: protocol.Disconnect) -> Action:
        """Take note that the server has left a namespace; with the last namespace, the conversation ends."""
        name = packet.namespace
        if packet.said is not None:  # it has refused what it had accepted before it asked its handler
            self._refusals.append(refusal(name, packet.said))
            return self._end_refused()
        space = self._namespaces.get(name)
        others = any(other.is_joined for other in self._namespaces.values() if other is not space)
        is_joining = self.state is State.JOINING  # whoever waits for all namespaces would be told that it has them
        if space is None or not space.is_joined or not others or is_joining:
            return self.end(BY_THE_SERVER)
        space.is_joined = False
        space.callbacks.clear()
        self._find_out_if_plain()
        return Left(name, BY_THE_SERVER)

    def _acknowledged(self, packet: protocol.Ack) -> Action | None:
        space = self._namespaces.get(packet.namespace)
        if space is None:
            return self._break_unasked(packet.namespace)
        callback = space.callbacks.pop(packet.ack_id, None)
        return None if callback is None else Acknowledged(callback, packet.arguments)

    def _expect_attachments(self, header: protocol.BinaryHeader) -> Action | None:
        try:
            self._assembly = protocol.Assembly(header)
        except protocol.ProtocolError as error:
            return self._break(f"the server sent {error}")
        self.is_plain = False
        return None

    def _receive_attachment(self, attachment: bytes, received_ns: int) -> Action | None:
        assembly = self._assembly
        if self.state is State.ENDED:
            return None
        if assembly is None:
            if self.state is State.JOINING and _is_packet(attachment):
                return self.end(self._other_serializer("MessagePack", "msgpack"))
            return self._break("the server sent an attachment of nothing")
        if assembly.size_bytes + len(attachment) > self._max_message_bytes:
            return self.end(too_large(self._max_message_bytes))
        packet = assembly.add(attachment)
        if packet is None:
            return None
        self._assembly = None
        self._find_out_if_plain()
        return self._receive_packet(packet, received_ns)

    # ------------------------------------------------------------------ what is sent

    def join(self) -> tuple[Message, ...]:
        """Return the requests to join the namespaces: after the handshake, and after an upgrade if there is any."""
        self._enter(State.JOINING)
        return self._joins(self._is_packed)

    def _joins(self, is_packed: bool) -> tuple[Message, ...]:
        if is_packed:
            return tuple(Binary(protocol.pack_connect(self._auth, name)) for name in self._unjoined)
        return tuple(protocol.encode_connect(self._auth, name) for name in self._unjoined)

    def join_otherwise(self) -> tuple[Message, ...]:
        """Return the same requests in the other format, for a server that has not answered; empty without a need.

        The answer, if there is any, ends the conversation with the reason that the formats differ.
        """
        if self.state is not State.JOINING or not self._unjoined or not protocol.CAN_PACK:
            return ()
        try:
            return self._joins(not self._is_packed)
        except TypeError:  # bytes, which JSON has not
            return ()

    def unanswered(self, seconds: float) -> Reason:
        """Return the reason for a server that has not answered for so long, in seconds."""
        if self.state is not State.JOINING:
            return no_handshake(seconds)
        reason = no_join(seconds, self._unjoined)
        if not self._refusals:
            return reason
        return Reason(REFUSED, f"{refused(self._refusals)}; and {reason}")

    def emit(self, event: str, data: Any, namespace: str, callback: Handler | None) -> tuple[Message, ...]:
        """Return the messages of an event; `callback` awaits its acknowledgement, whose id is then `last_ack_id`.

        Raises Disconnected, MessageTooLarge, or TypeError for an argument that cannot be sent; then nothing changes.
        """
        if self.state is not State.ESTABLISHED:
            raise Disconnected(self.reason)
        space = self._namespaces.get(namespace)
        if space is None or not space.is_joined:
            raise Disconnected(f"{namespace} is not joined")
        ack_id = None if callback is None else self.last_ack_id + 1
        values = arguments(data)
        try:
            if self._is_packed:
                messages = self._checked_packed(protocol.pack_event(event, values, ack_id, namespace))
            else:
                messages = self._checked([protocol.encode_event(event, values, ack_id, namespace)])
        except TypeError:
            if self._is_packed:
                raise
            messages = self._checked(protocol.encode_binary_event(event, values, ack_id, namespace))
        if callback is not None:
            self.last_ack_id += 1
            space.callbacks[self.last_ack_id] = callback
        return messages

    def withdraw(self, namespace: str, ack_id: int) -> None:
        """Await an acknowledgement no longer."""
        self._namespaces[namespace].callbacks.pop(ack_id, None)

    def withdraw_first(self, namespace: str, is_vain: Callable[[Handler], bool]) -> None:
        """Await the oldest acknowledgement no longer whose callback is in vain, as the function says."""
        callbacks = self._namespaces[namespace].callbacks
        found = next((ack_id for ack_id, callback in callbacks.items() if is_vain(callback)), None)
        if found is not None:
            del callbacks[found]

    def acknowledge(self, event: protocol.Event, result: Any) -> tuple[Message, ...]:
        """Return the acknowledgement of a server's event: None, an argument, or a tuple of them.

        Raises MessageTooLarge, or TypeError for an argument that cannot be sent.
        """
        assert event.ack_id is not None, "the server has asked for it"
        values = arguments(result)
        if self._is_packed:
            return self._checked_packed(protocol.pack_ack(event.ack_id, values, event.namespace))
        try:
            return self._checked([protocol.encode_ack(event.ack_id, values, event.namespace)])
        except TypeError:
            return self._checked(protocol.encode_binary_ack(event.ack_id, values, event.namespace))

    def leave(self) -> tuple[Message, ...]:
        """Return the messages that leave all namespaces. However the end comes after this, the client wanted it."""
        self._is_leaving = True
        self.reason = BY_THE_CLIENT
        if self.state is not State.ESTABLISHED:
            return ()
        joined = [name for name, space in self._namespaces.items() if space.is_joined]
        if self._is_packed:
            return tuple(Binary(protocol.pack_disconnect(name)) for name in joined)
        return tuple(protocol.encode_disconnect(name) for name in joined)

    def _checked_packed(self, packed: bytes) -> tuple[Message, ...]:
        """Return a packet of MessagePack as a message. Raises MessageTooLarge."""
        self._check_size(protocol.payload_size_bytes(len(packed)) if self.is_text_only else len(packed))
        return (Binary(packed),)

    def _checked(self, encoded: list[bytes]) -> tuple[Message, ...]:
        """Return a text message and its attachments as messages. Raises MessageTooLarge if any of them is."""
        self._check_size(len(encoded[0]))
        for attachment in encoded[1:]:
            size_bytes = len(attachment)
            self._check_size(protocol.payload_size_bytes(size_bytes) if self.is_text_only else size_bytes)
        return (encoded[0], *map(Binary, encoded[1:]))

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self.max_payload_bytes:
            raise self.too_large(size_bytes)

    def too_large(self, size_bytes: int) -> MessageTooLarge:
        """Return the error for a message of this size."""
        message = f"{size_bytes} bytes; the server takes {self.max_payload_bytes} in one message (its maxPayload)"
        return MessageTooLarge(message, size_bytes, self.max_payload_bytes)

    # ------------------------------------------------------------------ upgrade

    def probe(self) -> tuple[Message, ...]:
        """Begin to upgrade: return the question to send over the new transport."""
        self._enter(State.PROBING)
        return (protocol.PROBE,)

    def receive_probed(self, message: Message) -> tuple[Message, ...] | None:
        """Take the answer from the new transport; return what to send over it before all else, or None.

        None says that this is no answer to the probe, so the old transport goes on.
        """
        if self.state is not State.PROBING:
            return None
        self._enter(State.OPENED)
        return (protocol.UPGRADE,) if message == b"3probe" else None

    def give_up_probe(self) -> None:
        """Go on over the old transport, if no answer has come."""
        if self.state is State.PROBING:
            self._enter(State.OPENED)

    # ------------------------------------------------------------------ the end

    def check_heartbeat(self, now_ns: int) -> Ended | None:
        """Look for the server's heartbeat; `check_at_ns` is when to look again, unless this is the end."""
        if self.state is State.ENDED:
            return None
        due_ns = self._pinged_ns + self._heartbeat_limit_ns
        if now_ns < due_ns:
            self.check_at_ns = due_ns
            return None
        if self._is_overdue:
            return self.end(f"the server sent no heartbeat for {self._heartbeat_limit_ns / 1e9:g} s")
        self._is_overdue = True
        self.check_at_ns = now_ns + HEARTBEAT_GRACE_NS
        return None

    def end(self, reason: str, data: Any = None) -> Ended:
        """End the conversation, if it has not ended yet; return how it ended. `leave` has the last word."""
        if self.state is not State.ENDED:
            if self.state is State.JOINING and kind_of(reason) == CLOSED:
                reason = closed_instead(reason, self._unjoined, self._auth)
            self._enter(State.ENDED)
            if not self._is_leaving:
                self.reason = reason
            self._assembly = None
            for space in self._namespaces.values():
                space.callbacks.clear()
        return Ended(self.reason, data)

    def joined(self) -> list[str]:
        """Return the namespaces that are joined, or were joined when the conversation ended."""
        return [name for name, space in self._namespaces.items() if space.is_joined]

    def _other_serializer(self, spoken: str, option: str) -> Reason:
        own = "MessagePack" if self._is_packed else "JSON"
        kind = f"the server speaks {spoken}, and this client {own}"
        return Reason(kind, f"{kind}: give --serializer {option}, or Connection(serializer={option!r})")

    def _break(self, text: str) -> Ended:
        return self.end(broken(text))

    def _break_unasked(self, namespace: str) -> Ended:
        return self._break(f"the server sent a packet of {one_line(namespace)}, which was not asked for")

    def _enter(self, state: State) -> None:
        assert state in NEXT_STATES[self.state], f"from {self.state.value} to {state.value}"
        self.state = state
        self._find_out_if_plain()

    def _find_out_if_plain(self) -> None:
        is_whole = self._assembly is None and self.state is State.ESTABLISHED
        default = self._namespaces[DEFAULT_NAMESPACE]
        self.is_plain = is_whole and default.is_joined and not self._is_packed and not default.is_recoverable


def _is_packet(message: bytes) -> bool:
    """Return whether a binary message is a packet of MessagePack."""
    if not protocol.CAN_PACK:
        return False
    try:
        protocol.unpack(message)
    except protocol.ProtocolError:
        return False
    return True
