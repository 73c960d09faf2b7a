"""Results that earlier versions stored: read, written again, compared, and followed by a trend."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from bench.compare.comparison import compare
from bench.compare.model import Comparison, IncomparableError
from bench.results.ab import AbResult
from bench.results.header import KINDS, Header
from bench.results.history import all_results
from bench.results.latency import LatencyBenchmark, LatencyDetails, LatencyResult
from bench.results.load import LOAD_SCHEMA, LoadResult
from bench.results.receiving import ReceivedClock
from bench.results.references import Stored
from bench.results.store import load, open_file
from bench.trend.series import trends
from bench.validation.accuracy.model import Accuracy
from bench.validation.peers.model import Peers
from bench.validation.wire.model import Wire

RESULTS = Path(__file__).parent.parent / "data" / "results"
COMMIT = "c160d0d6d709f7a87bef2ae5f6bb2a7bdf6f0854"

#: The model of each file, by the pattern of its name.
MODELS: dict[str, type[BaseModel]] = {
    "ab/*/*.json": AbResult,
    "accuracy/*/0001_*.json": Accuracy,
    "wire/*/0001_*.json": Wire,
    "peers/*/0001_*.json": Peers,
    "compare/*.json": Comparison,
}


def paths(pattern: str) -> list[Path]:
    found = sorted(RESULTS.glob(pattern))
    assert found, pattern
    return found


def stored(pattern: str) -> list[Stored]:
    return [Stored(path, load(path)) for path in paths(pattern)]


@pytest.mark.parametrize("pattern", MODELS)
def test_what_is_read_is_written_byte_for_byte(pattern: str) -> None:
    for path in paths(pattern):
        result = open_file(path).as_model(MODELS[pattern])
        assert isinstance(result, Header | Comparison)
        assert result.to_json() == path.read_bytes()


def test_nothing_is_lost_of_an_older_load_result() -> None:
    """Write it again with all that it had, and what newer schemas have in addition."""
    for path in paths("load/*/*.json"):
        result = open_file(path).as_model(LoadResult)
        assert_contains(json.loads(result.to_json()), json.loads(path.read_text()), path.name)


def assert_contains(written: Any, read: Any, where: str) -> None:
    if isinstance(read, dict):
        assert set(read) <= set(written), where
        for name, value in read.items():
            assert_contains(written[name], value, f"{where}.{name}")
    elif isinstance(read, list):
        assert len(read) == len(written), where
        for number, (found, value) in enumerate(zip(written, read, strict=True)):
            assert_contains(found, value, f"{where}.{number}")
    else:
        assert written == read, where


@pytest.mark.parametrize(("number", "schema", "ok"), [(1, "load/1", [5, 5179]), (2, "load/2", [5, 9762])])
def test_older_load_results_are_read(number: int, schema: str, ok: list[int]) -> None:
    (old,) = stored(f"load/*/000{number}_*.json")
    assert isinstance(old.result, LoadResult)
    assert (old.result.schema_, old.result.scenario.pipelined) == (schema, None)
    assert [operation.ok for operation in old.result.operations] == ok
    assert [operation.kind for operation in old.result.operations] == ["connect", "round trip"]
    assert [operation.sent_bytes for operation in old.result.operations] == [None, None]
    assert [operation.received_clock for operation in old.result.operations] == ["process", "process"]


def test_a_load_result_with_operations_of_all_kinds_is_read() -> None:
    (path,) = paths("load/*/0005_*.json")
    result = open_file(path).as_model(LoadResult)
    assert result.schema_ == "load/3"
    rows = {operation.name: operation for operation in result.operations}
    assert {(row.name, row.kind, row.ok) for row in rows.values()} == {
        ("connect", "connect", 27),
        ("disconnect", "disconnect", 25),
        ("POST /login", "http", 27),
        ("enter", "round trip", 27),
        ("say", "round trip", 76),
        ("typing", "emission", 76),
        ("type and say", "transaction", 76),
    }
    assert (rows["say"].sent_bytes, rows["say"].received_bytes) == (3336, 3412)
    assert rows["typing"].service_us is None


def test_results_without_objectives_are_read() -> None:
    (load_result,), (comparison,) = stored("load/*/0006_*.json"), paths("ab/*/0002_*.json")
    ab_result = open_file(comparison).as_model(AbResult)

    assert isinstance(load_result.result, LoadResult)
    assert (load_result.result.schema_, ab_result.schema_) == ("load/4", "ab/2")
    assert (load_result.result.objectives, load_result.result.ended_because) == ((), None)
    assert ab_result.objectives == ()
    assert [row.received_clock for row in load_result.result.operations] == ["process", "kernel"]


def test_the_details_of_a_latency_benchmark_are_what_extra_info_has() -> None:
    files = [json.loads(path.read_text()) for path in paths("latency/*/*.json")]
    benchmarks = [benchmark for file in files for benchmark in file["benchmarks"]]
    assert len(benchmarks) == 6
    for benchmark in benchmarks:
        extra_info = benchmark["extra_info"]
        written = LatencyDetails.model_validate(extra_info).written()
        assert json.dumps(written) == json.dumps(extra_info)


def test_details_follow_a_copy_with_another_extra_info() -> None:
    (benchmark, *_) = load(paths("latency/*/0001_*.json")[0]).benchmarks  # type: ignore[union-attr]
    assert isinstance(benchmark, LatencyBenchmark)
    assert benchmark.details.service == "app.main:app"
    assert benchmark.model_copy(update={"extra_info": {"service": "other:app"}}).details.service == "other:app"


@pytest.mark.parametrize("foreign", [7, {"a": 1}, "much", [1], True])
def test_what_others_put_into_extra_info_is_not_ours(foreign: object) -> None:
    claimed = {"processes", "between_processes", "controls", "awake", "spoilers"}  # refused: see test_latency_result
    names = [name for name in LatencyDetails.model_fields if name not in claimed]
    details = LatencyDetails.model_validate(dict.fromkeys(names, foreign))
    for name in names:
        assert getattr(details, name) in (None, foreign, (1,)) or name == "warm_up"  # which ignores what it has not


def test_latency_is_compared() -> None:
    old, new = stored("latency/*/*.json")
    comparison = compare([old], [new])
    assert [compared.control for compared in comparison.benchmarks] == ["same-stack", "same-stack"]
    assert [absent.reason for absent in comparison.not_compared] == [
        "the server was in the client's own loop: it illustrates"
    ]
    assert not comparison.forced


def test_load_is_compared_also_with_the_schema_before() -> None:
    first, second, third, *_ = stored("load/*/*.json")
    closed = compare([second], [third])
    assert [compared.label for compared in closed.benchmarks] == ["connect", "FOO→BAR to sender", "whole run"]
    with pytest.raises(IncomparableError, match="different settings: model closed → open"):
        compare([first], stored("load/*/0004_*.json"))
    forced = compare([first], [second], force=True)
    assert "FOO→BAR to sender" in [compared.label for compared in forced.benchmarks]


def measured_now(old: Stored, clock: ReceivedClock) -> Stored:
    """Return what a run like an older one stores today, by this clock."""
    result = old.result
    if isinstance(result, LoadResult):
        operations = tuple(
            row.model_copy(update={"received_clock": clock if row.kind == "round trip" else row.received_clock})
            for row in result.operations
        )
        newer: Any = result.model_copy(update={"schema_": LOAD_SCHEMA, "operations": operations})
    else:
        benchmarks = tuple(
            benchmark.model_copy(update={"extra_info": benchmark.extra_info | {"received_clock": clock}})
            for benchmark in result.benchmarks
        )
        newer = result.model_copy(update={"benchmarks": benchmarks})
    return Stored(old.path.with_name("new.json"), newer)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("latency/*/0001_*.json", "received clock process → kernel; --process-clock measures with the process's clock"),
        ("load/*/0002_*.json", r"received clock process → kernel \(FOO→BAR to sender\); --process-clock measures with"),
    ],
)
def test_an_older_result_is_compared_with_a_new_one_of_the_process_s_clock_alone(pattern: str, said: str) -> None:
    (old,) = stored(pattern)
    with pytest.raises(IncomparableError, match=said):
        compare([old], [measured_now(old, "kernel")])
    assert not compare([old], [measured_now(old, "process")]).forced
    assert compare([old], [measured_now(old, "kernel")], force=True).forced
    assert not compare([measured_now(old, "kernel")], [replace(measured_now(old, "kernel"), path=old.path)]).forced


def test_all_are_followed_by_a_trend() -> None:
    left_out: list[str] = []
    found = all_results(RESULTS, KINDS, left_out.append)
    assert left_out == []
    assert [type(result) for result in found].count(LatencyResult) == 2
    series = trends(found, "p50").series
    assert all(line.judged == len(line.points) for line in series)
    latency = [line for line in series if line.benchmark == "foo_bar[event-websocket-fast-process-uvloop]"]
    assert [(line.unit, len(line.points)) for line in latency] == [("x control", 2)]
    load = [line for line in series if line.benchmark == "FOO→BAR to sender"]
    # The last is by the kernel's clock, and at another rate.
    models = [(dict(line.conditions)["model"], len(line.points)) for line in load]
    assert models == [("closed", 3), ("open", 1), ("open", 1)]
    assert [point.commit for point in load[0].points].count(COMMIT) == 2
