"""Errors of others in one short line: what operating systems, libraries and servers say, fit for a reason."""

from __future__ import annotations

import errno
import os
import ssl

from bench.descriptors import OUT_OF_FILES, file_limit_reason

_MAX_LENGTH = 300

# uvloop raises these without a number.
_NUMBERS: dict[type[OSError], int] = {
    ConnectionResetError: errno.ECONNRESET,
    ConnectionAbortedError: errno.ECONNABORTED,
    ConnectionRefusedError: errno.ECONNREFUSED,
    BrokenPipeError: errno.EPIPE,
}


def one_line(what: object) -> str:
    """What it says, on one line, without what a terminal would obey, and not at any length."""
    text = " ".join(str(what).split())
    if not text and isinstance(what, BaseException):
        text = type(what).__name__
    text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return text if len(text) <= _MAX_LENGTH else text[:_MAX_LENGTH] + "…"


def os_reason(error: OSError) -> str:
    """The operating system's reason alone: asyncio and uvloop wrap it in differing words."""
    if isinstance(error, ssl.SSLError):  # its number is OpenSSL's
        return f"TLS failed: {one_line(error)}"
    number = error.errno or _NUMBERS.get(type(error), 0)
    if number in OUT_OF_FILES:
        return file_limit_reason(number)
    return os.strerror(number).lower() if number > 0 else one_line(error)
