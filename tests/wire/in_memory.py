"""A server's side of a conversation in memory, and the talk of a client's conversation with it."""

from __future__ import annotations

from collections import deque
from typing import Any

import orjson

from bench.wire import protocol
from bench.wire.conversation import Action, Conversation, Opened, Send
from bench.wire.protocol import Binary, Message

INTERVAL_MS, TIMEOUT_MS = 25_000, 20_000
MAX_PAYLOAD_BYTES = 100_000


def messages_of(encoded: list[bytes]) -> list[Message]:
    """Return a text message and its attachments as they travel."""
    return [encoded[0], *map(Binary, encoded[1:])]


class Server:
    """A server that accepts every namespace but those in `refused`, and acknowledges by returning the arguments."""

    def __init__(self, refused: dict[str, bytes] | None = None, upgrades: tuple[str, ...] = ()) -> None:
        self.refused = refused or {}
        self.auths: dict[str, Any] = {}
        self.joined: set[str] = set()
        self.heard: list[protocol.Event] = []
        self.acknowledged: dict[int, tuple[Any, ...]] = {}
        self.pongs = 0
        self.is_upgraded = False
        self.handshake = b"0" + orjson.dumps(
            {
                "sid": "engine",
                "upgrades": upgrades,
                "pingInterval": INTERVAL_MS,
                "pingTimeout": TIMEOUT_MS,
                "maxPayload": MAX_PAYLOAD_BYTES,
            }
        )
        self._assembly: protocol.Assembly | None = None

    def receive(self, message: Message) -> list[Message]:
        """Take a client's message; return the answers."""
        if isinstance(message, Binary):
            assert self._assembly is not None, "the client sent an attachment of nothing"
            packet: protocol.Packet | None = self._assembly.add(message.data)
            if packet is None:
                return []
            self._assembly = None
        else:
            assert self._assembly is None, "the client sent something between a header and its attachments"
            if message == protocol.PROBE:
                return [b"3probe"]
            if message == protocol.UPGRADE:
                self.is_upgraded = True
                return []
            if message.startswith(b"40"):
                return [self._join(message[2:])]
            packet = protocol.decode(message)
        match packet:
            case protocol.Event(_, arguments, ack_id, namespace):
                assert namespace in self.joined
                self.heard.append(packet)
                return [] if ack_id is None else self.acknowledge(ack_id, arguments, namespace)
            case protocol.Ack(ack_id, arguments, _):
                assert ack_id not in self.acknowledged
                self.acknowledged[ack_id] = arguments
            case protocol.BinaryHeader():
                self._assembly = protocol.Assembly(packet)
            case protocol.Disconnect(namespace):
                self.joined.remove(namespace)
            case protocol.Pong():
                self.pongs += 1
            case _:
                raise AssertionError(f"a client does not send {packet}")
        return []

    def acknowledge(self, ack_id: int, arguments: tuple[Any, ...], namespace: str = "/") -> list[Message]:
        try:
            return [protocol.encode_ack(ack_id, arguments, namespace)]
        except TypeError:
            return messages_of(protocol.encode_binary_ack(ack_id, arguments, namespace))

    def emit(self, name: str, *arguments: Any, ack_id: int | None = None, namespace: str = "/") -> list[Message]:
        try:
            return [protocol.encode_event(name, arguments, ack_id, namespace)]
        except TypeError:
            return messages_of(protocol.encode_binary_event(name, arguments, ack_id, namespace))

    def _join(self, rest: bytes) -> bytes:
        name, auth = "/", rest
        if rest.startswith(b"/"):
            prefix, _, auth = rest.partition(b",")
            name = prefix.decode()
        where = b"" if name == "/" else name.encode() + b","
        if name in self.refused:
            return b"44" + where + self.refused[name]
        self.auths[name] = orjson.loads(auth) if auth else None
        self.joined.add(name)
        return b"40" + where + orjson.dumps({"sid": f"sid of {name}"})


class Talk:
    """A conversation of a client and that of a server: what either sends waits in order until it is delivered.

    `actions` are those that the client's user has to perform. What the protocol asks for is done here.
    """

    def __init__(
        self, *namespaces: str, server: Server | None = None, auth: Any = None, max_message_bytes: int = 1 << 20
    ) -> None:
        self.client = Conversation(list(namespaces or ("/",)), auth, max_message_bytes)
        self.server = server or Server()
        self.actions: list[Action] = []
        self.now_ns = 0
        self.joins_at_once = True
        self.to_client: deque[Message] = deque([self.server.handshake])
        self.to_server: deque[Message] = deque()

    def deliver_to_client(self) -> None:
        action = self.client.receive(self.to_client.popleft(), self.now_ns)
        match action:
            case None:
                pass
            case Send(messages):
                self.to_server.extend(messages)
            case Opened() if self.joins_at_once:
                self.to_server.extend(self.client.join())
            case _:
                self.actions.append(action)

    def deliver_to_server(self) -> None:
        self.to_client.extend(self.server.receive(self.to_server.popleft()))

    def deliver(self) -> list[Action]:
        """Deliver all that is on its way; return what the client's user has to do."""
        while self.to_client or self.to_server:
            while self.to_client:
                self.deliver_to_client()
            while self.to_server:
                self.deliver_to_server()
        done, self.actions = self.actions, []
        return done

    def say(self, *messages: Message) -> list[Action]:
        """Have the server send these, and deliver everything."""
        self.to_client.extend(messages)
        return self.deliver()

    def emit(self, name: str, data: Any = None, namespace: str = "/", callback: Any = None) -> None:
        self.to_server.extend(self.client.emit(name, data, namespace, callback))
