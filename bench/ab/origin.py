"""The origin of the code that a served command runs: the revision's folder, or somewhere else.

Rules of this file: a service is looked at from outside, while it runs. Its interpreter is asked for its paths, once.
Two revisions of a Python service would run the same code where an editable install, a path or an installed copy leads
out of their folders. Of another program nothing is known but the paths in its command, and a note says so.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.ab.errors import AbError
from bench.ab.worktree import Repository

_TIMEOUT_S = 60

#: A program for the service's interpreter: where its modules come from. Its arguments are names of modules.
_PROBE = """
import importlib.machinery, importlib.metadata, json, os, sys, urllib.parse, urllib.request
names, before = json.loads(sys.argv[1]), json.loads(sys.argv[2])
editable = []
for found in importlib.metadata.distributions():
    try:
        direct = json.loads(found.read_text("direct_url.json") or "{}")
    except ValueError:
        continue
    if direct.get("dir_info", {}).get("editable"):
        path = urllib.request.url2pathname(urllib.parse.urlsplit(direct.get("url", "")).path)
        editable.append([found.metadata["Name"] or "a package", path])
for name, module in list(sys.modules.items()):
    if name.startswith("__editable__"):
        for package, path in getattr(module, "MAPPING", {}).items():
            if not any(path.startswith(known + os.sep) for _, known in editable):
                editable.append([package, path])
imported_from = [path for path in sys.path if path]  # the first is of -c
paths = [*before, *imported_from]
origins = {}
for name in names:
    spec = importlib.machinery.PathFinder.find_spec(name, paths)
    if spec is None:
        for finder in sys.meta_path[1:]:
            try:
                spec = spec or finder.find_spec(name, None)
            except Exception:
                continue
    if spec is not None:
        origins[name] = spec.origin if spec.has_location else next(iter(spec.submodule_search_locations or ()), None)
print(json.dumps({"prefix": sys.prefix, "base": sys.base_prefix, "path": imported_from, "editable": editable,
                  "origins": origins}))
"""

#: A word that names an application, as ASGI and WSGI servers take it; and the options that name its folder.
_APP = re.compile(r"(?P<module>[A-Za-z_][\w.]*):[A-Za-z_][\w.]*(?:\(.*\))?")
_FOLDER_OPTIONS = ("--app-dir", "--chdir", "--pythonpath")


@dataclass(frozen=True)
class PythonProgram:
    """A process that is Python: its interpreter as it was called, its arguments, its folder and its environment."""

    interpreter: Path
    arguments: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str]


def python_program(pids: Sequence[int]) -> PythonProgram | None:
    """Return the first of these processes that is Python and tells its interpreter; None if there is none."""
    for pid in pids:
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if not Path(process.exe()).name.startswith(("python", "pypy")):
                continue
            arguments, directory, environment = process.cmdline(), Path(process.cwd()), process.environ()
            interpreter = _interpreter(arguments[:1], directory, environment)
            if interpreter is not None:
                return PythonProgram(interpreter, tuple(arguments[1:]), directory, environment)
    return None


def _interpreter(first: Sequence[str], directory: Path, environment: Mapping[str, str]) -> Path | None:
    """Return the interpreter by the first word of a command line; None if a title took the place of the line."""
    for word in first:
        found = str(directory / word) if "/" in word else shutil.which(word, path=environment.get("PATH"))
        if found and os.access(found, os.X_OK) and Path(found).name.startswith(("python", "pypy")):
            return Path(found)
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if (folder := environment.get(variable)) and (Path(folder) / "bin" / "python").exists():
            return Path(folder) / "bin" / "python"
    return None


def check_command(words: Sequence[str], repository: Repository) -> None:
    """Raise AbError if the command names a file of the user's checkout, which both revisions would run."""
    for word in words[1:]:
        for part in re.split(r"[=\s'\";]", word):
            path = Path(part)
            if (
                path.is_absolute()
                and repository.root in path.parents
                and path.exists()
                and not repository.ignores(path)
            ):
                raise AbError(
                    f"--serve: {part} is in your checkout, so both revisions would run the same; name it relative to "
                    "the folder that you are in"
                )


def check_app(app: str, app_file: str, files: Sequence[str], root: Path, others: Sequence[Path], label: str) -> None:
    """Check that an app, with the files that it has imported, comes from the revision's folder `root`.

    An editable install would serve the checkout's to both sides. Raises AbError, with what to do.
    """
    remedy = "name the folder that it is imported from with --app-dir"
    if app_file and root not in Path(app_file).parents:
        raise AbError(f"{label}: {app} was imported from {app_file}, which is not in the revision's folder; {remedy}")
    for file in map(Path, files):
        if root not in file.parents and any(other in file.parents for other in others):
            raise AbError(f"{label}: {app} uses {file}, which is not in the revision's folder; {remedy}")


def check_python(program: PythonProgram, root: Path, others: Sequence[Path], label: str) -> tuple[str, ...]:
    """Check that the modules of a Python service come from the revision's folder `root`, and none from `others`.

    Return notes on what lies elsewhere. Raises AbError, with what to do.
    """
    modules = [found["module"] for word in program.arguments if (found := _APP.fullmatch(word))]
    names = [module.partition(".")[0] for module in modules]
    before = [str(program.directory / folder) for folder in (*_folders(program.arguments), "")]
    told = _asked(program, names, before)
    if told is None:
        return (
            f"{label}: the origin of the code was not checked, because {program.interpreter} did not tell its paths",
        )
    remedy = "have --prepare make an environment in each revision's folder"
    prefix = Path(told["prefix"]).resolve()
    notes = []
    for name, text in told["editable"]:
        path = Path(text).resolve()
        if _is_in(path, root):
            continue
        if any(_is_in(path, other) for other in others):
            raise AbError(
                f"{label}: {name} is an editable install of {path}, which is not in the revision's folder: "
                f"both revisions would run the same; {remedy}"
            )
        notes.append(f"{name} is an editable install of {path}, which both revisions run as it is now")
    for text in filter(os.path.isabs, told["path"]):  # the finders of editable installs have hooks there, too
        path = Path(text).resolve()
        if any(_is_in(path, other) for other in others) and not _is_in(path, root) and not _is_in(path, prefix):
            raise AbError(
                f"{label}: its Python imports from {path}, which is not in the revision's folder: "
                "take it out of PYTHONPATH and of .pth files"
            )
    for name, text in told["origins"].items():
        if text and not _is_in(Path(text).resolve(), root):
            raise AbError(
                f"{label}: {name} is imported from {text}, which is not in the revision's folder: "
                f"both revisions would run the same; {remedy}"
            )
    return tuple(dict.fromkeys(notes))


def _folders(arguments: Sequence[str]) -> list[str]:
    """Return the folders that the options of a server put before the path of imports."""
    found = []
    for word, following in zip(arguments, (*arguments[1:], ""), strict=True):
        option, has_value, value = word.partition("=")
        if option in _FOLDER_OPTIONS:
            found.append(value if has_value else following)
    return found


def _asked(program: PythonProgram, names: Sequence[str], before: Sequence[str]) -> dict[str, Any] | None:
    """Return the answer of the service's interpreter; None if it gives none."""
    command = [str(program.interpreter), "-c", _PROBE, json.dumps(list(names)), json.dumps(list(before))]
    try:
        finished = subprocess.run(
            command,
            cwd=program.directory,
            env=dict(program.environment),
            check=True,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            start_new_session=True,
        )
        return dict(json.loads(finished.stdout.splitlines()[-1]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def _is_in(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents
