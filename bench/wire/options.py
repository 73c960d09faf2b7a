"""The options of every command that say how a client connects: their texts in, the settings of a Connection out.

Rules of this file: it is pure, but for reading the files and variables that an option names. There is one list of the
options, and each command registers all of it. What is wrong is a SettingError of one line that names the option. No
message repeats a value that may be secret.

What stands on a command line comes before the same setting of a scenarios file or of a user class. Headers, cookies and
the query are added to those: a name counts once, with the value of the command line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import orjson

from bench.printable import one_line
from bench.secrets import note_asked_for
from bench.timing.durations import DurationError, parse_duration
from bench.wire.connection import SERIALIZERS, TRANSPORTS, Connection, TransportName, check_cookie, check_header
from bench.wire.errors import ConnectFailed, SettingError
from bench.wire.tls import Tls

#: The values of --transport: the third begins with polling and upgrades.
TRANSPORT_CHOICES = (*TRANSPORTS, "polling,websocket")

#: The beginning of a value that is in a variable of the environment.
_VARIABLE = "@env:"

#: The beginning of a value that is in a file.
_FILE = "@"

#: The largest file that a value is read from, in bytes.
_MOST_FILE_BYTES = 1_000_000


@dataclass(frozen=True)
class ConnectionOption:
    """An option of the command line: its name, and what its help says."""

    name: str
    metavar: str
    help: str
    kind: Literal["text", "repeated", "flag"] = "text"

    @property
    def flag(self) -> str:
        """The option as the user types it."""
        return f"--{self.name}"

    @property
    def sentence(self) -> str:
        """The help as a sentence."""
        return f"{self.help[0].upper()}{self.help[1:]}."

    @property
    def key(self) -> str:
        """The key of the option's text among the texts of all options."""
        return f"connection_{self.name.replace('-', '_')}"


#: All of them, in the order of the help.
CONNECTION_OPTIONS = (
    ConnectionOption(
        "namespace", "NAME", "namespace to join; repeat it for several, scenarios use the first", "repeated"
    ),
    ConnectionOption("auth", "JSON", "data for the connect handler; also =@FILE or =@env:NAME"),
    ConnectionOption(
        "header", "'NAME: VALUE'", "header of every HTTP request; VALUE may be @FILE or @env:NAME", "repeated"
    ),
    ConnectionOption(
        "cookie", "NAME=VALUE", "cookie of every HTTP request; VALUE may be @FILE or @env:NAME", "repeated"
    ),
    ConnectionOption("query", "NAME=VALUE", "part of the query of every HTTP request; as --cookie", "repeated"),
    ConnectionOption("socketio-path", "PATH", "where under the URL the server takes Socket.IO connections [socket.io]"),
    ConnectionOption("transport", "NAME", "websocket, polling, or polling,websocket to begin with polling and upgrade"),
    ConnectionOption("serializer", "NAME", "json or msgpack, as the server has it [json]"),
    ConnectionOption("cafile", "FILE", "authorities to trust at https:// instead of the system's, as PEM"),
    ConnectionOption("certfile", "FILE", "certificate of the client, as PEM, for a server that asks for it"),
    ConnectionOption("keyfile", "FILE", "key of --certfile, unless it is in the same file"),
    ConnectionOption("key-password", "@FILE", "password of the key, from a file, or from @env:NAME"),
    ConnectionOption("insecure", "", "believe whatever certificate the server shows: for tests alone", "flag"),
    ConnectionOption("connect-timeout", "SECONDS", "limit of a whole attempt to connect [5]"),
    ConnectionOption("max-message-bytes", "BYTES", "largest message that the client takes from the server [10485760]"),
)

_BY_KEY = {option.key: option for option in CONNECTION_OPTIONS}

#: The fields that are added to those of the scenarios file or class.
_ADDED = ("headers", "cookies", "query")


@dataclass(frozen=True)
class GivenSettings:
    """The settings that a command line gives, by the names of Connection's fields; `tls` by the fields of Tls.

    The values are plain data, so that they can be sent to other processes.
    """

    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.fields)

    def over(self, base: Connection | None = None) -> Connection:
        """Return the settings with these in place of its own. Raises SettingError."""
        base = base or Connection()
        if not self.fields:
            return base
        fields = dict(self.fields)
        for name in _ADDED:
            if name in fields:
                fields[name] = _added(getattr(base, name), fields[name], ignore_case=name == "headers")
        if "tls" in fields:
            fields["tls"] = _tls_over(base.tls, fields["tls"])
        return replace(base, **fields)

    def checked_over(self, base: Connection | None = None) -> Connection:
        """Return the same, with the files of TLS looked at. Raises SettingError."""
        connection = self.over(base)
        if connection.tls is not None and "tls" in self.fields:
            try:
                connection.tls.context()
            except ConnectFailed as error:
                raise SettingError(str(error)) from None
        return connection


def given_settings(
    texts: Mapping[str, Any], directory: Path | None = None, variables: Mapping[str, str] | None = None
) -> GivenSettings:
    """Return what the texts of the options say, by the options' keys; None and empty ones were not given.

    Files are looked for from `directory`, the working directory by default. Raises SettingError.
    """
    source = _Source(directory or Path.cwd(), os.environ if variables is None else variables)
    given: dict[str, Any] = {}
    tls: dict[str, Any] = {}
    for key, option in _BY_KEY.items():
        text = texts.get(key)
        if text is None or text is False or not len(text if isinstance(text, Sequence) else "x"):
            continue
        if option.name in _TLS:
            name, read = _TLS[option.name]
            tls[name] = read(source, option.flag, text)
        else:
            name, parse = _PARSERS[option.name]
            given[name] = parse(source, option.flag, text)
    if tls:
        given["tls"] = tls
    settings = GivenSettings(given)
    try:
        settings.over()
    except SettingError as error:
        raise SettingError(f"{_named(given, str(error))}{error}") from None
    return settings


def secret(text: str) -> str:
    """Return the value that a text names: `@env:NAME` a variable of the environment, `@FILE` the content of a file.

    It is for scenarios files and locustfiles, so that no secret has to stand in them. The value is hidden in all that
    is shown. A relative path begins at the working directory. Raises SettingError, in one line that names the variable
    or the file.
    """
    if not isinstance(text, str) or not text.startswith(_FILE) or text.startswith(f"{_FILE}{_FILE}"):
        raise SettingError('a secret is named: secret("@env:NAME") a variable, secret("@FILE") a file')
    value = _Source(Path.cwd(), os.environ).value("secret", text)
    note_asked_for(value)
    return value


def transport_of(settings: GivenSettings) -> tuple[TransportName, ...] | None:
    """Return the transports that were given, None if none was."""
    found = settings.fields.get("transports")
    return None if found is None else tuple(found)


def _named(given: Mapping[str, Any], reason: str) -> str:
    """Return the beginning of a message that names the option for a field that the reason begins with."""
    by_field = {name: option for option, (name, _) in _PARSERS.items()}
    first = reason.partition(" ")[0]
    return f"--{by_field[first]}: " if first in by_field and first in given else ""


@dataclass(frozen=True)
class _Source:
    """The places from which values are read."""

    directory: Path
    variables: Mapping[str, str]

    def value(self, option: str, text: str) -> str:
        """Return the value that a text names, or the text itself. `@@` stands for an `@` of the value's own."""
        if text.startswith(_VARIABLE):
            name = text.removeprefix(_VARIABLE)
            if name not in self.variables:
                raise SettingError(f"{option} {_VARIABLE}{one_line(name, 60)}: there is no such environment variable")
            return self.variables[name]
        if text.startswith(f"{_FILE}{_FILE}"):
            return text[1:]
        if text.startswith(_FILE):
            return self._content(option, text.removeprefix(_FILE))
        return text

    def path(self, text: str) -> str:
        """Return the absolute path of a file: other processes may have another working directory."""
        return str((self.directory / text).absolute())

    def _content(self, option: str, name: str) -> str:
        try:
            with (self.directory / name).open("rb") as file:
                content = file.read(_MOST_FILE_BYTES + 1)
            text = content.decode()
        except (OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or "it is no text in UTF-8").lower()
            raise SettingError(f"{option} @{one_line(name, 100)}: the file cannot be read: {reason}") from None
        if len(content) > _MOST_FILE_BYTES:
            raise SettingError(f"{option} @{one_line(name, 100)}: the file is larger than {_MOST_FILE_BYTES} bytes")
        return text.rstrip("\r\n")


def _namespaces(_: _Source, option: str, texts: Sequence[str]) -> list[str]:
    return list(texts)


def _auth(source: _Source, option: str, text: str) -> Any:
    try:
        data = orjson.loads(source.value(option, text))
    except orjson.JSONDecodeError:
        raise SettingError(
            f"""{option} is no JSON: an object is {{"token": "…"}}, a text has quotes of its own, as in '"…"'"""
        ) from None
    return _with_variables(source, option, data)


def _with_variables(source: _Source, option: str, data: Any) -> Any:
    """Return data of JSON with the variables that texts in it name: `{"token": "@env:TOKEN"}`."""
    if isinstance(data, str) and data.startswith(_VARIABLE):
        return source.value(option, data)
    if isinstance(data, dict):
        return {name: _with_variables(source, option, value) for name, value in data.items()}
    if isinstance(data, list):
        return [_with_variables(source, option, value) for value in data]
    return data


def _headers(source: _Source, option: str, texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, value = _pair(source, option, text, ":", "'Name: value'")
        _checked(option, check_header, name, value)
        if any(name.lower() == known.lower() for known in found):
            raise SettingError(f"{option} {name} was given twice")
        found[name] = value
    return found


def _cookies(source: _Source, option: str, texts: Sequence[str]) -> dict[str, str]:
    found = dict(_pair(source, option, text, "=", "name=value") for text in texts)
    for name, value in found.items():
        _checked(option, check_cookie, name, value)
    return found


def _query(source: _Source, option: str, texts: Sequence[str]) -> dict[str, str]:
    return dict(_pair(source, option, text, "=", "name=value") for text in texts)


def _checked(option: str, check: Callable[[str, str], None], name: str, value: str) -> None:
    try:
        check(name, value)
    except SettingError as error:
        raise SettingError(f"{option}: {error}") from None


def _pair(source: _Source, option: str, text: str, separator: str, form: str) -> tuple[str, str]:
    name, found, value = text.partition(separator)
    if not found or not name.strip():
        raise SettingError(f"{option} is written {option} {form}: a {separator!r} with a name before it is missing")
    return name.strip(), source.value(option, value.strip())


def _text(_: _Source, option: str, text: str) -> str:
    return text


def _transports(_: _Source, option: str, text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if ",".join(names) not in TRANSPORT_CHOICES:
        raise SettingError(f"{option} {one_line(text, 60)!r}: give {', '.join(TRANSPORTS)} or {TRANSPORT_CHOICES[-1]}")
    return names


def _serializer(_: _Source, option: str, text: str) -> str:
    if text not in SERIALIZERS:
        raise SettingError(f"{option} {one_line(text, 60)!r}: give {' or '.join(SERIALIZERS)}")
    return text


def _seconds(_: _Source, option: str, text: str) -> float:
    try:
        return parse_duration(text)
    except DurationError:
        raise SettingError(f"{option} {one_line(text, 60)!r}: give seconds, as in 5 or 0.5s") from None


def _bytes(_: _Source, option: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SettingError(f"{option} {one_line(text, 60)!r}: give a number of bytes, as in 1000000") from None


def _path(source: _Source, option: str, text: str) -> str:
    return source.path(text)


def _password(source: _Source, option: str, text: str) -> str:
    if not text.startswith(_FILE):
        raise SettingError(f"{option} takes no password, which others could see: give @FILE or @env:NAME")
    return source.value(option, text)


def _flag(_: _Source, option: str, given: bool) -> bool:
    return given


#: The field of Connection that each option stands for, and its parser.
_PARSERS: dict[str, tuple[str, Callable[[_Source, str, Any], Any]]] = {
    "namespace": ("namespaces", _namespaces),
    "auth": ("auth", _auth),
    "header": ("headers", _headers),
    "cookie": ("cookies", _cookies),
    "query": ("query", _query),
    "socketio-path": ("socketio_path", _text),
    "transport": ("transports", _transports),
    "serializer": ("serializer", _serializer),
    "connect-timeout": ("connect_timeout", _seconds),
    "max-message-bytes": ("max_message_bytes", _bytes),
}

#: The field of Tls that each option stands for, and its parser.
_TLS: dict[str, tuple[str, Callable[[_Source, str, Any], Any]]] = {
    "cafile": ("ca_file", _path),
    "certfile": ("certificate_file", _path),
    "keyfile": ("key_file", _path),
    "key-password": ("key_password", _password),
    "insecure": ("insecure", _flag),
}


def _added(base: Any, given: Mapping[str, str], ignore_case: bool) -> Any:
    """Return the given fields added to those of a scenarios file or class, which may be a function."""
    if not callable(base):
        return _merged(base, given, ignore_case)

    async def added() -> Mapping[str, str]:
        made = base()
        return _merged(await made if hasattr(made, "__await__") else made, given, ignore_case)

    return added


def _merged(base: Mapping[str, str] | None, given: Mapping[str, str], ignore_case: bool) -> dict[str, str]:
    replaced = {name.lower() if ignore_case else name for name in given}
    kept = {
        name: value for name, value in (base or {}).items() if (name.lower() if ignore_case else name) not in replaced
    }
    return {**kept, **given}


def _tls_over(base: Tls | None, given: Mapping[str, Any]) -> Tls:
    """Return the settings of TLS with these in them: to trust an authority and to trust anybody exclude each other."""
    fields = dict(given)
    if "ca_file" in fields and "insecure" not in fields:
        fields["insecure"] = False
    if "insecure" in fields and "ca_file" not in fields:
        fields["ca_file"] = None
    if "certificate_file" in fields:  # a key of another certificate is of no use
        fields = {"key_file": None, "key_password": None, **fields}
    return replace(base or Tls(), **fields)
