"""The choice of the stored results for the two sides of a comparison, from the names that the user typed.

`Store.open` says how a side may be named. Git's name of a commit (`HEAD~1`, a branch, a tag) will do, too, if there is
a repository around the working directory. So will a pattern of files or numbers (`latency/1?`, `old/*.json`). A pattern
means all results that match. Any other name means a single result, or, with `last`, the newest results of its commit.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.results.git import git
from bench.results.header import KINDS
from bench.results.store import ResultError, Store, Stored

_PATTERN = frozenset("*?[")

Side = tuple[Stored, ...]


def select(store: Store, old: str, new: str, last: int | None = None) -> tuple[Side, Side]:
    """Read the results of both sides. Raises ResultError if a name means none, several kinds, or a damaged file."""
    if last is not None and last < 1:
        raise ResultError(f"--last {last}: a side has at least one result")
    old_side: Side
    new_side: Side
    patterns = {name: name_is_pattern(name) for name in (old, new)}
    if not any(patterns.values()):
        first, second = store.open_pair(_known(store, old), _known(store, new))
        old_side, new_side = (first,), (second,)
    else:
        if last is not None:
            raise ResultError("--last counts the results of one commit: name commits with it, not patterns")
        sides = {name: store.matching(name) for name, is_pattern in patterns.items() if is_pattern}
        kinds = {stored.result.kind for side in sides.values() for stored in side}
        if len(kinds) == 1:
            (kind,) = kinds
            sides |= {
                name: (store.open(_known(store, name), kind),)
                for name, is_pattern in patterns.items()
                if not is_pattern
            }
        else:
            raise ResultError(
                f"{' and '.join(sides)}: these are results of both kinds; say latency/ or load/ before them"
            )
        old_side, new_side = sides[old], sides[new]
    if last is not None:
        old_side, new_side = (store.newest_of_commit(side[0], last) for side in (old_side, new_side))
        if not {stored.path for stored in old_side}.isdisjoint(stored.path for stored in new_side):
            commit = old_side[0].result.commit_info.id[:12]
            raise ResultError(f"--last {last}: OLD and NEW are both of commit {commit}; name two commits, or patterns")
    return old_side, new_side


def name_is_pattern(name: str) -> bool:
    """Return true if a name has a wildcard in it, and so may mean several results."""
    return not _PATTERN.isdisjoint(name) and not os.path.exists(name)  # noqa: PTH110  (it may be too long for a Path)


def commit_named(name: str) -> str | None:
    """Return the full id of the commit that git knows by this name; None if it knows none, or without git."""
    if not name or name.startswith("-"):
        return None
    try:
        said = git(Path(), "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return said.strip() or None


def file_named(store: Store, name: str, kinds: Sequence[str]) -> Path:
    """Return the file that a name means, among results of these kinds. Raises ResultError as `Store.file_of`."""
    try:
        return store.file_of(name, kinds)
    except ResultError:
        commit, reference = _by_git(name, kinds)
        if commit is None:
            raise
    try:
        return store.file_of(reference, kinds)
    except ResultError as error:
        raise ResultError(f"{name} is commit {commit[:12]}; {error}") from None


def _by_git(name: str, kinds: Sequence[str]) -> tuple[str | None, str]:
    """Return the commit that git means by a name, None if it means none, and the store's reference to that commit."""
    prefix, separator, rest = name.partition("/")
    if not separator or prefix not in kinds:
        prefix, separator, rest = "", "", name
    commit = commit_named(rest)
    return commit, f"{prefix}{separator}{commit}"


def _known(store: Store, name: str) -> str:
    """Return the name itself if the store knows it, else the commit that git means by it. Raises ResultError."""
    try:
        store.check(name)
    except ResultError:
        commit, reference = _by_git(name, KINDS)
        if commit is None:
            raise
        try:
            store.check(reference)
        except ResultError as error:
            raise ResultError(f"{name} is commit {commit[:12]}; {error}") from None
        return reference
    return name
