"""Locks between processes, on a file or a folder: only this module takes them.

Rules of this file: a lock is the kernel's (`flock`) and ends with its process, however that ends. It is on the
descriptor of the very folder or file that it protects. So a folder of results gets no further file, and can be locked
on a full disk. (The library filelock would need a further file, or its newest version.) Nobody waits without an end. A
process that is stopped keeps its locks, and a process that waits for them says so and gives up.
"""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

#: The time between two attempts, in seconds.
_LOOK_EVERY_S = 0.05


class LockedError(OSError):
    """A lock that another process has. `strerror` names that process, if the system tells which it is."""


@contextlib.contextmanager
def locked(path: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Keep other processes from locking `path`, an existing file or folder, until the end of the block.

    Raises LockedError if another process has the lock and keeps it for `wait_s` seconds, and OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        give_up_s = time.monotonic() + wait_s
        while not _is_taken(descriptor):
            if time.monotonic() >= give_up_s:
                waited = f" for {wait_s:g} s" if wait_s else ""
                raise LockedError(errno.EAGAIN, f"another process has locked it{waited}{_holder(descriptor)}")
            time.sleep(_LOOK_EVERY_S)
        yield
    finally:
        os.close(descriptor)


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    """Return which process has the lock, as text in brackets; empty if the system does not tell."""
    status = os.fstat(descriptor)
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()  # 1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF
            if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == wanted:
                pid = int(fields[4])
                name = Path(f"/proc/{pid}/comm").read_text().strip()
                return f" (process {pid}, {name})"
    return ""
