"""A server as a client asks it: its URLs, the headers of every request, its TLS.

All of it is checked before anything is opened. User, password and query of the URL, headers and cookies are secret: no
message contains them.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import SplitResult, unquote, urlencode, urlsplit, urlunsplit

from bench.printable import one_line
from bench.secrets import Secrets
from bench.wire import protocol
from bench.wire.connection import Connection, TransportName
from bench.wire.errors import ConnectFailed
from bench.wire.tls import SYSTEM

_SCHEMES: dict[TransportName, dict[str, str]] = {
    "websocket": {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"},
    "polling": {"http": "http", "https": "https", "ws": "http", "wss": "https"},
}


#: The text that stands for a query that is not shown.
_HIDDEN_QUERY = "..."

_EXAMPLE = "http://127.0.0.1:8000"

#: The headers that a client sends to nobody but the server that it was told.
_SECRET_HEADERS = frozenset({"authorization", "cookie"})


@dataclass(frozen=True)
class Address:
    """A server's URL, taken apart: what may be shown of it, and what is secret.

    User, password and query go to the server alone: no message, result or page has them.
    """

    #: The URL without user and password, and with `?...` for a query: for people, and for results.
    shown: str
    #: The URL as it was given.
    whole: str = field(repr=False)
    #: The URL without user and password, with its query.
    url: str = field(repr=False)
    #: The Authorization header that user and password amount to.
    authorization: str | None = field(repr=False)

    @classmethod
    def of(cls, url: str) -> Address:
        """Take the URL apart. Raises ConnectFailed, without its secrets, for what is no URL of a server."""
        try:
            parts = urlsplit(url)
            is_valid = parts.scheme in _SCHEMES["websocket"] and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_valid = False
        # An @ after a # belongs to a password with a # in it.
        if not is_valid or not url.isprintable() or "@" in parts.fragment:
            raise ConnectFailed(f"{_without_secrets(url)!r} is no URL of a server: expected something like {_EXAMPLE}")
        server = parts.netloc.rpartition("@")[2]
        shown = urlunsplit((parts.scheme, server, parts.path, _HIDDEN_QUERY if parts.query else "", ""))
        if parts.query == _HIDDEN_QUERY:
            raise ConnectFailed(f"{shown} leaves out what the query is: give the whole URL")
        authorization = _basic(parts, shown)
        return cls(
            shown if parts.query or parts.fragment or authorization else url,
            url,
            urlunsplit((parts.scheme, server, parts.path, parts.query, "")),
            authorization,
        )

    def headers(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return these headers, with Authorization added if they have none."""
        if self.authorization is None or any(name.lower() == "authorization" for name in given):
            return dict(given)
        return {**given, "Authorization": self.authorization}


@dataclass(frozen=True)
class Endpoint:
    """A server and the settings for it, made ready for the transports of one connection."""

    address: Address
    #: The URL of each transport that the client may use.
    urls: Mapping[TransportName, str] = field(repr=False)
    #: The headers of every HTTP request.
    headers: dict[str, str] = field(repr=False)
    #: The context of TLS. None: the server is asked without TLS.
    context: ssl.SSLContext | None
    #: The settings, with what its functions returned for this attempt.
    connection: Connection = field(repr=False)

    @classmethod
    def of(cls, url: str, connection: Connection) -> Endpoint:
        """Check the URL and the settings. Raises ConnectFailed."""
        transports = connection.transports
        if not transports or not set(transports) <= _SCHEMES.keys():
            raise ConnectFailed(f"transports are websocket and polling, not {', '.join(transports) or 'none'}")
        address = Address.of(url)
        return cls(
            address,
            {
                transport: transport_url(url, transport, connection.socketio_path, connection.query)
                for transport in transports
            },
            address.headers(request_headers(connection.headers, connection.cookies)),
            (connection.tls or SYSTEM).context() if is_secure(url) else None,
            connection,
        )

    @cached_property
    def secrets(self) -> Secrets:
        """The secrets of the settings and of the URL, which no message repeats."""
        return Secrets.of(self.connection, self.address.whole)

    @property
    def is_secret(self) -> bool:
        """Return whether the requests contain what no other server may see."""
        return bool(Secrets.of(None, self.address.whole)) or any(
            name.lower() in _SECRET_HEADERS for name in self.headers
        )


def _basic(parts: SplitResult, shown: str) -> str | None:
    """Return user and password as a header. Raises ConnectFailed."""
    userinfo, at, _ = parts.netloc.rpartition("@")
    if not at:
        return None
    user, _, password = userinfo.partition(":")
    if ":" in unquote(user):
        raise ConnectFailed(f"the user name in the URL of {shown} contains a colon, which HTTP cannot send")
    encoded = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return f"Basic {encoded}"


def _without_secrets(url: str) -> str:
    """Return what may be shown of a text that should have been a URL."""
    rest = url.rpartition("@")[2].partition("?")
    scheme = url.partition("//")[0] + "//...@" if "@" in url and "//" in url else ""
    return one_line(scheme + rest[0] + (f"?{_HIDDEN_QUERY}" if rest[1] else ""))


def transport_url(
    url: str, transport: TransportName, socketio_path: str = "socket.io", query: Mapping[str, str] | None = None
) -> str:
    """Return the URL at which the server at `url` takes connections of a transport.

    It keeps the query of `url`, but not user and password, and has `query` in addition. Raises ConnectFailed.
    """
    parts = urlsplit(Address.of(url).url)
    path = f"{parts.path.rstrip('/')}/{socketio_path.strip('/')}/"
    asked = [parts.query] if parts.query else []
    asked += [urlencode(query)] if query else []
    asked.append(urlencode({"EIO": protocol.ENGINE_IO_VERSION, "transport": transport}))
    return urlunsplit((_SCHEMES[transport][parts.scheme], parts.netloc, path, "&".join(asked), ""))


def is_secure(url: str) -> bool:
    """Return whether a URL asks for TLS."""
    return urlsplit(url).scheme in ("https", "wss")


def request_headers(headers: Mapping[str, str] | None, cookies: Mapping[str, str] | None) -> dict[str, str]:
    """Return the headers that the user wants on every request, cookies included. Raises ConnectFailed."""
    wanted = dict(headers or {})
    for name, value in wanted.items():
        if not (_is_token(name) and isinstance(value, str) and value.replace("\t", " ").isprintable()):
            raise ConnectFailed(f"{name!r} with its value cannot be an HTTP header")
        if name.lower() == "sec-websocket-extensions":
            raise ConnectFailed(f"no WebSocket extension is supported, so neither is {value}: leave out {name}")
    if cookies:
        for name, value in cookies.items():
            if not (_is_token(name) and value.isascii() and value.isprintable() and not set(value) & set(' ",;\\')):
                raise ConnectFailed(f"{name!r} with its value cannot be a cookie")
        given = next((name for name in wanted if name.lower() == "cookie"), "Cookie")
        sent = [wanted[given]] if given in wanted else []
        wanted[given] = "; ".join([*sent, *(f"{name}={value}" for name, value in cookies.items())])
    return wanted


def namespaces_of(asked: str | Sequence[str]) -> list[str]:
    """Return the namespaces to join, each once. Raises ConnectFailed for a name that cannot be a namespace."""
    names = [asked] if isinstance(asked, str) else list(dict.fromkeys(asked))
    for name in names:
        if not name.startswith("/") or "," in name:
            raise ConnectFailed(f"{name!r} is no namespace: it begins with a slash and has no comma in it")
    if not names:
        raise ConnectFailed("no namespace to join")
    return names


def _is_token(name: object) -> bool:
    return isinstance(name, str) and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
