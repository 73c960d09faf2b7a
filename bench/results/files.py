"""Writing that replaces a file whole or not at all, and reading that comes to an end."""

import errno
import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

#: The largest file that is read. A result has 6 kB for each second and operation of an open load. It is half of this
#: after a day of a single operation. Reading takes about five times as much memory.
MOST_BYTES = 1 << 30

#: The time to wait for the reader of a named pipe, in seconds.
_READER_WAIT_S = 10.0
_LOOK_EVERY_S = 0.05


class NotAFileError(OSError):
    """A path that is no regular file, such as a pipe or a device: reading it may never end."""


def read_file(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the content of a regular file, or of what a symbolic link leads to. Raises OSError.

    Raises NotAFileError for anything else, and OSError of EFBIG for a file of more than `most_bytes`. Neither waits.
    """
    _require_file(path.stat(), most_bytes)  # before the file is opened: to open a device may have an effect
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        _require_file(os.fstat(descriptor), most_bytes)  # it may be another file by now
        content = file.read(most_bytes + 1)  # some files of /proc do not tell their size
    if len(content) > most_bytes:
        raise _too_large(most_bytes)
    return content


def _too_large(most_bytes: int) -> OSError:
    return OSError(errno.EFBIG, f"larger than {most_bytes:,} bytes, which is more than any result takes")


def _require_file(status: os.stat_result, most_bytes: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
        kind = kinds.get(stat.S_IFMT(status.st_mode), "something else")
        raise NotAFileError(errno.EINVAL, f"{kind}, not a file")
    if status.st_size > most_bytes:
        raise _too_large(most_bytes)


def write_synced(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a new file, and return when it is on the disk. Raises OSError, FileExistsError among them."""
    with path.open("xb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Write to `path`, replacing what was there only when all is written. Raises OSError.

    A path that is no file (`/dev/stdout`, a pipe) is written to directly; a symbolic link stays a link. A named pipe
    that nobody reads within some seconds raises OSError.
    """
    if path.exists() and not path.is_file():
        with _opened_to_write(path) as file:
            file.writelines(chunks)
        return
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_synced(temporary, chunks)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _opened_to_write(path: Path) -> BinaryIO:
    """Open a path that is no file. Wait some seconds for the reader of a named pipe, then raise OSError."""
    if not path.is_fifo():
        return path.open("wb")
    give_up_s = time.monotonic() + _READER_WAIT_S
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() >= give_up_s:
                raise OSError(errno.ENXIO, f"nobody reads this pipe, after {_READER_WAIT_S:g} s") from None
            time.sleep(_LOOK_EVERY_S)
        else:
            os.set_blocking(descriptor, True)
            return open(descriptor, "wb")  # noqa: PTH123 - of a descriptor
