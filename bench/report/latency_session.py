"""The end of a session of `pytest bench` as a document: within 100 columns, with the figures that count below.

Rules of this file: benchmarks of a scenario stand below its name, so that a row needs the words of its case alone. The
figures below are those of the client that costs least, in the fastest loop: they show most of the server.
"""

from collections.abc import Iterator, Sequence

from bench.report.document import Column, Document, Line, Row, Table
from bench.report.formatting import UNKNOWN, count, duration, durations
from bench.report.latency import compared, notes, ratio
from bench.results.figure import Figure, exact
from bench.results.latency import LatencyBenchmark

#: The number of scenarios that have a line of their own below the tables.
_MOST_SCENARIOS = 5

_US_PER_S = 1e6


def session_document(benchmarks: Sequence[LatencyBenchmark]) -> Document:
    """Return the document of what a session has measured: times, controls and processes, and what may be spoilt."""
    return Document(
        kind="latency",
        title="latency",
        tables=(*_times(benchmarks), *_processes(benchmarks)),
        notes=tuple(notes(benchmarks)),
    )


def session_headline(benchmarks: Sequence[LatencyBenchmark]) -> list[Line]:
    """Return a line for each scenario: median, p99, and the CPU time that a round trip takes the server."""
    best: dict[str, LatencyBenchmark] = {}
    for benchmark in benchmarks:
        scenario, _ = _split(benchmark.name)
        if scenario not in best or _rank(benchmark) > _rank(best[scenario]):
            best[scenario] = benchmark
    return [Line(_figures(benchmark), "heading") for benchmark in list(best.values())[:_MOST_SCENARIOS]]


def _figures(benchmark: LatencyBenchmark) -> str:
    parts = [f"p50 {duration(Figure(benchmark.stats.median * _US_PER_S))}"]
    if benchmark.p99_us is not None:
        parts.append(f"p99 {duration(Figure(benchmark.p99_us))}")
    cpu_us = benchmark.server_cpu_us_per_round_trip
    if cpu_us is not None:
        parts.append(f"server CPU {duration(Figure(cpu_us))} a round trip")
    return f"{benchmark.name}: {', '.join(parts)}"


def _rank(benchmark: LatencyBenchmark) -> tuple[bool, ...]:
    """Return a key by which the benchmark that shows most of the server is the greatest; the first of equals counts."""
    details = benchmark.details
    return (
        not benchmark.is_illustrative,
        details.transport == "websocket",
        details.client == "FastClient",
        details.loop == "uvloop",
    )


def _split(name: str) -> tuple[str, str]:
    """Return the scenario and the case of a benchmark's name."""
    scenario, found, case = name.partition("[")
    return (scenario, case.removesuffix("]")) if found else ("", name)


def _times(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Table]:
    columns: list[tuple[str, list[Figure | None]]] = [
        ("p50", [Figure(benchmark.stats.median * _US_PER_S) for benchmark in benchmarks]),
        ("p99", [exact(benchmark.p99_us) for benchmark in benchmarks]),
        ("max", [Figure(benchmark.stats.max * _US_PER_S) for benchmark in benchmarks]),
    ]
    times = [durations(values) for _, values in columns]
    cpu = durations([exact(benchmark.server_cpu_us_per_round_trip) for benchmark in benchmarks])
    rounds = [count(benchmark.stats.rounds) for benchmark in benchmarks]
    rows = [
        Row((_split(benchmark.name)[1], *cells), group=_split(benchmark.name)[0])
        for benchmark, cells in zip(benchmarks, zip(*times, rounds, cpu, strict=True), strict=True)
    ]
    if rows:
        titles = (*(title for title, _ in columns), "rounds", "server CPU")
        yield Table((Column("round trip", "name"), *map(Column, titles)), _together(rows))


def _processes(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Table]:
    """Yield the figures of the benchmarks that had several server processes.

    Ratios are the geometric mean over the processes, ± the standard deviation from one process to the next.
    """
    rows = []
    for benchmark in compared(benchmarks):
        between = benchmark.between_processes
        if not benchmark.processes or between is None:
            continue
        scenario, case = _split(benchmark.name)
        spread = UNKNOWN if between.median_cv is None else f"± {between.median_cv:.1%}"
        ratios = (ratio(benchmark, "same-stack"), ratio(benchmark, "bare"))
        rows.append(Row((case, str(len(benchmark.processes)), spread, *ratios), group=scenario))
    if rows:
        titles = ("processes", "medians", "to control", "to bare echo")
        yield Table((Column("ratio to controls", "name"), *map(Column, titles)), _together(rows))


def _together(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the rows of each scenario one after the other, in the order in which the scenarios first come."""
    scenarios = list(dict.fromkeys(row.group for row in rows))
    return tuple(sorted(rows, key=lambda row: scenarios.index(row.group)))
