"""The cost of installing the wheel and of seeing a first figure: megabytes, packages, seconds.

The environment is new, and outside of the checkout. pip installs the newest packages that the wheel allows.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.support.folders import ROOT
from tests.support.wheel import build_wheel, without_ours
from tests.versions import project

_HELPS = 9
_LIMIT_S = 900

_MEASURED = ("--app", "chat:app", "--scenarios", "chat_scenarios.py", "-k", "uvloop")


def _seconds(command: Sequence[str | Path], folder: Path) -> float:
    """Run a command to its end; return the time that it took."""
    started_s = perf_counter()
    subprocess.run(command, cwd=folder, env=without_ours(), check=True, capture_output=True, timeout=_LIMIT_S)
    return perf_counter() - started_s


def _checkout(revision: str | None, folder: Path) -> Path:
    """Return the folder of a revision's files: those of this checkout as they are if none is given."""
    if revision is None:
        return ROOT
    packed = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, capture_output=True, timeout=_LIMIT_S)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def _megabytes(folder: Path) -> float:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m measurements.install", description=__doc__)
    parser.add_argument("--revision", help="a commit of this project; by default the working tree as it is")
    parser.add_argument("--extra", default="", help="an extra to install as well, such as charts")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="install-") as name:
        folder = Path(name)
        wheel = build_wheel(folder, _checkout(asked.revision, folder / "checkout"))
        base = str(getattr(sys, "_base_executable", sys.executable))
        environment = folder / "environment"
        python, scripts = environment / "bin" / "python", environment / "bin"
        wanted = f"{wheel}[{asked.extra}]" if asked.extra else str(wheel)
        install_s = _seconds([base, "-m", "venv", "--without-pip", environment], folder)
        install_s += _seconds([base, "-m", "pip", "--python", python, "install", wanted], folder)
        packages = list(environment.glob("lib/python*/site-packages/*.dist-info"))
        project.write(folder / "project")
        help_s = [_seconds([scripts / "bench", "--help"], folder) for _ in range(_HELPS)]
        commands = {path.stem for path in environment.glob("lib/python*/site-packages/bench/commands/*.py")}
        program, what = ("bench", "latency") if "latency" in commands else ("pytest", "bench")
        figure_s = _seconds([scripts / program, what, *_MEASURED], folder / "project")
        print(f"the wheel                   {wheel.stat().st_size / 1e3:6.0f} kB")
        print(f"installed                   {_megabytes(environment):6.0f} MB")
        print(f"packages                    {len(packages):6}")
        print(f"bench --help                {median(help_s):6.2f} s, the median of {_HELPS}")
        print(f"environment and pip install {install_s:6.0f} s")
        print(f"the first figures           {figure_s:6.0f} s, of `{' '.join((program, what, *_MEASURED))}`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
