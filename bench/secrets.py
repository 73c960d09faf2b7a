"""The secrets of a user, and how they are taken out of any text before somebody sees it. Imports nothing.

Rules of this file: a secret is what was given as auth, header, cookie, query, user, password or token. It is hidden in
each form in which a service or a library may repeat it: as it is, escaped for JSON, Python, HTML or a URL, in base64
(also within a longer text), and cut off at an end of the text. Values that occur in any text are no secrets: short
values, and words such as `true`.

A run that starts a service has its `KnownSecrets`: those that were given, and those that come to be known while it
runs, such as the token that a login returns. They are asked when the service's words are shown or stored.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from bisect import bisect_left, insort
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
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "connection",
        "content-length",
        "content-type",
        "host",
        "origin",
        "referer",
        "user-agent",
    }
)

#: A name of what is secret, as a pattern: of a variable, an option, or a field.
SECRET_NAME = r"[\w-]*(?:token|secret|password|passwd|api[_-]?key|credential)[\w-]*"

_IS_SECRET_NAME = re.compile(rf"(?i){SECRET_NAME}")

#: The number of secrets that a run keeps at most, and of their characters: some ten megabytes with all their forms.
MOST_VALUES, MOST_CHARACTERS = 50_000, 2 << 20

#: The parts of a log that are secret by their form: JSON Web Tokens, and what follows the name of a header or scheme.
_JSON_WEB_TOKEN = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?")
_IN_HEADER = re.compile(r"(?i)(\b(?:(?:bearer|basic)\s+|authorization\W{1,4}))(?=[\w.~+/-]*\d)[\w.~+/-]{8,}=*")

#: A word that looks like a token: of 16 characters or more, digits and letters.
_TOKEN_LIKE = re.compile(r"(?<![\w+-])(?=[\w+-]*\d)(?=[\w+-]*[A-Za-z])[\w+-]{16,}=*")

#: The number of beginnings up to which a pattern of all of them is faster than a look at each place of a text.
_MOST_IN_PATTERN = 200

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
            found += of_headers(connection.headers)
            found += _of_cookies(connection.cookies)
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
        return self._forms.hide(text) if self.values and text else text

    @cached_property
    def _forms(self) -> _Forms:
        """The texts to look for."""
        forms = _Forms()
        forms.add(self.values)
        return forms


class KnownSecrets:
    """The secrets of a run: those that were given, and those that come to be known while it runs.

    A thread may add to them while another hides them. There is room for `most_values` with `most_characters` in all.
    Once that is full, each word that looks like a token is hidden, because it may be a secret that found no room.
    """

    def __init__(
        self, given: Secrets | None = None, most_values: int = MOST_VALUES, most_characters: int = MOST_CHARACTERS
    ) -> None:
        self._known: set[str] = set()
        #: The same in the order in which they came: others may have taken a part of them.
        self._values: list[str] = []
        self._forms = _Forms()
        self._looked_for = 0
        self._most_values, self._characters_left = most_values, most_characters
        #: True if a secret found no room.
        self.is_full = False
        if given is not None:
            self.learn(given.values)

    def learn(self, values: Iterable[str]) -> None:
        """Take values as secrets from now on, but for those that occur in any text."""
        for each in values:
            value = each.strip()
            if value in self._known or not _is_secret(value) or _JSON_WEB_TOKEN.fullmatch(value):
                continue  # of Web Tokens, which are long, none has to be known
            if self.is_full or len(self._known) >= self._most_values or len(value) > self._characters_left:
                self.is_full = True
                return
            self._add(value)

    def learn_setting(self, name: str, value: Any) -> None:
        """Take as secrets what a field of a connection's settings has in it: `auth`, `headers` or `cookies`."""
        self.learn(_OF_SETTING[name](value))

    def since(self, number: int) -> list[str]:
        """Return the secrets that came after the first `number` of them."""
        return self._values[number:]

    def _add(self, value: str) -> None:
        self._characters_left -= len(value)
        self._known.add(value)
        self._values.append(value)

    def hide(self, text: str) -> str:
        """Return a text of the service with `...` for every secret in it, and for what is secret by its form."""
        if new := self.since(self._looked_for):
            self._looked_for += len(new)
            self._forms.add(new)
        text = _IN_HEADER.sub(rf"\1{HIDDEN}", _JSON_WEB_TOKEN.sub(HIDDEN, self._forms.hide(text)))
        return _TOKEN_LIKE.sub(HIDDEN, text) if self.is_full else text


class _Grams:
    """The beginnings, or ends, of the texts to look for, all of the same length: where they are in a text."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._grams: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, gram: str) -> None:
        if gram not in self._grams:
            self._grams.add(gram)
            self._pattern = None

    def places(self, text: str, end: int) -> Iterator[int]:
        """Yield the places before `end` at which one of them begins, in their order."""
        if not self._grams:
            return
        if len(self._grams) > _MOST_IN_PATTERN:
            last = min(end, len(text) - self._length + 1)
            yield from (place for place in range(last) if text[place : place + self._length] in self._grams)
            return
        if self._pattern is None:
            self._pattern = re.compile("|".join(map(re.escape, sorted(self._grams))))
        found = self._pattern.search(text)
        while found is not None and found.start() < end:
            yield found.start()
            found = self._pattern.search(text, found.start() + 1)


class _Forms:
    """The forms of secrets, to be found in a text whatever their number is.

    Most places of a text are no beginning of a form. At the others, a set of all forms is asked for a form of each
    length that such a beginning has.
    """

    def __init__(self) -> None:
        self._all: set[str] = set()
        #: The beginnings, and the lengths of the forms that begin so, the greatest first.
        self._heads = _Grams(SHORTEST)
        self._lengths: dict[str, list[int]] = {}
        self._tails = _Grams(_SHORTEST_PART)
        #: The forms in order, and their mirror images in order: to look for parts of them.
        self._sorted: list[str] = []
        self._mirrored: list[str] = []
        self._longest = 0

    def add(self, values: Iterable[str]) -> None:
        """Look for these values in all of their forms from now on."""
        new = {form for value in values for form in _forms_of(value)} - self._all
        if not new:
            return
        self._all |= new
        for form in new:
            self._heads.add(form[:SHORTEST])
            lengths = self._lengths.setdefault(form[:SHORTEST], [])
            if len(form) not in lengths:
                insort(lengths, len(form), key=int.__neg__)
        parted = [form for form in new if len(form) > _SHORTEST_PART]
        for form in parted:
            self._tails.add(form[-_SHORTEST_PART:])
        self._sorted = sorted([*self._sorted, *parted])
        self._mirrored = sorted([*self._mirrored, *(form[::-1] for form in parted)])
        self._longest = max(self._longest, *map(len, new))

    def hide(self, text: str) -> str:
        """Return the text with `...` for each form in it."""
        parts: list[str] = []
        end = 0
        for start, stop in sorted(self._spans(text)):
            if start > end or not parts:
                parts += [text[end:start], HIDDEN]
            end = max(end, stop)
        return "".join([*parts, text[end:]])

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where a secret is in the text: whole, or a part of it where the text was cut."""
        yield from self._of_end(text)
        ends = list(_ends(text))
        following = 0
        for start in self._heads.places(text, len(text)):
            for length in self._lengths[text[start : start + SHORTEST]]:
                if text[start : start + length] in self._all:
                    yield start, start + length
                    break
            while following < len(ends) and ends[following] < start + _SHORTEST_PART:
                following += 1
            if following < len(ends) and ends[following] - start <= self._longest:
                end = ends[following]
                if _begins_any(self._sorted, text[start:end]):
                    yield start, end

    def _of_end(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the place of the end of a secret with which the text begins."""
        cut = 0
        for place in self._tails.places(text, self._longest):
            if _begins_any(self._mirrored, text[: place + _SHORTEST_PART][::-1]):
                cut = place + _SHORTEST_PART
        if cut:
            yield 0, cut


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


def of_headers(headers: Any) -> Iterator[str]:
    """Yield what is secret in headers, which are a mapping, or else nothing is known of them."""
    if isinstance(headers, Mapping):
        for name, value in headers.items():
            yield from _of_header(name, value)


def of_fields(data: Any) -> Iterator[str]:
    """Yield the texts in data of JSON that are secret by the names of their fields, such as `access_token`."""
    remaining = [data]
    while remaining:
        value = remaining.pop()
        if isinstance(value, Mapping):
            for name, inner in value.items():
                if isinstance(name, str) and _IS_SECRET_NAME.fullmatch(name):
                    yield from _of_data(inner)
                else:
                    remaining.append(inner)
        elif isinstance(value, list | tuple):
            remaining += value


def _of_cookies(cookies: Any) -> Iterator[str]:
    if isinstance(cookies, Mapping):
        yield from (value for value in cookies.values() if isinstance(value, str))


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


def _ends(text: str) -> Iterator[int]:
    """Yield the places at which a text was cut, in their order: its marks and its end, or a quote before them."""
    cut = text.find(_CUT)
    while cut >= 0:
        yield _before_quotes(text, cut)
        cut = text.find(_CUT, cut + 1)
    yield _before_quotes(text, len(text))


def _before_quotes(text: str, end: int) -> int:
    while end and text[end - 1] in "'\"":
        end -= 1
    return end


def _begins_any(ordered: list[str], part: str) -> bool:
    """Return whether any of these texts, which are in order, begins with that part."""
    place = bisect_left(ordered, part)
    return place < len(ordered) and ordered[place].startswith(part)


#: The functions that find what is secret in a field of a connection's settings.
_OF_SETTING = {"auth": _of_data, "headers": of_headers, "cookies": _of_cookies}
