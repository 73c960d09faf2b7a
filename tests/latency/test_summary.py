"""The lines that a session prints after pytest-benchmark's table."""

import math
from typing import Any

from bench.latency.summary import summary
from bench.results.latency import LatencyBenchmark

STATS = {"min": 1e-4, "max": 2e-4, "mean": 1.5e-4, "median": 1.5e-4, "rounds": 10}
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


def test_a_row_for_each_benchmark_of_several_processes() -> None:
    lines = summary([replicated("a"), benchmark("old"), replicated("longer", bare=None)])
    assert [line.split("  ")[0] for line in lines if line.strip()] == ["", "a", "longer"]
    assert lines[2].split() == ["a", "2", "±", "2.1%", "1.095", "±", "12.9%", "3.000", "±", "0.0%", "71.26", "µs"]
    assert lines[3].split()[-3:] == ["-", "71.26", "µs"]
    assert len({len(line) for line in lines if line}) == 1


def test_spoilers_are_a_line_each_with_the_worst_case() -> None:
    lines = summary(
        [replicated("a", STEAL, GOVERNOR), replicated("b", MORE_STEAL, GOVERNOR), replicated("c", GOVERNOR)]
    )
    assert lines[-2:] == [
        "may have spoilt it, steal: the host took 5.0% (in 2 of 3 benchmarks)",
        "may have spoilt it, governor: the governor is powersave",
    ]


def test_what_illustrates_is_left_out() -> None:
    assert summary([benchmark("a", illustrative=True, spoilers=[STEAL])]) == []


def test_a_warm_up_that_came_to_its_limit_is_told_of() -> None:
    lines = summary([replicated("a", warm_up={"steady": False}), replicated("b", warm_up={"steady": True})])
    assert lines[-1] == "not steady when the measurement began, after the longest warm-up (in 1 of 2 benchmarks)"


def test_of_nothing_there_is_nothing_to_say() -> None:
    assert summary([]) == []


def test_replies_that_look_like_errors_are_said() -> None:
    lines = summary([benchmark("a", replies=1200, error_replies=1100), benchmark("b", replies=1200, error_replies=0)])
    assert lines == [
        "",
        "a: 1,100 of 1,200 replies carry an `error` key: they count as successes, unless a `check` refuses them",
    ]
