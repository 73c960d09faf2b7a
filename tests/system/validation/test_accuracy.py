"""`bench accuracy` as a user types it: real servers, real `locust` processes, a real interrupt."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.validation.accuracy.model import Accuracy
from tests.support.processes import command_of

BENCH = [sys.executable, "-c", "from bench.cli import main; main()", "accuracy"]
LIMIT_S = 100.0


@pytest.mark.slow
def test_a_quick_check(tmp_path: Path) -> None:
    file = tmp_path / "accuracy.json"
    wanted = "delay-2ms,lost,workers"
    arguments = ["--quick", "--without-peers", "--only", wanted, "--json", str(file)]
    ended = subprocess.run(
        [*BENCH, *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "NO" not in ended.stdout.split()
    result = Accuracy.model_validate_json(file.read_bytes(), strict=True)
    scenarios = {scenario.name: scenario for scenario in result.scenarios}
    assert list(scenarios) == ["baseline", *wanted.split(",")]
    rows = {(name, row.figure): row for name, scenario in scenarios.items() for row in scenario.rows}
    assert all(row.inside for row in rows.values() if row.is_exact)
    assert all(row.inside is None for row in rows.values() if not row.is_exact)
    assert rows["lost", "timeouts"].shown.truth.value == 2
    assert rows["workers", "samples"].shown.truth.value > 1000
    delayed = rows["delay-2ms", "p50"].shown
    assert delayed.ours is not None
    assert delayed.ours.value > 2000 < delayed.truth.value
    assert [len(scenario.runs) for scenario in scenarios.values()] == [1] * 4
    assert [entry.name for entry in tmp_path.iterdir()] == ["accuracy.json"], "and nothing else is left"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "delay"], "--only delay: there is no scenario 'delay'; there are baseline, delay-2ms"),
        (["--json", "missing/file.json"], "--json missing/file.json: there is no such folder"),
    ],
)
def test_misuse(tmp_path: Path, arguments: list[str], said: str) -> None:
    ended = subprocess.run([*BENCH, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ended.returncode == 2
    assert said in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        [*BENCH, "--only", "stall", "--without-peers"],
        start_new_session=True,
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        children: list[psutil.Process] = []
        give_up_at = time.monotonic() + LIMIT_S
        while not any("locustfile.py" in " ".join(command_of(child)) for child in children):
            assert process.poll() is None
            assert time.monotonic() < give_up_at
            children = psutil.Process(process.pid).children(recursive=True)
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(LIMIT_S) == 130
        _, alive = psutil.wait_procs(children, LIMIT_S)
        assert not alive
    assert not list(temporary.iterdir())
    assert [entry.name for entry in tmp_path.iterdir()] == ["temporary"]
