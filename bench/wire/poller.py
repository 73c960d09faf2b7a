"""The sockets of an event loop's connections, watched together: an epoll that the loop itself watches.

A wake-up of the loop handles the sockets that are ready in a single pass, without anything between them and their
connections. With the kernel's receive times it handles a part of a burst, then the loop goes on with other work: the
time that the rest waits is charged to nobody. With the process's clock all that is ready is read before the loop goes
on, because a message is received when it is read.

The connections of a loop share the memory that is read into, the masks of what is sent, and the clock of the stamps.
Where the system has no epoll, the loop watches each socket.
"""

from __future__ import annotations

import asyncio
import os

from bench.wire.frames import FrameHead
from bench.wire.masking import Masker
from bench.wire.sockets import ENDED, READABLE, WRITABLE, Buffer, Channel, ReadySet
from bench.wire.stamps import StampClock, stamp_clock

#: The size of the memory that is read into. It stays in a core's cache, and a read takes what usually waits.
BUFFER_BYTES = 1 << 16

#: The number of sockets that a wake-up handles with the kernel's times; as measured, more and fewer cost more.
_MOST_AT_ONCE = 16

#: The number of sockets that a wake-up looks for at a time with the process's clock, until there are no more.
_ALL_AT_ONCE = 1024
_MOST_ROUNDS = 48

_READING = READABLE | ENDED


class Poller:
    """The watch over the sockets of a loop, from its first connection to its last. `of` gives it."""

    __slots__ = (
        "_channels",
        "_loop",
        "_number",
        "_ready_set",
        "buffer",
        "clock",
        "free_buffers",
        "head",
        "masker",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        #: The channels, each at the place of its descriptor.
        self._channels: list[Channel | None] = []
        self._number = 0
        #: The first buffer. Its `read_ns` is when the last read was done, or begun where it is the first of a pass.
        self.buffer = Buffer(BUFFER_BYTES)
        #: The buffers that are not in use. Who finds none takes a new one, and leaves it here in the end.
        self.free_buffers = [self.buffer]
        #: The place for the heads of frames.
        self.head = FrameHead()
        self.masker = Masker(int.from_bytes(os.urandom(4), "little"))
        #: The clock of the kernel's stamps; None: the process's clock is used.
        self.clock: StampClock | None = stamp_clock()
        self._ready_set: ReadySet | None = _ready_set()
        if self._ready_set is not None:
            loop.add_reader(self._ready_set.fileno(), self._on_ready)

    @staticmethod
    def of(loop: asyncio.AbstractEventLoop) -> Poller:
        """Return the poller of this loop, a new one if it has none."""
        poller = _pollers.get(loop)
        if poller is None:
            for other in [other for other in _pollers if other.is_closed()]:
                _pollers.pop(other)._close()
            poller = _pollers[loop] = Poller(loop)
        return poller

    def watch(self, channel: Channel) -> None:
        """Have a channel told when it can be read."""
        descriptor = channel.descriptor
        if descriptor >= len(self._channels):
            self._channels.extend([None] * (descriptor + 1 - len(self._channels)))
        self._channels[descriptor] = channel
        self._number += 1
        if self._ready_set is None:
            self._loop.add_reader(descriptor, channel.ready, READABLE)
        else:
            self._ready_set.add(descriptor, _READING)

    def watch_for(self, channel: Channel, reads: bool, writes: bool) -> None:
        """Have it told when it can be read, when it can be written to, or both."""
        descriptor = channel.descriptor
        if self._ready_set is not None:
            self._ready_set.change(descriptor, (_READING if reads else 0) | (WRITABLE if writes else 0))
            return
        if reads:
            self._loop.add_reader(descriptor, channel.ready, READABLE)
        else:
            self._loop.remove_reader(descriptor)
        if writes:
            self._loop.add_writer(descriptor, channel.ready, WRITABLE)
        else:
            self._loop.remove_writer(descriptor)

    def forget(self, channel: Channel) -> None:
        """Watch a channel no longer. With the last one, the poller is gone."""
        descriptor = channel.descriptor
        self._channels[descriptor] = None
        self._number -= 1
        if self._ready_set is not None:
            self._ready_set.remove(descriptor)
        elif not self._loop.is_closed():
            self._loop.remove_reader(descriptor)
            self._loop.remove_writer(descriptor)
        if self._number == 0 and _pollers.get(self._loop) is self:
            del _pollers[self._loop]
            self._close()

    def _on_ready(self) -> None:
        """Have the channels that are ready read and write."""
        ready_set = self._ready_set
        if ready_set is None:  # another callback of the same turn has closed it
            return
        if self.clock is not None:
            ready_set.handle(self._channels, self.buffer, _MOST_AT_ONCE)
            return
        for _ in range(_MOST_ROUNDS):
            if ready_set.handle(self._channels, self.buffer, _ALL_AT_ONCE) < _ALL_AT_ONCE:
                return

    def _close(self) -> None:
        ready_set, self._ready_set = self._ready_set, None
        if ready_set is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(ready_set.fileno())
            ready_set.close()


_pollers: dict[asyncio.AbstractEventLoop, Poller] = {}


def _ready_set() -> ReadySet | None:
    """Return a set of channels to watch; None if the system has none."""
    try:
        return ReadySet()
    except OSError:
        return None
