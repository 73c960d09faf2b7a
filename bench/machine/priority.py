"""Precedence on the cores, for what is started meanwhile.

With both cores at work, whatever else a machine does has to take one of them away, a millisecond or more at a time, and
a p99 tells of that, not of what is measured. Nice -20 makes it rare; the kernel allows it to root, or with
CAP_SYS_NICE, or where `ulimit -e` says so.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_HIGHEST_NICE = -20


@contextmanager
def high_priority() -> Iterator[int]:
    """Processes that this thread starts meanwhile go before others. Yields their nice value: ours, if not allowed."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _HIGHEST_NICE)
    except OSError:
        yield before
        return
    try:
        yield _HIGHEST_NICE
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)
