"""The secrets of a user, and how they are taken out of any text before somebody sees it. Imports nothing.

Rules of this file: a secret is what was given as auth, header, cookie, query, user, password or token. It is hidden in
each form in which a service or a library may repeat it: as it is, escaped for JSON, Python, HTML or a URL, in base64
(also within a longer text), and cut off at an end of the text. Values that occur in any text are no secrets: short
values, and words such as `true`.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Protocol
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

#: The text that stands for a secret.
HIDDEN = "..."

#: The length of the shortest secret, in characters. A shorter value occurs in any text, and to hide it would spoil the
#: text.
SHORTEST = 4

#: The length of the shortest part of a secret that is hidden where a text was cut, in characters.
_SHORTEST_PART = 6

#: The length of the shortest part of a base64 text that is looked for within longer base64, in characters.
_SHORTEST_INNER = 8

#: The fewest digits of a number that is a secret.
_FEWEST_DIGITS = 6

#: The values that are as long as a secret and are none.
_WORDS = frozenset(
    {"true", "false", "null", "none", "undefined", "anonymous", "guest", "http", "https", "bearer", "basic"}
)

#: The headers that say nothing that is secret, but what may well stand in other texts.
_OPEN_HEADERS = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-type", "host", "origin", "referer", "user-agent"}
)

#: The mark of a text that was cut, as `printable.one_line` sets it.
_CUT = "…"


#: The secrets that the user's own files have asked for by name, in this process.
_asked_for: set[str] = set()


def note_asked_for(value: str) -> None:
    """Take note of a secret that a user's file has asked for by name: it is in no setting, and is hidden as well."""
    _asked_for.add(value)


class Settings(Protocol):
    """The part of a connection's settings that may be secret."""

    @property
    def auth(self) -> Any:
        """The payload of the request to join. A function is no secret: what it returns may be."""

    @property
    def headers(self) -> Any:
        """The additional headers: a mapping, or a function."""

    @property
    def cookies(self) -> Any:
        """The cookies: a mapping, or a function."""

    @property
    def query(self) -> Mapping[str, str]:
        """The query of every request."""

    @property
    def key_password(self) -> str | None:
        """The password of the client's own key."""


@dataclass(frozen=True)
class Secrets:
    """The secrets of a connection, or of several. `a | b` has those of both."""

    values: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def of(cls, connection: Settings | None, url: str = "") -> Secrets:
        """Return the secrets of these settings and of this URL, and those that the user's files have asked for."""
        found: list[str] = [*_of_url(url), *_asked_for]
        if connection is not None:
            found += _of_data(connection.auth)
            if isinstance(connection.headers, Mapping):
                for name, value in connection.headers.items():
                    found += _of_header(name, value)
            if isinstance(connection.cookies, Mapping):
                found += (value for value in connection.cookies.values() if isinstance(value, str))
            found += connection.query.values()
            found += [connection.key_password] if connection.key_password else []
        return cls.of_values(found)

    @classmethod
    def of_values(cls, values: Iterable[str]) -> Secrets:
        """Return these values as secrets, but for those that occur in any text."""
        return cls(frozenset(value for value in map(str.strip, values) if _is_secret(value)))

    def __or__(self, other: Secrets) -> Secrets:
        return Secrets(self.values | other.values)

    def __bool__(self) -> bool:
        return bool(self.values)

    def hide(self, text: str) -> str:
        """Return the text with `...` for every secret in it."""
        if not self.values or not text:
            return text
        spans = sorted(span for form in self._forms for span in _places(form, text))
        if not spans:
            return text
        parts: list[str] = []
        end = 0
        for start, stop in spans:
            if start > end or not parts:
                parts += [text[end:start], HIDDEN]
            end = max(end, stop)
        return "".join([*parts, text[end:]])

    @cached_property
    def _forms(self) -> tuple[str, ...]:
        """The texts to look for, the longest first."""
        forms = {form for value in self.values for form in _forms_of(value)}
        return tuple(sorted(forms, key=len, reverse=True))


def _is_secret(value: str) -> bool:
    return len(value) >= SHORTEST and value.lower() not in _WORDS and value != HIDDEN


def _of_data(data: Any) -> Iterator[str]:
    """Yield the texts in data of JSON and bytes, and the numbers that are long enough."""
    remaining = [data]
    while remaining:
        value = remaining.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, bytes | bytearray):
            yield bytes(value).decode(errors="replace")
        elif isinstance(value, Mapping):
            remaining += value.values()
        elif isinstance(value, list | tuple):
            remaining += value
        elif type(value) is int and value >= 10 ** (_FEWEST_DIGITS - 1):
            yield str(value)


def _of_header(name: str, value: Any) -> Iterator[str]:
    """Yield what is secret in a header: the value, a token after a word such as `Bearer`, a password, cookies."""
    if not isinstance(value, str) or not isinstance(name, str) or name.lower() in _OPEN_HEADERS:
        return
    yield value
    if name.lower() == "cookie":
        for cookie in value.split(";"):
            yield cookie.partition("=")[2]
        return
    scheme, _, token = value.partition(" ")
    yield token
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return
        yield password or user


def _of_url(url: str) -> Iterator[str]:
    """Yield user and password of a URL as they may be repeated, and the parts of its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    userinfo, at, _ = parts.netloc.rpartition("@")
    if at:
        user, _, password = userinfo.partition(":")
        yield userinfo
        yield base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
        yield from (password, unquote(password)) if password else (user, unquote(user))
    for part in parts.query.split("&"):
        value = part.partition("=")[2] or part
        yield from (part, value, unquote_plus(value))


@lru_cache(maxsize=4096)
def _forms_of(value: str) -> frozenset[str]:
    """Return a secret in each form in which somebody may repeat it."""
    in_json = json.dumps(value)[1:-1]
    forms = {
        value,
        " ".join(value.split()),  # as `printable.one_line` has it
        in_json,
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(in_json)[1:-1],
        repr(value)[1:-1],
        html.escape(value),
        html.escape(value, quote=False),
    }
    for escaped in (quote(value, safe=""), quote(value), quote_plus(value), quote(value, safe="!~*'()")):
        forms |= {escaped, _lower_escapes(escaped)}
    raw = value.encode(errors="surrogatepass")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(raw).decode()
        forms |= {whole, whole.rstrip("=")}
        for before in range(3):  # within a longer text it may begin at any of three places
            inner = encode(bytes(before) + raw).decode().rstrip("=")
            first = -(-8 * before // 6)  # the characters before it also say something of what stands before
            last = 8 * (before + len(raw)) // 6
            if last - first >= _SHORTEST_INNER:
                forms.add(inner[first:last])
    return frozenset(form for form in forms if len(form) >= SHORTEST)


def _lower_escapes(escaped: str) -> str:
    """Return a percent-encoded text with the digits of its escapes in lower case."""
    head, *rest = escaped.split("%")
    return "%".join([head, *(part[:2].lower() + part[2:] for part in rest)])


def _places(form: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield where a secret is in the text: whole, or a part of it where the text was cut."""
    start = text.find(form)
    while start >= 0:
        yield start, start + len(form)
        start = text.find(form, start + 1)
    if len(form) <= _SHORTEST_PART:
        return
    cut = text.find(_CUT)
    while cut >= 0:
        yield from _end_of(form, text, cut)
        cut = text.find(_CUT, cut + 1)
    yield from _end_of(form, text, len(text))
    tail = form[-_SHORTEST_PART:]
    found = text.find(tail, 0, len(form))
    if found >= 0 and form.endswith(text[: found + _SHORTEST_PART]):
        yield 0, found + _SHORTEST_PART


def _end_of(form: str, text: str, end: int) -> Iterator[tuple[int, int]]:
    """Yield the place of the beginning of a secret that ends with the text, or before a mark or quote there."""
    while end and text[end - 1] in "'\"":
        end -= 1
    head = form[:_SHORTEST_PART]
    start = text.find(head, max(0, end - len(form)), end)
    while start >= 0:
        if form.startswith(text[start:end]):
            yield start, end
            return
        start = text.find(head, start + 1, end)
