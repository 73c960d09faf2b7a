"""The files that options name: `--json FILE`, `--report FILE` and so on."""

import errno
from pathlib import Path

from bench.results.errors import NotStoredError, ResultError
from bench.results.files import write_whole

#: The errors that keep a file from being written to the end, and are no misuse.
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE, errno.ENXIO)

#: The ends of file names that promise something else than a page.
_NO_PAGES = frozenset({".svg", ".png", ".pdf", ".jpg", ".jpeg"})


def check_option_file(option: str, path: Path | None, typed: str = "") -> None:
    """Raise ResultError if an option names a folder, or a file in no folder that is there.

    `typed` is what the user wrote in place of the path, if that differs.
    """
    if path is None:
        return
    if not path.absolute().parent.is_dir():
        raise ResultError(f"{option} {typed or path}: there is no such folder")
    if path.is_dir():
        raise ResultError(f"{option} {typed or path}: that is a folder; name a file in it")


def check_page_file(option: str, path: Path | None) -> None:
    """Raise ResultError if an option names no file for a page: a page that is called a picture opens nowhere."""
    check_option_file(option, path)
    if path is not None and path.suffix.lower() in _NO_PAGES:
        raise ResultError(
            f"{option} {path}: a page is HTML: name a file that ends in .html; `bench show RESULT --format svg,png "
            "--output FOLDER` makes pictures"
        )


def write_option(option: str, path: Path, data: bytes) -> None:
    """Write the file that an option names. Raises ResultError, or NotStoredError if the disk is full or broken."""
    try:
        write_whole(path, [data])
    except OSError as error:
        kind = NotStoredError if error.errno in UNWRITABLE else ResultError
        raise kind(f"{option} {path}: {error.strerror or error}") from None
