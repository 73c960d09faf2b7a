"""A client that sends bytes as a test gives them, and that waits for what it sees."""

import socket
import time
from collections.abc import Callable

from tests.support.frames import frame

MASK = b"\x01\x02\x03\x04"


class RawClient:
    """A client that sends whatever bytes it is told to."""

    def __init__(self, port: int, *, joined: bool = True) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._stream = self.socket.makefile("rb")
        if joined:
            self.socket.sendall(
                b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            head = b"".join(iter(self._stream.readline, b"\r\n"))
            assert head.startswith(b"HTTP/1.1 101 ")
            assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
            assert self.message().startswith(b'0{"sid":')
            self.send(b"40")
            assert self.message().startswith(b'40{"sid":')

    def send(self, message: bytes) -> None:
        self.socket.sendall(frame(message, mask=MASK))

    def message(self) -> bytes:
        """Return the next message; raises EOFError at the end."""
        head = self._stream.read(2)
        if len(head) < 2:
            raise EOFError
        length = head[1] if head[1] < 126 else int.from_bytes(self._stream.read(2 if head[1] == 126 else 8))
        return self._stream.read(length)

    def close(self) -> None:
        self._stream.close()
        self.socket.close()


def until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
