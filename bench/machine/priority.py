"""A high priority for the processes that this process starts.

If all cores are at work, any other work of the machine takes a core away, a millisecond or more at a time. A p99 then
tells of that, and not of the service. Nice -20 makes it rare. The kernel allows it to root, with CAP_SYS_NICE, or if
`ulimit -e` permits it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_HIGHEST_NICE = -20


@contextmanager
def high_priority() -> Iterator[int]:
    """Let processes that this thread starts meanwhile go before others.

    Yields their nice value, which is this process's own if the kernel does not allow more.
    """
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
