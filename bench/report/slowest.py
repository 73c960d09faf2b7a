"""The table of the slowest round trips of a load: where to look in the service's logs and traces."""

from collections.abc import Iterator

from bench.report.document import Column, Row, Table
from bench.report.formatting import LONG_RUN_S, UNKNOWN, counted, durations
from bench.report.load_charts.time_axis import run_s
from bench.results.figure import exact
from bench.results.load import LoadResult, SlowRoundTrip
from bench.timing.durations import span_text

#: The number of them that every format shows. The others are folded away.
_SHOWN = 5


def slowest_tables(result: LoadResult) -> Iterator[Table]:
    """Yield the slowest round trips, if the run was asked for them; those that timed out come first."""
    slowest = sorted(result.slowest, key=lambda slow: (not slow.timed_out, -(slow.service_us or 0)))
    if not slowest:
        return
    columns = [("service", durations([exact(slow.service_us) for slow in slowest]))]
    if any(slow.response_us is not None for slow in slowest):
        columns.append(("response", durations([exact(slow.response_us) for slow in slowest])))
    times = zip(*(cells for _, cells in columns), strict=True)
    rows = tuple(
        Row((slow.operation, _at(slow, run_s(result)), *cells, _name(slow)), is_detail=number >= _SHOWN)
        for number, (slow, cells) in enumerate(zip(slowest, times, strict=True))
    )
    folded = len(rows) - _SHOWN
    yield Table(
        columns=(
            *(Column("slowest", "name"), Column("at")),
            *(Column(title) for title, _ in columns),
            Column("trace" if result.scenario.trace_context is not None else "token", "text"),
        ),
        rows=tuple(_with_timeouts(slowest, rows)),
        details=counted(folded, "more slow round trip"),
        brief=f"{counted(folded, 'more slow round trip')}: bench report shows all of them" if folded > 0 else "",
    )


def _with_timeouts(slowest: list[SlowRoundTrip], rows: tuple[Row, ...]) -> Iterator[Row]:
    """Yield the rows, with the word for a round trip that has no time."""
    for slow, row in zip(slowest, rows, strict=True):
        if slow.timed_out:
            cells = (*row.cells[:2], "timeout", *(UNKNOWN for _ in row.cells[3:-1]), row.cells[-1])
            yield Row(cells, is_detail=row.is_detail)
        else:
            yield row


def _at(slow: SlowRoundTrip, run_s: float) -> str:
    return span_text(slow.t) if run_s > LONG_RUN_S else f"{slow.t:.3f} s"


def _name(slow: SlowRoundTrip) -> str:
    return slow.trace_id or slow.token
