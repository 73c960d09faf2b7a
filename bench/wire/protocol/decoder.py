"""The decoder: from a text message of the server to its packet. It raises ProtocolError and nothing else.

A message is Engine.IO's type digit, and, in a message packet (`4`), Socket.IO's type digit and packet:
`<attachments>-<namespace>,<acknowledgement id><JSON>`. All parts are optional but the JSON of events and
acknowledgements. Attachments follow as binary messages; see `binary`.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from bench.wire.protocol.packed import said_of
from bench.wire.protocol.packets import (
    DEFAULT_NAMESPACE,
    Ack,
    BinaryHeader,
    Close,
    Connected,
    ConnectError,
    Disconnect,
    Event,
    Noop,
    OldProtocolError,
    Open,
    Packet,
    Ping,
    Pong,
    ProtocolError,
)

# By polling, each packet of Engine.IO 3 has its length before it: in digits, or with a byte for each digit and 0xff at
# the end.
_OLD_PAYLOAD = re.compile(rb"[1-9][0-9]{0,5}:0\{|\x00[\x00-\x09]{1,6}\xff0\{", re.DOTALL)

#: An escape in a text of JSON: a surrogate pair, half of a pair (as a group), or any other.
_ESCAPES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)

_MAX_DIGITS = 19  # an acknowledgement id of 64 bits
_MAX_NUMBER = 2**31 - 1  # milliseconds or bytes, as servers of all languages hold them
_MAX_SID = 1000  # it goes into the URL of polling requests

_WITHOUT_DATA: dict[bytes, Packet] = {
    b"1": Close(),
    b"2": Ping(),
    b"3": Pong(False),
    b"3probe": Pong(True),
    b"6": Noop(),
}


def plain_event(message: bytes) -> list[Any] | None:
    """Return name and arguments of an event in the default namespace that wants no acknowledgement; else None.

    By far the most frequent message under load, and all of its hot path: `decode` says what is wrong with the others.
    """
    if not message.startswith(b"42["):
        return None
    try:
        values: list[Any] = orjson.loads(message[2:])
    except orjson.JSONDecodeError:
        return None
    return values if values and type(values[0]) is str else None


def plain_ack(message: bytes) -> tuple[int, list[Any]] | None:
    """Return id and arguments of an acknowledgement in the default namespace; else None, as `plain_event`."""
    if not message.startswith(b"43"):
        return None
    start = message.find(b"[", 3, _MAX_DIGITS + 3)
    digits = message[2:start]
    if start < 0 or not digits.isdigit():
        return None
    try:
        return int(digits), orjson.loads(message[start:])
    except orjson.JSONDecodeError:
        return None


def decode(message: bytes) -> Packet:
    """Return the packet in a text message. Raises ProtocolError."""
    kind = message[:1]
    if kind == b"4":
        return _decode_socket_io(message)
    if kind == b"0":
        return _decode_open(message)
    packet = _WITHOUT_DATA.get(message)
    if packet is None:
        if _OLD_PAYLOAD.match(message):
            raise OldProtocolError
        raise ProtocolError(f"an unknown Engine.IO packet: {_shown(message)}")
    return packet


def _decode_open(message: bytes) -> Open:
    fields = _json(message[1:], message)
    if not isinstance(fields, dict):
        raise ProtocolError(f"a handshake that is no object: {_shown(message)}")
    try:
        sid, interval, timeout = fields["sid"], fields["pingInterval"], fields["pingTimeout"]
    except KeyError as missing:
        raise ProtocolError(f"a handshake without {missing}: {_shown(message)}") from None
    max_payload, upgrades = fields.get("maxPayload", 0), fields.get("upgrades", [])
    if not (
        isinstance(sid, str)
        and 0 < len(sid) <= _MAX_SID
        and sid.isprintable()
        and all(type(number) is int and 0 <= number <= _MAX_NUMBER for number in (interval, timeout, max_payload))
        and isinstance(upgrades, list)
        and all(isinstance(upgrade, str) for upgrade in upgrades)
    ):
        raise ProtocolError(f"a handshake with a wrong value: {_shown(message)}")
    return Open(sid, interval, timeout, max_payload, tuple(upgrades))


def _decode_socket_io(message: bytes) -> Packet:
    kind = message[1:2]
    attachments, body = _attachments(message) if kind in (b"5", b"6") else (0, message[2:])
    namespace, ack_id, body = _head(body, message)
    if kind in (b"2", b"5"):
        values = _array(body, message)
        if not values or not isinstance(values[0], str):
            raise ProtocolError(f"an event without a name: {_shown(message)}")
        if attachments:
            return BinaryHeader(values[0], values[1:], ack_id, namespace, attachments)
        return Event(values[0], tuple(values[1:]), ack_id, namespace)
    if kind in (b"3", b"6"):
        values = _array(body, message)
        if ack_id is None:
            raise ProtocolError(f"an acknowledgement without an id: {_shown(message)}")
        if attachments:
            return BinaryHeader(None, values, ack_id, namespace, attachments)
        return Ack(ack_id, tuple(values), namespace)
    if ack_id is not None:
        raise ProtocolError(f"an id where none belongs: {_shown(message)}")
    if kind == b"0":
        fields = _json(body, message) if body else {}
        sid = fields.get("sid") if isinstance(fields, dict) else None
        if not body:  # the old protocol joins by itself and gives no other id
            raise OldProtocolError
        if not isinstance(sid, str):
            raise ProtocolError(f"a connection without a session id: {_shown(message)}")
        return Connected(namespace, sid, "pid" in fields)
    if kind == b"4":
        fields = _json(body, message) if body else ""
        if isinstance(fields, str) or (isinstance(fields, dict) and isinstance(fields.get("message"), str)):
            return ConnectError(namespace, *said_of(fields))
        return ConnectError(namespace, body.decode())
    if kind == b"1":
        return Disconnect(namespace, said_of(_json(body, message))[0] if body else None)
    raise ProtocolError(f"an unknown Socket.IO packet: {_shown(message)}")


def _attachments(message: bytes) -> tuple[int, bytes]:
    """Split what follows the two type digits into the number of attachments and the rest."""
    digits, dash, rest = message[2:].partition(b"-")
    if not dash or not digits.isdigit() or len(digits) > _MAX_DIGITS:
        raise ProtocolError(f"a binary packet without a number of attachments: {_shown(message)}")
    return int(digits), rest


def _head(body: bytes, message: bytes) -> tuple[str, int | None, bytes]:
    """Split the rest into namespace, acknowledgement id and JSON body."""
    namespace = DEFAULT_NAMESPACE
    if body.startswith(b"/"):
        name, _, body = body.partition(b",")
        try:
            namespace = name.decode()
        except UnicodeDecodeError:
            raise ProtocolError(f"a namespace that is not UTF-8: {_shown(message)}") from None
    digits = 0
    while body[digits : digits + 1].isdigit():
        digits += 1
        if digits > _MAX_DIGITS:
            raise ProtocolError(f"an acknowledgement id out of range: {_shown(message)}")
    return namespace, int(body[:digits]) if digits else None, body[digits:]


def _array(body: bytes, message: bytes) -> list[Any]:
    values = _json(body, message)
    if not isinstance(values, list):
        raise ProtocolError(f"an event or acknowledgement that is no array: {_shown(message)}")
    return values


def _json(body: bytes, message: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    # The official clients read half of a surrogate pair (JavaScript), and NaN (Python). orjson does not.
    try:
        return json.loads(_ESCAPES.sub(_without_half_a_pair, body.decode()))
    except (ValueError, RecursionError):
        raise ProtocolError(f"a packet that is not JSON: {_shown(message)}") from None


def _without_half_a_pair(escape: re.Match[str]) -> str:
    """Return an escape of JSON; � for half of a surrogate pair, which is no text that could be stored or sent."""
    return "\\ufffd" if escape[1] else escape[0]


def _shown(message: bytes) -> str:
    """Return the start of a message, for an error's text."""
    return repr(message[:80].decode(errors="replace")) + ("…" if len(message) > 80 else "")
