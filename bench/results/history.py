"""The stored results of all machines, and the order of their commits, for a trend."""

import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.results.git import git
from bench.results.header import Kind
from bench.results.store import Result, ResultError, listed, load

_FULL_ID = re.compile("[0-9a-f]{40,64}")
_ANCESTORS = ("rev-list", "--topo-order", "--reverse", "--ignore-missing", "--stdin")


def all_results(root: Path, kinds: Sequence[Kind], leave_out: Callable[[str], object]) -> list[Result]:
    """Return the results of all machines. `leave_out` is called with the reason for each file that cannot be read.

    Raises ResultError if there is none.
    """
    paths: list[Path] = []
    for folder in [machine for kind in kinds for machine in _listed(root / kind, leave_out)]:
        paths += [path for path in _listed(folder, leave_out) if path.suffix == ".json"]
    read: list[Result] = []
    for path in paths:
        try:
            result = load(path)
        except ResultError as error:
            leave_out(str(error))
        else:
            read += [result] if result.kind in kinds else []
    if not read:
        places = " or ".join(str(root / kind) for kind in kinds)
        why = f"none of {len(paths)} files can be read" if paths else "make one by `pytest bench` or `locust`"
        raise ResultError(f"no results in {places}: {why}")
    return read


def _listed(folder: Path, leave_out: Callable[[str], object]) -> list[Path]:
    try:
        return listed(folder)
    except ResultError as error:
        leave_out(str(error))
        return []


def history(commits: Iterable[str]) -> list[str] | None:
    """Return these commits and all their ancestors, parents first; None if git or the repository is missing."""
    ids = [commit for commit in commits if _FULL_ID.fullmatch(commit)]
    try:
        listed = git(Path(), *_ANCESTORS, timeout_s=60, told="".join(f"{commit}\n" for commit in ids))
    except (OSError, subprocess.SubprocessError):
        return None
    return listed.split()
