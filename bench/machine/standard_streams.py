"""The standard streams of a process that was started with some of them closed, as a daemon or a cron job may be.

Python has None in place of such a stream. The next file that is opened would get its number, and what others print
would land in that file.

The module imports little of the standard library: entry points import it before the modules that load slowly.
"""

import os
import sys

#: The names of the streams in `sys`, by their numbers, and the modes in which they are open.
_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_closed_streams() -> None:
    """Open the null device in place of each standard stream that is closed, for processes started later as well."""
    for number, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is not None:
            continue
        null = os.open(os.devnull, os.O_RDWR)
        if null != number and not _is_open(number):
            os.dup2(null, number)
            os.close(null)
            null = number
        os.set_inheritable(null, null == number)
        stream = os.fdopen(null, mode, encoding="utf-8", errors="replace", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
