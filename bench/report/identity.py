"""The words that tell a result from others with the same title: its commit, when it was measured, and its labels."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Protocol

from bench.report.formatting import commit_with_changes
from bench.results.header import CommitInfo
from bench.results.labels import in_words

#: The characters of a note that are shown. The result's own part of the page has the whole note.
_LETTERS = 80


class Identified(Protocol):
    """A result that says when and of what it was measured."""

    @property
    def datetime(self) -> dt.datetime:
        """The start of the measurement."""
        ...

    @property
    def commit_info(self) -> CommitInfo:
        """The commit of the service."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels that the user gave."""
        ...

    @property
    def note(self) -> str | None:
        """The note that the user gave."""
        ...


def identity(result: Identified) -> str:
    """Return the words that tell a result from others: at 3cf0b59c6de9, measured 2026-11-23 11:26:45 UTC, host=ci."""
    return ", ".join(_parts(result))


def _parts(result: Identified) -> Iterator[str]:
    if result.commit_info.id:
        yield f"at {commit_with_changes(result.commit_info.id, result.commit_info.dirty)}"
    yield f"measured {result.datetime:%Y-%m-%d %H:%M:%S %Z}"
    if result.labels:
        yield in_words(result.labels)
    if result.note:
        yield result.note if len(result.note) <= _LETTERS else f"{result.note[: _LETTERS - 1]}…"
