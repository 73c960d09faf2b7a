"""Exceptions and error texts, bounded: equal ones are counted, and those that differ without end are put together.

A fault under load comes thousands of times a second, each time with another id in its text. So ids are folded where a
text is noted. An exception is logged with its traceback once, and counted from then on. Of texts that differ all the
same, the most frequent are kept. Pure, but for `ExceptionLog`, which logs.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bench.places import place_of
from bench.printable import printable

#: The number of different texts that are kept of one operation's errors, or of the exceptions of a process.
MOST_KINDS = 50

#: The number of different texts that are kept of the errors of one second.
MOST_KINDS_OF_A_SECOND = 6

OTHER_ERRORS = "other errors"
OTHER_EXCEPTIONS = "other exceptions"

_TEXT_LENGTH = 300
_TRACEBACK_LENGTH = 10_000

#: The number of texts that are distinguished from each other although they are not kept.
_MOST_TEXTS = 10_000

#: The number of kinds that are tracked to find the most frequent: a kind may come late and still be among them.
_TRACKED_KINDS = 4 * MOST_KINDS

#: The time between two summaries in the log of what was raised again, in seconds.
SUMMARY_INTERVAL_S = 10.0

_SUMMARY_LINES = 5

#: The number of kinds that are logged at their first time in one interval; a summary counts further kinds.
_LINES_PER_INTERVAL = 2 * MOST_KINDS

_ID = re.compile(
    r"""
    \brt-[0-9a-z]+-\d+-\d+                                                     # a token of ours
    | \b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b         # a UUID
    | \b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?                          # a time
    | \b0x[0-9a-f]{4,}\b                                                       # an address
    | (?<![\w-])(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*(?-i:[A-Z]))(?=[\w-]*(?-i:[a-z]))[\w-]{16,}(?![\w-])  # base64
    | \b(?=[a-f]*\d)[0-9a-f]{8,}\b                                             # hexadecimal
    | \b\d{6,}\b(?!\ bytes)                                                    # a long number; no port, no status
    """,
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True)
class Raised:
    """Exceptions of one kind that came together, with their number. `error` is the last of them."""

    kind: str
    count: int
    #: The exception, or None if what went wrong is no exception, and is only logged.
    error: BaseException | None
    #: The user or task set whose task raised; None if the exception was raised outside of tasks.
    holder: Any = None
    #: The number of different kinds that were put together; 0 for a single kind.
    texts: int = 0


def folded(text: str) -> str:
    """Return a text as it is counted and shown: in one line, its ids as `…`, cut to a few hundred characters."""
    return _folded(text[: 4 * _TEXT_LENGTH])


@lru_cache(maxsize=1000)
def _folded(text: str) -> str:
    return cut(_ID.sub("…", printable(" ".join(text.split()))))


def cut(text: str, length: int = _TEXT_LENGTH) -> str:
    """Return the text, cut to that length."""
    return text if len(text) <= length else text[: length - 1] + "…"


def exception_kind(error: BaseException) -> str:
    """Return the type, text and raising place of an exception, with ids folded: what makes two of them the same."""
    try:
        text = folded(str(error))
    except Exception:  # the user's code made the exception, its text included
        text = "its text cannot be had"
    name = type(error).__name__
    place = place_of(error)
    return (f"{name}: {text}" if text else name) + (f" ({place})" if place else "")


class Exceptions:
    """The exceptions that were raised since they were last taken, by kind. Belongs to the engine's thread.

    The first of a kind is handed over at once, and the first after each `take`, too.
    """

    def __init__(self) -> None:
        #: The exceptions of each kind that came after its first; None if none has come.
        self._again: dict[str, Raised | None] = {}
        self._others: Raised | None = None
        self._other_kinds: set[int] = set()

    def note(self, kind: str, error: BaseException | None, holder: Any = None) -> Raised | None:
        """Count an exception. Return what is to be handed over at once, if anything."""
        if kind in self._again:
            known = self._again[kind]
            self._again[kind] = Raised(kind, 1 if known is None else known.count + 1, error, holder)
        elif len(self._again) < MOST_KINDS:
            self._again[kind] = None
            return Raised(kind, 1, error, holder)
        else:
            if len(self._other_kinds) < _MOST_TEXTS:
                self._other_kinds.add(hash(kind))
            count = 1 if self._others is None else self._others.count + 1
            self._others = Raised(OTHER_EXCEPTIONS, count, error, holder, texts=len(self._other_kinds))
        return None

    def take(self) -> list[Raised]:
        """Return what has not been handed over yet."""
        found = [raised for raised in (*self._again.values(), self._others) if raised is not None]
        self._again.clear()
        self._others = None
        self._other_kinds.clear()
        return found


class KindCounts:
    """Counts of texts in bounded memory: each of the most frequent, and the rest together."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._rest = 0
        self._rest_texts = 0
        self._dropped: set[int] = set()

    def add(self, counts: Mapping[str, int]) -> None:
        """Add to the number of each text."""
        for kind, number in counts.items():
            self._counts[kind] += number
            if len(self._counts) > _TRACKED_KINDS:
                self._drop(_TRACKED_KINDS // 2)

    def add_rest(self, number: int, texts: int) -> None:
        """Add to the number of texts that are not known any more."""
        self._rest += number
        self._rest_texts += texts

    @property
    def total(self) -> int:
        """The number of all texts that were counted."""
        return self._counts.total() + self._rest

    def most_frequent(self, most: int = MOST_KINDS) -> tuple[dict[str, int], int, int]:
        """Return the most frequent texts, the number of the rest, and the number of different texts in the rest."""
        ordered = self._counts.most_common()
        rest = ordered[most:]
        texts = len(self._dropped | {hash(kind) for kind, _ in rest}) + self._rest_texts
        return dict(ordered[:most]), self._rest + sum(number for _, number in rest), texts

    def _drop(self, kept: int) -> None:
        for kind, number in self._counts.most_common()[kept:]:
            del self._counts[kind]
            self._rest += number
            if len(self._dropped) < _MOST_TEXTS:
                self._dropped.add(hash(kind))


def with_rest(kinds: Mapping[str, int], rest: int, texts: int, name: str) -> dict[str, int]:
    """Return the most frequent texts, and the rest as a text of its own."""
    return {**kinds, f"{name} ({texts:,} texts)": rest} if rest else dict(kinds)


class ExceptionLog:
    """A log that writes each kind with a traceback at its first time, and later how many more there were."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._logged: set[str] = set()
        self._lines_left = _LINES_PER_INTERVAL
        self._again: Counter[str] = Counter()
        self._since_s = 0.0

    def note(self, raised: Raised, now_s: float) -> None:
        """Log or count what was raised."""
        count = raised.count
        if raised.kind not in self._logged and self._lines_left:
            self._lines_left -= 1
            if len(self._logged) < MOST_KINDS:
                self._logged.add(raised.kind)
                self._logger.error("%s%s", raised.kind, _traceback(raised.error))
            else:
                self._logger.error("%s", raised.kind)
            count -= 1
        if count:
            if not self._again:
                self._since_s = now_s
            self._again[raised.kind if len(self._again) < _TRACKED_KINDS else OTHER_EXCEPTIONS] += count
        self.summarise(now_s)

    def summarise(self, now_s: float, at_once: bool = False) -> None:
        """Log what came again, if it is time for it."""
        if not self._again or not (at_once or now_s - self._since_s >= SUMMARY_INTERVAL_S):
            return
        ordered = self._again.most_common()
        for kind, number in ordered[:_SUMMARY_LINES]:
            self._logger.error("%d more of: %s", number, kind)
        if rest := ordered[_SUMMARY_LINES:]:
            self._logger.error("%d more of %d other kinds", sum(number for _, number in rest), len(rest))
        self._again.clear()
        self._lines_left = _LINES_PER_INTERVAL


class UncaughtFilter(logging.Filter):
    """A filter that has Locust's log write once what a listener raises. Locust would write it again for each request.

    The filter belongs to the root logger, to which Locust's events log.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()
        self._again = 0
        self._since_s = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the first of each kind pass, and now and then a line that says how many more there were."""
        if not str(record.msg).startswith("Uncaught exception in event handler"):
            return True
        kind = folded(record.getMessage().rstrip().rpartition("\n")[2])
        if kind not in self._seen and len(self._seen) < MOST_KINDS:
            self._seen.add(kind)
            return True
        if not self._again:
            self._since_s = record.created
        self._again += 1
        if record.created - self._since_s < SUMMARY_INTERVAL_S:
            return False
        record.msg, record.args = "%d more uncaught exceptions in event handlers, the last: %s", (self._again, kind)
        self._again = 0
        return True


def _traceback(error: BaseException | None) -> str:
    if error is None:
        return ""
    try:
        lines = "".join(traceback.format_exception(error))
    except Exception:  # its own text raises
        lines = "".join(traceback.format_tb(error.__traceback__))
    if len(lines) > _TRACEBACK_LENGTH:
        lines = f"{lines[: _TRACEBACK_LENGTH // 2]}\n…\n{lines[-_TRACEBACK_LENGTH // 2 :]}"
    return "\n" + lines
