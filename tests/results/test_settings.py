"""The settings of a result: read in one place, for comparisons and for trends."""

from pathlib import Path

import pytest

from bench.results.latency import LatencyBenchmark, LatencyResult
from bench.results.load import LoadResult
from bench.results.settings import LATENCY_SETTINGS, LOAD_SETTINGS, Setting, series_of, values_of
from bench.results.store import load

RESULTS = Path(__file__).parent.parent / "data" / "results"


@pytest.fixture
def benchmark_of_latency() -> LatencyBenchmark:
    result = load(next(RESULTS.glob("latency/*/0001_*.json")))
    assert isinstance(result, LatencyResult)
    return next(
        benchmark for benchmark in result.benchmarks if benchmark.name == "foo_bar[event-websocket-fast-process-uvloop]"
    )


@pytest.fixture
def open_load() -> LoadResult:
    result = load(next(RESULTS.glob("load/*/0004_*.json")))
    assert isinstance(result, LoadResult)
    return result


def changed(benchmark: LatencyBenchmark, **extra_info: object) -> LatencyBenchmark:
    return benchmark.model_copy(update={"extra_info": benchmark.extra_info | extra_info})


def test_latency(benchmark_of_latency: LatencyBenchmark) -> None:
    assert values_of(LATENCY_SETTINGS, benchmark_of_latency, "void") == {
        "service": "app.main:app",
        "event": "FOO",
        "reply": "BAR",
        "definition of the scenario": "none",
        "payload": "none",
        "matched by": "token",
        "client": "FastClient",
        "transport": "websocket",
        "trace context": "none",
        "server": "process",
        "loop": "uvloop",
        "http": "httptools",
        "ws": "websockets-sansio",
        "server pinned": True,
        "generator cores": 1,
        "cores": "awake",
        "received clock": "process",
    }
    assert values_of(LATENCY_SETTINGS, benchmark_of_latency, "said") == {
        "server core": 1,
        "reply timeout s": 5.0,
        "scenarios file": "none",
    }
    control = benchmark_of_latency.controls["same-stack"]
    assert control is not None
    assert control.sha256 is not None
    series = dict(series_of(LATENCY_SETTINGS, benchmark_of_latency))
    assert (series["matched_by"], series["cores"], series["control"]) == ("token", "awake", control.sha256[:12])


def test_an_older_result_tells_less(benchmark_of_latency: LatencyBenchmark) -> None:
    older = benchmark_of_latency.model_copy(update={"extra_info": {"loop": "uvloop"}})
    assert series_of(LATENCY_SETTINGS, older) == (("loop", "uvloop"), ("received clock", "process"))
    values = values_of(LATENCY_SETTINGS, older, "void")
    assert (values["loop"], values["service"], values["cores"]) == ("uvloop", "none", "unknown")


def test_another_core_is_no_other_series(benchmark_of_latency: LatencyBenchmark) -> None:
    other = changed(benchmark_of_latency, server_core=0)
    assert series_of(LATENCY_SETTINGS, other) == series_of(LATENCY_SETTINGS, benchmark_of_latency)
    assert values_of(LATENCY_SETTINGS, other, "void") == values_of(LATENCY_SETTINGS, benchmark_of_latency, "void")
    assert values_of(LATENCY_SETTINGS, other, "said")["server core"] == 0


def test_load(open_load: LoadResult) -> None:
    values = values_of(LOAD_SETTINGS, open_load, "void")
    assert (values["users"], values["rate"], values["url"]) == ("5", "100:3s,300:3s", "none")  # the server was ours
    assert values_of(LOAD_SETTINGS, open_load, "said")["generator processes"] == 1
    series = dict(series_of(LOAD_SETTINGS, open_load))
    assert (series["rate per s"], series["generator processes"]) == ("200.0", "1")
    assert "server pinned" not in series


@pytest.mark.parametrize("settings", [LATENCY_SETTINGS, LOAD_SETTINGS])
def test_every_setting_has_a_name_of_its_own(settings: tuple[Setting[object], ...]) -> None:
    for names in ([setting.name for setting in settings], [setting.in_title or setting.name for setting in settings]):
        assert len(set(names)) == len(names)


def test_other_payloads_are_other_work(benchmark_of_latency: LatencyBenchmark) -> None:
    short, long = (changed(benchmark_of_latency, payload_sha256=digest) for digest in ("5" * 64, "6" * 64))
    values = [values_of(LATENCY_SETTINGS, each, "void")["payload"] for each in (short, long)]
    assert values == ["5" * 12, "6" * 12]
    assert dict(series_of(LATENCY_SETTINGS, long))["payload"] == "6" * 12
