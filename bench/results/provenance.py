"""The origin of a result: machine, commit of the service, versions of the packages that matter.

Rules of this file: it describes and never fails, because a run that is over must not be lost to a missing git. The
fields and values are pytest-benchmark's, but for the commit: that is of the service's repository, and not of the
working directory. Versions are read from the installed metadata. Nothing measured is imported, least of all locust.
Call these functions on gevent's side of a Locust process: they start processes.
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
from bench.results.git import git, outside_of
from bench.results.header import CommitInfo, MachineInfo

#: The distributions whose versions go into a result: those of the service, the clients and the timing.
PACKAGES = (
    "python-socketio",
    "python-engineio",
    "uvicorn",
    "uvloop",
    "websockets",
    "httptools",
    "orjson",
    "locust",
    "pydantic",
    "pytest-benchmark",
    "aiohttp",
)

#: The name beside the packages that tells that our hot path is compiled, and so a faster version of it.
HOT_PATH = "hot path"

_GIT_TIMEOUT_S = 10


@functools.cache
def machine_info() -> MachineInfo:
    """Return this machine and its Python, as pytest-benchmark describes them; computed once per process."""
    from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info  # late: it imports pytest

    described = pytest_benchmark_generate_machine_info()  # type: ignore[no-untyped-call]
    # Through JSON, as in a stored result: cpuinfo's tuples become lists.
    return MachineInfo.model_validate_json(json.dumps(described))


def packages() -> dict[str, str]:
    """Return the versions in a measurement of this process: `installed()`, and `HOT_PATH` if it is compiled."""
    return {**installed(), HOT_PATH: "compiled"} if compiled.is_enabled() else installed()


def installed() -> dict[str, str]:
    """Return the versions of Python and of the installed packages of `PACKAGES`."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def service_directory(app: str) -> Path:
    """Return the directory of the module of `module:attribute`, without importing it.

    It is found as uvicorn finds it: in the working directory first, then on `sys.path`. If it is not found, the working
    directory is returned.
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


def commit_info(directory: Path, results: Path | None = None) -> CommitInfo:
    """Return the commit of the repository that contains `directory`, as pytest-benchmark describes commits.

    The id is "unversioned" outside of a repository, and if the repository ignores the directory. An installed service
    in a checkout's own environment is not of that commit. The id is "unknown", with the error, if git is missing, if
    there is no commit yet, or if git refuses. Changes in `results`, the folder of results, are no uncommitted changes.
    Never raises.
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
        # --exclude: of tags there is nothing to tell, only the commit, and if there are changes
        commit, _, dirty = _git(directory, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*").partition(
            "-"
        )
        committed, authored = _git(directory, "show", "-s", "--format=%cI %aI", "HEAD").split()
        branch = _git(directory, "rev-parse", "--abbrev-ref", "HEAD")
        return CommitInfo(
            id=commit,
            time=committed,
            author_time=authored,
            dirty=bool(dirty) and _is_changed_outside(directory, results),
            project=_project(directory),
            branch="(detached head)" if branch == "HEAD" else branch,
        )
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return CommitInfo(id="unknown", project=directory.name, branch="(unknown)", error=_one_line(error))


def _git(directory: Path, *arguments: str) -> str:
    return git(directory, *arguments, timeout_s=_GIT_TIMEOUT_S).strip()


def commit_elsewhere(url: str | None) -> CommitInfo:
    """Return what is known of the commit of a service that runs already, at a URL without secrets: nothing.

    The repository around the working directory may have another commit than the service, or be another repository.
    """
    where = "the service ran already" if url is None else f"the service was reached at {url}"
    return CommitInfo(error=f"{where}: its commit is not known here")


def _is_changed_outside(directory: Path, results: Path | None) -> bool:
    """Return true if a tracked file of the repository is changed that is not in `results`."""
    root = Path(_git(directory, "rev-parse", "--show-toplevel")).resolve()
    outside = outside_of(results, root)
    if not outside:
        return True
    return bool(_git(root, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=none", "--", *outside))


def _ignored(directory: Path) -> bool:
    try:
        _git(directory, "check-ignore", "--quiet", ".")
    except subprocess.CalledProcessError as error:
        if error.returncode == 1:  # not ignored
            return False
        raise
    return True


def _project(directory: Path) -> str:
    """Return the repository's name: that of its origin if it has an origin, else that of its folder."""
    try:
        origin = _git(directory, "config", "--local", "remote.origin.url")
    except subprocess.CalledProcessError:
        origin = _git(directory, "rev-parse", "--show-toplevel")
    return re.split(r"[/:\\]", origin.rstrip("/").removesuffix(".git"))[-1]


def _one_line(error: Exception) -> str:
    said = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
    return " ".join(str(said).split()) or type(error).__name__
