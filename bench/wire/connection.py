"""The settings of a client, in one frozen model that does not know to which server they go.

A client takes them in two ways, which can be mixed: `connect(url, connection)`, and python-socketio's keywords:
`connect(url, auth=…, transports=…, wait_timeout=…)`. A keyword replaces the field of the model.

Rules of this file: a setting that cannot be is refused when the model is made, in one line. The line names the field,
with its value unless that may be secret.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, get_args

from bench.printable import error_line, one_line
from bench.secrets import KnownSecrets, Secrets
from bench.wire import protocol
from bench.wire.errors import ClientError, ConnectFailed, SettingError
from bench.wire.tls import Tls

TransportName = Literal["websocket", "polling"]
Serializer = Literal["json", "msgpack"]

T = TypeVar("T")

#: A setting, or a function without parameters that returns it: for each attempt to connect, plain or `async`.
PerAttempt: TypeAlias = T | Callable[[], T | Awaitable[T]]

#: The largest message that a client takes from its server, in bytes, unless told otherwise. A larger message ends the
#: connection.
MAX_MESSAGE_BYTES = 10 * 1024 * 1024

#: The names of the transports and of the serializers.
TRANSPORTS: tuple[TransportName, ...] = get_args(TransportName)
SERIALIZERS: tuple[Serializer, ...] = get_args(Serializer)

#: The formats that the serializers write, by the names that people know.
_FORMATS: dict[Serializer, str] = {"json": "JSON", "msgpack": "MessagePack"}

#: The fields that may be functions.
_PER_ATTEMPT = ("auth", "headers", "cookies")

#: The longest time that an attempt to connect may take, in seconds.
_LONGEST_CONNECT_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Connection:
    """The settings of a client's connection, without the server's URL.

    `Connection(auth={"token": "…"}, transports=("polling", "websocket"), socketio_path="ws/socket.io")`. All fields
    are keywords, and all have a default. `dataclasses.replace` makes a changed copy. The text of a model leaves out
    what may be secret. Raises SettingError for a setting that cannot be.
    """

    #: The payload of the request to join a namespace, for the server's `connect` handler. Each namespace gets it.
    auth: Any = field(default=None, repr=False)
    #: Additional headers of every HTTP request, the WebSocket's handshake included.
    headers: PerAttempt[Mapping[str, str]] = field(default_factory=dict, repr=False)
    #: Cookies of every HTTP request.
    cookies: PerAttempt[Mapping[str, str]] = field(default_factory=dict, repr=False)
    #: The query of every HTTP request, in addition to that of the URL.
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: The first transport is used; `("polling", "websocket")` begins with polling and upgrades if the server offers it.
    transports: tuple[TransportName, ...] = ("websocket",)
    #: The namespaces to join, in this order. None: those with handlers, or else `/`.
    namespaces: tuple[str, ...] | None = None
    #: The path under the URL at which the server takes Socket.IO connections.
    socketio_path: str = "socket.io"
    #: The format of events and acknowledgements; the server has to have the same.
    serializer: Serializer = "json"
    #: The limit of a whole attempt to connect, in seconds.
    connect_timeout: float = 5.0
    #: The settings for `https://` and `wss://`. None: the system's authorities, and no certificate of the client.
    tls: Tls | None = None
    #: The largest message that the client takes, in bytes.
    max_message_bytes: int = MAX_MESSAGE_BYTES

    def __post_init__(self) -> None:
        """Check each field, copy what a caller could change later, and let a single namespace stand for itself."""
        for name, checked in (
            ("serializer", _serializer(self.serializer)),
            ("auth", _auth(self.auth, self.serializer)),
            ("headers", _per_attempt(self.headers, _headers)),
            ("cookies", _per_attempt(self.cookies, _cookies)),
            ("query", _query(self.query)),
            ("transports", _transports(self.transports)),
            ("namespaces", _namespaces(self.namespaces)),
            ("socketio_path", _socketio_path(self.socketio_path)),
            ("connect_timeout", _connect_timeout(self.connect_timeout)),
            ("tls", _tls(self.tls)),
            ("max_message_bytes", _max_message_bytes(self.max_message_bytes)),
        ):
            object.__setattr__(self, name, checked)

    @property
    def key_password(self) -> str | None:
        """The password of the client's own key, if it has any."""
        return self.tls.key_password if self.tls is not None else None

    @property
    def namespace(self) -> str | None:
        """The namespace of scenarios, which is the first. None: the default namespace."""
        return self.namespaces[0] if self.namespaces else None

    async def for_attempt(self) -> Connection:
        """Return the settings of an attempt to connect: what is a function here is what it returns now.

        Raises ConnectFailed, with the function's own error, if that fails.
        """
        made = {name: await _made(name, value) for name in _PER_ATTEMPT if callable(value := getattr(self, name))}
        return replace(self, **made) if made else self


def watched(connection: Connection, known: KnownSecrets) -> Connection:
    """Return the same settings; what is secret in them becomes known, and so does what their functions will return."""
    known.learn(Secrets.of(connection).values)
    functions: dict[str, Any] = {
        name: _watched(name, value, known) for name in _PER_ATTEMPT if callable(value := getattr(connection, name))
    }
    return replace(connection, **functions) if functions else connection


class ConnectKeywords(TypedDict, total=False):
    """The keywords of `connect`: python-socketio's names for the fields of a Connection, and ours for the others."""

    auth: Any
    headers: PerAttempt[Mapping[str, str]] | None
    cookies: PerAttempt[Mapping[str, str]] | None
    query: Mapping[str, str] | None
    transports: Sequence[TransportName]
    namespaces: str | Sequence[str] | None
    socketio_path: str
    serializer: Serializer
    wait_timeout: float
    tls: Tls | None
    max_message_bytes: int


def with_keywords(connection: Connection | None, keywords: ConnectKeywords) -> Connection:
    """Return the settings with the keywords of `connect` in them.

    Raises TypeError for a keyword that is none, and SettingError for a value that cannot be.
    """
    fields: dict[str, Any] = dict(keywords)
    if not fields:
        return connection or Connection()
    if "wait_timeout" in fields:
        fields["connect_timeout"] = fields.pop("wait_timeout")
    return replace(connection or Connection(), **fields)


def check_header(name: Any, value: Any) -> None:
    """Raise SettingError, without the value, for what cannot be a header."""
    if not (_is_token(name) and isinstance(value, str) and value.replace("\t", " ").isprintable()):
        raise SettingError(f"{name!r} with its value cannot be an HTTP header: both are texts of one line")
    if name.lower() == "sec-websocket-extensions":
        raise SettingError(f"no WebSocket extension is supported, so neither is {value}: leave out {name}")


def check_cookie(name: Any, value: Any) -> None:
    """Raise SettingError, without the value, for what cannot be a cookie."""
    is_value = isinstance(value, str) and value.isascii() and value.isprintable() and not set(value) & set(' ",;\\')
    if not (_is_token(name) and is_value):
        raise SettingError(f"{name!r} with its value cannot be a cookie: encode what is not a letter or a digit")


def _watched(name: str, function: Callable[[], Any], known: KnownSecrets) -> Callable[[], Awaitable[Any]]:
    async def call() -> Any:
        made = function()
        made = await made if inspect.isawaitable(made) else made
        known.learn_setting(name, made)
        return made

    return call


async def _made(name: str, function: Callable[[], Any]) -> Any:
    """Return what the function for a setting returns. Raises ConnectFailed."""
    try:
        made = function()
        return await made if inspect.isawaitable(made) else made
    except ClientError as error:
        raise ConnectFailed(f"{name}: {error}") from error
    except Exception as error:
        raise ConnectFailed(f"{name}, a function, failed: {error_line(error)}") from error


def _per_attempt(value: Any, check: Callable[[Any], Any]) -> Any:
    return value if callable(value) else check(value)


def _auth(auth: Any, serializer: Serializer) -> Any:
    if auth is not None and not callable(auth):
        encode = protocol.pack_connect if serializer == "msgpack" else protocol.encode_connect
        try:
            encode(auth)
        except TypeError as error:
            raise SettingError(f"auth cannot be sent as {_FORMATS[serializer]}: {one_line(error)}") from None
    return auth


def _mapping(name: str, value: Any, example: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SettingError(f"{name} is a mapping, such as {example}, not of type {type(value).__name__}")
    return dict(value)


def _headers(value: Any) -> dict[str, str]:
    headers = _mapping("headers", value, '{"Authorization": "Bearer …"}')
    for name, text in headers.items():
        check_header(name, text)
    return headers


def _cookies(value: Any) -> dict[str, str]:
    cookies = _mapping("cookies", value, '{"session": "…"}')
    for name, text in cookies.items():
        check_cookie(name, text)
    return cookies


def _query(value: Any) -> dict[str, str]:
    query = _mapping("query", value, '{"key": "…"}')
    for name, text in query.items():
        if not (isinstance(name, str) and name and isinstance(text, str)):
            raise SettingError(f"{name!r} with its value cannot be in a query: both are texts")
        if name in ("EIO", "transport", "sid"):
            raise SettingError(f"{name!r} cannot be in a query: the protocol has it there itself")
    return query


def _transports(value: Any) -> tuple[TransportName, ...]:
    if isinstance(value, str) and value in TRANSPORTS:
        raise SettingError(f"transports are a tuple, ({value!r},), not the text {value!r}")
    names = (value,) if isinstance(value, str) else _tuple("transports", value)
    if not names or not set(names) <= set(TRANSPORTS):
        raise SettingError(f"transports are websocket and polling, not {', '.join(map(str, names)) or 'none'}")
    return names


def _tuple(name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, Sequence) or isinstance(value, bytes) or not all(isinstance(each, str) for each in value):
        raise SettingError(f"{name} are a tuple of texts, not {value!r:.60}")
    return tuple(value)


def _namespaces(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = (value,) if isinstance(value, str) else _tuple("namespaces", value)
    for name in names:
        if not name.startswith("/") or "," in name or not name.isprintable():
            raise SettingError(f"{name!r} is no namespace: it begins with a slash and has no comma in it")
        if "?" in name:
            raise SettingError(f"{name.partition('?')[0]!r} is a namespace, and what follows is none: see query")
    if not names:
        raise SettingError("there is no namespace to join: namespaces=None joins the default namespace")
    return tuple(dict.fromkeys(names))


def _socketio_path(value: Any) -> str:
    if not isinstance(value, str) or not value.strip("/") or not value.isprintable() or set(value) & set("?# "):
        raise SettingError(f"socketio_path is a path under the URL, such as 'ws/socket.io', not {value!r:.60}")
    if "://" in value:
        raise SettingError(f"socketio_path {value!r} is a whole URL: give the part after the server, 'ws/socket.io'")
    return value


def _serializer(value: Any) -> Serializer:
    if value not in SERIALIZERS:
        raise SettingError(f"serializer is {' or '.join(map(repr, SERIALIZERS))}, not {value!r:.60}")
    if value == "msgpack" and not protocol.CAN_PACK:
        raise SettingError('serializer msgpack needs a package: pip install "socketio-bench[msgpack]"')
    found: Serializer = value
    return found


def _connect_timeout(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    if not is_number or not 0 < value <= _LONGEST_CONNECT_S:
        raise SettingError(
            f"connect_timeout is in seconds, above 0 and up to {_LONGEST_CONNECT_S:g}, not {value!r:.60}"
        )
    return float(value)


def _tls(value: Any) -> Tls | None:
    if value is not None and not isinstance(value, Tls):
        raise SettingError(f"tls is a bench.wire.tls.Tls, not of type {type(value).__name__}")
    return value


def _max_message_bytes(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < 2**31:
        raise SettingError(f"max_message_bytes is a number of bytes, from 1 to 2 GiB, not {value!r:.60}")
    return value


def _is_token(name: object) -> bool:
    return isinstance(name, str) and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
