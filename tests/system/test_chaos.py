"""A minute of the chaos test, and the counts that its service leaves when it is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.counts import Counts
from tests.support.folders import ROOT


def test_counts_survive_a_kill(tmp_path: Path) -> None:
    counts = Counts.create(tmp_path / "counts")
    code = (
        "import os, pathlib, signal, sys; from tests.chaos.counts import Counts\n"
        "Counts.open(pathlib.Path(sys.argv[1])).add(handled=3, replied=2, repeated=1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "counts")]
    assert subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}).returncode == -signal.SIGKILL
    counts.add(handled=1)
    assert counts.read() == (4, 2, 1)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_minute_of_chaos(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.chaos", "--minutes", "1", "--seed", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " 0 with a finding" in run.stdout
