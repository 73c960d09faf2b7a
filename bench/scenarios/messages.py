"""The messages of a scenario's emissions, where they differ in nothing but the token.

To make such a message is then to put a token between parts that are encoded once: no data is copied, and no JSON made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.scenarios.tokens import LEAST_INTEGER, TokenKind, kinds_in
from bench.wire.protocol import plain_message

#: Two tokens of each kind, to see where tokens are in a message. Their lengths may differ, as those of tokens do.
_EXAMPLES: dict[TokenKind, tuple[str, str]] = {
    "token": ("rt-0example0-1-2", "rt-0example0-34-567"),
    "uuid": ("3b0c5a0e-7d44-4a6e-9f21-0e8f5b1d2c33", "a91f7c52-11d8-4e0b-8a6f-c7d20f9e4b58"),
    "int": (str(LEAST_INTEGER + 0x1234567890ABC), str(LEAST_INTEGER + 0x6789ABCDEF012)),
}


def message_parts(event: str, data: Any, request: Callable[[str], Any], kind: TokenKind) -> tuple[bytes, ...] | None:
    """Return the parts of a text message between which the token stands; None if messages differ in more than that.

    `request` returns the data of an emission with this token. A message without token has a single part. None also for
    data that is no single argument, or has bytes in it.
    """
    if callable(data) or data is None or isinstance(data, tuple) or not set(kinds_in(data)) <= {kind}:
        return None
    first, second = _EXAMPLES[kind]
    try:
        parts = tuple(plain_message(event, request(first)).split(first.encode()))
        other = plain_message(event, request(second))
    except TypeError:  # there are bytes in it, or what cannot be sent, which the emission itself tells
        return None
    return parts if second.encode().join(parts) == other else None
