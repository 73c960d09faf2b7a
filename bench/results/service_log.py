"""The log of a service beside the figures: the lines that it wrote during a run, each with its time.

Rules of this file: a service writes into a file, so it never waits for whoever reads that. `LogReader` reads what is
new from time to time, in pieces, and keeps the first and the last lines alone. So a service may write whatever it
likes: the memory and the result stay small, and the number of all lines is exact. Secrets are taken out before a line
is cut.
"""

import contextlib
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pydantic import BaseModel, NonNegativeInt

from bench.printable import printable
from bench.results.header import WRITTEN, NonNegative

#: The number of lines that are kept of the beginning, and of the end.
KEPT_LINES = 100

#: The number of characters that are kept of a line.
LONGEST_LINE = 400

#: The number of bytes of a line that are looked at, and that are read at a time.
_LONGEST_RAW, _PIECE = 1 << 14, 1 << 20

#: The sequences by which a program colours its words.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class LogLine(BaseModel):
    """A line that the service wrote, and the second of the run at which it was found in the log."""

    model_config = WRITTEN

    t: NonNegative
    text: str


class ServiceLog(BaseModel):
    """The lines that a service wrote during a run: all of them, or the first and the last.

    `lines` is the number of all, `left_out` of those between `first` and `last`. A line's time is up to 0.2 s later
    than it was written, or more if the service buffers its output.
    """

    model_config = WRITTEN

    lines: NonNegativeInt
    left_out: NonNegativeInt
    first: tuple[LogLine, ...]
    last: tuple[LogLine, ...] = ()

    @property
    def kept(self) -> tuple[LogLine, ...]:
        """The lines that are known, in order."""
        return (*self.first, *self.last)


class _Raw(NamedTuple):
    t: float
    line: bytes


class LogReader:
    """A reader of the lines that come into a service's log. The log may be begun anew, and need not be there yet."""

    def __init__(self, path: Path) -> None:
        """Begin at the present end of the log."""
        self._path = path
        self._lines = 0
        self._first: list[_Raw] = []
        self._last: deque[_Raw] = deque(maxlen=KEPT_LINES)
        #: The beginning of a line whose end has not been written.
        self._open_line = b""
        self._read_at_s = 0.0
        self._inode, self._offset = self._status()

    def begin_anew(self, path: Path | None = None) -> None:
        """Take what is in the log now for new: a service has begun its log anew, perhaps with the same words.

        `path` is where the log is from now on, if that has changed.
        """
        self._path = self._path if path is None else path
        self._inode, self._offset = self._status()[0], 0
        if self._open_line:  # nothing will be added to it
            self._take(b"\n", self._read_at_s)

    def read(self, now_s: float) -> None:
        """Take what has been written since the last time; `now_s` is the time of the run. Raises OSError."""
        inode, size_bytes = self._status()
        if inode != self._inode or size_bytes < self._offset:
            self.begin_anew()
        if size_bytes == self._offset:
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for piece in _pieces(file, size_bytes - self._offset):
                self._offset += len(piece)
                self._take(piece, now_s)

    def log(self, hide: Callable[[str], str]) -> ServiceLog | None:
        """Return what was written, with `hide` applied to each line; None if that is nothing."""
        first, last, lines = list(self._first), list(self._last), self._lines
        if self._open_line:
            lines += 1
            (first if len(first) < KEPT_LINES else last).append(_Raw(self._read_at_s, self._open_line))
        if not lines:
            return None
        last = last[-KEPT_LINES:]
        return ServiceLog(
            lines=lines,
            left_out=lines - len(first) - len(last),
            first=tuple(LogLine(t=max(0.0, raw.t), text=_shown(raw.line, hide)) for raw in first),
            last=tuple(LogLine(t=max(0.0, raw.t), text=_shown(raw.line, hide)) for raw in last),
        )

    def _status(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except OSError:  # it is not there yet
            return 0, 0
        return status.st_ino, status.st_size

    def _take(self, piece: bytes, now_s: float) -> None:
        """Take what was written: count its lines, and split only those that are kept."""
        self._read_at_s = now_s = round(now_s, 3)
        text = self._open_line + piece
        number = text.count(b"\n")
        self._lines += number
        room = min(KEPT_LINES - len(self._first), number)
        *whole, rest = text.split(b"\n", room)
        self._first += [_Raw(now_s, line[:_LONGEST_RAW]) for line in whole]
        kept = min(number - room, KEPT_LINES)
        *whole, open_line = rest.rsplit(b"\n", kept + 1)  # the first of them may be many lines
        self._last.extend(_Raw(now_s, line[:_LONGEST_RAW]) for line in whole[-kept:] if kept)
        self._open_line = open_line[:_LONGEST_RAW]


def log_of_files(paths: Iterable[Path], began_unix_s: float, hide: Callable[[str], str]) -> ServiceLog | None:
    """Return what is in the logs of processes that ran one after the other; None if that is nothing.

    The time of a line is when its process wrote last, in seconds since `began_unix_s`.
    """
    reader = LogReader(Path(os.devnull))
    for path in paths:
        with contextlib.suppress(OSError):  # it is gone
            written_at_s = path.stat().st_mtime
            reader.begin_anew(path)
            reader.read(written_at_s - began_unix_s)
    return reader.log(hide)


def _pieces(file: BinaryIO, most_bytes: int) -> Iterator[bytes]:
    while most_bytes > 0 and (piece := file.read(min(_PIECE, most_bytes))):
        most_bytes -= len(piece)
        yield piece


def _shown(line: bytes, hide: Callable[[str], str]) -> str:
    """Return a line as it is stored: without secrets and colours, printable, and cut to its longest."""
    text = hide(line.decode(errors="replace"))
    text = printable(_COLOURS.sub("", text).rstrip("\r\n").expandtabs(4))
    return text if len(text) <= LONGEST_LINE else text[:LONGEST_LINE] + "…"
