"""The lines that a session prints after pytest-benchmark's table: controls, processes, disturbances."""

from collections.abc import Sequence

from bench.report.formats.text import text_lines
from bench.report.latency import processes_document
from bench.results.latency import LatencyBenchmark


def summary(benchmarks: Sequence[LatencyBenchmark]) -> list[str]:
    """Return a row for each benchmark of several processes, and below them a line for each disturbance."""
    lines = [line.text for line in text_lines(processes_document(benchmarks))]
    while lines and not lines[-1]:
        lines.pop()
    return ["", *lines] if lines else []
