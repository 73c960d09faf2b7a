"""Interval logs read by HdrHistogram's reader in JavaScript, and the command that writes them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from bench.timing.histogram import HIGHEST_NS, LOWEST_NS, SIGNIFICANT_DIGITS
from tests.support.folders import NODE
from tests.support.interval_logs import Log, Read, ReadingTests, ReadInterval, Total
from tests.support.locust_process import LocustProcess
from tests.support.node_process import node_command


def read_by_javascript(path: Path) -> Log:
    folder = NODE / "hlog"
    assert (folder / "node_modules" / "hdr-histogram-js").is_dir(), "first: npm ci --prefix tests/data/node/hlog"
    ran = subprocess.run(node_command("hlog/read.js", str(path)), cwd=NODE, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    read = json.loads(ran.stdout)
    intervals = [ReadInterval(**interval) for interval in read["intervals"]]
    return Log(intervals, {tag: Total(**total) for tag, total in read["totals"].items()})


class TestAsJavaScriptReadsIt(ReadingTests):
    @pytest.fixture
    def read(self) -> Read:
        return read_by_javascript


def test_the_command_exports_a_stored_result(tmp_path: Path) -> None:
    with LocustProcess(tmp_path, "-u", "3", "-r", "3", "-t", "3s", "--rate", "100") as locust:
        assert locust.wait() == 0, locust.output
    (stored,) = tmp_path.rglob("*.json")
    command = [
        str(Path(sys.executable).with_name("bench")),
        "hlog",
        str(stored),
        "--output",
        str(tmp_path / "run.hlog"),
    ]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert told.stdout == f"wrote {tmp_path / 'run.hlog'}\n"
    (row,) = [row for row in locust.result().operations if row.response_histogram]
    counts = {"service": 0, "response": 0}
    reader = HistogramLogReader(str(tmp_path / "run.hlog"), HdrHistogram(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS))
    while (interval := reader.get_next_interval_histogram()) is not None:
        counts[interval.get_tag().rpartition("/")[2]] += interval.get_total_count()
    assert counts == {"service": row.ok, "response": row.ok}
