"""Where and how a server is asked: its URLs, the headers of every request. Checked before anything is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode, urlsplit, urlunsplit

from bench.wire import protocol
from bench.wire.interface import ConnectFailed, Transport

_SCHEMES: dict[Transport, dict[str, str]] = {
    "websocket": {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"},
    "polling": {"http": "http", "https": "https", "ws": "http", "wss": "https"},
}


def websocket_url(url: str, socketio_path: str = "socket.io") -> str:
    """Where the server at `url` takes WebSocket connections. Its query is kept. Raises ConnectFailed for a bad URL."""
    return transport_url(url, "websocket", socketio_path)


def transport_url(url: str, transport: Transport, socketio_path: str = "socket.io") -> str:
    """Where the server at `url` takes connections of a transport. Its query is kept. Raises ConnectFailed."""
    schemes = _SCHEMES[transport]
    try:
        parts = urlsplit(url)
        valid = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        valid = False
    if not valid:
        raise ConnectFailed(f"{url!r} is no URL of a server: expected something like http://127.0.0.1:8000")
    path = f"{parts.path.rstrip('/')}/{socketio_path.strip('/')}/"
    query = urlencode({"EIO": protocol.ENGINE_IO_VERSION, "transport": transport})
    if parts.query:
        query = f"{parts.query}&{query}"
    return urlunsplit((schemes[parts.scheme], parts.netloc, path, query, ""))


def is_secure(url: str) -> bool:
    """Whether a URL asks for TLS."""
    return urlsplit(url).scheme in ("https", "wss")


def request_headers(headers: Mapping[str, str] | None, cookies: Mapping[str, str] | None) -> dict[str, str]:
    """The headers that the user wants on every request, cookies among them. Raises ConnectFailed."""
    wanted = dict(headers or {})
    for name, value in wanted.items():
        if not (_is_token(name) and isinstance(value, str) and value.replace("\t", " ").isprintable()):
            raise ConnectFailed(f"{name!r}: {value!r} cannot be an HTTP header")
        if name.lower() == "sec-websocket-extensions":
            raise ConnectFailed(f"no WebSocket extension is supported, so neither is {value}: leave out {name}")
    if cookies:
        for name, value in cookies.items():
            if not (_is_token(name) and value.isascii() and value.isprintable() and not set(value) & set(' ",;\\')):
                raise ConnectFailed(f"{name!r}: {value!r} cannot be a cookie")
        given = next((name for name in wanted if name.lower() == "cookie"), "Cookie")
        sent = [wanted[given]] if given in wanted else []
        wanted[given] = "; ".join([*sent, *(f"{name}={value}" for name, value in cookies.items())])
    return wanted


def namespaces_of(asked: str | Sequence[str]) -> list[str]:
    """The namespaces to join, each once. Raises ConnectFailed for what cannot be one."""
    names = [asked] if isinstance(asked, str) else list(dict.fromkeys(asked))
    for name in names:
        if not name.startswith("/") or "," in name:
            raise ConnectFailed(f"{name!r} is no namespace: it begins with a slash and has no comma in it")
    if not names:
        raise ConnectFailed("no namespace to join")
    return names


def _is_token(name: object) -> bool:
    return isinstance(name, str) and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
