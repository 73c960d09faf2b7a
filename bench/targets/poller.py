"""The wait for events on sockets: epoll if the system has it, else the best of `selectors`, in epoll's terms.

epoll itself is used without anything around it, because it is asked in every round trip.
"""

import select
import selectors
from collections.abc import Callable
from typing import Protocol

#: The events, as epoll numbers them.
READABLE, WRITABLE, BROKEN, ENDED = 0x01, 0x04, 0x08, 0x10


class Poller(Protocol):
    """The part of epoll's interface that the servers of this package use."""

    def register(self, descriptor: int, events: int, /) -> None:
        """Wait for these events of a descriptor from now on."""

    def modify(self, descriptor: int, events: int, /) -> None:
        """Wait for other events of it."""

    def unregister(self, descriptor: int, /) -> None:
        """Wait for nothing of it any more; call it before the descriptor is closed."""

    def poll(self, timeout_s: float, most: int, /) -> list[tuple[int, int]]:
        """Return what has happened, as pairs of descriptor and events, after `timeout_s` at the latest."""

    def fileno(self) -> int | None:
        """Return a descriptor that can be read when something has happened; None if the poller has no descriptor."""

    def close(self) -> None:
        """Be done."""


class SelectorPoller:
    """A poller of the system's best selector, for systems without epoll."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, descriptor: int, events: int, /) -> None:
        """Wait for these events of a descriptor from now on."""
        self._selector.register(descriptor, _selected(events))

    def modify(self, descriptor: int, events: int, /) -> None:
        """Wait for other events of it."""
        self._selector.modify(descriptor, _selected(events))

    def unregister(self, descriptor: int, /) -> None:
        """Wait for nothing of it any more; call it before the descriptor is closed."""
        self._selector.unregister(descriptor)

    def poll(self, timeout_s: float, most: int, /) -> list[tuple[int, int]]:
        """Return what has happened, as pairs of descriptor and events, after `timeout_s` at the latest."""
        happened = self._selector.select(timeout_s)
        return [(key.fd, _events_of(events)) for key, events in happened[:most]]

    def fileno(self) -> int | None:
        """Return a descriptor that can be read when something has happened; None if the selector has no descriptor."""
        fileno: Callable[[], int] | None = getattr(self._selector, "fileno", None)
        return None if fileno is None else fileno()

    def close(self) -> None:
        """Be done."""
        self._selector.close()


def _selected(events: int) -> int:
    return (selectors.EVENT_READ if events & READABLE else 0) | (selectors.EVENT_WRITE if events & WRITABLE else 0)


def _events_of(selected: int) -> int:
    return (READABLE if selected & selectors.EVENT_READ else 0) | (WRITABLE if selected & selectors.EVENT_WRITE else 0)


def poller() -> Poller:
    """Return the best poller of this system."""
    return select.epoll() if hasattr(select, "epoll") else SelectorPoller()
