"""The interpreters of this machine."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

#: The versions of Python that the project supports.
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")

#: The version that has to be there.
NEEDED = "3.11"

_LIMIT_S = 20
_VERSION = "import sys; print('%d.%d.%d' % sys.version_info[:3], sys.implementation.name)"


def found(version: str) -> Path | None:
    """Return an interpreter of a version such as 3.12, from the search path or from pyenv; None if there is none."""
    for python in _candidates(version):
        told = _told(python)
        if told is not None and told.startswith(f"{version}.") and told.endswith(" cpython"):
            return python
    return None


def _candidates(version: str) -> Iterator[Path]:
    for folder in os.get_exec_path():
        yield Path(folder) / f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)


def _told(python: Path) -> str | None:
    """Return the version and the implementation; None for what is there and cannot run, such as a shim of pyenv."""
    try:
        asked = subprocess.run([python, "-c", _VERSION], capture_output=True, text=True, timeout=_LIMIT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip()
