"""The oldest and the newest packages that the wheel allows, with Python 3.11; and the interpreters that are found."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.folders import ROOT
from tests.versions.__main__ import RESOLUTIONS
from tests.versions.pythons import NEEDED, found


def interpreter(folder: Path, version: str, told: str) -> None:
    """Write a program that stands for an interpreter, and tells what it is asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"python{version}").write_text(f"#!/bin/sh\n{told}\n")
    (folder / f"python{version}").chmod(0o755)


def test_an_interpreter_is_one_that_runs_and_is_of_that_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:{tmp_path / 'other'}:{tmp_path / 'own'}")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    interpreter(tmp_path / "shims", "3.12", "echo 'there is no such version' >&2; exit 127")
    interpreter(tmp_path / "other", "3.12", "echo '3.1.12 cpython'")
    assert found("3.12") is None
    interpreter(tmp_path / "pyenv" / "versions" / "3.12.1" / "bin", "3.12", "echo '3.12.1 cpython'")
    assert found("3.12") == tmp_path / "pyenv" / "versions" / "3.12.1" / "bin" / "python3.12"
    interpreter(tmp_path / "own", "3.12", "echo '3.12.7 cpython'")
    assert found("3.12") == tmp_path / "own" / "python3.12"
    assert found("3.13") is None


@pytest.mark.slow
@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_a_short_real_round(resolution: str) -> None:
    command = [sys.executable, "-m", "tests.versions", "--python", NEEDED, "--resolution", resolution]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1].startswith(f"Python {NEEDED}, {resolution} packages: passed, ")
