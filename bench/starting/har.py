"""The reader of a HAR, the file that a browser's network panel exports: its HTTP requests and WebSockets, as plain
data.

Chrome adds the messages of each WebSocket to the standard's fields: `_webSocketMessages`, each with `type` (send or
receive), `time` (seconds since 1970), `opcode` (1 text, 2 binary in base64) and `data`. Source: Chrome DevTools,
"Network features reference", and the HAR 1.2 specification. What is damaged is a HarError of one line that does not
name the file.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from bench.printable import one_line

#: The largest file that is read, in bytes.
MOST_BYTES = 1_000_000_000

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class HarError(ValueError):
    """A fault of a HAR, in one line that does not name the file."""


@dataclass(frozen=True)
class HttpExchange:
    """An HTTP request and its response. Times are seconds since 1970. Names of headers are in lower case."""

    method: str
    url: str
    started_s: float
    ended_s: float
    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    body_type: str = ""
    set_cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    response: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Frame:
    """A message of a WebSocket. `time_s` is in seconds since 1970."""

    is_sent: bool
    time_s: float
    is_binary: bool
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class WebSocket:
    """A WebSocket: its handshake and its messages. `frames` is None if the browser did not record them."""

    url: str
    started_s: float
    headers: Mapping[str, str] = field(repr=False)
    cookies: Mapping[str, str] = field(repr=False)
    frames: tuple[Frame, ...] | None


@dataclass(frozen=True)
class Har:
    """The content of a HAR. `damaged` is the number of entries and messages that could not be read."""

    exchanges: tuple[HttpExchange, ...]
    sockets: tuple[WebSocket, ...]
    damaged: int = 0


def read_har(path: Path) -> Har:
    """Return what the file contains. Raises HarError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise HarError(f"it is larger than {MOST_BYTES // 1_000_000} MB: record a shorter session")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, HarError):
            raise
        raise HarError(f"it cannot be read: {(getattr(error, 'strerror', None) or str(error)).lower()}") from None
    return parse_har(content)


def parse_har(content: bytes) -> Har:
    """Return what these bytes of a file contain. Raises HarError."""
    try:
        whole = orjson.loads(content.removeprefix(_BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        raise HarError(f"it is no HAR, or its end is missing: it is not JSON ({one_line(error, 80)})") from None
    log = whole.get("log") if isinstance(whole, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise HarError("it is no HAR: it has no log with entries, as a browser's network panel exports it")
    exchanges: list[HttpExchange] = []
    sockets: list[WebSocket] = []
    damaged = 0
    for entry in entries:
        try:
            if _is_socket(entry):
                socket, lost = _socket(entry)
                sockets.append(socket)
                damaged += lost
            else:
                exchanges.append(_exchange(entry))
        except (KeyError, TypeError, ValueError, AttributeError):
            damaged += 1
    exchanges.sort(key=lambda exchange: exchange.started_s)
    return Har(tuple(exchanges), tuple(sockets), damaged)


def _is_socket(entry: Any) -> bool:
    return (
        "_webSocketMessages" in entry
        or entry.get("_resourceType") == "websocket"
        or str(entry["request"]["url"]).startswith(("ws:", "wss:"))
    )


def _socket(entry: Any) -> tuple[WebSocket, int]:
    """Return the WebSocket, and how many of its messages could not be read."""
    request = entry["request"]
    headers = _headers(request)
    messages = entry.get("_webSocketMessages")
    frames: list[Frame] = []
    for message in messages or ():
        try:
            frames.append(_frame(message))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    frames.sort(key=lambda frame: frame.time_s)  # a stable sort: equal times keep their order
    socket = WebSocket(
        str(request["url"]),
        _moment_s(entry),
        headers,
        _cookies(request, headers),
        None if messages is None else tuple(frames),
    )
    return socket, len(messages or ()) - len(frames)


def _frame(message: Any) -> Frame:
    is_binary = message.get("opcode", 1) == 2
    data: str = message["data"]
    content = base64.b64decode(data, validate=True) if is_binary else data.encode(errors="surrogatepass")
    if message["type"] not in ("send", "receive"):
        raise ValueError
    return Frame(message["type"] == "send", float(message["time"]), is_binary, content)


def _exchange(entry: Any) -> HttpExchange:
    request, response = entry["request"], entry.get("response") or {}
    headers = _headers(request)
    started_s = _moment_s(entry)
    posted = request.get("postData") or {}
    text = posted.get("text")
    if text is None and isinstance(posted.get("params"), list):
        text = "&".join(f"{each['name']}={each.get('value', '')}" for each in posted["params"])
    return HttpExchange(
        method=str(request["method"]).upper(),
        url=str(request["url"]),
        started_s=started_s,
        ended_s=started_s + max(0.0, float(entry.get("time") or 0)) / 1000,
        status=int(response.get("status") or 0),
        headers=headers,
        cookies=_cookies(request, headers),
        body=None if text is None else text.encode(errors="surrogatepass"),
        body_type=str(posted.get("mimeType") or headers.get("content-type", "")),
        set_cookies=_set_cookies(response),
        response=_content(response),
    )


def _moment_s(entry: Any) -> float:
    return datetime.fromisoformat(str(entry["startedDateTime"])).timestamp()


def _headers(message: Any) -> dict[str, str]:
    """Return the headers, without HTTP/2's own, whose names begin with a colon."""
    listed = message.get("headers") or ()
    named = ((str(each["name"]).lower(), str(each.get("value", ""))) for each in listed)
    return {name: value for name, value in named if not name.startswith(":")}


def _cookies(request: Any, headers: Mapping[str, str]) -> dict[str, str]:
    if "cookie" in headers:
        return _pairs(headers["cookie"].split(";"))
    return {str(each["name"]): str(each.get("value", "")) for each in request.get("cookies") or ()}


def _set_cookies(response: Any) -> dict[str, str]:
    lines = [
        line.partition(";")[0]
        for each in response.get("headers") or ()
        if str(each["name"]).lower() == "set-cookie"
        for line in str(each.get("value", "")).splitlines()
    ]
    listed = {str(each["name"]): str(each.get("value", "")) for each in response.get("cookies") or ()}
    return {**listed, **_pairs(lines)}


def _pairs(texts: Iterable[str]) -> dict[str, str]:
    found = (text.strip().partition("=") for text in texts)
    return {name: value for name, mark, value in found if mark and name}


def _content(response: Any) -> bytes | None:
    content = response.get("content") or {}
    text = content.get("text")
    if not isinstance(text, str):
        return None
    if content.get("encoding") == "base64":
        try:
            return base64.b64decode(text)
        except binascii.Error:
            return None
    return text.encode(errors="surrogatepass")
