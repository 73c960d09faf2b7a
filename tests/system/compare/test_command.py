"""`bench compare` on results that `pytest bench` really made: two short runs of one and the same service."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.results.references import Store
from tests.support.bench_command import bench
from tests.support.folders import ROOT

pytestmark = pytest.mark.slow

#: Enough round trips for a p99 of each of the two processes of a quick run, however slow the machine is.
SHORT = ("--benchmark-max-time=0.05", "--benchmark-min-rounds=240", "--effort=quick", "-p", "no:cacheprovider")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("real") / "results"
    chosen = "event and websocket and uvloop and (fast or in-loop)"
    storage = f"--benchmark-storage={results / 'latency'}"
    page = results.parent / "latency.html"
    command = [
        str(Path(sys.executable).with_name("pytest")),
        "bench",
        *SHORT,
        "-k",
        chosen,
        storage,
        f"--report={page}",
    ]
    for _ in range(2):
        finished = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=120)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        assert f"page in {page}\n" in finished.stdout
    return results


def test_the_page_has_the_distributions_of_service_and_controls(results: Path) -> None:
    page = (results.parent / "latency.html").read_text()
    (data,) = re.findall(r'id="charts">(.*?)</script>', page)
    labels = [panel["labels"] for chart in json.loads(data) for panel in chart["panels"]]
    assert ["service", "control on the same stack", "bare echo server"] in labels
    assert ["service"] in labels, "in the client's own loop there are no controls"


def test_a_pair_of_runs(results: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    written = {form: tmp_path / f"comparison.{form}" for form in ("json", "md", "html")}
    code, out, err = bench(
        capsys, "compare", "latest~1", "latest", "--results", results, "--threshold", "60",
        "--json", written["json"], "--markdown", written["md"], "--chart", written["html"],
    )  # fmt: skip
    assert (code, err) == (0, "")
    comparison = json.loads(written["json"].read_bytes())
    compared = comparison["benchmarks"]
    assert compared
    for benchmark in compared:
        assert benchmark["control"] == "same-stack"
        p50 = benchmark["rows"][0]
        assert p50["metric"] == "p50"
        assert p50["low"] < p50["effect"] < p50["high"]
        assert len(p50["old_log_values"]) == 1
        assert len(p50["old_log_values"][0]) >= 2
        assert [row["metric"] for row in benchmark["rows"]][1:] == ["p99", "server CPU"]
    assert any("in-loop" in absent["name"] for absent in comparison["not_compared"])
    assert comparison["forced"] is False
    assert "one run a side: no interval of p50 can be narrower than ±2.5 %" in out or "±4.0 %" in out
    assert "the server was in the client's own loop: it illustrates" in out
    assert written["md"].read_text().startswith("### ")
    assert written["html"].read_bytes().startswith(b"<!DOCTYPE html>")


def test_pytest_benchmark_compares_them_as_well(results: Path) -> None:
    command = [str(Path(sys.executable).with_name("pytest-benchmark")), f"--storage={results / 'latency'}", "compare"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    for path in sorted(Store(results).folder("latency").glob("*.json")):
        for benchmark in json.loads(path.read_bytes())["benchmarks"]:
            assert benchmark["name"] in finished.stdout
