"""A latency result as a document: times, controls, server processes and what may have spoilt them.

Rules of this file: benchmarks with the server in the client's own loop illustrate a cost. They have their times, and
are left out of all that compares.
"""

from collections.abc import Iterator, Mapping, Sequence

from bench.machine.disturbances import Disturbance
from bench.report.document import Column, Document, Line, Note, Row, Table
from bench.report.formatting import UNKNOWN, count, counted, durations, short_commit
from bench.report.receive_times import receive_notes, together
from bench.results.figure import exact
from bench.results.latency import ControlKind, LatencyBenchmark, LatencyResult

_US_PER_S = 1e6
_TIMES = ("min", "p50", "mean", "p99", "max")


def latency_document(result: LatencyResult) -> Document:
    """Return the document of a result: the times of every benchmark, then its processes and controls."""
    columns = (*_TIMES, "rounds")
    times = Table((Column("round trip", "name"), *map(Column, columns)), _times(result.benchmarks))
    illustrative = [benchmark.name for benchmark in result.benchmarks if benchmark.is_illustrative]
    illustrated = [Note(f"the server was in the client's own loop, to illustrate: {', '.join(illustrative)}")]
    return Document(
        kind="latency",
        title="latency",
        headline=Line(_headline(result)),
        tables=(times, *_process_tables(result.benchmarks)),
        notes=(*(illustrated if illustrative else ()), *notes(result.benchmarks)),
    )


def _headline(result: LatencyResult) -> str:
    services = dict.fromkeys(benchmark.details.service for benchmark in result.benchmarks)
    of = ", ".join(service for service in services if service) or "a service"
    commit = short_commit(result.commit_info.id) + (" + changes" if result.commit_info.dirty else "")
    number = counted(len(result.benchmarks), "benchmark")
    return f"latency of {of} at {commit}: {number}, measured {result.datetime:%Y-%m-%d %H:%M:%S %Z}"


def _times(benchmarks: Sequence[LatencyBenchmark]) -> tuple[Row, ...]:
    columns = [durations([exact(_times_us(benchmark)[name]) for benchmark in benchmarks]) for name in _TIMES]
    return tuple(
        Row((benchmark.name, *cells, count(benchmark.stats.rounds)))
        for benchmark, *cells in zip(benchmarks, *columns, strict=True)
    )


def _times_us(benchmark: LatencyBenchmark) -> Mapping[str, float | None]:
    stats = benchmark.stats
    return {
        "min": stats.min * _US_PER_S,
        "p50": stats.median * _US_PER_S,
        "mean": stats.mean * _US_PER_S,
        "p99": benchmark.p99_us,
        "max": stats.max * _US_PER_S,
    }


def _process_tables(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Table]:
    """Yield a table of the benchmarks that had several server processes, if there is such a benchmark.

    Ratios are the geometric mean over the processes, ± the standard deviation from one process to the next.
    """
    columns = ("server processes", "their medians", "ratio to control", "to bare echo", "server CPU")
    comparing = compared(benchmarks)
    of_the_server = durations([exact(benchmark.server_cpu_us_per_round_trip) for benchmark in comparing])
    found = (_processes(benchmark, cpu) for benchmark, cpu in zip(comparing, of_the_server, strict=True))
    rows = tuple(row for row in found if row is not None)
    if rows:
        yield Table((Column("", "name"), *map(Column, columns)), rows)


def compared(benchmarks: Sequence[LatencyBenchmark]) -> list[LatencyBenchmark]:
    """Return the benchmarks that compare: those that do not only illustrate."""
    return [benchmark for benchmark in benchmarks if not benchmark.is_illustrative]


def _processes(benchmark: LatencyBenchmark, server_cpu: str) -> Row | None:
    processes, between = benchmark.processes, benchmark.between_processes
    if not processes or between is None:
        return None
    cells = (
        benchmark.name,
        str(len(processes)),
        UNKNOWN if between.median_cv is None else f"± {between.median_cv:.1%}",
        ratio(benchmark, "same-stack"),
        ratio(benchmark, "bare"),
        server_cpu,
    )
    return Row(cells)


def ratio(benchmark: LatencyBenchmark, kind: ControlKind) -> str:
    """Return the ratio to a control, with its deviation from process to process."""
    found, between = benchmark.ratio_to(kind), benchmark.between_processes
    spread = between.log_ratio_sd[kind] if between is not None else None
    if found is None:
        return UNKNOWN
    return f"{found:.3f}" if spread is None else f"{found:.3f} ± {spread:.1%}"


def notes(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Note]:
    """Yield what limits the meaning of the figures."""
    yield from _error_replies(benchmarks)
    yield from _receive_times(benchmarks)
    yield from _unsteady(compared(benchmarks))
    yield from _spoilers(compared(benchmarks))


def _error_replies(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Note]:
    for benchmark in benchmarks:
        details = benchmark.details
        if errors := details.error_replies:
            replies = f"{errors:,} of {details.replies or errors:,} replies"
            hint = "they count as successes, unless a `check` refuses them"
            yield Note(f"{benchmark.name}: {replies} carry an `error` key: {hint}", "warning", apart=True)


def _receive_times(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Note]:
    """Yield whose clock told when replies were received."""
    rows = [
        (f"{details.client} over {details.transport}", details.receiving)
        for details in (benchmark.details for benchmark in benchmarks)
        if details.receiving is not None
    ]
    clocks = [benchmark.details.receive_clock for benchmark in benchmarks if benchmark.details.receive_clock]
    yield from receive_notes(rows, together(clocks))


def _unsteady(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Note]:
    warm_ups = [benchmark.details.warm_up for benchmark in benchmarks]
    unsteady = sum(warm_up is not None and not warm_up.steady for warm_up in warm_ups)
    if unsteady:
        text = "not steady when the measurement began, after the longest warm-up"
        yield Note(f"{text}{_of(unsteady, len(benchmarks))}", "warning", apart=True)


def _spoilers(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Note]:
    """Yield a line for each kind, with the words of the worst case."""
    found: dict[str, list[Disturbance]] = {}
    for benchmark in benchmarks:
        for spoiler in benchmark.spoilers:
            found.setdefault(spoiler.kind, []).append(spoiler)
    for number, (kind, cases) in enumerate(found.items()):
        worst = max(cases, key=lambda case: case.value or 0)
        text = f"may have spoilt it, {kind}: {worst.text}{_of(len(cases), len(benchmarks))}"
        yield Note(text, "warning", apart=number == 0)


def _of(number: int, total: int) -> str:
    return "" if number == total else f" (in {number} of {total} benchmarks)"
