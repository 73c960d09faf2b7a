"""The only place that runs git for an answer about a directory."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

# Set by git for its hooks, and then stronger than the directory that we ask about.
_LOCAL = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")


def git(
    directory: Path,
    *arguments: str,
    timeout_s: float = 10,
    new_session: bool = False,
    told: str = "",
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return git's output about the directory. Raises OSError, ValueError or SubprocessError.

    git reads `told` on its stdin. With `new_session`, a Ctrl-C in the terminal does not reach git. `environment` is
    added to this process's environment.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _LOCAL}
    finished = subprocess.run(
        ["git", "-C", str(directory), *arguments],
        check=True,
        capture_output=True,
        input=told,
        encoding="utf-8",
        errors="replace",
        timeout=timeout_s,
        start_new_session=new_session,
        env=inherited | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"} | dict(environment or {}),
    )
    return finished.stdout


def outside_of(folder: Path | None, root: Path) -> tuple[str, ...]:
    """Return the paths, for git at a checkout's `root`, of all but `folder`; none if that is not below the root."""
    if folder is None:
        return ()
    place = folder.resolve()
    if place == root or not place.is_relative_to(root):
        return ()
    return (".", f":(exclude,literal){place.relative_to(root).as_posix()}")
