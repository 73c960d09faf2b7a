"""The protocol between a client and the transport under it: who calls what, and in which order.

A message is a whole message of Engine.IO: `bytes` for text, `Binary` for an attachment.

1. The client makes the transport with a listener, and awaits `open` once. `open` raises ConnectFailed, and then nothing
   is left of the transport. Messages may arrive before `open` has returned.
2. The transport calls `receive(message, received_ns)` for each message, in the order of the wire, from the loop. It is
   the transport that knows when a message was received, in nanoseconds of `time.perf_counter_ns`.
3. The client calls `opened` once, when the server's handshake has arrived.
4. The client calls `send(messages)` from `open` on. It takes several messages, keeps their order, never waits and never
   raises. What the server does not read yet counts in `unsent_bytes`.
5. The transport calls `ended(reason)` once, from the loop, if it ends for whatever reason but `abort`. `close` sends
   what is left and says goodbye; `ended` follows. `abort` ends at once, and tells nobody.
6. After `ended` or `abort` the transport calls nobody, and the client calls nothing but `wait_closed`.

Listener is a base class, because a compiled transport calls a compiled client's methods directly.
"""

from __future__ import annotations

from typing import Protocol

from bench.wire.protocol import Message, Open
from bench.wire.stamps import ReceivedClock


class Listener:
    """The receiver of what a transport has to tell. This base ignores all of it.

    A transport that has the kernel's receive times sets both attributes right before each call of `receive`.
    """

    __slots__ = ("error_ns", "read_ns")

    def __init__(self) -> None:
        #: When this process had read the message's last byte, by `time.perf_counter_ns`. Without the kernel's time for
        #: it, `received_ns` says that.
        self.read_ns = 0
        #: The greatest error of `received_ns`, in nanoseconds: a message may have been received so much earlier.
        #:
        #: 0: the kernel's own time of this message. -1: the time is this process's own, from when it read the message.
        self.error_ns = -1

    def receive(self, message: Message, received_ns: int) -> None:
        """Take a whole message, and when it was received."""

    def ended(self, reason: str) -> None:
        """Take note that the transport has ended."""


class Transport(Protocol):
    """A way to a server and back. The module says in which order the methods are called."""

    @property
    def is_text_only(self) -> bool:
        """Return whether the transport carries text only: attachments travel as base64 then, which is longer."""
        ...

    @property
    def received_clock(self) -> ReceivedClock:
        """Return the clock by which messages are received: that of the kernel or of this process."""
        ...

    @property
    def unsent_bytes(self) -> int:
        """Return how many bytes wait because the server does not read them."""
        ...

    async def open(self) -> None:
        """Connect to the server. Raises ConnectFailed, or TimeoutError if the server says nothing in time."""
        ...

    def opened(self, handshake: Open) -> None:
        """Take note of the server's handshake."""
        ...

    def send(self, messages: tuple[Message, ...]) -> int:
        """Send all of these messages, in this order, without waiting; returns when, as late as can be (ns)."""
        ...

    def close(self) -> None:
        """End the connection after what was sent, and tell the server."""
        ...

    def abort(self) -> None:
        """End the connection at once. The listener hears nothing more, not even of the end."""
        ...

    async def wait_closed(self) -> None:
        """Return once the transport has released all that it had."""
        ...


#: The listener of a transport that nobody listens to any more.
NOBODY = Listener()
