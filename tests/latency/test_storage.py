# mypy: disable-error-code="no-untyped-call"
"""Latency results on disk: whole, numbered, and read by pytest-benchmark's own storage."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.logger import Logger
from pytest_benchmark.storage.file import FileStorage

from bench.latency.storage import ResultStorage

SESSION: dict[str, Any] = {"benchmarks": [], "machine_info": {}}


@pytest.fixture
def storage(tmp_path: Path) -> ResultStorage:
    return ResultStorage(tmp_path / "latency", Logger(Logger.QUIET), "machine")


def test_each_session_gets_the_next_number(storage: ResultStorage, tmp_path: Path) -> None:
    storage.save(SESSION, "a")
    storage.save(SESSION, "a")
    names = sorted(path.name for path in (tmp_path / "latency" / "machine").iterdir())
    assert names == ["0001_a.json", "0002_a.json"]
    assert storage.failure is None


def test_pytest_benchmark_reads_it(storage: ResultStorage) -> None:
    storage.save(SESSION | {"name": "é"}, "a")
    ((path, read),) = FileStorage(storage.path, storage.logger, "machine").load()
    assert str(path) == "machine/0001_a.json"
    assert read == SESSION | {"name": "é"}


def test_the_number_of_a_foreign_file_is_not_taken_again(storage: ResultStorage, tmp_path: Path) -> None:
    folder = tmp_path / "latency" / "machine"
    folder.mkdir()
    (folder / "0007_b.json").write_text("mine")
    storage.save(SESSION, "a")
    assert json.loads((folder / "0008_a.json").read_text()) == SESSION
    assert (folder / "0007_b.json").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_one_line(
    storage: ResultStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "latency" / "machine").write_text("in the way")
    storage.save(SESSION, "a")
    assert storage.failure is not None
    assert storage.failure.startswith("cannot store a result")
    assert "\n" not in storage.failure


def test_its_location_may_lie_anywhere(storage: ResultStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert storage.location == str(tmp_path / "latency")
    monkeypatch.chdir(tmp_path)
    assert storage.location == "latency"
