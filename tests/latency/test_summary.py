"""The lines that a session ends with."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench.latency.summary import ending, summary
from bench.results.latency import LatencyBenchmark

STATS = {"min": 1e-4, "max": 2e-4, "mean": 1.5e-4, "median": 1.5e-4, "rounds": 100}
STEAL = {"kind": "steal", "text": "the host took 2.0%", "value": 0.02}
MORE_STEAL = {"kind": "steal", "text": "the host took 5.0%", "value": 0.05}
GOVERNOR = {"kind": "governor", "text": "the governor is powersave", "value": None}


def process(log_ratio: float, bare: float | None) -> dict[str, Any]:
    return {
        "median_us": 150,
        "p99_us": 190,
        "rounds": 5,
        "server_cpu_us_per_round_trip": 70,
        "hash_seed": 1,
        "environment_bytes": 2,
        "warm_up_round_trips": 200,
        "steady": True,
        "control": None,
        "log_ratio": {"same-stack": log_ratio, "bare": bare},
        "pairs": {"same-stack": 8, "bare": 4},
    }


def benchmark(name: str, **extra_info: Any) -> LatencyBenchmark:
    return LatencyBenchmark.model_validate({"name": name, "fullname": name, "stats": STATS, "extra_info": extra_info})


def replicated(name: str, *spoilers: dict[str, Any], bare: float | None = math.log(3), **more: Any) -> LatencyBenchmark:
    return benchmark(
        name,
        processes=[process(math.log(1.2), bare), process(math.log(1.0), bare)],
        between_processes={"median_cv": 0.021, "log_ratio_sd": {"same-stack": 0.129, "bare": bare and 0.0}},
        server_cpu_us_per_round_trip=71.26,
        spoilers=spoilers,
        **more,
    )


def texts(*benchmarks: LatencyBenchmark) -> list[str]:
    return [line.text for line in summary(benchmarks)]


def test_times_of_all_and_ratios_of_those_of_several_processes() -> None:
    lines = texts(
        replicated("foo[a]", p99_us=190.0),
        benchmark("bar[old]", illustrative=True),
        replicated("foo[longer]", bare=None),
    )
    assert [" ".join(line.split()) for line in lines] == [
        "",
        "round trip p50 p99 max rounds server CPU",
        "foo",
        "a 150.0 µs 190.0 µs 200.0 µs 100 71.26 µs",
        "longer 150.0 µs - 200.0 µs 100 71.26 µs",
        "bar",
        "old 150.0 µs - 200.0 µs 100 -",
        "",
        "ratio to controls processes medians to control to bare echo",
        "foo",
        "a 2 ± 2.1% 1.095 ± 12.9% 3.000 ± 0.0%",
        "longer 2 ± 2.1% 1.095 ± 12.9% -",
    ]


def test_it_fits_80_columns() -> None:
    """The longest name that there is, with longer figures than are usual."""
    name = "foo_bar[acknowledged-websocket-fast-process-asyncio]"
    slow = replicated(name, p99_us=123_456.0, transport="websocket")
    slow = slow.model_copy(update={"stats": slow.stats.model_copy(update={"max": 1.23, "rounds": 123_456})})
    found = texts(slow, replicated("foo_bar[a]"))
    assert max(map(len, found)) <= 80, found
    assert [line for line in found if "fast" in line] == [line for line in found if line.startswith("  fast-process-a")]


def test_the_p99_of_few_is_their_maximum() -> None:
    few = benchmark("say[uvloop]", p99_us=200.0)
    few = few.model_copy(update={"stats": few.stats.model_copy(update={"rounds": 99})})
    assert texts(few)[3].split() == ["uvloop", "150.0", "µs", "max", "200.0", "µs", "99", "-"]
    assert [line.text for line in ending([few], None)] == ["", "say[uvloop]: p50 150.0 µs, max 200.0 µs"]
    enough = benchmark("say[uvloop]", p99_us=190.0)
    assert texts(enough)[3].split()[3:5] == ["190.0", "µs"]


NAMES = (
    "event-websocket-process-uvloop",
    "event-websocket-fast-process-asyncio",
    "event-websocket-fast-process-uvloop",
)
DETAILS = (("AsyncClient", "uvloop"), ("FastClient", "asyncio"), ("FastClient", "uvloop"))


def measured(scenario: str, service: str = "chat:app") -> list[LatencyBenchmark]:
    return [
        benchmark(
            f"{scenario}[{name}]",
            client=client,
            loop=loop,
            transport="websocket",
            service=service,
            p99_us=5181.0,
            server_cpu_us_per_round_trip=96.12,
        )
        for name, (client, loop) in zip(NAMES, DETAILS, strict=True)
    ]


def store(path: Path, benchmarks: list[LatencyBenchmark]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "machine_info": {},
        "commit_info": {"id": "a" * 40, "time": None, "dirty": False},
        "datetime": "2026-01-01T00:00:00+00:00",
        "version": "5.1.0",
        "benchmarks": [each.model_dump(mode="json", exclude_none=True) for each in benchmarks],
    }
    path.write_text(json.dumps(content))
    return path


def test_the_end_has_the_figures_that_count_and_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "latency" / "machine"
    # Of another service, and damaged: nothing to compare with.
    store(folder / "0001_a.json", measured("say", service="other:app"))
    (folder / "0002_b.json").write_text("{")
    first = store(folder / "0003_c.json", measured("say"))
    second = store(folder / "0005_d.json", measured("say"))
    figures = ": p50 150.0 µs, p99 5.181 ms, server CPU 96.12 µs a round trip"

    def said(*arguments: Any) -> list[str]:
        return [line.text for line in ending(*arguments)]

    assert said([*measured("say"), *measured("join")], second) == [
        "",
        f"say[{NAMES[2]}]{figures}",
        f"join[{NAMES[2]}]{figures}",
        "stored in results/latency/machine/0005_d.json",
        "next: bench compare latency/3 latency/5",
        "page: bench report latency/5",
    ]
    assert said(measured("say"), second, tmp_path / "a.html")[-1] == "page in a.html"
    *_, last, _ = said(measured("say"), first)
    assert last == "next: change the service, measure again, and compare: bench compare latency/3 latency/latest"
    # Elsewhere a result has no short name.
    elsewhere = [store(tmp_path / "other" / name, measured("say")) for name in ("0001_a.json", "0002_b.json")]
    assert said(measured("say"), elsewhere[1])[-2:] == [
        "next: bench compare other/0001_a.json other/0002_b.json",
        "page: bench report other/0002_b.json",
    ]
    assert said(measured("say"), None) == ["", f"say[{NAMES[2]}]{figures}"]
    assert said([], second) == []


def test_spoilers_are_a_line_each_with_the_worst_case() -> None:
    lines = texts(replicated("a", STEAL, GOVERNOR), replicated("b", MORE_STEAL, GOVERNOR), replicated("c", GOVERNOR))
    assert lines[-2:] == [
        "may have spoilt it, steal: the host took 5.0% (in 2 of 3 benchmarks)",
        "may have spoilt it, governor: the governor is powersave",
    ]


def test_what_spoils_an_illustration_is_left_out() -> None:
    assert "spoilt" not in "".join(texts(benchmark("a", illustrative=True, spoilers=[STEAL])))


def test_a_warm_up_that_came_to_its_limit_is_told_of() -> None:
    lines = texts(replicated("a", warm_up={"steady": False}), replicated("b", warm_up={"steady": True}))
    assert lines[-1] == "not steady when the measurement began, after the longest warm-up (in 1 of 2 benchmarks)"


def test_of_nothing_there_is_nothing_to_say() -> None:
    assert texts() == []


def test_replies_that_look_like_errors_are_said() -> None:
    lines = texts(benchmark("a", replies=1200, error_replies=1100), benchmark("b", replies=1200, error_replies=0))
    assert lines[-1:] == [
        "a: 1,100 of 1,200 replies carry an `error` key: they count as successes, unless a `check` refuses them",
    ]
