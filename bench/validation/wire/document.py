"""A check by the observer as a document: what is reported beside what was seen, and what was judged."""

from collections.abc import Callable, Iterator, Sequence

from bench.report import document
from bench.report.document import Column, Content, Document, Line, Note, Table
from bench.report.environment import header_facts
from bench.report.formatting import UNKNOWN, count, counted, duration, duration_number, per_second, unit_of
from bench.report.labels import label_notes
from bench.results.figure import Figure
from bench.validation.wire.charts import wire_charts
from bench.validation.wire.measuring import in_words
from bench.validation.wire.model import Row, Span, Tool, Verdict, Wire, WirePercentile, verdicts

_Columns = tuple[tuple[str, Content], ...]

_RECEIVED: _Columns = (("p50 (95 %)", "range"), ("p99 (95 %)", "range"), ("bound", "verdict"))
_SENT: _Columns = (("p50 (95 %)", "range"), ("p99 (95 %)", "range"), ("`send`", "verdict"))
_BEYOND: _Columns = (("p50 (95 %)", "range"), ("p99 (95 %)", "range"))
_SEEN: _Columns = (("ok/s", "number"), ("CPU", "number"), ("seen", "number"), ("p50", "number"), ("p99", "number"))
_STAMPS: _Columns = (
    ("exact", "number"),
    ("too late by", "number"),
    ("p99", "number"),
    ("at most, p99", "number"),
    ("wrong", "verdict"),
)


def wire_document(result: Wire) -> Document:
    """Return the document of a check: each difference in a table of its own, then what was not seen or left out."""
    tables = (
        _table(result, "from the reply's packet to `received`", _RECEIVED, _received),
        _table(result, "from `sent` to the emission's packet", _SENT, _sent),
        _table(result, "reported service time beyond that between the packets", _BEYOND, _beyond),
        _table(result, "several emissions in flight on a connection: the times' own errors", _STAMPS, _stamps),
        _table(result, "between the packets", _SEEN, _seen),
    )
    return Document(
        kind="wire",
        title="load generators beside what an observer saw",
        tables=tuple(table for table in tables if table.rows),
        headline=_headline(result),
        notes=(*_notes(result), *label_notes(result.labels, result.note)),
        charts=wire_charts(result),
        environment=tuple(header_facts(result)),
    )


def _headline(result: Wire) -> Line | None:
    """Return how many bounds are met; None if nothing is judged."""
    judged = [verdict.is_met for tool in result.tools for row in tool.rows for verdict in verdicts(tool, row)]
    if not judged:
        return None
    if all(judged):
        return Line(f"met: all {counted(len(judged), 'bound')}", "better")
    return Line(f"missed: {count(judged.count(False))} of {counted(len(judged), 'bound')}", "worse")


def _table(result: Wire, title: str, columns: _Columns, cells: Callable[[Tool, Row], tuple[str, ...] | None]) -> Table:
    rows = []
    for tool in result.tools:
        for row in tool.rows:
            found = cells(tool, row)
            if found is not None:
                style: document.Style = "worse" if "missed" in found[-1] else "plain"
                rows.append(document.Row((in_words(row.load), *found), style, group=tool.title))
    return Table(
        columns=(Column("connections", "name"), *(Column(name, content) for name, content in columns)),
        rows=tuple(rows),
        title=title,
    )


def _received(tool: Tool, row: Row) -> tuple[str, ...] | None:
    if row.to_received is None:
        return None
    judged = [verdict for verdict in verdicts(tool, row) if verdict.what.startswith("received")]
    return (*_span(row.to_received), _judgement(judged))


def _sent(tool: Tool, row: Row) -> tuple[str, ...] | None:
    if row.to_packet is None:
        return None
    judged = [verdict for verdict in verdicts(tool, row) if verdict.what == "sent p50"]
    if row.send_us is None:
        return (*_span(row.to_packet), UNKNOWN)
    send = duration(Figure(row.send_us))
    return (*_span(row.to_packet), f"{send} {_judgement(judged)}" if judged else send)


def _beyond(_: Tool, row: Row) -> tuple[str, ...] | None:
    return None if row.beyond is None else _span(row.beyond)


def _stamps(tool: Tool, row: Row) -> tuple[str, ...] | None:
    stamps = row.stamps
    if stamps is None or row.load.in_flight == 1 or not stamps.exact + stamps.bounded:
        return None
    judged = [verdict for verdict in verdicts(tool, row) if verdict.what == "wrong share"]
    error, limit = stamps.bounded_error, stamps.bounded_limit
    stamped = stamps.exact + stamps.bounded + stamps.process
    return (
        f"{stamps.exact / stamped:.0%}",
        UNKNOWN if error is None else duration(Figure(error.p50.value_us)),
        UNKNOWN if error is None else duration(Figure(error.p99.value_us)),
        UNKNOWN if limit is None else duration(Figure(limit.p99.value_us)),
        f"{count(stamps.wrong)} {_judgement(judged)}".strip(),
    )


def _seen(_: Tool, row: Row) -> tuple[str, ...]:
    return (
        per_second(row.rate_per_s),
        UNKNOWN if row.cpu_share is None else f"{row.cpu_share:.0%}",
        count(row.sights.matched),
        duration(Figure(row.wire.p50.value_us)),
        duration(Figure(row.wire.p99.value_us)),
    )


def _judgement(judged: Sequence[Verdict]) -> str:
    if not judged:
        return ""
    return "met" if all(verdict.is_met for verdict in judged) else "missed"


def _span(span: Span) -> tuple[str, str]:
    return _percentile(span.p50), _percentile(span.p99)


def _percentile(percentile: WirePercentile) -> str:
    """Return a percentile with its interval, in its own unit: 0.412 µs (0.400-0.431)."""
    value = Figure(percentile.value_us)
    unit = unit_of([Figure(abs(percentile.value_us))])
    if percentile.low_us is None or percentile.high_us is None:
        return duration(value, unit)
    low, high = (duration_number(bound_us, unit) for bound_us in (percentile.low_us, percentile.high_us))
    between = "-" if percentile.low_us >= 0 else " to "
    return f"{duration(value, unit)} ({low}{between}{high})"


def _notes(result: Wire) -> Iterator[Note]:
    rows = [(tool, row) for tool in result.tools for row in tool.rows]
    copies = [row.sights.between_copies_us for _, row in rows if row.sights.between_copies_us is not None]
    clock_error_us = max((row.sights.clock_error_us for _, row in rows), default=0.0)
    yield Note(
        "seen: an emission's packet as it leaves, a reply's as it comes in, by the kernel's stamps,"
        f" converted to within {clock_error_us * 1000:.0f} ns"
    )
    if copies:
        least, most = (duration(Figure(find(copies))) for find in (min, max))
        yield Note(f"between both copies of a reply: {least} to {most} (medians of the runs)")
    if result.quick:
        yield Note("--quick: too short to judge by")
    for tool in result.tools:
        if tool.asked_clock == "kernel" != tool.received_clock:
            yield Note(f"{tool.title}: there are no such times here, so nothing is judged", "warning")
    for tool, row in rows:
        yield from _unseen(tool, row)
    for absent in result.absent:
        where = "" if absent.load is None else f" at {in_words(absent.load)}"
        yield Note(f"left out{where}: {absent.title}: {absent.reason}", "warning")
    yield from _spoilers(rows)
    missed = [
        f"{tool.title}: {in_words(row.load)}: {verdict.what}"
        for tool, row in rows
        for verdict in verdicts(tool, row)
        if not verdict.is_met
    ]
    yield from (Note(f"missed: {text}", "worse") for text in missed)


def _unseen(tool: Tool, row: Row) -> Iterator[Note]:
    """Yield what the capture of a row lacks."""
    sights, where = row.sights, f"{tool.title}: {in_words(row.load)}"
    lacks = [
        text
        for number, text in (
            (sights.dropped, f"{count(sights.dropped)} packets found no room"),
            (sights.cut, f"{count(sights.cut)} packets were cut"),
            (sights.lost_streams, f"{count(sights.lost_streams)} directions have a gap"),
            (sights.clock_step_us, "the clock was set meanwhile"),
        )
        if number
    ]
    if lacks:
        yield Note(f"{where}: not judged: {', '.join(lacks)}", "warning")
    if sights.unseen:
        yield Note(f"{where}: {count(sights.unseen)} reported round trips were not seen", "warning")


def _spoilers(rows: Sequence[tuple[Tool, Row]]) -> Iterator[Note]:
    """Yield what may have spoilt the times, each kind once with its worst value."""
    worst: dict[str, tuple[float, str]] = {}
    for _, row in rows:
        for spoiler in row.spoilers:
            value = 0.0 if spoiler.value is None else spoiler.value
            if row.load.is_hogged and spoiler.kind == "load":
                continue
            if spoiler.kind not in worst or value > worst[spoiler.kind][0]:
                worst[spoiler.kind] = (value, spoiler.text)
    yield from (Note(f"may be spoilt: {text}", "warning") for _, text in worst.values())
