"""The places of results, and the way they get there whole: `<root>/<kind>/<machine id>/NNNN_<name>.json`.

The layout is pytest-benchmark's, for all kinds, so that its own commands read the latency folder. Rules of this file:

- A result is either there, whole, or not there. It is written to a temporary file in the same folder, and synced. Then
  it is linked into place, which never replaces a file.
- Numbers are given under a lock on the folder, so processes that save at once get a number each. The lock is the
  kernel's and goes with its process; the next process that saves removes what a killed process left.
- A result that cannot be stored in its place is written to the temporary folder, and the error names that file.
- A folder of results that is made here has a `.gitignore` of its own, with which git ignores all in it.
- Only regular files are read, and none that is larger than any result.
- `ResultError` reports any fault of a file, in one line that begins with its name.
"""

import codecs
import contextlib
import datetime as dt
import errno
import functools
import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pytest_benchmark.utils import get_machine_id

from bench.results.errors import NotStoredError as NotStoredError  # part of what this module offers
from bench.results.errors import ResultError as ResultError
from bench.results.files import read_file, write_synced
from bench.results.forms import refused
from bench.results.header import CommitInfo
from bench.results.latency import LatencyResult
from bench.results.load import LOAD_SCHEMAS, LoadResult
from bench.results.locks import locked

#: A stored result of either kind.
Result = LoadResult | LatencyResult

#: Our name for the schema of pytest-benchmark's JSON, which names none itself.
LATENCY_SCHEMA = "pytest-benchmark"

_SCHEMAS = f"{', '.join(map(repr, LOAD_SCHEMAS[:-1]))} or {LOAD_SCHEMAS[-1]!r}"

NUMBERED = re.compile(r"(?P<number>[0-9]{4,40})_(?P<name>.*)\.json")

_TEMPORARY = ".tmp"  # not .json: pytest-benchmark's globs take hidden files too
#: The time to wait for the lock, in seconds. Others have it for some milliseconds, on a slow disk for a second.
_LOCK_WAIT_S = 8.0


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


def make_root(root: Path) -> None:
    """Make the folder of all results, if there is none, with a `.gitignore` with which git ignores all in it.

    A folder that is there already stays as it is: whoever made it may want its results in git. Raises OSError.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    try:
        root.mkdir()
    except FileExistsError:
        return
    (root / ".gitignore").write_text("*\n")


def write_numbered(folder: Path, name: str, data: bytes, root: Path | None = None) -> Path:
    """Write `data` to `<folder>/NNNN_<name>.json` under the folder's next number, atomically, and return the path.

    Missing folders are made, `root` as the folder of all results, see `make_root`. Raises NotStoredError, in one line,
    if that or the writing is not possible, or if another process keeps the folder locked. Nothing half written is left
    then. The result is not lost by that. It is in the temporary folder, if it can be written there, and the error names
    the file.
    """
    try:
        if root is not None:
            make_root(root)
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
    number = max((number for number, _ in numbered(folder)), default=0)
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


def numbered(folder: Path) -> list[tuple[int, Path]]:
    """Return the folder's results by number, lowest first; none if there is no such folder. Raises ResultError."""
    matches = ((NUMBERED.fullmatch(path.name), path) for path in listed(folder))
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
    if file.schema is not None:
        raise ResultError(refused(path, file.content["schema"], LOAD_SCHEMAS, "result to compare"))
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
        text = raw.removeprefix(codecs.BOM_UTF8).decode()  # the codec `utf-8-sig` would be imported at the end of a run
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
