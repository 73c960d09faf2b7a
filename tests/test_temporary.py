"""Temporary folders: gone at the end, however that comes, and never another run's."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bench.results.locks import LockedError, locked
from bench.results.temporary import LOCK, temporary_folder

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
    """The folder of a run that this signal ended."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        folder = Path(run.stdout.readline().strip())
        assert (folder / "inner" / "file").exists()
        run.send_signal(number)
        run.communicate(timeout=60)
    return folder


def test_it_is_gone_at_the_end_and_after_an_error(temporary: Path) -> None:
    with temporary_folder(PREFIX) as folder:
        assert folder.parent == temporary
        with pytest.raises(LockedError), locked(folder / LOCK):
            pass
    with pytest.raises(RuntimeError), temporary_folder(PREFIX):
        raise RuntimeError
    assert list(temporary.iterdir()) == []


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


def test_one_that_was_taken_for_abandoned_before_it_was_locked_is_replaced(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch, taken = Path.touch, list[Path]()

    def slow(path: Path) -> None:
        if not taken:
            taken.append(path.parent)
            path.parent.rmdir()  # as another run does
        touch(path)

    monkeypatch.setattr(Path, "touch", slow)
    with temporary_folder(PREFIX) as folder:
        assert (folder / LOCK).exists()
        assert folder not in taken


def test_a_folder_that_cannot_be_made_is_an_error(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "missing"))
    with pytest.raises(FileNotFoundError), temporary_folder(PREFIX):
        pass
    assert os.listdir(temporary) == []  # noqa: PTH208
