"""The reasons in answers of HTTP where a Socket.IO server should have answered: who answered, why, and what to do.

Pure: a status and a body in, a Reason out. Its kind is what results count, without the server's own words. The words
that are recognised are those of python-engineio, engine.io and usual proxies.

No client follows a redirect. Each request would take the time of two, a POST would become a GET without its messages,
and headers and cookies would go to whomever the server names.
"""

from __future__ import annotations

import html
import re
from typing import Any

import orjson

from bench.wire.errors import OLD_PROTOCOL, Reason, one_line

#: The most of a body that is looked at, in bytes.
BODY_BYTES = 4096

#: The most of a server's words that are shown, in characters.
_SHOWN = 300

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)

_VERSIONS = (
    "the server does not speak Engine.IO 4, the protocol of Socket.IO 3 and later, but an older or newer version"
)
_NO_STICKY_SESSIONS = (
    "the server does not know the session that it has opened: several workers without sticky sessions do that, and so "
    "does a server that was started again"
)

#: What servers say, in lower case, with what it means and what to do.
_KNOWN = (
    ("unsupported protocol version", OLD_PROTOCOL, _VERSIONS),
    ("unsupported version of the socket.io", OLD_PROTOCOL, _VERSIONS),
    ("not an accepted origin", None, "it wants another origin: --header 'Origin: https://…'"),
    ("transport unknown", None, "it does not offer this transport: try another --transport"),
    ("invalid transport", None, "it does not offer this transport: try another --transport"),
)

#: What a session that the server does not know is called by engine.io and by python-engineio.
_UNKNOWN_SESSION = ("session id unknown", "invalid session")

_PROXIES = {
    502: "a proxy answered that it does not reach the service",
    503: "the service, or a proxy before it, takes no requests now",
    504: "a proxy answered that the service is too slow",
}


def http_reason(
    status: int, body: bytes | str, path: str, location: str | None = None, has_session: bool = False
) -> Reason:
    """Return the reason for an answer with this status and body to a request for `path`.

    `location` is where a redirect leads. `has_session` says that the server has opened a session before.
    """
    kind = f"the server answered HTTP {status}"
    if location is not None and 300 <= status < 400:
        return Reason(kind, f"{kind}, a redirect to {one_line(location)}: give the URL where it really is")
    said, is_page = words_of(body)
    if has_session and any(words in said.lower() for words in _UNKNOWN_SESSION):
        return Reason(_NO_STICKY_SESSIONS)
    for words, its_kind, meaning in _KNOWN:
        if words in said.lower():
            return Reason(its_kind or kind, f"{kind}: {said}; {meaning}")
    advice = _advice(status, path, is_page)
    text = f"{kind}{f': {said}' if said else ''}{f'; {advice}' if advice else ''}"
    return Reason(kind, text)


def page_reason(message: bytes) -> Reason | None:
    """Return the reason for a page of HTML where a packet should be; None if it is no page."""
    said, is_page = words_of(message)
    if not is_page:
        return None
    kind = "the server answered with a web page"
    return Reason(kind, f"{kind}: {said}; something else answers there: see the URL and --socketio-path")


def words_of(body: bytes | str) -> tuple[str, bool]:
    """Return what an answer says, in one line without markup, and whether it is a page of HTML."""
    text = body[:BODY_BYTES]
    text = text.decode(errors="replace") if isinstance(text, bytes) else text
    start = text.lstrip()[:15].lower()
    if start.startswith(("<!doctype", "<html", "<?xml", "<head", "<body")):
        title = _TITLE.search(text)
        return one_line(html.unescape(title[1] if title else _TAG.sub(" ", text)), _SHOWN), True
    try:
        said = _message(orjson.loads(text))
    except orjson.JSONDecodeError:
        said = text
    return one_line(said, _SHOWN), False


def _message(data: Any) -> str:
    """Return the message in a JSON answer, or the JSON itself if it has none."""
    if isinstance(data, dict):
        for name in ("message", "error", "detail"):
            if isinstance(data.get(name), str):
                return str(data[name])
    return data if isinstance(data, str) else orjson.dumps(data).decode()


def _advice(status: int, path: str, is_page: bool) -> str:
    if status == 403:
        return (
            f"{one_line(path)} was tried: the service may be elsewhere (--socketio-path), want a login or another "
            "origin (--header), or another --transport"
        )
    if status in (404, 405):
        return f"{one_line(path)} was tried: if the service is elsewhere, give --socketio-path"
    if status == 500:
        return (
            f"the service failed, and its log says why; or it does not know the path that was tried, {one_line(path)}"
        )
    if status in (401, 407):
        return "it wants a login: --header 'Authorization: …', or user and password in the URL"
    if status in _PROXIES:
        return _PROXIES[status]
    return "a page, so something else than Socket.IO answers there" if is_page else ""
