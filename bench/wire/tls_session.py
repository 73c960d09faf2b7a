"""TLS over a connection of our own: bytes of the wire in, bytes of the application out, without any input or output.

The records of TLS are told apart here, by their heads (RFC 8446, 5.1), because the last of them alone has the time of
what was read last.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator

_HEAD_BYTES = 5

#: The most that is decrypted at a time, in bytes: the largest record.
_MOST_BYTES = 1 << 14


class TlsSession:
    """A client's session of TLS, from its handshake on."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        #: Whether the other end has said goodbye.
        self.is_over = False
        #: The head of a record of which not all has come.
        self._head = b""
        #: How much of the record is still to come after what has come, in bytes; the head not included.
        self._left_bytes = 0

    def shake_hands(self, data: bytes) -> bool:
        """Take what has come; returns whether the handshake is done. `to_send` is to be sent. Raises ssl.SSLError."""
        self._note_records(data)
        self._incoming.write(data)
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def to_send(self) -> bytes:
        """Return what is to be sent to the other end, and take it away."""
        return self._outgoing.read()

    def encrypted(self, data: bytes) -> bytes:
        """Return what is to be sent for this. Raises ssl.SSLError."""
        self._ssl.write(data)
        return self._outgoing.read()

    def decrypted(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Yield what this decrypts to, in parts, and with each whether it is of the last record, and whole.

        After the other end's goodbye, or where there is nothing yet, nothing is yielded. Raises ssl.SSLError.
        """
        last = self._note_records(data)
        if last > 0:
            self._incoming.write(data[:last])
            for part in self._parts():
                yield part, False
        self._incoming.write(data[last:])
        parts = list(self._parts())
        is_whole = self._left_bytes == 0 and not self._head
        for number, part in enumerate(parts, 1):
            yield part, is_whole and number == len(parts)

    def goodbye(self) -> bytes:
        """Return what is to be sent last."""
        with contextlib.suppress(ssl.SSLError):
            self._ssl.unwrap()
        return self._outgoing.read()

    def _parts(self) -> Iterator[bytes]:
        while True:
            try:
                part = self._ssl.read(_MOST_BYTES)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:
                part = b""
            if not part:
                self.is_over = True
                return
            yield part

    def _note_records(self, data: bytes) -> int:
        """Follow the records in what has come; returns where the last one begins, 0 if before it."""
        at, last = 0, 0
        size = len(data)
        while at < size:
            if self._left_bytes == 0:
                if not self._head:
                    last = at
                taken = min(_HEAD_BYTES - len(self._head), size - at)
                self._head += data[at : at + taken]
                at += taken
                if len(self._head) < _HEAD_BYTES:
                    break
                self._left_bytes = int.from_bytes(self._head[3:5], "big")
                self._head = b""
            taken = min(self._left_bytes, size - at)
            self._left_bytes -= taken
            at += taken
        return last
