"""The log of a service as a table: folded where there is room, else a line that says how to see it."""

from collections.abc import Iterator

from bench.report.document import Column, Row, Table
from bench.report.formatting import LONG_RUN_S, count, counted
from bench.results.service_log import LogLine, ServiceLog
from bench.timing.durations import span_text


def service_log_tables(log: ServiceLog | None, service: str = "the service", run_s: float = 0) -> Iterator[Table]:
    """Yield the lines that a service wrote during the run, if it wrote any. `service` is what it is called.

    `run_s` is the length of the run if it is known: it says how a moment of the run is shown.
    """
    if log is None:
        return
    is_long = max(run_s, *(line.t for line in log.kept)) > LONG_RUN_S
    gap = [Row(("…", f"{counted(log.left_out, 'line')} left out"), is_detail=True)] if log.left_out else []
    wrote = f"{service} wrote {counted(log.lines, 'line')} during the run"
    kept = f" the first {count(len(log.first))} and the last {count(len(log.last))}" if log.left_out else " them"
    yield Table(
        columns=(
            Column("time of the run" if is_long else "second of the run", "name"),
            Column(f"{service} wrote", "text"),
        ),
        rows=(*(_row(line, is_long) for line in log.first), *gap, *(_row(line, is_long) for line in log.last)),
        details=wrote,
        brief=f"{wrote}: bench report shows{kept}",
    )


def _row(line: LogLine, is_long: bool) -> Row:
    return Row((span_text(round(line.t, 1)) if is_long else f"{line.t:.1f}", line.text), is_detail=True)
