"""The project that the first files are for: its folder, its repository, and what its workflow has to install."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import orjson

from bench.starting.target import Target
from bench.starting.workflow import Workflow

#: The name of this project as a package.
_NAME = "socketio-bench"
_UNKNOWN = f"{_NAME} @ git+https://github.com/OWNER/{_NAME}"


def repository_of(directory: Path) -> Path:
    """Return the root of the repository that a folder is in; the folder itself if it is in none."""
    return next((folder for folder in (directory, *directory.parents) if (folder / ".git").exists()), directory)


def workflow_of(directory: Path, target: Target) -> Workflow:
    """Return what a workflow for the service in a folder has to install, and where it works."""
    inner = directory.relative_to(repository_of(directory))
    return Workflow(
        suite=suite_source(),
        packages=_packages(directory),
        prepare=_prepare(directory) if target.serve is not None else "",
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        folder="" if inner == Path() else inner.as_posix(),
    )


def suite_source() -> str:
    """Return this project as pip takes it on another machine: from the address it was installed from, or by its name.

    A folder or a wheel of this machine is nowhere else, another project may have the name, and a password in an address
    is nobody else's business. So the address then has a part to fill in.
    """
    try:
        text = distribution(_NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        return _NAME
    try:
        origin = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return _NAME
    url = str(origin.get("url", ""))
    if not url:
        return _NAME  # it came from an index
    if url.startswith("file:") or "@" in url.partition("://")[2].partition("/")[0]:
        return _UNKNOWN
    vcs = origin.get("vcs_info") or {}
    return f"{_NAME} @ " + (f"{vcs['vcs']}+{url}@{vcs.get('commit_id', 'main')}" if vcs.get("vcs") else url)


def _prepare(directory: Path) -> str:
    if (directory / "package-lock.json").is_file():
        return "npm ci"
    return "npm install" if (directory / "package.json").is_file() else ""


def _packages(directory: Path) -> tuple[str, ...]:
    """Return pip's arguments for the service's own packages."""
    if (directory / "requirements.txt").is_file():
        return ("-r requirements.txt",)
    try:
        project = tomllib.loads((directory / "pyproject.toml").read_text())
    except (OSError, ValueError):
        return ()
    return (".",) if "project" in project else ()
