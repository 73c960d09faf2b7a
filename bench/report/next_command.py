"""The command that somebody who has just stored a result would type next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.project_settings import ProjectSettingsError, results_folder
from bench.results.store import NUMBERED, Result, ResultError, load, numbered

#: The number of results, from the newest on, among which an earlier result to compare with is looked for.
_MOST_LOOKED_AT = 10


def next_command(stored: Path, is_like: Callable[[Result, Result], bool]) -> str:
    """Return the line that says what to type next.

    `is_like` tells of an earlier result, given first, if it may be compared with the one that was stored.
    """
    earlier = _earlier(stored, is_like)
    if earlier is not None:
        return f"next: bench compare {_reference(earlier)} {_reference(stored)}"
    latest = f"{stored.parent.parent.name}/latest" if _has_short_name(stored) else "THE NEW FILE"
    return f"next: change the service, measure again, and compare: bench compare {_reference(stored)} {latest}"


def shortened(path: Path) -> Path:
    """Return a path relative to the working directory if it lies there."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _earlier(stored: Path, is_like: Callable[[Result, Result], bool]) -> Path | None:
    try:
        result = load(stored)
        paths = [path for _, path in numbered(stored.parent) if path < stored]
    except ResultError:
        return None
    for path in reversed(paths[-_MOST_LOOKED_AT:]):
        try:
            if is_like(load(path), result):
                return path
        except ResultError:
            continue
    return None


def _has_short_name(path: Path) -> bool:
    """Return true if the result lies where the commands look by themselves."""
    try:
        folder = Path.cwd() / results_folder()
    except ProjectSettingsError:
        return False
    return NUMBERED.fullmatch(path.name) is not None and path.parent.parent.parent == folder


def _reference(path: Path) -> str:
    number = NUMBERED.fullmatch(path.name)
    if number is not None and _has_short_name(path):
        return f"{path.parent.parent.name}/{int(number['number'])}"
    return str(shortened(path))
