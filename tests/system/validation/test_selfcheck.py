"""The selfcheck as a command: a short comparison for real, misuse, and stored results."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

from bench.results.references import Store
from bench.validation.selfcheck import _stored_differ
from tests.support.latency_results import latency_content, save_latency


@pytest.mark.slow
def test_one_comparison_for_real() -> None:
    command = [sys.executable, "-m", "bench.selfcheck", "--aa", "0", "--injected", "1", "--max-time", "4"]
    ended = subprocess.run(
        [*command, "--slowdowns", "5us,20us", "--no-stored"], capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode in (0, 1), ended.stderr
    assert ended.stdout.count("restarts,") == 2
    assert "truth outside the 95 % interval" in ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--aa", "0", "--injected", "0", "--no-stored"],
            "--aa and --injected are numbers of runs, not both 0 without the stored ones",
        ),
        (["--slowdowns", "1%,much"], "'much' is no slowdown: expected a share as in 2% or a time as in 5us"),
        (["--slowdowns=-1%"], "'-1%' is no slowdown: expected a share as in 2% or a time as in 5us"),
    ],
)
def test_misuse_is_one_line(arguments: list[str], line: str) -> None:
    command = [sys.executable, "-m", "bench.selfcheck", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].endswith(line)


def test_stored_results_differ_by_their_verdicts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    one, same, slower = (
        save_latency(store, latency_content(slowness, run=run))
        for run, slowness in enumerate((math.log(1.5), math.log(1.5), math.log(1.8)))
    )
    assert not _stored_differ(one, same)
    assert _stored_differ(one, slower)
