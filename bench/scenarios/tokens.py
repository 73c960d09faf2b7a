"""Tokens: texts that are unique to each emission, by which its reply is known.

A token has the form of its placeholder in the data: `{token}` a text of ours, `{uuid}` a UUID, `{int}` an integer. Code
that matches replies handles all of them as texts. The integers are so large, and begin at such random places, that no
number of a service's own is taken for one of them.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any, Literal

TokenKind = Literal["token", "uuid", "int"]

#: The placeholder in a scenario's data. Each emission has its token in that place.
TOKEN = "{token}"

#: The placeholders of each kind of token. A string that is nothing but `{int}` becomes a number.
PLACEHOLDERS: dict[TokenKind, str] = {"token": TOKEN, "uuid": "{uuid}", "int": "{int}"}

#: The least integer that stands for `{int}`. All have 53 bits, as many as JavaScript's numbers have, and 16 digits.
LEAST_INTEGER = 1 << 52

# An odd factor takes each number to another, so all of them differ still. It spreads them: an id and the next
# that a service counts up to are not both ours.
_INTEGER_MASK = LEAST_INTEGER - 1
_INTEGER_FACTOR = 0x9E3779B97F4A7

# Of a UUID, the first 48 bits differ with each emission, and the others with each process. They are spread, too, as a
# database's index would see random UUIDs.
_UUID_MASK = (1 << 48) - 1
_UUID_FACTOR = 0x9E3779B97F4B

# Tokens can be found in any text: no service's own data looks like them.
_PATTERNS: dict[TokenKind, re.Pattern[str]] = {
    "token": re.compile(r"rt-[0-9a-z]+-[0-9]+-[0-9]+"),
    "uuid": re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Fa-f])"),
    "int": re.compile(r"(?<![0-9])[4-9][0-9]{15}(?![0-9])"),
}

# A text without this contains no token of the kind.
_SIGNS: dict[TokenKind, str] = {"token": "rt-", "uuid": "-", "int": ""}


class _Numbers:
    """Numbers that are unique in this process, from a random start; after a fork the new process has its own."""

    def __init__(self) -> None:
        self._process = 0
        self._numbers = count()
        #: The part of a UUID that all of this process have in common.
        self._uuid_end = ""

    def integer(self) -> str:
        """Return a new integer, as text."""
        return str(LEAST_INTEGER | (self._next() * _INTEGER_FACTOR & _INTEGER_MASK))

    def uuid(self) -> str:
        """Return a new UUID. Its form is that of version 4."""
        begin = f"{self._next() * _UUID_FACTOR & _UUID_MASK:012x}"
        return f"{begin[:8]}-{begin[8:]}{self._uuid_end}"

    def _next(self) -> int:
        if self._process != os.getpid():
            end = f"{secrets.randbits(76):019x}"
            self._uuid_end = f"-4{end[:3]}-{'89ab'[int(end[3], 16) % 4]}{end[4:7]}-{end[7:]}"
            self._numbers = count(secrets.randbits(52))
            self._process = os.getpid()
        return next(self._numbers)


_numbers = _Numbers()

#: The functions that draw a new token, for the kinds that no connection numbers.
_DRAWN: dict[TokenKind, Callable[[], str]] = {"uuid": _numbers.uuid, "int": _numbers.integer}


class _Tokens:
    """The tokens of a connection. Every round trip draws a token. Compiled, a generator would cost more."""

    __slots__ = ("_number", "_prefix")

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._number = -1

    def __iter__(self) -> _Tokens:
        return self

    def __next__(self) -> str:
        self._number += 1
        return f"{self._prefix}{self._number}"


def tokens(origin: str, connection: int) -> Iterator[str]:
    """Yield tokens that no other connection draws, if `origin` (lower case letters, digits) is the process's own."""
    return _Tokens(f"rt-{origin}-{connection}-")


def drawn(kind: TokenKind) -> Iterator[str]:
    """Yield UUIDs or integers that are drawn nowhere else, as texts."""
    return iter(_DRAWN[kind], None)  # None never comes


# --- in a reply ---------------------------------------------------------------------------------------------------


def tokens_in(reply: Any, kind: TokenKind = "token") -> list[str]:
    """Return the texts and numbers in a reply that may be tokens of the kind, however deep they lie, in their order."""
    found: list[str] = []
    _collect(reply, _SIGNS[kind], _PATTERNS[kind].findall, kind == "int", found)
    return [text.lower() for text in found] if kind == "uuid" else found


def _collect(data: Any, sign: str, find: Callable[[str], list[str]], integers: bool, found: list[str]) -> None:
    if isinstance(data, dict):
        for key, value in data.items():
            if type(key) is str and sign in key:
                found += find(key)
            if type(value) is not str:
                _collect(value, sign, find, integers, found)
            elif sign in value:
                found += find(value)
    elif isinstance(data, (list, tuple)):
        for value in data:
            if type(value) is not str:
                _collect(value, sign, find, integers, found)
            elif sign in value:
                found += find(value)
    elif isinstance(data, str):
        if sign in data:
            found += find(data)
    elif integers and (type(data) is int or (type(data) is float and data.is_integer())) and data >= LEAST_INTEGER:
        found.append(str(int(data)))


def any_token(*reply: Any) -> str | None:
    """Return the first token in a reply, however deep it lies. All definitions share this function."""
    return next(iter(tokens_in(reply)), None)


def any_uuid(*reply: Any) -> str | None:
    """Return the first UUID in a reply, in lower case, however deep it lies."""
    return next(iter(tokens_in(reply, "uuid")), None)


def any_integer(*reply: Any) -> str | None:
    """Return the digits of the first number in a reply that may stand for `{int}`, however deep it lies."""
    return next(iter(tokens_in(reply, "int")), None)


#: The function that searches a whole reply, for each kind of token.
SEARCHES: dict[TokenKind, Callable[..., str | None]] = {"token": any_token, "uuid": any_uuid, "int": any_integer}


def steps_to(token: str, reply: Any) -> tuple[Any, ...] | None:
    """Return the steps into a reply, as `reply[0]["id"]`, to the value that is the token; None if there is none.

    A token that is a part of a longer text, or a key, has no place.
    """
    if isinstance(reply, dict):
        steps: Iterator[tuple[Any, Any]] = iter(reply.items())
    elif isinstance(reply, (list, tuple)):
        steps = enumerate(reply)
    else:
        return None
    for step, value in steps:
        if value == token or (type(value) is int and str(value) == token):
            return (step,)
        if isinstance(value, (dict, list, tuple)) and (rest := steps_to(token, value)) is not None:
            return (step, *rest)
    return None


# --- in the data of an emission -----------------------------------------------------------------------------------


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


def has_token(data: Any, kind: TokenKind = "token") -> bool:
    """Return whether a string of the data contains the placeholder of that kind."""
    placeholder = PLACEHOLDERS[kind]
    return any(placeholder in text for text in strings_in(data))


def kinds_in(data: Any) -> tuple[TokenKind, ...]:
    """Return the kinds of the placeholders in the data."""
    texts = [text for text in strings_in(data) if "{" in text]
    return tuple(kind for kind, placeholder in PLACEHOLDERS.items() if any(placeholder in text for text in texts))


def filled(data: Any, token: str, kind: TokenKind = "token") -> Any:
    """Return a copy of the data with the token in place of all placeholders of its kind."""
    if isinstance(data, str):
        placeholder = PLACEHOLDERS[kind]
        return int(token) if data == placeholder and kind == "int" else data.replace(placeholder, token)
    if isinstance(data, dict):
        placeholder = PLACEHOLDERS[kind]
        return {
            key.replace(placeholder, token) if isinstance(key, str) else key: filled(value, token, kind)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [filled(value, token, kind) for value in data]
    if isinstance(data, tuple):
        return tuple(filled(value, token, kind) for value in data)
    return data


def has_function(data: Any) -> bool:
    """Return whether a value within the data is a function, which each emission calls."""
    if isinstance(data, dict):
        return any(map(has_function, data.values()))
    if isinstance(data, (list, tuple)):
        return any(map(has_function, data))
    return callable(data)


def _called(data: Any) -> Any:
    """Return a copy of the data with what its functions return in their places."""
    if isinstance(data, dict):
        return {key: _called(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return type(data)(map(_called, data))
    return data() if callable(data) else data


def filler(data: Any, kind: TokenKind = "token") -> Callable[[str], Any]:
    """Return the function that takes a token and returns the data with the token in it.

    Every round trip calls it, so it searches nothing: `filled`, which does, takes ten times as long. A later change of
    the data has no effect on it. Parts without a placeholder are the same objects each time. If the data has
    placeholders of other kinds too, each emission has new ones in their places. It calls the functions in the data.
    """
    fill = _filler_of_kinds(data, kind)
    return (lambda token: _called(fill(token))) if has_function(data) else fill


def _filler_of_kinds(data: Any, kind: TokenKind) -> Callable[[str], Any]:
    others: tuple[TokenKind, ...] = tuple(other for other in kinds_in(data) if other != kind and other in _DRAWN)
    if not others:
        return _filler(data, kind)
    copied = _copied(data)

    def with_all_kinds(token: str) -> Any:
        made = filled(copied, token, kind)
        for other in others:
            made = filled(made, _DRAWN[other](), other)
        return made

    return with_all_kinds


def _copied(data: Any) -> Any:
    return filled(data, TOKEN)


def _filler(data: Any, kind: TokenKind) -> Callable[[str], Any]:
    placeholder = PLACEHOLDERS[kind]
    has_placeholder = partial(has_token, kind=kind)
    if not has_placeholder(data):
        fixed = _copied(data)
        return lambda token: fixed
    if isinstance(data, str):
        if data == placeholder:
            return int if kind == "int" else _token_itself
        return partial(str.replace, data, placeholder)
    if isinstance(data, dict) and not any(map(has_placeholder, data)):
        return _filler_of(_copied(data), [(key, value) for key, value in data.items() if has_placeholder(value)], kind)
    if isinstance(data, list):
        return _filler_of(_copied(data), [(at, value) for at, value in enumerate(data) if has_placeholder(value)], kind)
    if isinstance(data, tuple):
        as_list = _filler(list(data), kind)
        return lambda token: tuple(as_list(token))
    copied = _copied(data)
    return lambda token: filled(copied, token, kind)


def _filler_of(template: Any, varying: list[tuple[Any, Any]], kind: TokenKind) -> Callable[[str], Any]:
    """Return the function that copies a dict or list and replaces the parts that have a token in them."""
    if len(varying) == 1 and varying[0][1] == TOKEN == PLACEHOLDERS[kind]:  # the usual case
        place = varying[0][0]

        def with_token(token: str) -> Any:
            data = template.copy()
            data[place] = token
            return data

        return with_token
    fillers = [(place, _filler(part, kind)) for place, part in varying]

    def with_parts(token: str) -> Any:
        data = template.copy()
        for place, fill in fillers:
            data[place] = fill(token)
        return data

    return with_parts


def _token_itself(token: str) -> str:
    return token
