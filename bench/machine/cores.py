"""The cores that this process may use, and the division of them between servers and load generator."""

import contextlib
import os
from collections.abc import Iterator

from bench.machine.system import can_pin


def server_core() -> int | None:
    """Return the core that "auto" pins a server to: the last that this process may use, None if there is only one."""
    cores = _cores()
    return cores[-1] if len(cores) > 1 else None


def generator_cores() -> tuple[int, ...]:
    """Return the cores that "auto" leaves to the load generator; empty if there is only one for both."""
    return _cores()[:-1]


@contextlib.contextmanager
def pinned_to(cores: tuple[int, ...]) -> Iterator[None]:
    """Keep this thread to these cores; if there are none, let it run anywhere. Raises OSError."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _cores() -> tuple[int, ...]:
    return tuple(sorted(os.sched_getaffinity(0))) if can_pin() else ()
