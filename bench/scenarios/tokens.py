"""Tokens: texts that are unique to each emission, by which its reply is known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

TOKEN = "{token}"
"""What stands for the token in a payload that is given as JSON."""

# A token can be found in any text: no service's own data looks like it.
_TOKEN_PATTERN = re.compile(r"rt-[0-9a-z]+-[0-9]+-[0-9]+")


def any_token(*reply: Any) -> str | None:
    """Return the first token in a reply, however deep it lies. All definitions share this function."""
    for text in strings_in(reply):
        if found := _TOKEN_PATTERN.search(text):
            return found.group()
    return None


def tokens(origin: str, connection: int) -> Iterator[str]:
    """Tokens that no other connection draws, as long as `origin` (lower case letters, digits) is the process's own."""
    prefix = f"rt-{origin}-{connection}-"
    return (prefix + str(number) for number in count())


def strings_in(data: Any) -> Iterator[str]:
    """Yield all strings in data that is JSON, keys included."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from strings_in(key)
            yield from strings_in(value)
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from strings_in(value)


def filled(data: Any, token: str) -> Any:
    """Return the data with the token in all places that are marked for it."""
    if isinstance(data, str):
        return data.replace(TOKEN, token)
    if isinstance(data, dict):
        return {filled(key, token): filled(value, token) for key, value in data.items()}
    if isinstance(data, list):
        return [filled(value, token) for value in data]
    return data
