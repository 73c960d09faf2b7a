"""The events of a connection that nobody asked for: the last few are kept, to say what came in place of a reply."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from bench.printable import one_line

_EVENTS_KEPT = 3
_CHARACTERS_SHOWN = 100


class UnaskedEvents:
    """The last events of a connection that were the reply of nothing here, with their arguments.

    Each connection has such an object, and most have no such event. So there is no dictionary in it, and no deque.
    """

    __slots__ = ("_kept", "when_noted")

    def __init__(self) -> None:
        self._kept: tuple[tuple[str, tuple[Any, ...]], ...] = ()
        #: The function that is called with the name of each such event, inside its handler.
        self.when_noted: Callable[[str], None] | None = None

    def append(self, noted: tuple[str, tuple[Any, ...]]) -> None:
        """Note an event."""
        self._kept = (*self._kept[1 - _EVENTS_KEPT :], noted)
        if self.when_noted is not None:
            self.when_noted(noted[0])

    def first_of(self, events: Collection[str]) -> str | None:
        """Return the first of what is kept that is such an event, for people; None if there is none."""
        return next((_shown(event, values) for event, values in self._kept if event in events), None)

    @property
    def shown(self) -> str:
        """Return what is kept, for people."""
        return ", ".join(_shown(event, values) for event, values in self._kept) or "nothing"


def _shown(event: str, values: tuple[Any, ...]) -> str:
    """Return an event with its arguments, in a short line."""
    return one_line(f"{event} {' '.join(map(repr, values))}".strip(), _CHARACTERS_SHOWN)
