"""The bound on the service's log: what a client causes must not fill a disk, nor take the time of other clients.

Rules: no I/O in here. The place in the code that writes a line determines the line's kind.
"""

import logging
import time
from collections.abc import Callable

#: The number of lines of each kind that pass in a second. The filter counts the others.
MAX_LINES_PER_S = 100


class BoundedFilter(logging.Filter):
    """A filter that lets some lines of each kind pass in a second.

    The first line of the next second says how many lines were left out. The filter belongs to the logger that writes
    the lines.
    """

    def __init__(self, max_lines_per_s: int = MAX_LINES_PER_S, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._max_lines_per_s = max_lines_per_s
        self._clock = clock
        self._seconds: dict[tuple[str, int], tuple[int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record passes; add to its text how many lines of its kind did not."""
        kind = record.pathname, record.lineno
        now = int(self._clock())
        second, lines = self._seconds.get(kind, (now, 0))
        left_out = 0
        if second != now:
            left_out, lines = max(0, lines - self._max_lines_per_s), 0
        self._seconds[kind] = now, lines + 1
        if lines >= self._max_lines_per_s:
            return False
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out} lines like this one before)", None
        return True
