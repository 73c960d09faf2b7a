"""`python -m tests.versions`: install the wheel beside the oldest and the newest packages, and do a short real round.

It does so for each supported Python that is found. The last lines say which ran, and which Pythons were not found. Exit
code 1 if a round fails, or if Python 3.11 is not found.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support.folders import ROOT
from tests.support.wheel import build_wheel, without_ours
from tests.versions import project
from tests.versions.pythons import NEEDED, SUPPORTED, found

#: The kinds of environments: with the oldest packages that pyproject.toml allows, and with the newest.
RESOLUTIONS = ("lowest", "newest")

_UV = Path(sys.executable).with_name("uv")
_INSTALL_LIMIT_S = 600
_RESOLVED = "resolved.txt"

#: The package that runs the tests of the fixtures. Its users have it, and the wheel does not ask for it.
_FOR_TESTS = "pytest-asyncio"


class NotInstalledError(Exception):
    """Packages that cannot be installed: the output of the installer."""


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.versions", description=__doc__)
    parser.add_argument("--python", action="append", choices=SUPPORTED, help="only these versions; repeatable")
    parser.add_argument("--resolution", choices=RESOLUTIONS, help="only these packages")
    asked = parser.parse_args()
    versions = tuple(asked.python or SUPPORTED)
    resolutions = RESOLUTIONS if asked.resolution is None else (asked.resolution,)
    told: list[str] = []
    has_failed = False
    with tempfile.TemporaryDirectory(prefix="versions-") as folder:
        wheel = build_wheel(Path(folder))
        for version in versions:
            python = found(version)
            if python is None:
                told.append(f"Python {version}: not found")
                has_failed = has_failed or version == NEEDED
                continue
            for resolution in resolutions:
                line, is_good = _round(wheel, python, version, resolution, Path(folder) / f"{version}-{resolution}")
                told.append(line)
                has_failed = has_failed or not is_good
    _say("")
    for line in told:
        _say(line)
    return 1 if has_failed else 0


def _round(wheel: Path, python: Path, version: str, resolution: str, folder: Path) -> tuple[str, bool]:
    """Do a round in `folder`; return a line that tells of it, and whether it was good."""
    name = f"Python {version}, {resolution} packages"
    _say(f"== {name} ({python})")
    started_s = time.monotonic()
    try:
        packages = _install(wheel, python, version, resolution, folder / "environment")
        project.write(folder / "project")
        _perform(project.steps(), folder)
        _install_extras(wheel, folder)
        _perform(project.steps_with_extras(), folder)
    except (NotInstalledError, project.RoundFailedError) as error:
        _say(str(error))
        return f"{name}: FAILED: {str(error).splitlines()[0]}", False
    return f"{name}: passed, {packages} packages, {time.monotonic() - started_s:.0f} s", True


def _perform(steps: Iterable[project.Step], folder: Path) -> None:
    for step in steps:
        _say(f"$ {' '.join(step.command)}")
        project.perform(step, folder / "environment" / "bin", folder / "project")


def _install(wheel: Path, python: Path, version: str, resolution: str, environment: Path) -> int:
    """Install the wheel and what it asks for into a new environment; return the number of packages."""
    folder = environment.parent
    folder.mkdir()
    resolved = folder / _RESOLVED
    resolved.touch()
    into = _into(folder)
    _uv("venv", "--no-python-downloads", "--python", python, environment)
    if resolution == "lowest":
        # Of what is so old that it has no wheel for this Python, the first version that has a wheel is the oldest.
        _uv(
            "pip", "compile", "--resolution", "lowest-direct", "--only-binary", ":all:", "--python-version", version,
            "--python", python, "--no-header", "--no-annotate", "--output-file", resolved, ROOT / "pyproject.toml",
            *(f"--extra={extra}" for extra in project.EXTRAS),
        )  # fmt: skip
    _uv(*into, wheel)
    packages = len(list(environment.glob("lib/python*/site-packages/*.dist-info")))
    _uv(*into, _FOR_TESTS)
    return packages


def _install_extras(wheel: Path, folder: Path) -> None:
    """Install what the extras ask for, into the environment that works without them."""
    _uv(*_into(folder), f"{wheel}[{','.join(project.EXTRAS)}]")


def _into(folder: Path) -> tuple[str | Path, ...]:
    python = folder / "environment" / "bin" / "python"
    return ("pip", "install", "--python", python, "--constraints", folder / _RESOLVED)


def _uv(*arguments: str | Path) -> None:
    command = [str(_UV), *map(str, arguments), "--quiet"]
    ended = subprocess.run(
        command, env=without_ours(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=_INSTALL_LIMIT_S, check=False,
    )  # fmt: skip
    if ended.returncode:
        raise NotInstalledError(f"uv {' '.join(map(str, _shortened(arguments)))}: failed\n{ended.stdout}")


def _shortened(arguments: Sequence[str | Path]) -> list[str]:
    return [argument.name if isinstance(argument, Path) else argument for argument in arguments]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
