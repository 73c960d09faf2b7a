"""The exceptions that are raised in this process while a client is connected: mostly in the service's handlers.

Neither python-socketio nor asyncio hands such an exception to anybody, but they log it. To the client it looks as if
no reply came. The server is in the same process, so the cause can be said.
"""

from __future__ import annotations

import logging

from bench.places import place_of
from bench.printable import error_line

#: The most exceptions that are kept.
MOST_KEPT = 100

_SHOWN = 2


class Raised(logging.Handler):
    """The exceptions that were logged as errors between `watch` and `unwatch`, numbered from 0."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._lines: list[str] = []

    @property
    def count(self) -> int:
        """The number of exceptions so far."""
        return len(self._lines)

    def watch(self) -> None:
        """Begin to listen to the root of all loggers."""
        logging.getLogger().addHandler(self)

    def unwatch(self) -> None:
        """Listen no longer. Does nothing if it does not listen."""
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the exception of a record, with the line of the user's code that raised it."""
        if self._is_alone() and logging.lastResort is not None:
            logging.lastResort.handle(record)  # it would, if this handler were not there
        error = record.exc_info[1] if record.exc_info else None
        if error is None or len(self._lines) >= MOST_KEPT:
            return
        place = place_of(error)
        self._lines.append(error_line(error) if place is None else f"{error_line(error)} ({place})")

    def _is_alone(self) -> bool:
        """Return true for the first handler of the root, if there are none but of this class."""
        handlers = logging.getLogger().handlers
        return handlers[:1] == [self] and all(isinstance(handler, Raised) for handler in handlers)

    def after(self, count: int) -> str:
        """Return the last exceptions since there were `count`, in one line; empty if there was none."""
        return ", ".join(dict.fromkeys(self._lines[count:][-_SHOWN:]))
