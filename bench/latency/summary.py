"""What a session says after pytest-benchmark's table, of what that does not show: controls, processes, spoilers.

Rules of this file: stored benchmarks in, lines out. Those with the server in the client's own loop illustrate, and are
left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.machine.disturbances import Spoiler
from bench.results.latency import ControlKind, LatencyBenchmark

_HEADINGS = ("server processes", "their medians", "ratio to control", "to bare echo", "server CPU")


def summary(benchmarks: Sequence[LatencyBenchmark]) -> list[str]:
    """A row for each benchmark of several processes; below, a line for each thing that may have spoilt one."""
    compared = [benchmark for benchmark in benchmarks if not benchmark.is_illustrative]
    rows = [row for benchmark in compared if (row := _row(benchmark)) is not None]
    return [*_aligned(rows), *_error_replies(benchmarks), *_unsteady(compared), *_spoilers(compared)]


def _row(benchmark: LatencyBenchmark) -> tuple[str, ...] | None:
    """Ratios are the geometric mean over the processes, ± the standard deviation from one process to the next."""
    processes, between = benchmark.processes, benchmark.between_processes
    if not processes or between is None:
        return None
    cpu_us = benchmark.server_cpu_us_per_round_trip
    return (
        benchmark.name,
        str(len(processes)),
        "-" if between.median_cv is None else f"± {between.median_cv:.1%}",
        _ratio(benchmark, "same-stack"),
        _ratio(benchmark, "bare"),
        "-" if cpu_us is None else f"{cpu_us:.1f} µs",
    )


def _ratio(benchmark: LatencyBenchmark, kind: ControlKind) -> str:
    ratio, between = benchmark.ratio_to(kind), benchmark.between_processes
    spread = between.log_ratio_sd[kind] if between is not None else None
    if ratio is None:
        return "-"
    return f"{ratio:.3f}" if spread is None else f"{ratio:.3f} ± {spread:.1%}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    table = [("", *_HEADINGS), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    yield ""
    for name, *cells in table:
        yield "  ".join(
            [name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))]
        )


def _error_replies(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[str]:
    for benchmark in benchmarks:
        if errors := benchmark.extra_info.get("error_replies"):
            yield ""
            replies = f"{errors:,} of {benchmark.extra_info.get('replies', errors):,} replies"
            yield f"{benchmark.name}: {replies} carry an `error` key: they count as successes"


def _unsteady(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[str]:
    unsteady = [
        benchmark for benchmark in benchmarks if not (benchmark.extra_info.get("warm_up") or {}).get("steady", True)
    ]
    if unsteady:
        yield ""
        yield f"not steady when the measurement began, after the longest warm-up{_of(len(unsteady), len(benchmarks))}"


def _spoilers(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[str]:
    """One line a kind, with the words of the worst case."""
    found: dict[str, list[Spoiler]] = {}
    for benchmark in benchmarks:
        for spoiler in benchmark.spoilers:
            found.setdefault(spoiler.kind, []).append(spoiler)
    if found:
        yield ""
    for kind, cases in found.items():
        worst = max(cases, key=lambda case: case.value or 0)
        yield f"may have spoilt it, {kind}: {worst.text}{_of(len(cases), len(benchmarks))}"


def _of(count: int, total: int) -> str:
    return "" if count == total else f" (in {count} of {total} benchmarks)"
