"""The system calls of connections: reading with the kernel's receive time, sending, and asking what is ready.

There are two forms of this module that do the same. This is the plain one; sockets.pyx is the one that is compiled, and
does without Python's sockets. No call here waits, and none raises because of what the other end does.
"""

from __future__ import annotations

import importlib.util
import select
import sys
from _socket import socket
from errno import EAGAIN, EINTR
from time import perf_counter_ns
from typing import Any

from bench.wire.stamps import stamp_in

#: What a channel waits for, and what it is told: as epoll numbers it. ENDED: the other end sends nothing more.
READABLE, WRITABLE, BROKEN, HUNG_UP, ENDED = 0x01, 0x04, 0x08, 0x10, 0x2000

_CONTROL_BYTES = 128


class Buffer:
    """The memory that is read into, and when that was."""

    __slots__ = ("_view", "_whole", "data", "read_ns", "size", "stamp_ns")

    def __init__(self, size: int) -> None:
        self.size = size
        self.data = bytearray(size)
        self._view = memoryview(self.data)
        self._whole = [self._view]
        #: When the last read was done, in nanoseconds of `perf_counter_ns`.
        self.read_ns = 0
        #: When the kernel received what was read last, in nanoseconds of the day's clock; 0: it does not say.
        self.stamp_ns = 0

    def note_time(self) -> None:
        """Take note of now, as if there had been a read."""
        self.read_ns = perf_counter_ns()

    def cut(self, begin: int, end: int) -> bytes:
        """Return the bytes between these places."""
        return bytes(self._view[begin:end])

    def put(self, data: bytes, at: int) -> None:
        """Write bytes to this place. They must fit in."""
        self._view[at : at + len(data)] = data


class Channel:
    """A connected socket that does not block. Who inherits from it is told in `ready` what can be done."""

    __slots__ = ("_receive", "_send", "_socket", "descriptor", "is_stamped", "sent_ns")

    def __init__(self) -> None:
        #: The descriptor of the socket; -1: there is none, or no longer.
        self.descriptor = -1
        self._socket: Any = None
        #: Whether the kernel was asked for its receive times.
        self.is_stamped = False
        #: When the system was last asked to send, in nanoseconds of `perf_counter_ns`.
        self.sent_ns = 0

    def take(self, connection: socket, is_stamped: bool) -> None:
        """Have this socket from now on. `is_stamped` says that the kernel was asked for its receive times."""
        self._socket = connection
        self._receive: Any = connection.recvmsg_into if is_stamped else connection.recv_into
        self._send = connection.send
        self.descriptor = connection.fileno()
        self.is_stamped = is_stamped

    def ready(self, events: int) -> None:
        """Read and write what can be."""

    def receive(self, buffer: Buffer, at: int) -> int:
        """Read once into the buffer, from this place on; returns how much.

        0: the other end has closed. Below 0: the number of the error, negative. The buffer tells when.
        """
        try:
            if self.is_stamped:
                size: int
                size, control, _, _ = self._receive([buffer._view[at:]] if at else buffer._whole, _CONTROL_BYTES)
                buffer.read_ns = perf_counter_ns()
                buffer.stamp_ns = stamp_in(control)
            else:
                size = self._receive(buffer._view[at:] if at else buffer._view)
                buffer.read_ns = perf_counter_ns()
            return size
        except OSError as error:
            return -(error.errno or EAGAIN)

    def send_now(self, data: bytes) -> int:
        """Send as much as the system takes; returns how much. Below 0: the number of the error, negative."""
        self.sent_ns = perf_counter_ns()
        try:
            sent: int = self._send(data)
            return sent
        except OSError as error:
            return -(error.errno or EAGAIN)

    def release(self) -> None:
        """Close the socket."""
        connection, self._socket = self._socket, None
        self.descriptor = -1
        self._receive = self._send = None  # type: ignore[assignment]  # they would keep the socket
        if connection is not None:
            connection.close()


def is_for_later(code: int) -> bool:
    """Return whether what `receive` or `send_now` returned says only that nothing can be done now."""
    return code in (-EAGAIN, -EINTR)


class ReadySet:
    """The channels that are watched, and those that are ready: an epoll. Raises OSError where the system has none."""

    __slots__ = ("_poll",)

    def __init__(self) -> None:
        if _EPOLL is None:
            raise OSError("this system has no epoll")
        self._poll: Any = _EPOLL()

    def fileno(self) -> int:
        """Return a descriptor that can be read when a channel is ready."""
        return int(self._poll.fileno())

    def add(self, descriptor: int, events: int) -> None:
        """Watch for these events of a descriptor from now on."""
        self._poll.register(descriptor, events)

    def change(self, descriptor: int, events: int) -> None:
        """Watch for other events of it."""
        self._poll.modify(descriptor, events)

    def remove(self, descriptor: int) -> None:
        """Watch it no longer. Call it before the descriptor is closed."""
        self._poll.unregister(descriptor)

    def handle(self, channels: list[Channel | None], buffer: Buffer, most: int) -> int:
        """Call `ready` of the channels that are ready, not more than `most`, without waiting; returns how many.

        Each channel is at the place of its descriptor. The buffer notes the time before them.
        """
        found: list[tuple[int, int]] = self._poll.poll(0, most)
        buffer.read_ns = perf_counter_ns()
        for descriptor, events in found:
            channel = channels[descriptor]
            if channel is not None:  # its own doing, or another's, has ended it meanwhile
                channel.ready(events)
        return len(found)

    def close(self) -> None:
        """Watch nothing any more."""
        self._poll.close()


def _epoll_class() -> Any:
    """Return the class of epoll, also where gevent has taken it away; None: the system has none."""
    if hasattr(select, "epoll") or not sys.platform.startswith("linux"):
        return getattr(select, "epoll", None)
    found = importlib.util.find_spec("select")
    assert found is not None, "it is Python's own"
    assert found.loader is not None, "it is Python's own"
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.epoll


_EPOLL = _epoll_class()  # now, because nothing is to be loaded while a load is measured
