"""Packets of a client to bytes. Text messages begin with Engine.IO's type digit, then Socket.IO's; see `decoder`.

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

#: Asks over a new transport whether it works; the answer is a Pong that is a probe.
PROBE = b"2probe"

#: From now on everything goes over the transport that was probed.
UPGRADE = b"5"

#: Ends the Engine.IO connection.
CLOSE = b"1"

#: Leaves the default namespace.
DISCONNECT = b"41"


def encode_connect(auth: Any = None, namespace: str = DEFAULT_NAMESPACE) -> bytes:
    """The request to join a namespace, with an authentication payload where there is one."""
    return b"40" + _prefix(namespace) + (b"" if auth is None else orjson.dumps(auth))


def encode_disconnect(namespace: str = DEFAULT_NAMESPACE) -> bytes:
    """Leaves a namespace."""
    return b"41" + _prefix(namespace)


def encode_event(
    name: str, arguments: tuple[Any, ...], ack_id: int | None = None, namespace: str = DEFAULT_NAMESPACE
) -> bytes:
    """An event. Raises TypeError for an argument that JSON cannot hold; bytes are for `encode_binary_event`."""
    if namespace == DEFAULT_NAMESPACE:
        head = b"42" if ack_id is None else b"42%d" % ack_id
    else:
        head = b"42" + _prefix(namespace) + _number(ack_id)
    return head + orjson.dumps((name, *arguments))


def plain_message(name: str, argument: Any) -> bytes:
    """`encode_event` of one argument and nothing else: the hot path. Raises TypeError."""
    return b"42" + orjson.dumps((name, argument))


def encode_binary_event(
    name: str, arguments: tuple[Any, ...], ack_id: int | None = None, namespace: str = DEFAULT_NAMESPACE
) -> list[bytes]:
    """An event with bytes, bytearrays or memoryviews anywhere in its arguments. Raises TypeError."""
    return _binary(b"45", [name, *arguments], ack_id, namespace)


def encode_ack(ack_id: int, arguments: tuple[Any, ...], namespace: str = DEFAULT_NAMESPACE) -> bytes:
    """The acknowledgement of a server's event. Raises TypeError as `encode_event` does."""
    return b"43" + _prefix(namespace) + _number(ack_id) + orjson.dumps(arguments)


def encode_binary_ack(ack_id: int, arguments: tuple[Any, ...], namespace: str = DEFAULT_NAMESPACE) -> list[bytes]:
    """The acknowledgement of a server's event, with bytes in it. Raises TypeError."""
    return _binary(b"46", list(arguments), ack_id, namespace)


def _binary(kind: bytes, values: list[Any], ack_id: int | None, namespace: str) -> list[bytes]:
    attachments = Attachments()
    body = orjson.dumps(values, default=attachments.take)
    return [b"%b%d-%b%b%b" % (kind, len(attachments), _prefix(namespace), _number(ack_id), body), *attachments]


def _prefix(namespace: str) -> bytes:
    return b"" if namespace == DEFAULT_NAMESPACE else namespace.encode() + b","


def _number(ack_id: int | None) -> bytes:
    return b"" if ack_id is None else b"%d" % ack_id
