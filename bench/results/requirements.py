"""The packages that a project asks for, beside those of this environment.

Rules of this file: it reads the files of a project, and runs nothing. The first file of a folder counts, lock files
before lists. A lock file also has packages for other systems and for development, so that only those count that are
installed here in another version. A file that cannot be read asks for nothing.
"""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

#: The differences that a line names at most.
_SHOWN = 4

#: A comment of a requirements file, and what pip takes after a requirement.
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_OPTIONS = re.compile(r"\s+--?[a-z].*$")


@dataclass(frozen=True)
class Asked:
    """A package that a project asks for. `is_needed` means that it has to be installed."""

    name: str
    versions: SpecifierSet
    is_needed: bool


def project_folders(directory: Path) -> list[Path]:
    """Return the folders that may say what a service in `directory` asks for: from there to its repository's root."""
    folders = [directory, *directory.parents]
    roots = [number for number, folder in enumerate(folders) if (folder / ".git").exists()]
    return folders[: roots[0] + 1] if roots else [directory]


def other_packages(folders: Sequence[Path], shown: str) -> str | None:
    """Return in one line where a project asks for other packages than this environment has; None if it does not.

    The first of the folders that names any packages counts. `shown` is the service.
    """
    for folder in folders:
        for name, read in _FILES.items():
            asked = _read(folder / name, read)
            if asked is None:
                continue
            found = [text for package in asked if (text := _difference(package)) is not None]
            if not found:
                return None
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            return (
                f"{shown} runs with the packages of this environment, but its {name} asks for others: "
                f"{', '.join(found[:_SHOWN])}{more}; --serve runs it in an environment of its own"
            )
    return None


def _difference(asked: Asked) -> str | None:
    """Return in a few words how this environment differs from what is asked for; None if it does not."""
    try:
        here = importlib.metadata.version(asked.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{asked.name}{asked.versions} (not here)" if asked.is_needed else None
    try:
        is_met = asked.versions.contains(Version(here), prereleases=True)
    except InvalidVersion:
        return None
    return None if is_met else f"{asked.name}{asked.versions} (here {here})"


def _read(path: Path, read: Any) -> list[Asked] | None:
    """Return what a file asks for; None if it is not there, or names no packages."""
    try:
        return list(read(path.read_text())) or None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError, TypeError):
        return None


def _requirements(text: str, *, is_lock: bool = False) -> Iterator[Asked]:
    for line in text.replace("\\\n", " ").splitlines():
        yield from _requirement(_OPTIONS.sub("", _COMMENT.sub("", line)).strip(), is_needed=not is_lock)


def _lock(text: str) -> Iterator[Asked]:
    yield from _requirements(text, is_lock=True)


def _project(text: str) -> Iterator[Asked]:
    for requirement in tomllib.loads(text).get("project", {}).get("dependencies", ()):
        yield from _requirement(requirement, is_needed=True)


def _toml_lock(text: str) -> Iterator[Asked]:
    """Yield the packages of uv.lock, poetry.lock and pdm.lock."""
    for package in tomllib.loads(text).get("package", ()):
        name, version = package.get("name"), package.get("version")
        if isinstance(name, str) and isinstance(version, str):
            yield from _requirement(f"{name}=={version}", is_needed=False)


def _requirement(text: str, *, is_needed: bool) -> Iterator[Asked]:
    try:
        found = Requirement(text)
        if found.marker is None or found.marker.evaluate({"extra": ""}):
            yield Asked(canonicalize_name(found.name), found.specifier, is_needed)
    except (InvalidRequirement, InvalidSpecifier, ValueError):  # an option, a path, an address
        return


_FILES = {
    "uv.lock": _toml_lock,
    "poetry.lock": _toml_lock,
    "pdm.lock": _toml_lock,
    "requirements.lock": _lock,
    "requirements.txt": _requirements,
    "pyproject.toml": _project,
}
