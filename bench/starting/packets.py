"""From a HAR to Socket.IO: the connections in it, each with its packets in both directions, decoded.

A connection that begins with polling and upgrades is one connection: its requests and its WebSocket have the same
session id. What cannot be decoded becomes a note of the recording, and the rest goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from bench.printable import one_line
from bench.starting.har import Frame, Har, HarError, HttpExchange
from bench.wire import protocol
from bench.wire.connection import Serializer, TransportName
from bench.wire.protocol.recorded import Join, decode_sent, unpack_sent

#: The parts of the query that Engine.IO adds by itself.
_OWN_QUERY = frozenset({"EIO", "transport", "sid", "t", "j", "b64"})

#: The number of faults that are told one by one; the others are counted.
_MOST_TOLD = 5

Decoded: TypeAlias = protocol.Packet | Join


class Item(NamedTuple):
    """A packet of a recording. `time_s` is in seconds since 1970."""

    time_s: float
    is_sent: bool
    packet: Decoded


@dataclass(frozen=True)
class RecordedConnection:
    """A connection of a recording: how it was made, and its packets in the order of their times."""

    #: The server: scheme, host and port, as of HTTP.
    origin: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    cookies: Mapping[str, str] = field(repr=False)
    transports: tuple[TransportName, ...]
    serializer: Serializer
    started_s: float
    items: tuple[Item, ...] = field(repr=False)


@dataclass
class _Parts:
    """The parts of a connection while they are put together."""

    url: str
    started_s: float
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    transports: list[TransportName] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)


def connections_in(har: Har, notes: list[str]) -> list[RecordedConnection]:
    """Return the connections, the earliest first; what is left out is added to the notes. Raises HarError."""
    found: dict[str, _Parts] = {}
    old = 0
    for exchange in har.exchanges:
        query = dict(parse_qsl(urlsplit(exchange.url).query))
        if query.get("transport") != "polling" or "EIO" not in query:
            continue
        if query["EIO"] != str(protocol.ENGINE_IO_VERSION):
            old += 1
            continue
        _add_polling(found, exchange, query.get("sid"), notes)
    unrecorded = 0
    for number, socket in enumerate(har.sockets):
        query = dict(parse_qsl(urlsplit(socket.url).query))
        if query.get("transport") != "websocket" or "EIO" not in query:
            continue
        if query["EIO"] != str(protocol.ENGINE_IO_VERSION):
            old += 1
            continue
        unrecorded += socket.frames is None
        parts = found.setdefault(
            query.get("sid") or f"socket {number}", _Parts(socket.url, socket.started_s, socket.headers, socket.cookies)
        )
        parts.headers = {**parts.headers, **socket.headers}
        parts.cookies = {**parts.cookies, **socket.cookies}
        parts.transports.append("websocket")
        parts.frames += socket.frames or ()
    if har.damaged:
        notes.append(f"{har.damaged} entries or messages of the file are damaged")
    if unrecorded:
        notes.append(f"{unrecorded} WebSockets were recorded without their messages: Chrome and Edge record them")
    made = [_connection(parts, notes) for parts in sorted(found.values(), key=lambda parts: parts.started_s)]
    if any(connection.items for connection in made):
        return [connection for connection in made if connection.items]
    if old:
        raise HarError("its connections are of Socket.IO 2 (Engine.IO protocol 3), which this tool does not speak")
    if unrecorded:
        raise HarError("its WebSockets have no messages (_webSocketMessages): record the session with Chrome or Edge")
    raise HarError("there is no Socket.IO connection in it: open the network panel before the page connects")


def _add_polling(found: dict[str, _Parts], exchange: HttpExchange, sid: str | None, notes: list[str]) -> None:
    body = exchange.body if exchange.method == "POST" else exchange.response
    if sid is None:
        try:
            opened = protocol.decode(protocol.decode_payload(body or b"")[0][1])
        except protocol.ProtocolError:
            opened = None
        if not isinstance(opened, protocol.Open):
            notes.append("a handshake by polling has no session id that can be read: its connection is left out")
            return
        sid = opened.sid
    parts = found.setdefault(
        sid, _Parts(exchange.url, exchange.started_s, exchange.headers, exchange.cookies, ["polling"])
    )
    parts.headers = {**parts.headers, **exchange.headers}
    parts.cookies = {**parts.cookies, **exchange.cookies}
    if body is None or exchange.status >= 400 or exchange.status == 0:
        return
    is_sent = exchange.method == "POST"
    time_s = exchange.started_s if is_sent else exchange.ended_s
    try:
        messages = protocol.decode_payload(body)
    except protocol.ProtocolError as error:
        notes.append(f"a request by polling could not be read: {error}")
        return
    parts.frames += (Frame(is_sent, time_s, is_binary, data) for is_binary, data in messages)


def _connection(parts: _Parts, notes: list[str]) -> RecordedConnection:
    url = urlsplit(parts.url)
    frames = sorted(parts.frames, key=lambda frame: frame.time_s)
    is_packed = _is_packed(frames)
    if is_packed and not protocol.CAN_PACK:
        raise HarError('its packets are MessagePack: pip install "socketio-bench[msgpack]"')
    scheme = {"ws": "http", "wss": "https"}.get(url.scheme, url.scheme)
    return RecordedConnection(
        origin=f"{scheme}://{url.netloc.rpartition('@')[2]}",
        path=url.path.strip("/"),
        query={name: value for name, value in parse_qsl(url.query) if name not in _OWN_QUERY},
        headers=parts.headers,
        cookies=parts.cookies,
        transports=tuple(dict.fromkeys(parts.transports)),
        serializer="msgpack" if is_packed else "json",
        started_s=parts.started_s,
        items=tuple(_items(frames, is_packed, notes)),
    )


def _is_packed(frames: Iterable[Frame]) -> bool:
    """Return whether packets are binary messages: then no text message is one of Socket.IO."""
    kinds = Counter("binary" if frame.is_binary else "text" for frame in frames if _is_packet(frame))
    return kinds["binary"] > 0 and kinds["text"] == 0


def _is_packet(frame: Frame) -> bool:
    return frame.is_binary or frame.data.startswith(b"4")


def _items(frames: Iterable[Frame], is_packed: bool, notes: list[str]) -> Iterator[Item]:
    """Yield the packets. Attachments go to the header before them, in their direction."""
    awaited: dict[bool, protocol.Assembly | None] = {True: None, False: None}
    faults: list[str] = []
    for frame in frames:
        direction = "sent" if frame.is_sent else "received"
        try:
            assembly = awaited[frame.is_sent]
            packet: Decoded | None
            if frame.is_binary and assembly is not None:
                packet = assembly.add(frame.data)
                if packet is None:
                    continue
                awaited[frame.is_sent] = None
            elif frame.is_binary and is_packed:
                packet = unpack_sent(frame.data) if frame.is_sent else protocol.unpack(frame.data)
            elif frame.is_binary:
                raise protocol.ProtocolError("binary data that no packet has announced")
            else:
                packet = decode_sent(frame.data) if frame.is_sent else protocol.decode(frame.data)
        except protocol.ProtocolError as error:
            faults.append(f"a message that was {direction} could not be read: {one_line(error, 120)}")
            continue
        if isinstance(packet, protocol.BinaryHeader):
            try:
                awaited[frame.is_sent] = protocol.Assembly(packet)
            except protocol.ProtocolError as error:
                faults.append(f"a message that was {direction} could not be read: {one_line(error, 120)}")
            continue
        yield Item(frame.time_s, frame.is_sent, packet)
    notes += faults[:_MOST_TOLD]
    if len(faults) > _MOST_TOLD:
        notes.append(f"{len(faults) - _MOST_TOLD} more messages could not be read")
