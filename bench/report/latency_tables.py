"""The tables of latency figures: times, and ratios to the controls, within 80 columns.

Rules of this file: benchmarks of a scenario and transport stand below a heading, so that a row needs the words of its
case alone. Benchmarks with the server in the client's own loop illustrate a cost. They have their times, and are left
out of all that compares.
"""

from collections.abc import Iterator, Sequence

from bench.report.document import Column, Row, Table
from bench.report.formatting import UNKNOWN, count, durations
from bench.report.percentiles import marked
from bench.report.shapes import shapes_of
from bench.results.figure import Figure, exact
from bench.results.latency import ControlKind, LatencyBenchmark

_US_PER_S = 1e6


def compared(benchmarks: Sequence[LatencyBenchmark]) -> list[LatencyBenchmark]:
    """Return the benchmarks that compare: those that do not only illustrate."""
    return [benchmark for benchmark in benchmarks if not benchmark.is_illustrative]


def times_tables(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Table]:
    """Yield the table of times: percentiles, the longest, the number of round trips, and the server's CPU time."""
    columns: list[tuple[str, list[Figure | None]]] = [
        ("p50", [Figure(benchmark.stats.median * _US_PER_S) for benchmark in benchmarks]),
        ("p99", [exact(benchmark.p99_us) for benchmark in benchmarks]),
        ("max", [Figure(benchmark.stats.max * _US_PER_S) for benchmark in benchmarks]),
    ]
    times = dict(zip((title for title, _ in columns), (durations(values) for _, values in columns), strict=True))
    times["p99"] = marked(times["p99"], [benchmark.is_p99_longest for benchmark in benchmarks])
    cpu = durations([exact(benchmark.server_cpu_us_per_round_trip) for benchmark in benchmarks])
    rounds = [count(benchmark.stats.rounds) for benchmark in benchmarks]
    rows = [
        _row(benchmark, cells)
        for benchmark, cells in zip(benchmarks, zip(*times.values(), rounds, cpu, strict=True), strict=True)
    ]
    if rows:
        titles = (*times, "rounds", "server CPU")
        shapes = shapes_of("round trips", _histograms(benchmarks))
        yield Table((Column("round trip", "name"), *map(Column, titles)), _together(rows), shapes=shapes, leads=True)


def _histograms(benchmarks: Sequence[LatencyBenchmark]) -> list[tuple[str, str, str | None]]:
    """Return the histograms, each with its heading and the rest of its name, in the order of the rows of tables."""
    found = [(*_split(benchmark), benchmark.histogram) for benchmark in benchmarks]
    headings = list(dict.fromkeys(heading for heading, _, _ in found))
    return sorted(found, key=lambda row: headings.index(row[0]))


def other_times_tables(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Table]:
    """Yield the table of the shortest time and the mean, with the rows of the table of times."""
    shortest = durations([Figure(benchmark.stats.min * _US_PER_S) for benchmark in benchmarks])
    means = durations([Figure(benchmark.stats.mean * _US_PER_S) for benchmark in benchmarks])
    rows = [
        _row(benchmark, cells) for benchmark, cells in zip(benchmarks, zip(shortest, means, strict=True), strict=True)
    ]
    if rows:
        yield Table((Column("round trip", "name"), Column("min"), Column("mean")), _together(rows), extends=True)


def ratio_tables(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Table]:
    """Yield the table of the benchmarks that had several server processes, if there is such a benchmark.

    Ratios are the geometric mean over the processes, ± the standard deviation from one process to the next.
    """
    rows = []
    for benchmark in compared(benchmarks):
        between = benchmark.between_processes
        if not benchmark.processes or between is None:
            continue
        spread = UNKNOWN if between.median_cv is None else f"± {between.median_cv:.1%}"
        ratios = (_ratio(benchmark, "same-stack"), _ratio(benchmark, "bare"))
        rows.append(_row(benchmark, (str(len(benchmark.processes)), spread, *ratios)))
    if rows:
        titles = ("processes", "medians", "to control", "to bare echo")
        yield Table((Column("ratio to controls", "name"), *map(Column, titles)), _together(rows), leads=True)


def scenario_of(benchmark: LatencyBenchmark) -> str:
    """Return the name of a benchmark without its case; an empty text if it has no case."""
    scenario, has_case, _ = benchmark.name.partition("[")
    return scenario if has_case else ""


def _ratio(benchmark: LatencyBenchmark, kind: ControlKind) -> str:
    """Return the ratio to a control, with its deviation from process to process."""
    found, between = benchmark.ratio_to(kind), benchmark.between_processes
    spread = between.log_ratio_sd[kind] if between is not None else None
    if found is None:
        return UNKNOWN
    return f"{found:.3f}" if spread is None else f"{found:.3f} ± {spread:.1%}"


def _row(benchmark: LatencyBenchmark, cells: Sequence[str]) -> Row:
    heading, case = _split(benchmark)
    return Row((case, *cells), group=heading)


def _split(benchmark: LatencyBenchmark) -> tuple[str, str]:
    """Return the heading of a benchmark and the rest of its name: `say[websocket-…]` and `process-uvloop`."""
    scenario, has_case, case = benchmark.name.partition("[")
    if not has_case:
        return "", benchmark.name
    words = case.removesuffix("]").split("-")
    transport = benchmark.details.transport
    number = words.index(transport) + 1 if transport in words[:-1] else 0
    shared = "-".join(words[:number])
    return f"{scenario}[{shared}-…]" if shared else scenario, "-".join(words[number:])


def _together(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the rows of each heading one after the other, in the order in which the headings first come."""
    headings = list(dict.fromkeys(row.group for row in rows))
    return tuple(sorted(rows, key=lambda row: headings.index(row.group)))
