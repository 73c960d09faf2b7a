"""The handshake of a WebSocket over HTTP/1.1 (RFC 6455, 4): the request, and what the answer means. No input or output.

h11 writes and reads the HTTP. It is given the head of an answer when all of it is there. It costs most of the CPU of a
connect. So it writes a request once for all connections that differ in their key alone, and the usual answer, without
anything unusual in its head, is read here.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import urlsplit

import h11

from bench.wire.errors import ConnectFailed, Reason, one_line
from bench.wire.http_answers import BODY_BYTES, http_reason

#: The largest head of an answer that is read, in bytes.
MOST_HEAD_BYTES = 1 << 16

_SWITCHED = 101
_END_OF_HEAD = b"\r\n\r\n"

# RFC 6455, 1.3.
_ACCEPTED = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


#: The usual answer: nothing but headers of a single line, in ASCII, that say nothing of a body.
_USUAL_ANSWER = re.compile(
    rb"HTTP/1\.1 101(?: [\x20-\x7e]*)?\r\n"
    rb"((?:(?!content-length|transfer-encoding)[!#$%&'*+\-.^_`|~0-9a-z]+:"
    rb"[ \t]*[\x21-\x7e](?:[\t\x20-\x7e]*)\r\n)+)\r\n",
    re.IGNORECASE,
)

#: The key of a request that is written once, in whose place each connection has its own.
_ANY_KEY = base64.b64encode(bytes(16))

#: The number of requests that are kept: users may each have headers of their own.
_REQUESTS_KEPT = 16

_Headers = tuple[tuple[bytes, bytes], ...]


class RefusedHandshake(Exception):
    """An answer that does not agree to speak WebSocket. Its reason says what it is instead."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Handshake:
    """The handshake for `url` with these additional headers. `Host` among them replaces the URL's.

    `request` is what is sent. `feed` takes what comes. Raises ConnectFailed for what cannot be sent.
    """

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._key = base64.b64encode(os.urandom(16))
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        given = next((value for name, value in headers.items() if name.lower() == "host"), parts.netloc)
        self._target = target.encode()
        self._headers = (
            (b"Host", given.encode()),
            (b"Upgrade", b"websocket"),
            (b"Connection", b"Upgrade"),
            (b"Sec-WebSocket-Version", b"13"),
            (b"Sec-WebSocket-Key", _ANY_KEY),
            *((name.encode(), value.encode()) for name, value in headers.items() if name.lower() != "host"),
        )
        #: The answer as h11 reads it, if it is not the usual answer.
        self._reader: h11.Connection | None = None
        self._head: bytes | None = b""
        self._response: h11.Response | None = None
        self._body = b""
        try:
            before, after = _request(self._target, self._headers)
        except h11.LocalProtocolError as error:
            raise ConnectFailed(f"the request for a WebSocket cannot be sent: {one_line(error)}") from None
        #: What is sent to the server.
        self.request = before + self._key + after

    @property
    def has_answer(self) -> bool:
        """Return whether the head of an answer has come that is none of a WebSocket, and perhaps a part of its body."""
        return self._response is not None

    def feed(self, data: bytes) -> bytes | None:
        """Take what has come; returns what came after the answer, once that agrees. None: more is to come.

        No data says that the other end has closed. Raises RefusedHandshake, and EOFError if it closed without an
        answer.
        """
        try:
            if self._head is None:
                self._connection.receive_data(data)
                self._read_body()
                return None
            head = self._head + data
            if _END_OF_HEAD not in head:
                if not data:
                    raise EOFError
                if len(head) > MOST_HEAD_BYTES:
                    raise _refused(f"the head of its answer has more than {MOST_HEAD_BYTES} bytes")
                self._head = head
                return None
            self._head = None
            usual = _USUAL_ANSWER.match(head)
            if usual is not None:
                self._check(_fields(usual[1]))
                return head[usual.end() :]
            connection = self._connection
            connection.receive_data(head)
            event = connection.next_event()
            while isinstance(event, h11.InformationalResponse) and event.status_code != _SWITCHED:
                event = connection.next_event()
            if isinstance(event, h11.InformationalResponse):
                self._check(event.headers)
                return connection.trailing_data[0]
            if not isinstance(event, h11.Response):
                raise _refused("its answer is none of HTTP")
            self._response = event
            self._read_body()
            return None
        except h11.RemoteProtocolError as error:
            if self._response is not None:
                raise self.refusal() from None
            raise _refused(one_line(error)) from None

    def refusal(self) -> RefusedHandshake:
        """Return what the answer says that is none of a WebSocket, by what has come of it."""
        response = self._response
        assert response is not None, "an answer has come"
        location = next((value.decode("latin-1") for name, value in response.headers if name == b"location"), None)
        return RefusedHandshake(http_reason(response.status_code, self._body[:BODY_BYTES], self._path, location))

    def _read_body(self) -> None:
        """Take what has come of a body. Raises RefusedHandshake when there is enough of it to say what it is."""
        while len(self._body) < BODY_BYTES:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                return
            if not isinstance(event, h11.Data):
                break
            self._body += bytes(event.data)
        raise self.refusal()

    @property
    def _connection(self) -> h11.Connection:
        """Return h11's side of it, which has sent the request."""
        if self._reader is None:
            self._reader = h11.Connection(h11.CLIENT, MOST_HEAD_BYTES)
            self._reader.send(_event(self._target, self._headers))
        return self._reader

    def _check(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        """Look whether the headers of an answer, with their names in lower case, agree. Raises RefusedHandshake."""
        headers: dict[bytes, bytes] = {}
        for name, value in fields:
            headers[name] = headers[name] + b", " + value if name in headers else value
        accepted = base64.b64encode(hashlib.sha1(self._key + _ACCEPTED, usedforsecurity=False).digest())
        if headers.get(b"upgrade", b"").lower() != b"websocket":
            raise _refused("cannot upgrade, invalid upgrade header")
        if b"upgrade" not in [option.strip().lower() for option in headers.get(b"connection", b"").split(b",")]:
            raise _refused("cannot upgrade, invalid connection header")
        if headers.get(b"sec-websocket-accept") != accepted:
            raise _refused("cannot upgrade, invalid sec-websocket-accept response")
        if b"sec-websocket-extensions" in headers:
            raise _refused("cannot upgrade, it wants an extension that it was not asked for")


def _event(target: bytes, headers: _Headers) -> h11.Request:
    """Return a request. Raises h11.LocalProtocolError for what cannot be sent."""
    return h11.Request(method=b"GET", target=target, headers=list(headers))


@lru_cache(_REQUESTS_KEPT)
def _request(target: bytes, headers: _Headers) -> tuple[bytes, bytes]:
    """Return a request as it is sent, before and after its key. Raises h11.LocalProtocolError."""
    written = h11.Connection(h11.CLIENT).send(_event(target, headers)) or b""
    before, _, after = written.partition(b"Sec-WebSocket-Key: " + _ANY_KEY)
    return before + b"Sec-WebSocket-Key: ", after


def _fields(lines: bytes) -> Iterable[tuple[bytes, bytes]]:
    """Yield the headers of the usual answer, with their names in lower case."""
    for line in lines.splitlines():
        name, _, value = line.partition(b":")
        yield name.lower(), value.strip()


def _refused(text: str) -> RefusedHandshake:
    return RefusedHandshake(Reason(text))
