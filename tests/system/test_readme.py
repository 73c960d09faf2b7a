"""The README's commands work, in order, in a copy of the project, as a newcomer would type them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.folders import ROOT

README = (ROOT / "README.md").read_text()
ENVIRONMENT = Path(sys.executable).parent.parent

# What runs too long, or runs this very test, is not typed here; the first is what the CI run calls.
NOT_TYPED = {"make test", "make bench", "bench accuracy"}

# Commands are typed as they are; pytest-benchmark and Locust read defaults from the environment.
SHORT = {"PYTEST_ADDOPTS": "--benchmark-max-time=0.05 --benchmark-min-rounds=3"}


def shell_blocks() -> list[str]:
    return [block.strip() for block in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)]


@pytest.mark.slow
def test_commands(tmp_path: Path) -> None:
    copy = tmp_path / "clone"
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for file in filter(None, files):
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, copy / file)
    (copy / ".venv").symlink_to(ENVIRONMENT)
    # As if that environment were the copy's own: pytest refuses a conftest beside a package that is another folder's.
    environment = os.environ | SHORT | {"PYTHONPATH": str(copy)}

    blocks = [block for block in shell_blocks() if block not in NOT_TYPED]
    assert len(blocks) >= 6
    for block in blocks:
        ended = subprocess.run(
            ["bash", "-euc", f'export PATH="$PWD/.venv/bin:$PATH"\n{block}'],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, f"{block}\n{ended.stdout}\n{ended.stderr}"
        assert "Traceback" not in ended.stdout + ended.stderr


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z]+)[`\n]", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_ci_runs_the_readmes_own_test_command() -> None:
    assert re.search(r"^make .*\btest$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
