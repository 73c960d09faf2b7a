"""Standard output, which may fail: the disk is full, or its reader has gone. A result is stored all the same."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable

from rich.console import Console


class OutputFailed(Exception):
    """A failure to write standard output; the text is one line that says why."""


class _Console(Console):
    """A console that raises if the reader has gone, where rich would end the process."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def show(print_on: Callable[[Console], None]) -> None:
    """Print on standard output. Raises OutputFailed; after that, writing there does nothing and does not fail."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without µ and → shows all the rest
    try:
        print_on(_Console())
        sys.stdout.flush()
    except (OSError, ValueError) as error:  # ValueError: stdout is closed
        _silence()
        raise OutputFailed(f"cannot write to standard output: {getattr(error, 'strerror', None) or error}") from None


def _silence() -> None:
    """Discard what is in the buffer: it would fail again when Python exits, with another exit code."""
    with contextlib.suppress(OSError, ValueError):
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.stdout.fileno())
        os.close(sink)
