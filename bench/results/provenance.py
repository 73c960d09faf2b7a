"""Where a result was measured: machine, commit of the service, versions of what matters.

Rules of this file: it describes and never fails, because a run that is over must not be lost to a missing git. The
fields are pytest-benchmark's and so are their values, but for the commit: that is the one of the repository that holds
the service, not of the working directory. Versions are read from the installed metadata and nothing measured is
imported, least of all locust. Inside a Locust process call these on gevent's side: they start processes.
"""

import functools
import importlib.metadata
import importlib.util
import json
import platform
import re
import subprocess
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from bench import compiled
from bench.results.git import git
from bench.results.header import CommitInfo, MachineInfo

#: The distributions whose versions go into a result: what the service, the clients and the timing are made of.
PACKAGES = (
    "python-socketio",
    "python-engineio",
    "uvicorn",
    "uvloop",
    "websockets",
    "httptools",
    "picows",
    "orjson",
    "locust",
    "pydantic",
    "pytest-benchmark",
    "aiohttp",
)

#: Stands beside the packages where our own is compiled: that is as another version of it, and faster.
HOT_PATH = "hot path"

_GIT_TIMEOUT_S = 10


@functools.cache
def machine_info() -> MachineInfo:
    """This machine and its Python, as pytest-benchmark describes them; found out once per process."""
    from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info  # late: it imports pytest

    described = pytest_benchmark_generate_machine_info()  # type: ignore[no-untyped-call]
    # Through JSON, as in a stored result: cpuinfo's tuples become lists.
    return MachineInfo.model_validate_json(json.dumps(described))


def packages() -> dict[str, str]:
    """What takes part in a measurement of this process: `installed()`, and `HOT_PATH` where it is compiled."""
    return {**installed(), HOT_PATH: "compiled"} if compiled.is_enabled() else installed()


def installed() -> dict[str, str]:
    """Versions of Python and of those of `PACKAGES` that are installed."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def service_directory(app: str) -> Path:
    """The directory in which the module of `module:attribute` lies, without importing it.

    Found as uvicorn finds it: in the working directory first, then on `sys.path`. What is not found is taken to lie in
    the working directory.
    """
    directory = Path.cwd()
    locations = [str(directory), *sys.path]
    for depth, part in enumerate(app.partition(":")[0].split(".")):
        spec = PathFinder.find_spec(part, locations)  # not its full name: that would need its parent imported
        if spec is None and depth == 0:
            spec = _installed(part)  # an editable install has a finder of its own
        if spec is None:
            break
        if not spec.submodule_search_locations:
            return Path(spec.origin).parent if spec.has_location and spec.origin else directory
        locations = list(spec.submodule_search_locations)
        directory = Path(locations[0])
    return directory


def _installed(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def commit_info(directory: Path) -> CommitInfo:
    """The commit of the repository that holds `directory`, as pytest-benchmark describes commits.

    The id is "unversioned" outside of a repository and where the repository ignores the directory (an installed
    service in a checkout's own environment is not of that commit), and "unknown", with the error, where git is missing,
    there is no commit yet, or git refuses. Never raises.
    """
    try:
        directory = directory.resolve()
        if not any((place / ".git").exists() for place in (directory, *directory.parents)):
            return CommitInfo(id="unversioned", project=directory.name, branch="(unknown)")
    except (OSError, RuntimeError) as error:
        return CommitInfo(id="unknown", project=directory.name, branch="(unknown)", error=_one_line(error))
    try:
        if _ignored(directory):
            return CommitInfo(id="unversioned", project=directory.name, branch="(unknown)")
        # --exclude: of tags there is nothing to tell, only the commit and whether there are changes besides
        commit, _, dirty = _git(directory, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*").partition(
            "-"
        )
        committed, authored = _git(directory, "show", "-s", "--format=%cI %aI", "HEAD").split()
        branch = _git(directory, "rev-parse", "--abbrev-ref", "HEAD")
        return CommitInfo(
            id=commit,
            time=committed,
            author_time=authored,
            dirty=bool(dirty),
            project=_project(directory),
            branch="(detached head)" if branch == "HEAD" else branch,
        )
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return CommitInfo(id="unknown", project=directory.name, branch="(unknown)", error=_one_line(error))


def _git(directory: Path, *arguments: str) -> str:
    return git(directory, *arguments, timeout_s=_GIT_TIMEOUT_S).strip()


def _ignored(directory: Path) -> bool:
    try:
        _git(directory, "check-ignore", "--quiet", ".")
    except subprocess.CalledProcessError as error:
        if error.returncode == 1:  # not ignored
            return False
        raise
    return True


def _project(directory: Path) -> str:
    """The repository's name: of its origin if it has one, else of its folder."""
    try:
        origin = _git(directory, "config", "--local", "remote.origin.url")
    except subprocess.CalledProcessError:
        origin = _git(directory, "rev-parse", "--show-toplevel")
    return re.split(r"[/:\\]", origin.rstrip("/").removesuffix(".git"))[-1]


def _one_line(error: Exception) -> str:
    said = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
    return " ".join(str(said).split()) or type(error).__name__
