"""The handshake of a WebSocket over HTTP/1.1 (RFC 6455, 4): the request, and what the answer means. No input or output.

h11 writes and reads the HTTP. It is given the head of an answer when all of it is there.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
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
        self._connection = h11.Connection(h11.CLIENT, MOST_HEAD_BYTES)
        self._head: bytes | None = b""
        self._response: h11.Response | None = None
        self._body = b""
        try:
            request = h11.Request(
                method=b"GET",
                target=(f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/").encode(),
                headers=[(name.encode(), value.encode()) for name, value in self._headers(parts.netloc, headers)],
            )
            #: What is sent to the server.
            self.request: bytes = self._connection.send(request) or b""
        except h11.LocalProtocolError as error:
            raise ConnectFailed(f"the request for a WebSocket cannot be sent: {one_line(error)}") from None

    def _headers(self, host: str, headers: Mapping[str, str]) -> list[tuple[str, str]]:
        given = next((value for name, value in headers.items() if name.lower() == "host"), host)
        return [
            ("Host", given),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", self._key.decode()),
            *((name, value) for name, value in headers.items() if name.lower() != "host"),
        ]

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
            self._connection.receive_data(head)
            event = self._connection.next_event()
            while isinstance(event, h11.InformationalResponse) and event.status_code != _SWITCHED:
                event = self._connection.next_event()
            if isinstance(event, h11.InformationalResponse):
                return self._agreed(event)
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

    def _agreed(self, response: h11.InformationalResponse) -> bytes:
        """Return what came after an answer that agrees. Raises RefusedHandshake."""
        headers: dict[bytes, bytes] = {}
        for name, value in response.headers:
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
        return self._connection.trailing_data[0]


def _refused(text: str) -> RefusedHandshake:
    return RefusedHandshake(Reason(text))
