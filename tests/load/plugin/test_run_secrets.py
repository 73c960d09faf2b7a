"""Secrets that workers learn: each reaches the owner of the run through files that only this user can read."""

import stat
from pathlib import Path

import pytest

from bench.load.plugin.run_secrets import RunSecrets, WorkerSecrets
from bench.secrets import Secrets


def test_what_workers_learn_is_known_to_the_master(tmp_path: Path) -> None:
    run = RunSecrets(Secrets.of_values(["given-1"]))
    assert run.hide("given-1") == "..."  # without a folder, too
    run.folder = tmp_path
    workers = [WorkerSecrets(tmp_path), WorkerSecrets(tmp_path)]
    workers[0].learn(["learnt-1", "line\nline"])
    assert run.hide("given-1 learnt-1 learnt-2 line\nline") == "... ... learnt-2 ..."
    workers[0].learn(["learnt-1", "learnt-3"])
    workers[1].learn(["learnt-2"])
    assert run.hide("given-1 learnt-1 learnt-2 learnt-3") == "... ... ... ..."
    files = list(tmp_path.iterdir())
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600, 0o600]
    for worker in workers:
        worker.close()


def test_a_line_that_is_not_whole_is_read_later_or_never(tmp_path: Path) -> None:
    run = RunSecrets(Secrets())
    run.folder = tmp_path
    (path := tmp_path / "x.secrets").write_bytes(b'"lear')
    assert run.hide("learnt-1 learnt-2") == "learnt-1 learnt-2"
    path.write_bytes(b'"learnt-1"\n"brok\n17\n"learnt-2"\n')
    assert run.hide("learnt-1 learnt-2") == "... ..."


def test_a_worker_that_cannot_tell_its_master_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        WorkerSecrets(tmp_path / "gone")
