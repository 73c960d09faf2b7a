"""The encoder: a client's packets to bytes. A text message begins with Engine.IO's type digit, then Socket.IO's.

An event or acknowledgement without bytes in its arguments is one text message, which is the hot path. With bytes it is
a list: the text message that announces the attachments, then each of them as a binary message.
"""

from __future__ import annotations

from typing import Any

import orjson

from bench.wire.protocol.binary import Attachments
from bench.wire.protocol.packets import DEFAULT_NAMESPACE

#: The answer to the server's ping.
PONG = b"3"

#: The question over a new transport whether it works; the answer is a Pong that is a probe.
PROBE = b"2probe"

#: The upgrade: from now on everything goes over the transport that was probed.
UPGRADE = b"5"

#: The end of the Engine.IO connection.
CLOSE = b"1"

#: The departure from the default namespace.
DISCONNECT = b"41"


def encode_connect(auth: Any = None, namespace: str = DEFAULT_NAMESPACE) -> bytes:
    """Return the request to join a namespace, with an authentication payload if there is any."""
    return b"40" + _prefix(namespace) + (b"" if auth is None else orjson.dumps(auth))


def encode_disconnect(namespace: str = DEFAULT_NAMESPACE) -> bytes:
    """Return the message that leaves a namespace."""
    return b"41" + _prefix(namespace)


def encode_event(
    name: str, arguments: tuple[Any, ...], ack_id: int | None = None, namespace: str = DEFAULT_NAMESPACE
) -> bytes:
    """Return an event. Raises TypeError for an argument that JSON lacks; bytes are for `encode_binary_event`."""
    if namespace == DEFAULT_NAMESPACE:
        head = b"42" if ack_id is None else b"42%d" % ack_id
    else:
        head = b"42" + _prefix(namespace) + _number(ack_id)
    return head + orjson.dumps((name, *arguments))


def plain_message(name: str, argument: Any) -> bytes:
    """Return what `encode_event` returns for a single argument: the hot path. Raises TypeError."""
    return b"42" + orjson.dumps((name, argument))


def encode_binary_event(
    name: str, arguments: tuple[Any, ...], ack_id: int | None = None, namespace: str = DEFAULT_NAMESPACE
) -> list[bytes]:
    """Return an event with bytes, bytearrays or memoryviews anywhere in its arguments. Raises TypeError."""
    return _binary(b"45", [name, *arguments], ack_id, namespace)


def encode_ack(ack_id: int, arguments: tuple[Any, ...], namespace: str = DEFAULT_NAMESPACE) -> bytes:
    """Return the acknowledgement of a server's event. Raises TypeError as `encode_event` does."""
    return b"43" + _prefix(namespace) + _number(ack_id) + orjson.dumps(arguments)


def encode_binary_ack(ack_id: int, arguments: tuple[Any, ...], namespace: str = DEFAULT_NAMESPACE) -> list[bytes]:
    """Return the acknowledgement of a server's event, with bytes in it. Raises TypeError."""
    return _binary(b"46", list(arguments), ack_id, namespace)


def _binary(kind: bytes, values: list[Any], ack_id: int | None, namespace: str) -> list[bytes]:
    attachments = Attachments()
    body = orjson.dumps(values, default=attachments.take)
    return [b"%b%d-%b%b%b" % (kind, len(attachments), _prefix(namespace), _number(ack_id), body), *attachments]


def _prefix(namespace: str) -> bytes:
    return b"" if namespace == DEFAULT_NAMESPACE else namespace.encode() + b","


def _number(ack_id: int | None) -> bytes:
    return b"" if ack_id is None else b"%d" % ack_id
