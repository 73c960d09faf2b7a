"""The places of results, and the way they get there whole: `<root>/<kind>/<machine id>/NNNN_<name>.json`.

The layout is pytest-benchmark's, for all kinds, so that its own commands read the latency folder. Rules of this file:

- A result is either there, whole, or not there. It is written to a temporary file in the same folder, and synced. Then
  it is linked into place, which never replaces a file.
- Numbers are given under a lock on the folder, so processes that save at once get a number each. The lock is the
  kernel's and goes with its process; the next process that saves removes what a killed process left.
- A result that cannot be stored in its place is written to the temporary folder, and the error names that file.
- Only regular files are read, and none that is larger than any result.
- `ResultError` reports any fault of a file, in one line that begins with its name.
"""

import contextlib
import datetime as dt
import errno
import fnmatch
import functools
import glob
import json
import os
import re
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ValidationError
from pytest_benchmark.utils import get_machine_id

from bench.results.ab import AB_SCHEMA, AbResult
from bench.results.files import read_file, write_synced
from bench.results.header import KINDS, CommitInfo, Kind
from bench.results.latency import LatencyResult
from bench.results.load import LOAD_SCHEMAS, LoadResult
from bench.results.locks import locked

DEFAULT_ROOT = Path("results")

#: A stored result of either kind.
Result = LoadResult | LatencyResult

#: Our name for the schema of pytest-benchmark's JSON, which names none itself.
LATENCY_SCHEMA = "pytest-benchmark"

_SCHEMAS = " or ".join(map(repr, LOAD_SCHEMAS))

_NUMBERED = re.compile(r"(?P<number>[0-9]{4,40})_(?P<name>.*)\.json")
_LATEST = re.compile(r"latest(?:~(?P<back>[0-9]{1,9}))?")
_NUMBER = re.compile(r"[0-9]{1,40}")
_COMMIT = re.compile(r"[0-9a-f]{4,40}", re.IGNORECASE)
_FULL_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NAMED_COMMIT = re.compile(r"(?P<commit>[0-9a-f]{40})_\d{8}_\d{6}")
_TEMPORARY = ".tmp"  # not .json: pytest-benchmark's globs take hidden files too
#: The time to wait for the lock, in seconds. Others have it for some milliseconds, on a slow disk for a second.
_LOCK_WAIT_S = 8.0


class ResultError(Exception):
    """A result that cannot be stored, found or read. Its text is one line for the user."""


class NotStoredError(ResultError):
    """A failure to store a result that was measured: no misuse, but a failed run."""


@functools.cache
def machine_id() -> str:
    """Return this machine's folder as pytest-benchmark names it: system, implementation, Python, word size."""
    return str(get_machine_id())  # type: ignore[no-untyped-call]


def result_name(commit: CommitInfo, when: dt.datetime) -> str:
    """Return the name of pytest-benchmark's autosave: commit id, UTC time, and a mark for uncommitted changes."""
    parts = [commit.id, when.astimezone(dt.UTC).strftime("%Y%m%d_%H%M%S")]
    if commit.dirty:
        parts.append("uncommitted-changes")
    return "_".join(parts)


# --- writing --------------------------------------------------------------------------------------------------------


def write_numbered(folder: Path, name: str, data: bytes) -> Path:
    """Write `data` to `<folder>/NNNN_<name>.json` under the folder's next number, atomically, and return the path.

    Missing folders are made. Raises NotStoredError, in one line, if that or the writing is not possible, or if another
    process keeps the folder locked. Nothing half written is left then. The result is not lost by that. It is in the
    temporary folder, if it can be written there, and the error names the file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, _LOCK_WAIT_S):
            for leftover in folder.glob(f".*{_TEMPORARY}"):
                leftover.unlink()
            temporary = folder / f".{os.getpid()}{_TEMPORARY}"
            try:
                write_synced(temporary, [data])
                path = _link_numbered(temporary, folder, name)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_folder(folder)
    except (OSError, ResultError) as error:
        kept = rescued(name, data)
        where = "" if kept is None else f", so it is in {kept}"
        reason = getattr(error, "strerror", None) or error
        raise NotStoredError(f"cannot store a result in {folder}{where}: {reason}") from error
    return path


def rescued(name: str, data: bytes) -> Path | None:
    """Write a result that has no other place to the temporary folder; return None if that is not possible either."""
    path = None
    try:
        descriptor, made = tempfile.mkstemp(prefix="bench-", suffix=f"_{name}.json")
        path = Path(made)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
            file.write(data)
    except OSError:
        if path is not None:
            path.unlink(missing_ok=True)
        return None
    return path


def _link_numbered(temporary: Path, folder: Path, name: str) -> Path:
    number = max((number for number, _ in _numbered(folder)), default=0)
    while True:  # a name may be taken by a writer that knows no lock
        number += 1
        path = folder / f"{number:04}_{name}.json"
        with contextlib.suppress(FileExistsError):
            _move(temporary, path)
            return path


def _move(temporary: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise
        # A file system without hard links. Under the lock, looking first is as good.
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        temporary.rename(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    """Return the folder's results by number, lowest first; none if there is no such folder. Raises ResultError."""
    matches = ((_NUMBERED.fullmatch(path.name), path) for path in listed(folder))
    return sorted((int(match["number"]), path) for match, path in matches if match)


def listed(folder: Path) -> list[Path]:
    """Return what is in a folder, by name; nothing if there is no such folder. Raises ResultError.

    `Path.glob` finds nothing in a folder that may not be read, and does not report it.
    """
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ResultError(f"{folder}: {error.strerror or error}") from None


# --- reading --------------------------------------------------------------------------------------------------------


M = TypeVar("M", bound=BaseModel)
K = TypeVar("K", bound=str)


@dataclass(frozen=True)
class StoredFile:
    """A file with a JSON object: its text, and the object, which may be of any schema."""

    path: Path
    text: str
    content: dict[str, object]

    @property
    def schema(self) -> str | None:
        """The schema that the file names; LATENCY_SCHEMA for pytest-benchmark's JSON, which names none."""
        if "schema" in self.content:
            return str(self.content["schema"])
        return LATENCY_SCHEMA if "benchmarks" in self.content and "machine_info" in self.content else None

    def as_model(self, model: type[M]) -> M:
        """Return the result in the file. Raises ResultError, in one line, if it is no such result."""
        try:
            if self.schema == LATENCY_SCHEMA:  # others write it: it is read leniently
                return model.model_validate(self.content)
            return model.model_validate_json(self.text, strict=True)
        except ValidationError as error:
            raise ResultError(f"{self.path}: {_first(error)}") from None


def load(path: Path) -> Result:
    """Read a stored result, of either kind that can be compared.

    Raises ResultError with the file's name and its fault: missing, damaged, of another schema, foreign.
    """
    file = open_file(path)
    if file.schema == LATENCY_SCHEMA:
        return file.as_model(LatencyResult)
    if file.schema in LOAD_SCHEMAS:
        return file.as_model(LoadResult)
    if file.schema == AB_SCHEMA:
        raise ResultError(f"{path}: a comparison of two revisions ({AB_SCHEMA!r}), and no result to compare")
    if file.schema is not None:
        raise ResultError(f"{path}: has schema {file.content['schema']!r}, but this version reads {_SCHEMAS}")
    raise ResultError(f"{path}: neither a load result ({_SCHEMAS}) nor a latency result (pytest-benchmark's JSON)")


def open_file(path: Path) -> StoredFile:
    """Read a file with a JSON object. Raises ResultError, in one line that begins with its name."""
    try:
        raw = read_file(path)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise ResultError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if not raw.strip():
        raise ResultError(f"{path}: the file is empty")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ResultError(f"{path}: not UTF-8 text (byte {error.start})") from None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ResultError(f"{path}: not whole JSON: {error}") from None
    except (RecursionError, ValueError) as error:
        raise ResultError(f"{path}: not JSON that can be read: {error}") from None
    if not isinstance(content, dict):
        raise ResultError(f"{path}: not a benchmark result: a JSON {type(content).__name__}, not an object")
    return StoredFile(path, text, content)


def _first(error: ValidationError) -> str:
    """Return the first fault with its place, and the number of further faults, in a line."""
    problems = error.errors(include_url=False, include_input=False)
    where = ".".join(str(part) for part in problems[0]["loc"])
    what = problems[0]["msg"].removeprefix("Value error, ")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{where}: {what}{more}" if where else f"{what}{more}"


# --- finding --------------------------------------------------------------------------------------------------------


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

    def resolve(self, reference: str, kind: Kind | None = None) -> Path:
        """Return the file that `reference` means; as `open`, which reads it too."""
        return self.open(reference, kind).path

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
        for _, path in reversed(_numbered(stored.path.parent)):
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
        return {kind: _numbered(self._folder(kind)) for kind in kinds}

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
    match = _NUMBERED.fullmatch(path.name)
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
