"""The table of a chart: its numbers as text, from the same data as its picture.

Rules of this file: pure. A chart of panels has a row for each x, and a column for each series that has points there. Of
points without lines, those with the same x and different texts have rows of their own. A heat map has a row for each
range of x, and a column for each range of y. Numbers have the unit that suits them.
"""

import math
from collections.abc import Iterator, Sequence
from operator import itemgetter

from bench.report.chart import AnyChart, Axis, Chart, Effect, Forest, HeatMap, Point
from bench.report.document import Break, Column, Row, Style, Table
from bench.report.formatting import UNKNOWN, amount, count, duration, effect, effect_interval, per_second
from bench.results.figure import Figure
from bench.timing.durations import span_text

#: The most rows of the table of a chart. A page with more would be slow, and nobody would read it.
MOST_ROWS = 1_000


def chart_table(chart: AnyChart, most_rows: int = MOST_ROWS) -> Table:
    """Return the table of a chart. Its caption says how many rows are left out, if there are too many."""
    if isinstance(chart, Forest):
        return _of_forest(chart)
    return _shortened(_of_heat_map(chart) if isinstance(chart, HeatMap) else _of_panels(chart), most_rows)


def value_text(value: float | None, axis: Axis) -> str:
    """Return a value along an axis with its unit: 1.5 ms, 99.9 %, 12 s."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if axis.scale == "nines":
        return f"{100 * value:.7g} %"
    match axis.unit:
        case "µs":
            return duration(Figure(value))
        case "s":
            return f"{value:,.6g} s"
        case "min":
            return span_text(value)
        case "per second":
            return per_second(value)
        case "share":
            return f"{100 * value:.4g} %"
        case "bytes":
            return amount(value)
        case "place":
            place = round(value)
            return axis.labels[place] if 0 <= place < len(axis.labels) else f"{value:g}"
        case _:
            return f"{value:,.6g}"


def _of_panels(chart: Chart) -> Table:
    columns = [(panel, series) for panel in chart.panels for series in panel.series]
    several = len(chart.panels) > 1
    titles = [
        f"{panel.title}: {series.label}" if several and panel.title and panel.title != series.label else series.label
        for panel, series in columns
    ]
    by_x: dict[tuple[float, str], dict[int, Point]] = {}
    for number, (_, series) in enumerate(columns):
        for point in series.points:
            by_x.setdefault((point.x, point.text if series.mark == "points" else ""), {})[number] = point
    has_texts = any(point.text for points in by_x.values() for point in points.values())
    rows = []
    for x, points in sorted(((x, points) for (x, _), points in by_x.items()), key=itemgetter(0)):
        cells = [
            _point_text(points[number], panel.y, chart.x) if number in points else ""
            for number, (panel, _) in enumerate(columns)
        ]
        texts = dict.fromkeys(point.text for point in points.values() if point.text)
        rows.append(Row((value_text(x, chart.x), *cells, *(["; ".join(texts)] if has_texts else []))))
    return Table(
        columns=(
            Column(chart.x.title or "x", "name"),
            *(Column(title) for title in titles),
            *([Column("", "text")] if has_texts else []),
        ),
        rows=tuple(rows),
        title=chart.title,
    )


def _point_text(point: Point, y: Axis, x: Axis) -> str:
    ends = "" if point.low is None or point.high is None else _range(point, y)
    if point.y is None and ends:
        return ends
    until = f" until {value_text(point.until, x)}" if point.until is not None else ""
    return f"{value_text(point.y, y)}{f' ({ends})' if ends else ''}{until}"


def _range(point: Point, axis: Axis) -> str:
    return f"{value_text(point.low, axis)} to {value_text(point.high, axis)}"


def _of_heat_map(chart: HeatMap) -> Table:
    columns = sorted({(cell.y, cell.y_end) for cell in chart.cells})
    rows = sorted({(cell.x, cell.x_end) for cell in chart.cells})
    counts = {(cell.x, cell.y): count(cell.count) for cell in chart.cells}
    return Table(
        columns=(
            Column(chart.x.title, "name"),
            *(Column(f"{value_text(y, chart.y)} to {value_text(y_end, chart.y)}") for y, y_end in columns),
        ),
        rows=tuple(
            Row(
                (
                    f"{value_text(x, chart.x)} to {value_text(x_end, chart.x)}",
                    *(counts.get((x, y), "") for y, _ in columns),
                )
            )
            for x, x_end in rows
        ),
        title=f"{chart.title}: {chart.counted} of each {chart.y.title}",
    )


_STYLES: dict[str, Style] = {"bad": "worse", "good": "better", "warning": "inconclusive"}


def _of_forest(chart: Forest) -> Table:
    has_texts = any(row.text for row in chart.effects)
    return Table(
        columns=(
            Column("", "name"),
            Column(chart.x.title),
            Column("interval", "range"),
            *([Column("", "text")] if has_texts else []),
        ),
        rows=tuple(_effect_row(row, chart.x, has_texts) for row in chart.effects),
        title=chart.title,
    )


def _effect_row(row: Effect, axis: Axis, has_texts: bool) -> Row:
    if axis.unit == "share":
        cells = [effect(row.value), effect_interval(row.low, row.high)]
    else:
        is_known = row.low is not None and row.high is not None
        interval = f"{value_text(row.low, axis)} to {value_text(row.high, axis)}" if is_known else UNKNOWN
        cells = [value_text(row.value, axis), interval]
    return Row((row.label, *cells, *([row.text] if has_texts else [])), _STYLES.get(row.role, "plain"))


def _shortened(table: Table, most_rows: int) -> Table:
    if len(table.rows) <= most_rows:
        return table
    kept = tuple(_evenly(table.rows, most_rows))
    caption = f"{count(len(kept))} of {count(len(table.rows))} rows, evenly chosen; the stored result has all"
    return Table(table.columns, kept, title=table.title, caption=caption)


def _evenly(rows: Sequence[Row | Break], number: int) -> Iterator[Row | Break]:
    return (rows[place * (len(rows) - 1) // (number - 1)] for place in range(number))
