"""Latency results to compare, built from a known truth: how much slower the service is than its control, and the noise.

Each run has a level of its own, each of its processes another around that, as bench.statistics.estimates assumes.
"""

import datetime as dt
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np

from bench.results.latency import LatencyResult
from bench.results.references import Store, Stored
from bench.results.store import write_numbered
from bench.timing.histogram import Histogram

START = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
PACKAGES = {"python": "3.11.7", "python-socketio": "5.12.1", "uvicorn": "0.54.0", "orjson": "3.11.4"}
NAMES = ("event-fast-process-uvloop", "acknowledged-fast-process-uvloop")
SHA256 = "ab" * 32
CONTROL_US, BARE_US = 80.0, 40.0


def timed(median_us: float, tail: float = 4.0) -> dict[str, Any]:
    return {
        "median_us": median_us,
        "p99_us": median_us * tail,
        "rounds": 1000,
        "server_cpu_us_per_round_trip": median_us * 0.6,
    }


def process(slowness: float, drift: float, noise: random.Random) -> dict[str, Any]:
    """Return a process whose service takes e^slowness as long as its control, on a machine off by e^drift."""
    started = {"hash_seed": 1, "environment_bytes": 100, "warm_up_round_trips": 200, "steady": True}
    own = slowness + noise.gauss(0, 0.01)
    control_us = CONTROL_US * math.exp(drift + noise.gauss(0, 0.02))
    log_ratio = {"same-stack": own, "bare": own + math.log(CONTROL_US / BARE_US) + drift / 2}
    return {
        **(timed(control_us * math.exp(own), 4 * math.exp(noise.gauss(0, 0.02))) | started),
        "control": timed(control_us) | started,
        "log_ratio": log_ratio,
        "pairs": {"same-stack": 20, "bare": 10},
    }


def benchmark(name: str, slowness: float, noise: random.Random, processes: int = 4, **changed: Any) -> dict[str, Any]:
    """Return a benchmark as a result stores it; `changed` is of its extra_info."""
    drift, level = noise.gauss(0, 0.1), slowness + noise.gauss(0, 0.009)
    found = [process(level, drift, noise) for _ in range(processes)]
    median_us = sum(content["median_us"] for content in found) / processes
    times = Histogram()
    times.record(np.array([noise.lognormvariate(math.log(median_us * 1e3), 0.2) for _ in range(300)], dtype=np.int64))
    extra_info: dict[str, Any] = {
        "service": "app.main:app",
        "loop": "uvloop",
        "client": "fast",
        "server": "process",
        "server_core": 0,
        "generator_cores": [1],
        "reply_timeout_s": 5.0,
        "illustrative": False,
        "packages": PACKAGES,
        "awake": {"cores": [0, 1], "asleep_because": None},
        "p99_us": median_us * 4,
        "server_cpu_us_per_round_trip": median_us * 0.6,
        "histogram": times.encode(),
        "processes": found,
        "controls": {
            "same-stack": timed(CONTROL_US) | {"processes": processes, "sha256": SHA256},
            "bare": timed(BARE_US * math.exp(drift / 2)) | {"processes": 1, "sha256": None},
        },
    }
    seconds = dict.fromkeys(("min", "max", "mean", "median"), median_us / 1e6)
    return {
        "name": f"foo_bar[{name}]",
        "fullname": f"bench/latency/bench_round_trip.py::foo_bar[{name}]",
        "extra_info": extra_info | changed,
        "stats": seconds | {"rounds": 300},
    }


def latency_content(
    slowness: float = math.log(1.5),
    *,
    seed: int = 0,
    run: int = 0,
    commit: str = "a" * 40,
    dirty: bool = False,
    machine: dict[str, Any] | None = None,
    processes: int = 4,
    benchmarks: tuple[dict[str, Any], ...] | None = None,
    **extra_info: Any,
) -> dict[str, Any]:
    """Return the JSON of a latency result, the `run`-th of a series."""
    noise = random.Random(f"{seed} {run} {commit}")
    if benchmarks is None:
        benchmarks = tuple(benchmark(name, slowness, noise, processes, **extra_info) for name in NAMES)
    return {
        "datetime": (START + dt.timedelta(minutes=run)).isoformat(),
        "version": "5.1.0",
        "commit_info": {"id": commit, "time": START.isoformat(), "dirty": dirty},
        "machine_info": {
            "node": "here",
            "system": "Linux",
            "machine": "x86_64",
            "release": "6.1",
            "python_version": "3.11.7",
            "cpu": {"count": 2, "brand_raw": "some processor"},
        }
        | (machine or {}),
        "benchmarks": benchmarks,
    }


def latency(*arguments: Any, **changed: Any) -> LatencyResult:
    return LatencyResult.model_validate(latency_content(*arguments, **changed))


def stored(*results: Any, side: str = "a") -> list[Stored]:
    """Return results as if they had been read from files."""
    return [Stored(Path(f"{side}{number}.json"), result) for number, result in enumerate(results)]


def save_latency(store: Store, content: dict[str, Any]) -> Path:
    commit = content["commit_info"]["id"]
    return write_numbered(store.folder("latency"), f"{commit}_20260301_120000", json.dumps(content).encode())
