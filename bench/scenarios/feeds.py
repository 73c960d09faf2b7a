"""Feeds: files with a row of data for each user of a load, as CSV or as JSON lines.

A description says which file it is, and how its rows are dealt. Reading keeps where each row begins, and no row: a
million rows take 8 MB. Any fault of a file is a `FeedError` of one line, with the number of the line.
"""

from __future__ import annotations

import csv
import io
import itertools
import random
import sys
from array import array
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import orjson

from bench.printable import one_line
from bench.timing.rates import Share

Format = Literal["csv", "jsonl"]

Row = dict[str, Any]

#: The number of files of which a process keeps the places of the rows.
_MOST_READ = 64


class FeedError(ValueError):
    """A fault of a feed's file, in one line that names the file."""


@dataclass(frozen=True)
class Feed:
    """A file of rows, of which each user gets its own.

    `data = Feed.csv("users.csv", unique=True)` in a SocketIOUser gives each user a row as `self.data`, a dict. A
    relative path begins at the folder of the file that has this line.

    If it is `unique`, no two users of a test get the same row, over all workers. A user without a row does not start.
    Otherwise the users get the rows in turn, or `at_random`, and a row as often as necessary.
    """

    path: Path
    format: Format
    unique: bool = False
    at_random: bool = False
    delimiter: str = ","

    def __post_init__(self) -> None:
        """Raise ValueError for settings that contradict each other."""
        if self.unique and self.at_random:
            raise ValueError(f"{self.name}: unique rows are dealt in turn: leave at_random out")

    @classmethod
    def csv(cls, path: str | Path, *, unique: bool = False, at_random: bool = False, delimiter: str = ",") -> Feed:
        """Return a feed of a CSV file in UTF-8: its first row has the names, and all values are texts."""
        return cls(_from_caller(path), "csv", unique, at_random, delimiter)

    @classmethod
    def jsonl(cls, path: str | Path, *, unique: bool = False, at_random: bool = False) -> Feed:
        """Return a feed of a file with a JSON object in each line."""
        return cls(_from_caller(path), "jsonl", unique, at_random)

    @property
    def name(self) -> str:
        """The name of the file, without its folder."""
        return self.path.name

    def rows(self) -> Rows:
        """Read the file, unless it was read before and is the same. Raises FeedError."""
        try:
            stamp = _stamp_of(self.path)
        except OSError as error:
            raise _unreadable(self.path, error) from None
        return _rows(self.path, self.format, self.delimiter, stamp)


def _from_caller(path: str | Path) -> Path:
    """Return the path as seen from the file that called the caller of this function."""
    there = sys._getframe(2).f_globals.get("__file__")
    return Path(there).parent.absolute() / path if there else Path.cwd() / path


class Rows:
    """The rows of a file, each read from it when it is asked for."""

    def __init__(self, path: Path, names: tuple[str, ...], delimiter: str, starts: array[int], stamp: object) -> None:
        self._path = path
        #: The names of a CSV file's columns; none for JSON lines.
        self._names = names
        self._delimiter = delimiter
        #: The place in the file at which each row begins, in bytes.
        self._starts = starts
        self._stamp = stamp

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._starts)

    def __getitem__(self, number: int) -> Row:
        """Return a row, counted from 0. Raises FeedError if the file has changed since it was read."""
        try:
            if _stamp_of(self._path) != self._stamp:
                raise FeedError(f"{self._path.name} has changed since the run began")
            with self._path.open("rb") as file:
                file.seek(self._starts[number])
                if not self._names:
                    row: Row = orjson.loads(file.readline())
                    return row
                lines = (line.decode() for line in file)
                values = next(csv.reader(lines, delimiter=self._delimiter, strict=True))
                return dict(zip(self._names, values, strict=True))
        except OSError as error:
            raise _unreadable(self._path, error) from None


def _stamp_of(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=_MOST_READ)
def _rows(path: Path, file_format: Format, delimiter: str, stamp: tuple[int, int]) -> Rows:
    try:
        with path.open("rb") as file:
            return _read(path, file, file_format, delimiter, stamp)
    except (OSError, ValueError) as error:
        if isinstance(error, FeedError):
            raise
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError | ValueError) -> FeedError:
    reason = getattr(error, "strerror", None) or str(error)
    return FeedError(f"{path} cannot be read: {reason.lower()}")


def _read(path: Path, file: io.BufferedReader, file_format: Format, delimiter: str, stamp: object) -> Rows:
    names: tuple[str, ...] = ()
    starts = array("Q")
    if file_format == "csv":
        records = _csv_records(path, file, delimiter)
        names = _names(path, next(records, (0, 0, []))[2])
        for start, line, values in records:
            if len(values) != len(names):
                raise FeedError(f"{path.name}, line {line}: expected {len(names)} values, and found {len(values)}")
            starts.append(start)
    else:
        starts.extend(_json_starts(path, file))
    if not starts:
        raise FeedError(f"{path.name} has no rows")
    return Rows(path, names, delimiter, starts, stamp)


def _names(path: Path, names: list[str]) -> tuple[str, ...]:
    if not names:
        raise FeedError(f"{path.name} is empty: its first line has to name the columns")
    for name in names:
        if not name.strip() or names.count(name) > 1:
            raise FeedError(
                f"{path.name}, line 1: {name!r:.60} cannot be the name of a column: each has a name of its own"
            )
    return tuple(names)


def _csv_records(path: Path, file: io.BufferedReader, delimiter: str) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the records that are not empty: the place where each begins, the number of its last line, its values."""
    read_bytes = number = 0

    def lines() -> Iterator[str]:
        nonlocal read_bytes, number
        for line in file:
            number += 1
            read_bytes += len(line)
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    start = 0
    try:
        for values in reader:
            if values:
                yield start, number, values
            start = read_bytes
    except csv.Error as error:
        raise FeedError(f"{path.name}, line {number}: it is no CSV: {one_line(error)}") from None
    except UnicodeDecodeError:
        raise FeedError(f"{path.name}, line {number}: it is not in UTF-8") from None


def _json_starts(path: Path, file: io.BufferedReader) -> Iterator[int]:
    start = 0
    if file.peek(len(BOM_UTF8)).startswith(BOM_UTF8):
        start = file.seek(len(BOM_UTF8))
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise FeedError(f"{path.name}, line {number}: it is no JSON: {one_line(error)}") from None
            if not isinstance(row, dict):
                raise FeedError(f'{path.name}, line {number}: expected an object, as in {{"name": "Ada"}}')
            yield start
        start += len(line)


def counted_rows(number: int) -> str:
    """Return a number of rows in words."""
    return "1 row" if number == 1 else f"{number:,} rows"


class DealtRows:
    """The rows that fall to one process of a test, given out one after the other.

    The processes take turns: the first has the rows 0, n, 2n …, of n processes. The rows of a unique feed have an order
    over all processes: `next_unique` returns the number of the next row, from 0. Without it this process is alone.
    """

    def __init__(self, feed: Feed, share: Share, seed: str, next_unique: Callable[[], int] | None = None) -> None:
        self._feed = feed
        self._rows = feed.rows()
        self._next, self._step = share.index, share.count
        self._next_unique = next_unique or partial(next, itertools.count())
        self._random = random.Random(f"{seed} {share.index}")

    def take(self) -> Row:
        """Return the row of the next user. Raises FeedError if there is none."""
        count = len(self._rows)
        if self._feed.unique:
            number = self._next_unique()
            if number >= count:
                raise FeedError(
                    f"{self._feed.name} has {counted_rows(count)}, each for one user, and there are more users: give "
                    "it more rows"
                )
            return self._rows[number]
        if self._feed.at_random:
            return self._rows[self._random.randrange(count)]
        number, self._next = self._next, self._next + self._step
        return self._rows[number % count]
