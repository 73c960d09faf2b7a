"""Results to test with: a load result built through the model, and latency results that pytest-benchmark wrote."""

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

from hdrh.histogram import HdrHistogram

from bench.results.header import CommitInfo, MachineInfo
from bench.results.load import Distribution, Generator, LoadResult, Operation, Scenario, Second, Server, Window

COMMIT = "3cf0b59c6de96eba604d0c5aec7ae0e2153daba3"


def histogram() -> str:
    recorded = HdrHistogram(100, 3_600_000_000_000, 3)
    recorded.record_value(133_000)
    encoded: bytes = recorded.encode()
    return encoded.decode()


def distribution(**changed: float | None) -> Distribution:
    times: dict[str, float | None] = {
        "min": 80.0,
        "mean": 140.0,
        "p50": 131.4,
        "p90": 240.0,
        "p99": 1234.5,
        "p99_9": 5000.0,
        "max": 12345.0,
    }
    return Distribution.model_validate(times | changed)


def operation(name: str = "FOO → BAR", **changed: Any) -> Operation:
    fields: dict[str, Any] = {
        "name": name,
        "scheduled": 1010,
        "dropped": 0,
        "sent": 1010,
        "ok": 1000,
        "timeouts": 3,
        "errors": {"disconnected": 5, "REJECTED": 1},
        "unfinished": 1,
        "late": 2,
        "throughput_per_s": 1000.4,
        "service_us": distribution(),
        "service_histogram": histogram(),
    }
    return Operation.model_validate(fields | changed)


def load_result(**changed: Any) -> LoadResult:
    fields: dict[str, Any] = {
        "datetime": dt.datetime(2026, 11, 23, 11, 26, 45, 123456, tzinfo=dt.UTC),
        "commit_info": CommitInfo(id=COMMIT, project="service", branch="main"),
        "machine_info": MachineInfo(node="here", system="Linux", python_version="3.11.7", cpu={"count": 2}),
        "packages": {"python": "3.11.7", "uvicorn": "0.54.0"},
        "scenario": Scenario(
            user_classes=("EchoUser",),
            users=50,
            model="closed",
            duration_s=20,
            transport="websocket",
            app="app.main:app",
        ),
        "server": Server(
            app="app.main:app", loop="uvloop", core=0, cpu_us_per_round_trip=72.3, rss_peak_bytes=50_000_000
        ),
        "generator": Generator(processes=1, cpu_us_per_round_trip=11.2, verdict="ok"),
        "window": Window(start_s=1.0, end_s=20.0, warmup_s=0.0),
        "operations": (operation(),),
        "timeline": (Second(t=0, users=50, sent=1010, ok=1000, failed=10, p50_us=131.4),),
    }
    return LoadResult.model_validate(fields | changed)


LATENCY_SESSION = """
import pytest

@pytest.mark.parametrize("n", [10, 1000])
def test_sum(benchmark, n):
    benchmark.group = "sum"
    benchmark.extra_info.update(p99_us=n * 1.5, packages={"uvicorn": "0.54.0"}, loop="uvloop")
    benchmark(lambda: sum(range(n)))

def test_illustration(benchmark):
    benchmark.extra_info["illustrative"] = True
    benchmark(lambda: None)
"""


def run_latency_session(folder: Path, results: Path, *options: str, code: str = LATENCY_SESSION) -> None:
    """Let pytest-benchmark itself store a session's result below `results`, in `folder` as the working directory."""
    (folder / "test_session.py").write_text(code)
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_session.py"),
            *(f"--benchmark-storage=file://{results / 'latency'}", "--benchmark-max-time=0.01"),
            *("--benchmark-min-rounds=3", "--benchmark-quiet", "--benchmark-autosave", *options),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
