"""References: the ways in which a user names stored results, and what they mean.

A reference is a path; or one of this machine's results by its number, its commit, or its age (`latest~1`); or what git
calls a commit (`HEAD~1`, a branch, a tag), as far as there is a repository around the working directory; or a pattern
of files or numbers (`latency/1?`, `old/*.json`). A pattern means all that match; any other name means one result, or,
with `last`, the newest results of its commit.
"""

import datetime as dt
import fnmatch
import glob
import os
import re
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.results.ab import AbResult
from bench.results.folder import DEFAULT_ROOT as DEFAULT_ROOT
from bench.results.git import git
from bench.results.header import KINDS, Kind
from bench.results.load import LoadResult
from bench.results.store import (
    NUMBERED,
    K,
    Result,
    ResultError,
    load,
    machine_id,
    numbered,
    open_file,
    result_name,
    write_numbered,
)

_LATEST = re.compile(r"latest(?:~(?P<back>[0-9]{1,9}))?")
_NUMBER = re.compile(r"[0-9]{1,40}")
_COMMIT = re.compile(r"[0-9a-f]{4,40}", re.IGNORECASE)
_FULL_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NAMED_COMMIT = re.compile(r"(?P<commit>[0-9a-f]{40})_\d{8}_\d{6}")


@dataclass(frozen=True)
class Stored:
    """A result and the file that it was read from."""

    path: Path
    result: Result


@dataclass(frozen=True)
class Store:
    """The results below a root folder, by default `results` in the working directory."""

    root: Path = DEFAULT_ROOT

    def folder(self, kind: Kind | Literal["ab"]) -> Path:
        """Return this machine's folder for results of that kind; it need not exist."""
        return self._folder(kind)

    def save(self, result: LoadResult | AbResult) -> Path:
        """Store a load result, or a comparison of two revisions, under this machine's next number and return its path.

        Raises NotStoredError if that is not possible. (pytest-benchmark's storage stores latency results, through
        `write_numbered`.)
        """
        name = result_name(result.commit_info, result.datetime)
        return write_numbered(self.folder(result.kind), name, result.to_json())

    def open(self, reference: str, kind: Kind | None = None) -> Stored:
        """Read the result that `reference` means, among results of `kind` if given, else of both kinds.

        A reference is a path, or names a result of this machine. A number (`12`, `0012`) names the result with that
        number. A commit (4 to 40 hexadecimal digits) names its newest result. `latest`, `latest~1` and so on count
        in each kind; if both kinds have it, the newer result is meant. `latency/` or `load/` before any of these
        says the kind. Digits are a number if there is such a number, else a commit. Raises ResultError if it means
        none or several, and as `load` does.
        """
        found = self._find(reference)
        if kind is not None:
            found = {kind: found[kind]} if kind in found else {}
            if not found:
                raise ResultError(f"{reference}: that is no {kind} result")
        return _pick(reference, found)

    def open_pair(self, old: str, new: str) -> tuple[Stored, Stored]:
        """Read the two results that `old` and `new` mean, of one kind if there is a kind that both may mean.

        So `1` is clear beside a `2` that only one kind has, and `latest` beside a file is the latest of its kind.
        Raises ResultError as `open` does, but not for different kinds, which the comparison reports.
        """
        found_old, found_new = self._find(old), self._find(new)
        common = found_old.keys() & found_new.keys()
        picked_new = _pick(new, {kind: found for kind, found in found_new.items() if kind in common} or found_new)
        kind = picked_new.result.kind
        return _pick(old, {kind: found_old[kind]} if kind in found_old else found_old), picked_new

    def check(self, reference: str) -> None:
        """Raise ResultError if the reference means no result at all, or a damaged result; see `open`."""
        self._find(reference)

    def newest_of_commit(self, stored: Stored, most: int) -> tuple[Stored, ...]:
        """Return the newest results beside `stored` that are of its commit and kind, at most `most`, oldest first.

        They have uncommitted changes if `stored` has, and have none if not. Raises ResultError as `load` does, and if
        `stored` is of no commit.
        """
        commit = stored.result.commit_info
        if not _FULL_COMMIT.fullmatch(commit.id):
            raise ResultError(
                f"{stored.path}: it is of no commit ({commit.id}), so there is none to find more results of"
            )
        found: list[Stored] = []
        for _, path in reversed(numbered(stored.path.parent)):
            if len(found) == most:
                break
            if _commit_of(path) != commit.id:
                continue
            result = load(path)
            if result.kind == stored.result.kind and result.commit_info.dirty == commit.dirty:
                found.append(Stored(path, result))
        return tuple(reversed(found)) or (stored,)

    def matching(self, pattern: str) -> tuple[Stored, ...]:
        """Read all results that a pattern with `*`, `?` or `[…]` means: files, or this machine's numbers or names.

        `latency/` or `load/` before a pattern of numbers says the kind. The oldest comes first. Raises ResultError if
        nothing matches, and as `load` does.
        """
        paths = sorted(path for path in map(Path, glob.glob(pattern)) if path.suffix == ".json")  # noqa: PTH207
        if not paths:
            prefix, _, rest = pattern.rpartition("/")
            kinds = tuple(kind for kind in KINDS if prefix in ("", kind))
            paths = [
                path
                for found in self._results(kinds).values()
                for number, path in found
                if any(fnmatch.fnmatchcase(name, rest) for name in (str(number), f"{number:04}", path.name))
            ]
        if not paths:
            raise ResultError(f"{pattern}: no file, and no number of a result, matches that")
        return tuple(Stored(path, load(path)) for path in paths)

    def file_of(self, reference: str, kinds: Sequence[str]) -> Path:
        """Return the file that `reference` means among results of these kinds; see `open` for references.

        A kind is the name of a folder, such as `ab`. Raises ResultError if the reference means no file or several, and
        for a damaged file if only the files' contents tell which is the newest.
        """
        found = self._locate(reference, kinds)
        if isinstance(found, Path):
            return found
        _refuse_unclear(reference, found)
        paths = list(found.values())
        return paths[0] if len(paths) == 1 else max(paths, key=_measured_at)

    def _find(self, reference: str) -> dict[Kind, Stored]:
        """Return the results that the reference may mean: at most one of each kind, at least one in all."""
        found = self._locate(reference, KINDS)
        if isinstance(found, Path):
            return _read(found)
        return {kind: Stored(path, load(path)) for kind, path in found.items()}

    def _locate(self, reference: str, kinds: Sequence[K]) -> Path | dict[K, Path]:
        """Return the file that a path names, else the files that may be meant, at least one and at most one a kind."""
        if not reference:
            raise ResultError("an empty name means no result")
        path = Path(reference)
        if _exists(path) and (path.suffix == ".json" or os.sep in reference):
            return path
        prefix, _, rest = reference.rpartition("/")
        meant = tuple(kind for kind in kinds if prefix in ("", kind))
        for lookup in (self._by_age, self._by_number, self._by_commit):
            if found := lookup(rest, meant):
                return found
        if _exists(path):
            return path
        if not meant or path.suffix == ".json":
            raise ResultError(f"{reference}: no such file")
        places = " or ".join(str(self._folder(kind)) for kind in meant)
        if len(meant) > len(KINDS):  # too many places for a line
            places = f"{self.root}, of {', '.join(meant)}"
        counts = [f"{len(paths)} {kind}" for kind, paths in self._results(meant).items()]
        there = f" (which has {' and '.join(counts)} results)" if _LATEST.fullmatch(rest) else ""
        raise ResultError(f"{reference}: no such file, and no such number, commit or `latest` in {places}{there}")

    def _by_age(self, reference: str, kinds: Sequence[K]) -> dict[K, Path]:
        match = _LATEST.fullmatch(reference)
        if not match:
            return {}
        back = int(match["back"] or 0)
        return {kind: paths[-1 - back][1] for kind, paths in self._results(kinds).items() if back < len(paths)}

    def _by_number(self, reference: str, kinds: Sequence[K]) -> dict[K, Path]:
        if not _NUMBER.fullmatch(reference):
            return {}
        found: dict[K, Path] = {}
        for kind, paths in self._results(kinds).items():
            for number, path in paths:
                if number == int(reference):
                    if kind in found:
                        names = f"{found[kind].name} and {path.name}"
                        raise ResultError(f"{reference}: two results have that number, {names}; give the path of one")
                    found[kind] = path
        return found

    def _by_commit(self, reference: str, kinds: Sequence[K]) -> dict[K, Path]:
        if not _COMMIT.fullmatch(reference):
            return {}
        found: dict[K, Path] = {}
        commits: set[str] = set()
        for kind, paths in self._results(kinds).items():
            for _, path in paths:
                commit = _commit_of(path)
                if commit is not None and commit.startswith(reference.lower()):
                    commits.add(commit)
                    found[kind] = path
        if len(commits) > 1:
            raise ResultError(f"{reference}: several commits begin so, {', '.join(sorted(commits))}; give more digits")
        return found

    def _results(self, kinds: Sequence[K]) -> dict[K, list[tuple[int, Path]]]:
        return {kind: numbered(self._folder(kind)) for kind in kinds}

    def _folder(self, kind: str) -> Path:
        return self.root / kind / machine_id()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:  # the code that reads it reports that
        return True
    except (OSError, ValueError):  # a name that is too long for a file, or has a zero byte
        return False


def _read(path: Path) -> dict[Kind, Stored]:
    result = load(path)
    return {result.kind: Stored(path, result)}


def _commit_of(path: Path) -> str | None:
    """Return the commit of a result: from its name, or from its content if the user chose the name."""
    match = NUMBERED.fullmatch(path.name)
    named = match and _NAMED_COMMIT.match(match["name"])
    if named:
        return named["commit"]
    try:
        return load(path).commit_info.id
    except ResultError:  # a damaged file is of no commit; named itself, it is refused
        return None


def _measured_at(path: Path) -> dt.datetime:
    """Return the time that a stored result tells. Raises ResultError."""
    told = open_file(path).content.get("datetime")
    try:
        when = dt.datetime.fromisoformat(str(told))
    except ValueError:
        raise ResultError(f"{path}: its datetime is {told!r}, which is no time") from None
    return when if when.tzinfo else when.replace(tzinfo=dt.UTC)


def _refuse_unclear(reference: str, found: Collection[str]) -> None:
    """Raise ResultError if a number is that of several results."""
    if len(found) > 1 and _NUMBER.fullmatch(reference):
        ways = " or ".join(f"{kind}/{reference}" for kind in found)
        raise ResultError(f"{reference}: there is one of each kind; say {ways}")


def _pick(reference: str, found: dict[Kind, Stored]) -> Stored:
    """Return the result that is meant: the newest, but a number must be clear. Raises ResultError."""
    _refuse_unclear(reference, found)
    return max(found.values(), key=lambda stored: stored.result.datetime)


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
