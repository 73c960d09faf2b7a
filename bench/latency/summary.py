"""The lines that a session ends with: times, controls, processes and disturbances; then the figures that count."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench.printable import printable
from bench.report.document import Line
from bench.report.formats.text import text_lines
from bench.report.latency_session import session_document, session_headline
from bench.report.next_command import Place, next_command, page_line
from bench.results.latency import LatencyBenchmark, LatencyResult
from bench.results.receiving import ReceivedClock
from bench.results.store import Result


def summary(benchmarks: Sequence[LatencyBenchmark]) -> list[Line]:
    """Return the tables, and below them a line for each disturbance, for the standard output that Python began with."""
    encoding = getattr(sys.__stdout__, "encoding", None) or "utf-8"
    lines = list(text_lines(session_document(benchmarks), encoding=encoding))
    while lines and not lines[-1].text:
        lines.pop()
    return [Line(""), *lines] if lines else []


def ending(benchmarks: Sequence[LatencyBenchmark], stored: Path | None, report: Path | None = None) -> list[Line]:
    """Return the last lines: the figures that count, where they and their page are, and the next command."""
    if not benchmarks:
        return []
    lines = [Line(""), *session_headline(benchmarks)]
    if stored is not None:
        place = Place.here()
        lines.append(Line(printable(f"stored in {place.shortened(stored)}")))
        lines.append(Line(printable(next_command(stored, partial(_is_like, benchmarks), place))))
        lines.append(Line(printable(page_line(stored, report, place))))
    return lines


def _is_like(benchmarks: Sequence[LatencyBenchmark], earlier: Result) -> bool:
    """Return true if a result has any of these benchmarks, of the same service, and all of them by the same clock."""
    if not isinstance(earlier, LatencyResult):
        return False
    before, now = _measured(earlier.benchmarks), _measured(benchmarks)
    common = before.keys() & now.keys()
    return bool(common) and all(before[key] == now[key] for key in common)


def _measured(benchmarks: Sequence[LatencyBenchmark]) -> dict[tuple[str, str | None], ReceivedClock]:
    """Return the receive clocks of benchmarks, by their full names and services."""
    return {(benchmark.fullname, benchmark.details.service): benchmark.details.clock for benchmark in benchmarks}
