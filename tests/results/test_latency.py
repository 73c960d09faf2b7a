"""Latency results: fields beside pytest-benchmark's statistics, and values that are refused."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bench.results import store
from bench.results.latency import LatencyBenchmark

STATS = {"min": 1e-4, "max": 2e-4, "mean": 1.5e-4, "median": 1.5e-4, "rounds": 10}
TIMED = {"median_us": 150.0, "p99_us": 190.0, "rounds": 5, "server_cpu_us_per_round_trip": 70.0}
PROCESS = TIMED | {"hash_seed": 1, "environment_bytes": 2, "warm_up_round_trips": 200, "steady": True}


def process(ratio: float | None, bare: float | None) -> dict[str, Any]:
    pairs = {"same-stack": 8, "bare": 4}
    return PROCESS | {"control": PROCESS, "log_ratio": {"same-stack": ratio, "bare": bare}, "pairs": pairs}


def fields(**extra_info: Any) -> dict[str, Any]:
    return {"name": "a", "fullname": "f::a", "stats": STATS, "extra_info": extra_info}


def test_processes_and_controls() -> None:
    benchmark = LatencyBenchmark.model_validate(
        fields(
            processes=[process(math.log(1.1), None), process(math.log(1.1) + 0.2, None)],
            controls={"same-stack": TIMED | {"processes": 2, "sha256": "4c"}, "bare": None},
            between_processes={"median_cv": 0.01, "log_ratio_sd": {"same-stack": 0.02, "bare": None}},
            awake={"cores": [0, 1], "asleep_because": None},
            spoilers=[{"kind": "cores halt", "text": "they do", "value": None}],
            histogram="HISTF",
            server_cpu_us_per_round_trip=70,
        )
    )
    assert [process.control is not None and process.control.median_us for process in benchmark.processes] == [150, 150]
    assert benchmark.ratio_to("same-stack") == pytest.approx(1.1 * math.exp(0.1))
    assert benchmark.ratio_to("bare") is None
    same_stack = benchmark.controls["same-stack"]
    assert same_stack is not None
    assert (same_stack.processes, same_stack.sha256) == (2, "4c")
    assert benchmark.between_processes is not None
    assert benchmark.between_processes.log_ratio_sd == {"same-stack": 0.02, "bare": None}
    assert benchmark.awake is not None
    assert (benchmark.awake.cores, benchmark.awake.asleep_because) == ((0, 1), None)
    assert [spoiler.kind for spoiler in benchmark.spoilers] == ["cores halt"]
    assert (benchmark.histogram, benchmark.server_cpu_us_per_round_trip) == ("HISTF", 70)


def test_what_pytest_benchmark_alone_stored_has_none_of_it() -> None:
    benchmark = LatencyBenchmark.model_validate(fields())
    assert (benchmark.processes, benchmark.controls, benchmark.between_processes) == ((), {}, None)
    assert (benchmark.spoilers, benchmark.awake, benchmark.unreplicated) == ((), None, None)
    assert (benchmark.histogram, benchmark.server_cpu_us_per_round_trip) == (None, None)
    assert benchmark.ratio_to("same-stack") is None


@pytest.mark.parametrize(
    ("extra_info", "said"),
    [
        ({"processes": [process(math.nan, None)]}, "log_ratio.same-stack: Input should be a finite number"),
        ({"processes": [process(0.1, None) | {"rounds": 0}]}, "0.rounds: Input should be greater than 0"),
        ({"processes": [PROCESS]}, "0.control: Field required"),
        ({"controls": {"another": None}}, "another.[key]: Input should be 'same-stack' or 'bare'"),
        ({"spoilers": [{"kind": "moon", "text": "full"}]}, "0.kind: Input should be"),
        ({"awake": {}}, "cores: Field required"),
        ({"awake": []}, "Input should be a valid dictionary"),
    ],
)
def test_a_damaged_one_is_refused(extra_info: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        LatencyBenchmark.model_validate(fields(**extra_info))
    (error,) = raised.value.errors()
    assert "extra_info of a is damaged" in error["msg"]
    assert said in error["msg"]


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "0001_a.json"
    result = {
        "datetime": "2026-11-23T11:00:00+00:00",
        "version": "5.3.1",
        "commit_info": {},
        "machine_info": {},
        "benchmarks": [fields(processes=[PROCESS])],
    }
    path.write_text(json.dumps(result))
    with pytest.raises(store.ResultError) as raised:
        store.load(path)
    assert "extra_info of a is damaged" in str(raised.value)
    assert "0001_a.json" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("stored", "p99_us"), [(133, 133.0), (1.5, 1.5), ("1.5", None), (float("inf"), None)])
def test_p99_of_a_latency_benchmark(stored: object, p99_us: float | None) -> None:
    stats = {"min": 1, "max": 1, "mean": 1, "median": 1, "rounds": 1}
    benchmark = LatencyBenchmark.model_validate(
        {"name": "a", "fullname": "x::a", "extra_info": {"p99_us": stored}, "stats": stats}
    )
    assert benchmark.p99_us == p99_us
