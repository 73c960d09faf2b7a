"""Temporary folders: gone at the end, however that comes, and never another run's."""

import os
import tempfile
from pathlib import Path

import pytest

from bench.results.locks import LockedError, locked
from bench.results.temporary import LOCK, temporary_folder

PREFIX = "bench-test-"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_is_gone_at_the_end_and_after_an_error(temporary: Path) -> None:
    with temporary_folder(PREFIX) as folder:
        assert folder.parent == temporary
        with pytest.raises(LockedError), locked(folder / LOCK):
            pass
    with pytest.raises(RuntimeError), temporary_folder(PREFIX):
        raise RuntimeError
    assert list(temporary.iterdir()) == []


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
