"""The logs of a run's services: removed after a run in which nothing failed, and kept without secrets after another."""

import resource
import signal
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


def test_of_a_long_log_the_end_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.results.service_logs.KEPT_BYTES", 20)
    for hide in (str, lambda text: text.replace("my-token", "...")):
        with service_logs() as logs:
            logs.file("A").write_text("my-token 1\nmy-token 2\nthe end 3\n")
            assert logs.keep(hide)
        assert (logs.folder / "A.log").read_text() == "(the first 22 bytes are left out)\nthe end 3\n"


def test_a_log_that_cannot_be_kept_is_not_said_to_be_there(temporary: Path) -> None:
    with service_logs() as logs:
        logs.file("A").write_text(100 * "my-token\n")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))  # as a full disk
        try:
            assert not logs.keep(lambda text: text.replace("my-token", "..."))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, ignored)
    assert list(temporary.iterdir()) == []
