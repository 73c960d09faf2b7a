"""The number of times that this process was stopped and went on, as Ctrl-Z and `fg` or SIGSTOP and SIGCONT have it.

While it is stopped it receives nothing, so a round trip that was under way seems to take as long as the stop. The
kernel keeps no count of the stops, but sends SIGCONT when the process goes on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_stops = 0


def stops() -> int:
    """Return how often this process went on after a stop, as far as `counted_stops` was there to see it."""
    return _stops


@contextmanager
def counted_stops() -> Iterator[None]:
    """Count stops within the block.

    Only the main thread can; in another, or on a system without SIGCONT, none are counted.
    """
    if not hasattr(signal, "SIGCONT") or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGCONT, _count)
    try:
        yield
    finally:
        signal.signal(signal.SIGCONT, before)


def _count(_number: int, _frame: FrameType | None) -> None:
    global _stops
    _stops += 1
