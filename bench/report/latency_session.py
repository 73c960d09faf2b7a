"""The end of a session of `pytest bench` as a document: its tables, and the figures that count below.

Rules of this file: the figures below are those of the client that costs least, in the fastest loop: they show most of
the server.
"""

from collections.abc import Sequence

from bench.report.document import Document, Line
from bench.report.formatting import duration
from bench.report.latency import latency_answer, notes, objectives_of
from bench.report.latency_failures import failed_in_words, failure_notes, failure_tables
from bench.report.latency_tables import ratio_tables, scenario_of, times_tables
from bench.report.percentiles import named
from bench.results.figure import Figure
from bench.results.latency import FailedBenchmark, LatencyBenchmark

#: The number of scenarios that have a line of their own below the tables.
_MOST_SCENARIOS = 5

_US_PER_S = 1e6


def session_document(benchmarks: Sequence[LatencyBenchmark], failures: Sequence[FailedBenchmark] = ()) -> Document:
    """Return the document of what a session has measured: times, controls and processes, and what may be spoilt.

    `failures` are the benchmarks that failed, for formats that do not stand beside pytest's own words.
    """
    return Document(
        kind="latency",
        title="latency",
        tables=(
            *failure_tables(failures),
            *objectives_of(benchmarks),
            *times_tables(benchmarks),
            *ratio_tables(benchmarks),
        ),
        headline=Line(failed_in_words(failures), "wrong") if failures else None,
        notes=(*failure_notes(failures), *notes(benchmarks)),
        faults=(failed_in_words(failures),) if failures else (),
    )


def session_headline(benchmarks: Sequence[LatencyBenchmark]) -> list[Line]:
    """Return the answer of the objectives, and a line for each scenario with the figures that count.

    These are the median, the p99, and the CPU time that a round trip takes the server.
    """
    best: dict[str, LatencyBenchmark] = {}
    for benchmark in benchmarks:
        scenario = scenario_of(benchmark)
        if scenario not in best or _rank(benchmark) > _rank(best[scenario]):
            best[scenario] = benchmark
    lines = [Line(_figures(benchmark), "heading") for benchmark in list(best.values())[:_MOST_SCENARIOS]]
    answered = latency_answer(benchmarks)
    return lines if answered is None else [answered, *lines]


def _figures(benchmark: LatencyBenchmark) -> str:
    parts = [f"p50 {duration(Figure(benchmark.stats.median * _US_PER_S))}"]
    if benchmark.p99_us is not None:
        parts.append(f"{named('p99', benchmark.is_p99_longest)} {duration(Figure(benchmark.p99_us))}")
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
