"""`bench accuracy --wire`: a real capture of real connections, where this process has the right to capture."""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.targets.process import EchoProcess
from bench.validation.peers.generator import Program
from bench.validation.peers.peer import LeftOut
from bench.validation.wire.measuring import row_of
from bench.validation.wire.model import Load, Wire
from bench.validation.wire.observation import Observation
from bench.validation.wire.ring import CaptureError, capture_reason
from bench.validation.wire.tools import Asked, chosen

REASON = capture_reason()
NEEDS_CAPTURE = pytest.mark.skipif(REASON is not None, reason=REASON or "")
BENCH = [sys.executable, "-c", "from bench.cli import main; main()", "accuracy", "--wire"]
LIMIT_S = 100.0

# linux/prctl.h, linux/capability.h
_PR_CAPBSET_DROP, _CAP_NET_RAW = 24, 13


@NEEDS_CAPTURE
@pytest.mark.parametrize("name", ["ours-process", "asyncclient"])
def test_every_reported_round_trip_was_seen(tmp_path: Path, name: str) -> None:
    (tool,) = chosen([name], with_peers=True)
    load = Load(connections=2)
    with EchoProcess() as echo, Observation(echo.port, tmp_path) as observation:
        asked = Asked(echo.url, load, None, 0.3, tmp_path)
        with Program(tool.command(asked), (), tmp_path / "output.log") as program:
            if tool.ends_by_itself:
                program.wait(LIMIT_S)
            else:
                while not echo.stats().answered:
                    time.sleep(0.02)
                program.stop()
            reported = tool.report(asked, program.output)
        answered = echo.stats().answered
        seen = observation.end()
    assert 0 < len(reported.records) <= len(seen.round_trips) <= answered
    for record in reported.records:
        sight = seen.round_trips[record.token]
        assert record.sent_ns < sight.emission_ns < sight.reply_ns < record.received_ns
        assert sight.reply_left_ns is not None
        assert sight.emission_ns < sight.reply_left_ns <= sight.reply_ns
    row = row_of(load, reported, seen, 0)
    assert row.sights.is_complete
    assert (row.sights.matched, row.sights.unseen) == (len(reported.records), 0)
    assert row.beyond is not None
    assert row.beyond.p50.value_us > 0


@NEEDS_CAPTURE
def test_an_observer_without_anything_to_see(tmp_path: Path) -> None:
    with Observation(9, tmp_path) as observation:
        seen = observation.end()
    assert seen.round_trips == {}
    assert seen.counts["segments"] == 0


@NEEDS_CAPTURE
@pytest.mark.slow
def test_a_quick_check_by_the_observer(tmp_path: Path) -> None:
    file = tmp_path / "wire.json"
    ended = subprocess.run(
        [*BENCH, "--quick", "--only", "ours,node", "--json", str(file)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    result = Wire.model_validate_json(file.read_bytes(), strict=True)
    assert result.tools[0].name == "ours"
    assert len(result.tools[0].rows) == 12
    assert not result.tools[0].is_judged
    assert "--quick: too short to judge by" in ended.stdout
    assert [entry.name for entry in tmp_path.iterdir()] == ["wire.json"], "and nothing else is left"


def without_the_right() -> None:
    ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_NET_RAW, 0, 0, 0)


@pytest.mark.skipif(os.geteuid() != 0 or not sys.platform.startswith("linux"), reason="only root has a right to lose")
def test_without_the_right_it_is_skipped(tmp_path: Path) -> None:
    ended = subprocess.run(
        BENCH,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        cwd=tmp_path,
        preexec_fn=without_the_right,
    )
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr == "skipped: a packet socket needs the capability CAP_NET_RAW: run it as root\n"
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_no_tool_has(tmp_path: Path) -> None:
    command = [*BENCH, "--only", "curl"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("bench: error: --only curl: there is no tool of that name; there are ours, ")


def test_an_observer_that_cannot_capture_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(CaptureError, match=r"^nothing$"), Observation(9, tmp_path):
        pass


def test_a_client_that_reports_nothing_is_left_out(tmp_path: Path) -> None:
    (tool,) = chosen(["ours"], with_peers=False)
    with pytest.raises(LeftOut, match=r"^it reported nothing; it wrote last: Killed$"):
        tool.report(Asked("http://127.0.0.1:1", Load(connections=1), None, 1.0, tmp_path), "a line\nKilled\n")
