"""The logs of a run's services: removed after a run in which nothing failed, and kept without secrets after another."""

import tempfile
from pathlib import Path

import pytest

from bench.results.service_logs import service_logs


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_nothing_is_left_of_a_run_in_which_nothing_failed(temporary: Path) -> None:
    with service_logs() as logs:
        names = [logs.file().name, logs.file("A").name, logs.file().name]
        logs.file().write_text("served\n")
        assert logs.folder.parent == temporary
    assert names == ["service-1.log", "A.log", "service-2.log"]
    assert list(temporary.iterdir()) == []


def test_logs_that_are_kept_have_no_secrets_and_stay(temporary: Path) -> None:
    with service_logs() as logs:
        logs.file("A").write_bytes(b"one my-token\ntwo \xff\n")
        logs.file("B").touch()
        assert logs.keep(lambda text: text.replace("my-token", "..."))
    assert (logs.folder / "A.log").read_text() == "one ...\ntwo \ufffd\n"
    assert not (logs.folder / "B.log").exists()
    with service_logs():  # the next run
        assert (logs.folder / "A.log").exists()


def test_empty_logs_are_not_kept(temporary: Path) -> None:
    with service_logs() as logs:
        logs.file("A").touch()
        assert not logs.keep()
    assert list(temporary.iterdir()) == []
