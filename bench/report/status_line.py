"""A line on a terminal that says how far a command is, written anew in its place.

Rules of this file: escape codes go to terminals alone. A line is never wider than its terminal, or it could not be
written over. A stream that cannot be written to any more is left alone: what is measured goes on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

from rich.cells import cell_len, set_cell_size

_BEGIN, _CLEAR = "\r", "\x1b[K"

#: The width of a terminal that does not tell its own.
_WIDTH = 80

#: What stands between the parts of a line.
_GAP = "  "


def is_terminal(stream: TextIO) -> bool:
    """Return true if a line can be written over there."""
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:  # it is closed
        return False


def fitted(parts: Sequence[str], width: int) -> str:
    """Return the first parts, the most important, as far as they fit into `width` columns; the first is cut to fit."""
    line = ""
    for part in parts:
        longer = f"{line}{_GAP}{part}" if line else part
        if line and cell_len(longer) > width:
            break
        line = longer
    return line if cell_len(line) <= width else set_cell_size(line, width)


class StatusLine:
    """The last line of a terminal, as long as nobody else writes there: those who do have to `erase` it before."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_shown = False
        self._is_gone = False

    def show(self, parts: Sequence[str]) -> None:
        """Write the line, made of the first parts that fit, in the place of the line before."""
        # In the last column, some terminals go on to the next line.
        self._write(f"{_BEGIN}{fitted(parts, self._width() - 1)}{_CLEAR}")
        self._is_shown = True

    def erase(self) -> None:
        """Take the line away, if there is any, and leave the cursor where it began."""
        if self._is_shown:
            self._is_shown = False
            self._write(f"{_BEGIN}{_CLEAR}")

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or _WIDTH
        except (OSError, ValueError):
            return _WIDTH

    def _write(self, text: str) -> None:
        if self._is_gone:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # the terminal has gone, or cannot show a character
            self._is_gone = True
