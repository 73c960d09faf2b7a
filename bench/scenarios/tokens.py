"""Tokens: texts that are unique to each emission, by which its reply is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

#: The placeholder in a scenario's data. Each emission has its token in that place.
TOKEN = "{token}"

# A token can be found in any text: no service's own data looks like it.
_TOKEN_PATTERN = re.compile(r"rt-[0-9a-z]+-[0-9]+-[0-9]+")


def any_token(*reply: Any) -> str | None:
    """Return the first token in a reply, however deep it lies. All definitions share this function."""
    for text in strings_in(reply):
        if found := _TOKEN_PATTERN.search(text):
            return found.group()
    return None


def tokens(origin: str, connection: int) -> Iterator[str]:
    """Yield tokens that no other connection draws, if `origin` (lower case letters, digits) is the process's own."""
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


def has_token(data: Any) -> bool:
    """Return whether a string of the data contains the placeholder."""
    return any(TOKEN in text for text in strings_in(data))


def filled(data: Any, token: str) -> Any:
    """Return a copy of the data with the token in place of all placeholders."""
    if isinstance(data, str):
        return data.replace(TOKEN, token)
    if isinstance(data, dict):
        return {filled(key, token): filled(value, token) for key, value in data.items()}
    if isinstance(data, list):
        return [filled(value, token) for value in data]
    if isinstance(data, tuple):
        return tuple(filled(value, token) for value in data)
    return data


def filler(data: Any) -> Callable[[str], Any]:
    """Return the function that takes a token and returns the data with the token in it.

    Every round trip calls it, so it searches nothing: `filled`, which does, takes ten times as long. A later change of
    the data has no effect on it. Parts without a placeholder are the same objects each time.
    """
    if not has_token(data):
        fixed = filled(data, TOKEN)
        return lambda token: fixed
    if isinstance(data, str):
        return _token_itself if data == TOKEN else partial(str.replace, data, TOKEN)
    if isinstance(data, dict) and not any(map(has_token, data)):
        return _filler_of(filled(data, TOKEN), [(key, value) for key, value in data.items() if has_token(value)])
    if isinstance(data, list):
        return _filler_of(filled(data, TOKEN), [(at, value) for at, value in enumerate(data) if has_token(value)])
    if isinstance(data, tuple):
        as_list = filler(list(data))
        return lambda token: tuple(as_list(token))
    copied = filled(data, TOKEN)
    return lambda token: filled(copied, token)


def _filler_of(template: Any, varying: list[tuple[Any, Any]]) -> Callable[[str], Any]:
    """Return the function that copies a dict or list and replaces the parts that have a token in them."""
    if len(varying) == 1 and varying[0][1] == TOKEN:  # the usual case
        place = varying[0][0]

        def with_token(token: str) -> Any:
            data = template.copy()
            data[place] = token
            return data

        return with_token
    fillers = [(place, filler(part)) for place, part in varying]

    def with_parts(token: str) -> Any:
        data = template.copy()
        for place, fill in fillers:
            data[place] = fill(token)
        return data

    return with_parts


def _token_itself(token: str) -> str:
    return token
