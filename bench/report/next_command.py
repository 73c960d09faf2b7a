"""The commands that somebody who has just stored a result would type next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.project_settings import ProjectSettingsError, results_folder
from bench.results.store import NUMBERED, Result, ResultError, load, numbered

#: The number of results, from the newest on, among which an earlier result to compare with is looked for.
_MOST_LOOKED_AT = 10


@dataclass(frozen=True)
class Place:
    """The working directory, and the folder in it or elsewhere in which the commands look for results by themselves.

    Either is None if it is not there.
    """

    working_directory: Path | None
    results: Path | None

    @classmethod
    def here(cls) -> Self:
        """Return the place in which the process is now."""
        try:
            return cls.of(Path.cwd())
        except OSError:
            return cls(None, None)

    @classmethod
    def of(cls, home: Path) -> Self:
        """Return the place of a working directory."""
        try:
            return cls(home, home / results_folder())
        except ProjectSettingsError:
            return cls(home, None)

    def shortened(self, path: Path) -> Path:
        """Return a path relative to the working directory if it lies there."""
        home = self.working_directory
        return path.relative_to(home) if home is not None and path.is_relative_to(home) else path

    def reference(self, path: Path) -> str:
        """Return what a result is called on a command line."""
        number = NUMBERED.fullmatch(path.name)
        if number is not None and self.has_short_name(path):
            return f"{path.parent.parent.name}/{int(number['number'])}"
        return str(self.shortened(path))

    def has_short_name(self, path: Path) -> bool:
        """Return true if the result lies where the commands look by themselves."""
        whole = path if self.working_directory is None else self.working_directory / path
        return NUMBERED.fullmatch(path.name) is not None and whole.parent.parent.parent == self.results


def next_command(stored: Path, is_like: Callable[[Result], bool], place: Place) -> str:
    """Return the line that says what to type next in that place.

    `is_like` tells of an earlier result if it may be compared with the one that was stored.
    """
    earlier = _earlier(stored, is_like)
    if earlier is not None:
        return f"next: bench compare {place.reference(earlier)} {place.reference(stored)}"
    latest = f"{stored.parent.parent.name}/latest" if place.has_short_name(stored) else "THE NEW FILE"
    return f"next: change the service, measure again, and compare: bench compare {place.reference(stored)} {latest}"


def page_line(stored: Path, report: Path | None, place: Place) -> str:
    """Return the line that says where the page of a stored result is, or how to make it."""
    return f"page: bench report {place.reference(stored)}" if report is None else f"page in {place.shortened(report)}"


def _earlier(stored: Path, is_like: Callable[[Result], bool]) -> Path | None:
    try:
        paths = [path for _, path in numbered(stored.parent) if path < stored]
    except ResultError:
        return None
    for path in reversed(paths[-_MOST_LOOKED_AT:]):
        try:
            if is_like(load(path)):
                return path
        except ResultError:
            continue
    return None
