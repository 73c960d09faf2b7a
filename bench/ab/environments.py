"""The packages that a revision depends on, and an environment with exactly those.

Rules of this file: the dependencies are read from the revision's own files, `requirements.lock` before
`pyproject.toml`. An environment is made once for each content of these and each Python, and kept in the user's cache.
It never changes afterwards: a mark that is set last says that it is whole. The service itself is not installed into it;
it comes from the revision's folder.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.ab.errors import AbError, AbFailedError
from bench.results.locks import locked
from bench.results.provenance import PACKAGES

LOCK = "requirements.lock"
PROJECT = "pyproject.toml"

_COMPLETE = ".complete"
_LAUNCHER_NEEDS = ("uvicorn", "uvloop", "httptools", "websockets")
_LAST_LINES = 3
#: The time to wait for another run that builds the same environment, in seconds: a build takes minutes.
_BUILD_WAIT_S = 600.0
_VERSIONS = """
import importlib.metadata, json, platform, sys
versions = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(versions))
"""


@dataclass(frozen=True)
class Dependencies:
    """The dependencies of a revision: the file that names them, and the requirements in it.

    The requirements of a lock file are its whole text, those of a project its list of dependencies alone. `file` is
    empty if there is neither.
    """

    file: str
    requirements: tuple[str, ...]
    #: The Python that it asks for, in the words of `.python-version` or of `requires-python`.
    python: str = ""

    @property
    def digest(self) -> str:
        """The digest of the file's name and the requirements, which equal environments have in common."""
        return hashlib.sha256(json.dumps([self.file, self.requirements]).encode()).hexdigest()


def dependencies(folders: Sequence[Path]) -> Dependencies:
    """Return the dependencies that the first of these folders names. Raises AbError for an unreadable file."""
    for folder in folders:
        project = _project(folder / PROJECT)
        python = _text(folder / ".python-version").strip() or str(project.get("requires-python", ""))
        if (folder / LOCK).is_file():
            return Dependencies(LOCK, tuple(_text(folder / LOCK).splitlines()), python)
        listed = project.get("dependencies")
        if listed is not None:
            if not (isinstance(listed, list) and all(isinstance(requirement, str) for requirement in listed)):
                raise AbError(f"{folder / PROJECT}: project.dependencies is no list of requirements")
            return Dependencies(PROJECT, tuple(sorted(listed)), python)
    return Dependencies("", ())


def environment(wanted: Dependencies, cache: Path | None = None) -> Path:
    """Return the Python of an environment with these dependencies; make the environment if it is missing.

    Raises AbError if no file names dependencies, or no installer is there, and AbFailedError if the installation fails.
    """
    if not wanted.file:
        raise AbError(f"--env-per-rev: there is neither {LOCK} nor a {PROJECT} with dependencies to build from")
    root = (cache or _cache()) / "environments"
    folder = root / hashlib.sha256(f"{wanted.digest} {sys.version} {sys.base_prefix}".encode()).hexdigest()[:16]
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = folder.with_suffix(".lock")
        lock.touch()
        with locked(lock, _BUILD_WAIT_S):
            if not (folder / _COMPLETE).exists():
                shutil.rmtree(folder, ignore_errors=True)
                _build(folder, wanted)
                (folder / _COMPLETE).touch()
    except OSError as error:
        raise AbFailedError(f"cannot make an environment in {folder}: {error.strerror or error}") from error
    return _python(folder)


def versions(python: Path) -> dict[str, str]:
    """Return the versions of that Python, and of the packages of `bench.results.provenance` in its environment."""
    finished = subprocess.run(
        [str(python), "-I", "-c", _VERSIONS, *PACKAGES], check=True, capture_output=True, text=True, timeout=60
    )
    found: dict[str, str] = json.loads(finished.stdout)
    return found


def _build(folder: Path, wanted: Dependencies) -> None:
    installer = _installer()
    venv.create(folder, with_pip=False, symlinks=True)  # on Debian, venv lacks what it would need for pip
    requirements = folder / "requirements.txt"
    requirements.write_text("\n".join(wanted.requirements) + "\n")
    _install(installer, folder, ["-r", str(requirements)])
    missing = _missing(folder)
    if missing:
        _install(installer, folder, [f"{name}=={_own_version(name)}" for name in missing])


def _missing(folder: Path) -> list[str]:
    """Return the packages that the launcher needs and the service's own dependencies do not bring."""
    found = versions(_python(folder))
    return [name for name in _LAUNCHER_NEEDS if name not in found]


def _own_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        raise AbFailedError(f"{name} is installed nowhere: the revision is to be served with it") from None


def _installer() -> list[str]:
    """Return the command of a pip that can install into another environment. Raises AbError if there is none."""
    base = getattr(sys, "_base_executable", sys.executable)
    for python in dict.fromkeys((sys.executable, base)):
        found = subprocess.run([python, "-m", "pip", "--version"], check=False, capture_output=True)
        if found.returncode == 0:
            return [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "--quiet", "--python"]
    raise AbError(f"--env-per-rev: neither pip nor uv is there; install pip for {base}")


def _install(installer: list[str], folder: Path, what: list[str]) -> None:
    # pip's --python stands before its command, uv's after it
    python = str(_python(folder))
    line = [*installer, python, "install", *what]
    if installer[1] == "pip":
        line = [*installer[:2], "install", *installer[2:], python, *what]
    finished = subprocess.run(line, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if finished.returncode:
        last = " | ".join((finished.stderr or finished.stdout).strip().splitlines()[-_LAST_LINES:])
        raise AbFailedError(f"the revision's dependencies cannot be installed: {last}")


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "socketio-bench"


def _project(path: Path) -> dict[str, object]:
    text = _text(path)
    try:
        project = tomllib.loads(text).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise AbError(f"{path}: not TOML: {error}") from None
    return project if isinstance(project, dict) else {}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise AbError(f"{path}: {error}") from None
