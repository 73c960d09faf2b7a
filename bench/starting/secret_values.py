"""The secrets of a recorded session, and the variables of the environment that stand for them.

A value is secret by its place (a cookie, an Authorization header, the auth of a connection, the body of a login), by
the name of its field, or by its form. The same value has the same variable wherever it occurs. No file repeats the
value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from bench.secrets import Secrets
from bench.starting.source import Code, Names, quoted

#: The beginning of the variables' names.
PREFIX = "SOCKETIO_"

#: The length of the shortest secret that is looked for elsewhere, in characters: a shorter value occurs in any text.
_SHORTEST_PART = 6

#: The length of the shortest value of a cookie or response that is looked for elsewhere, in characters.
_SHORTEST_KEPT = 8

#: The words of a field's name that make its value a secret.
_SECRET_WORDS = frozenset({
    "password", "passwort", "passwd", "pwd", "pass", "passphrase", "passcode", "secret", "secrets", "token",
    "tokens", "auth", "authorization", "authentication", "apikey", "accesskey", "credential", "credentials", "jwt",
    "bearer", "otp", "totp", "pin", "cvv", "cvc", "iban", "ssn", "session", "sessionid", "sid", "cookie", "cookies",
    "csrf", "xsrf", "signature", "sig", "hmac", "ticket",
})  # fmt: skip

#: The words that make a key a secret, when they stand before it.
_BEFORE_KEY = frozenset({"api", "access", "private", "secret", "auth", "session", "app"})

#: The fields of an auth that say who or what the client is, and let nobody in.
_OPEN_FIELDS = frozenset({
    "client", "version", "platform", "lang", "language", "locale", "transport", "room", "channel", "device", "os",
    "browser", "tz", "timezone", "protocol", "build", "theme", "mode", "type", "kind",
})  # fmt: skip

_JWT = re.compile(r"eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*")
_LONG_RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w+/.=-]{40,}")
_SCHEME = re.compile(r"(?i)(bearer|basic|token|digest)\s+\S{6,}")


def words_of(name: str) -> list[str]:
    """Return the words of a field's name, in lower case: `accessToken` and `access_token` have the same."""
    return re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())


@cache
def is_secret_name(name: str) -> bool:
    """Return whether a field of that name has a secret."""
    words = words_of(name)
    if not words:
        return False
    is_key = words[-1] in ("key", "keys") and any(word in _BEFORE_KEY for word in words[:-1])
    return is_key or any(word in _SECRET_WORDS for word in words) or "".join(words) in _SECRET_WORDS


def is_secret_part(name: str) -> bool:
    """Return whether a header, or a part of a query, of that name is a secret."""
    return is_secret_name(name) or words_of(name)[-1:] == ["key"]


def is_open_name(name: str) -> bool:
    """Return whether a field of that name in an auth is surely no secret."""
    return any(word in _OPEN_FIELDS for word in words_of(name)) and not is_secret_name(name)


def is_secret_form(text: str) -> bool:
    """Return whether a text is a secret by its form alone: a signed token, or a long random text."""
    return bool(_JWT.search(text) or _LONG_RANDOM.fullmatch(text) or _SCHEME.match(text))


class SecretValues:
    """The secrets that were found so far, each with its variable."""

    def __init__(self) -> None:
        #: The variables, with what each of them stands for.
        self.variables: dict[str, str] = {}
        self._names = Names()
        self._by_value: dict[str, str] = {}

    @property
    def secrets(self) -> Secrets:
        """The values, to be taken out of any text."""
        return Secrets.of_values(self._by_value)

    def keep(self, value: str) -> None:
        """Remember a value that is secret, and that no file needs; a short value, such as `dark`, is none."""
        if len(value) >= _SHORTEST_KEPT:
            self._by_value.setdefault(value, "")

    def code(self, value: str, name: str, meaning: str) -> Code:
        """Return the code that reads a secret from its variable, whose name is made of `name`."""
        known = self._by_value.get(value)
        if not known:
            known = self._by_value[value] = self._names.new(f"{PREFIX}{name}", str.upper)
            self.variables[known] = meaning
        return Code(f"secret({quoted(f'@env:{known}')})")

    def known(self, text: str) -> bool:
        """Return whether the text is, or contains, a secret that was found before."""
        return any(len(value) >= _SHORTEST_PART and value in text for value in self._by_value)

    def in_data(self, data: Any, name: str, meaning: str, always: Callable[[str], bool] | None = None) -> Any:
        """Return data with code in place of what is secret in it.

        `name` begins the variables' names. `always` says of a field's name whether any text and number in it is secret.
        """
        return self._replaced(data, (), name, meaning, always)

    def _key(self, key: Any, name: str, meaning: str) -> Any:
        """Return a key of an object, or code in place of it if the key itself is a secret."""
        is_secret = isinstance(key, str) and not isinstance(key, Code) and (is_secret_form(key) or self.known(key))
        return self.code(key, f"{name} key", f"a key in {meaning}") if is_secret else key

    def _replaced(
        self, data: Any, path: tuple[str, ...], name: str, meaning: str, always: Callable[[str], bool] | None
    ) -> Any:
        if isinstance(data, Mapping):
            return {
                self._key(key, name, meaning): self._replaced(value, (*path, str(key)), name, meaning, always)
                for key, value in data.items()
            }
        if isinstance(data, (list, tuple)):
            return type(data)(self._replaced(value, path, name, meaning, always) for value in data)
        if isinstance(data, (Code, bool)) or data is None or data == "":
            return data
        field = path[-1] if path else ""
        is_secret = any(map(is_secret_name, path)) or (always is not None and always(field))
        where = f"{name} {' '.join(path)}".strip()
        said = f"{'.'.join(path)} of {meaning}" if path else meaning
        if isinstance(data, str):
            if is_secret or is_secret_form(data) or self.known(data):
                return self.code(data, where, said)
        elif isinstance(data, (bytes, bytearray)):
            if is_secret:
                return Code(f"{self.code(data.decode(errors='replace'), where, said)}.encode()")
        elif is_secret:
            return Code(f"{type(data).__name__}({self.code(str(data), where, said)})")
        return data
