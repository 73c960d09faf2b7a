"""A server as a client asks it: its URLs, the headers of every request, its TLS.

All of it is checked before anything is opened. User, password and query of the URL, headers and cookies are secret: no
message contains them.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit, urlunsplit

from bench.printable import one_line
from bench.secrets import Secrets
from bench.wire import protocol
from bench.wire.connection import Connection, TransportName, check_cookie
from bench.wire.errors import ConnectFailed
from bench.wire.tls import SYSTEM

_SCHEMES: dict[TransportName, dict[str, str]] = {
    "websocket": {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"},
    "polling": {"http": "http", "https": "https", "ws": "http", "wss": "https"},
}


#: The characters of a path or query that go over the wire as they are. What is escaped already stays as it is.
_NOT_ESCAPED = "/%?:@[]!$&'()*+,;="

#: The text that stands for a query that is not shown.
_HIDDEN_QUERY = "..."

#: The number of URLs that are kept as they were taken apart: many connections go to the same few.
_URLS_KEPT = 64

_EXAMPLE = "http://127.0.0.1:8000"


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
    @lru_cache(_URLS_KEPT)
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
        """Make ready for an attempt, from the settings of `Connection.for_attempt`. Raises ConnectFailed."""
        assert isinstance(connection.headers, Mapping), "the settings are those of an attempt"
        assert isinstance(connection.cookies, Mapping), "the settings are those of an attempt"
        address = Address.of(url)
        return cls(
            address,
            {
                transport: transport_url(url, transport, connection.socketio_path, connection.query)
                for transport in connection.transports
            },
            address.headers(request_headers(connection.headers, connection.cookies)),
            (connection.tls or SYSTEM).context() if is_secure(url) else None,
            connection,
        )

    @cached_property
    def secrets(self) -> Secrets:
        """The secrets of the settings and of the URL, which no message repeats."""
        return Secrets.of(self.connection, self.address.whole)


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
    return _transport_url(url, transport, socketio_path, tuple((query or {}).items()))


@lru_cache(_URLS_KEPT)
def _transport_url(url: str, transport: TransportName, socketio_path: str, query: tuple[tuple[str, str], ...]) -> str:
    parts = urlsplit(Address.of(url).url)
    path = f"{parts.path.rstrip('/')}/{socketio_path.strip('/')}/"
    scheme = _SCHEMES[transport][parts.scheme]
    whole = urlunsplit((scheme, _ascii_server(parts), quote(path, _NOT_ESCAPED), quote(parts.query, _NOT_ESCAPED), ""))
    return with_query(whole, {**dict(query), "EIO": str(protocol.ENGINE_IO_VERSION), "transport": transport})


def _ascii_server(parts: SplitResult) -> str:
    """Return the server's name and port as they go over the wire. Raises ConnectFailed for what is no name."""
    if parts.netloc.isascii():
        return parts.netloc
    try:
        name = (parts.hostname or "").encode("idna").decode()
    except UnicodeError:
        raise ConnectFailed(f"{one_line(parts.netloc)!r} is no name of a server") from None
    return name if parts.port is None else f"{name}:{parts.port}"


def with_query(url: str, query: Mapping[str, str]) -> str:
    """Return the URL with these fields added to its query."""
    if not query:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(query))))))


def is_secure(url: str) -> bool:
    """Return whether a URL asks for TLS."""
    return urlsplit(url).scheme in ("https", "wss")


def request_headers(headers: Mapping[str, str], cookies: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of every request, cookies included. Raises ConnectFailed for what cannot be a cookie."""
    for name, value in cookies.items():
        check_cookie(name, value)
    return with_cookies(headers, cookies)


def with_cookies(headers: Mapping[str, str], cookies: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with these cookies in them, each as it goes over the wire; a name is there once."""
    if not cookies:
        return dict(headers)
    name = next((name for name in headers if name.lower() == "cookie"), "Cookie")
    pairs = {**cookies_in(headers), **{cookie: f"{cookie}={value}" for cookie, value in cookies.items()}}
    return {**headers, name: "; ".join(pairs.values())}


def cookies_in(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the cookies in the headers, each by its name, as it goes over the wire: name and value."""
    header = next((value for name, value in headers.items() if name.lower() == "cookie"), "")
    pairs = filter(None, map(str.strip, header.split(";")))
    return {pair.partition("=")[0]: pair for pair in pairs}
