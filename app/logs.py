"""How much the service may log: what a client causes must not fill a disk, nor take the time of the others.

Rules: no I/O in here. A line of the log is of the kind of the place in the code that writes it.
"""

import logging
import time
from collections.abc import Callable

#: Of each kind this many lines are logged in a second, and the others are counted.
MAX_LINES_PER_S = 100


class BoundedFilter(logging.Filter):
    """Lets some lines of each kind pass in a second. The first of the next second says how many were left out.

    It has to be a filter of the logger that writes the lines.
    """

    def __init__(self, max_lines_per_s: int = MAX_LINES_PER_S, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._max_lines_per_s = max_lines_per_s
        self._clock = clock
        self._seconds: dict[tuple[str, int], tuple[int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record passes; add how many of its kind did not."""
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
