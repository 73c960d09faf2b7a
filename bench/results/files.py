"""Files that are there whole, or as they were before."""

import os
from collections.abc import Iterable
from pathlib import Path


def write_synced(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a new file, and return when it is on the disk. Raises OSError, FileExistsError among them."""
    with path.open("xb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Write to `path`, replacing what was there only when all is written. Raises OSError.

    What is no file (`/dev/stdout`, a pipe) is written to directly; a symbolic link stays one.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            file.writelines(chunks)
        return
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_synced(temporary, chunks)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
