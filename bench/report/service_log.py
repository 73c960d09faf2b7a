"""The log of a service as a table: folded where there is room, else a line that says how to see it."""

from collections.abc import Iterator

from bench.report.document import Column, Row, Table
from bench.report.formatting import count, counted
from bench.results.service_log import LogLine, ServiceLog


def service_log_tables(log: ServiceLog | None, service: str = "the service") -> Iterator[Table]:
    """Yield the lines that a service wrote during the run, if it wrote any. `service` is what it is called."""
    if log is None:
        return
    gap = [Row(("…", f"{counted(log.left_out, 'line')} left out"), is_detail=True)] if log.left_out else []
    wrote = f"{service} wrote {counted(log.lines, 'line')} during the run"
    kept = f" the first {count(len(log.first))} and the last {count(len(log.last))}" if log.left_out else " them"
    yield Table(
        columns=(Column("second of the run", "name"), Column(f"{service} wrote", "text")),
        rows=(*map(_row, log.first), *gap, *map(_row, log.last)),
        details=wrote,
        brief=f"{wrote}: bench report shows{kept}",
    )


def _row(line: LogLine) -> Row:
    return Row((f"{line.t:.1f}", line.text), is_detail=True)
