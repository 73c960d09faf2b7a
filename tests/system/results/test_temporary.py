"""Temporary folders of processes that a signal ends."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bench.results.temporary import temporary_folder

PREFIX = "bench-test-"


RUN = """
import sys, time
from bench.machine.interrupts import ended_by_signals
from bench.results.temporary import temporary_folder
with ended_by_signals(), temporary_folder("bench-test-") as folder:
    (folder / "inner").mkdir()
    (folder / "inner" / "file").touch()
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def run_until(number: signal.Signals) -> Path:
    """Return the folder of a run that this signal ended."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        folder = Path(run.stdout.readline().strip())
        assert (folder / "inner" / "file").exists()
        run.send_signal(number)
        run.communicate(timeout=60)
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(temporary: Path, number: signal.Signals) -> None:
    run_until(number)
    assert list(temporary.iterdir()) == []


def test_the_next_run_removes_what_a_killed_one_left_and_nothing_else(temporary: Path) -> None:
    left = run_until(signal.SIGKILL)
    assert left.exists()
    foreign = temporary / f"{PREFIX}of-somebody"  # without a lock
    foreign.mkdir()
    with temporary_folder("bench-other-"):
        assert left.exists()
    with temporary_folder(PREFIX) as first, temporary_folder(PREFIX) as second:
        assert not left.exists()
        assert first.exists()
        assert second.exists()
    assert list(temporary.iterdir()) == [foreign]
