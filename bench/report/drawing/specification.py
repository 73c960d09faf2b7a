"""Charts as specifications of Vega-Lite: each panel by itself for a page, or all in a column for a picture.

Rules of this file: a chart in, a specification out; nothing here knows a result. The ends of the x axis are the signals
`x0` and `x1`, so that whoever shows a panel can set them: that is how a page zooms, and keeps panels in step. The rows
of a panel are one table of data, whose columns are named by a letter each: `i` the series, `x`, `y`, `l` and `h` the
ends of an interval, `u` the x at which it ends, `t` its text.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import altair as alt

from bench.printable import printable
from bench.report.chart import AnyChart, Axis, Chart, Event, Forest, HeatMap, Panel, Point, Series
from bench.report.drawing.labels import NARROW, label_expression, minute_ticks, ticks
from bench.report.drawing.look import Look, colour_of, looks, shape_of
from bench.report.drawing.marks import ROW_HEIGHT, Place, number_of_rows, places

Row = dict[str, Any]

#: A layer of a panel, or a panel.
View = alt.Chart | alt.LayerChart | alt.FacetChart

#: The names of the signals with the ends of the x axis.
X_ENDS = ("x0", "x1")

_FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"
_HEIGHT, _LOWER_HEIGHT = 260, 150
_EFFECT_HEIGHT = 38
_LABEL_LETTERS = 60
_TITLE_LETTERS, _SUBTITLE_LETTERS = 90, 120
_PLACE_ROOM = 0.5
#: The letters of a place's label that need not be turned.
_LETTERS_THAT_FIT = 3
#: The number of points up to which a line has marks at them, and the size of these.
_FEW_POINTS, _MARK_SIZE = 12, 30
_SHARE_OF_ROOM = 0.02
#: The number of places up to which each of those that are shown has a tick.
_MOST_PLACES = 60
#: The number of ticks of a y axis, about.
_Y_TICKS = 5
#: The size of the labels of marks, and the width that their letters have at most on the whole, in pixels.
_LABEL_SIZE, _LETTER_WIDTH = 11, 6.2
_LEGEND_OFFSET = 6


@dataclass(frozen=True)
class _Pen:
    """The way in which a chart is drawn: its colours, the ends of its x axis, and the name of its data.

    `y_ends` are the least and the greatest value of the panel, if it has any.
    """

    paint: Mapping[str, str]
    ends: Sequence[float | alt.ExprRef]
    data: str
    picture_width: int | None = None
    y_ends: tuple[float, float] | None = None

    @property
    def is_picture(self) -> bool:
        """True if titles, legends and the labels of marks are drawn. A page has them around its panels."""
        return self.picture_width is not None


def panel_specifications(chart: AnyChart, paint: Mapping[str, str], width: int) -> list[dict[str, Any]]:
    """Return a specification for each panel, without titles and legends, in the colours of `paint`."""
    pen = _Pen(paint, [alt.ExprRef(name) for name in X_ENDS], "panel")
    ends = [{"name": name, "value": value} for name, value in zip(X_ENDS, x_ends(chart), strict=True)]
    return [
        _specification(view, paint, {f"{pen.data}{number}": rows}) | {"params": ends, "width": width}
        for number, (view, rows) in enumerate(zip(_views(chart, pen), _rows(chart), strict=True))
    ]


def picture_specification(charts: Sequence[AnyChart], paint: Mapping[str, str], width: int) -> dict[str, Any]:
    """Return a specification of whole charts below each other, with their titles, captions and legends."""
    pictures = []
    rows: dict[str, list[Row]] = {}
    for place, chart in enumerate(charts):
        pen = _Pen(paint, x_ends(chart), f"chart{place}panel", width)
        pictures.append(_picture(chart, pen, width))
        rows |= {f"{pen.data}{number}": found for number, found in enumerate(_rows(chart))}
    stacked = alt.vconcat(*pictures, spacing=40).resolve_scale(
        x="independent", color="independent", strokeDash="independent", shape="independent", opacity="independent"
    )
    return _specification(stacked, paint, rows)


def _picture(chart: AnyChart, pen: _Pen, width: int) -> alt.VConcatChart:
    views = []
    for number, view in enumerate(_views(chart, pen)):
        words = chart.panels[number].title if isinstance(chart, Chart) else ""
        shown = view.properties(width=width)
        views.append(shown.properties(title=alt.TitleParams(printable(words), anchor="start")) if words else shown)
    stacked: alt.VConcatChart = alt.vconcat(*views, spacing=28).resolve_scale(
        color="independent", strokeDash="independent", shape="independent"
    )
    title = alt.TitleParams(
        text=_wrapped(chart.title, _TITLE_LETTERS),
        subtitle=_wrapped(chart.caption, _SUBTITLE_LETTERS),
        anchor="start",
        offset=16,
    )
    titled: alt.VConcatChart = stacked.properties(title=title)
    return titled


def x_ends(chart: AnyChart) -> tuple[float, float]:
    """Return the ends of the x axis, on its scale: of nines these are 1 / (1 - p)."""
    xs = [_on_axis(chart.x, x) for x in _xs(chart)]
    known = [x for x in xs if math.isfinite(x) and (x > 0 or chart.x.scale == "linear")]
    if chart.x.unit == "place":
        last = max(len(chart.x.labels) - 1, *(known or [0]))
        return -_PLACE_ROOM, last + _PLACE_ROOM
    if not known:
        return (1, 10) if chart.x.scale != "linear" else (0, 1)
    low, high = min(known), max(known)
    if chart.x.scale == "nines":
        return 1, max(10, high)
    if chart.x.scale == "logarithmic":
        return low / 1.1, high * 1.1
    if chart.x.from_zero:
        low, high = min(0.0, low), max(0.0, high)
    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    has_points = isinstance(chart, Chart) and any(
        series.mark == "points" or (series.mark == "line" and len(series.points) <= _FEW_POINTS)
        for panel in chart.panels
        for series in panel.series
    )
    room = (high - low) * (_SHARE_OF_ROOM if has_points or isinstance(chart, Forest) else 0)
    return low - room, high + room


def _views(chart: AnyChart, pen: _Pen) -> list[View]:
    if isinstance(chart, Forest):
        return [_forest(chart, pen)]
    if isinstance(chart, HeatMap):
        return [_heat_map(chart, pen)]
    return [_panel(chart, number, pen) for number in range(len(chart.panels))]


def _rows(chart: AnyChart) -> list[list[Row]]:
    """Return the rows of each panel."""
    if isinstance(chart, Forest):
        return [forest_rows(chart)]
    if isinstance(chart, HeatMap):
        return [heat_rows(chart)]
    return [panel_rows(chart.x, panel) for panel in chart.panels]


def _specification(view: View | alt.VConcatChart, paint: Mapping[str, str], rows: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole specification. What altair would copy many times is added at the end."""
    specification: dict[str, Any] = view.to_dict(validate=False)
    specification["config"] = _settings(paint)
    specification["datasets"] = {**specification.get("datasets", {}), **rows}
    return specification


def _settings(paint: Mapping[str, str]) -> dict[str, Any]:
    axis = alt.AxisConfig(
        labelColor=paint["ink"],
        titleColor=paint["muted"],
        titleFontWeight="normal",
        gridColor=paint["grid"],
        domainColor=paint["muted"],
        tickColor=paint["muted"],
        labelFontSize=11,
        titleFontSize=12,
        labelOverlap="greedy",
    )
    settings: dict[str, Any] = alt.Config(
        font=_FONT,
        background=paint["ground"],
        aria=False,
        view=alt.ViewConfig(stroke=None),
        axis=axis,
        title=alt.TitleConfig(color=paint["ink"], subtitleColor=paint["muted"]),
        legend=alt.LegendConfig(labelColor=paint["ink"], titleColor=paint["muted"], labelLimit=0),
    ).to_dict(validate=False)
    return settings


def _panel(chart: Chart, number: int, pen: _Pen) -> View:
    panel, is_first = chart.panels[number], number == 0
    pen = replace(pen, y_ends=_y_ends(panel_rows(chart.x, panel)))
    x = _x_axis(chart.x, pen)
    drawn = looks(panel.series)
    layers: list[View] = [_events(chart.events, chart.x, x, pen)] if chart.events else []
    # The widest marks lie below the others.
    order = {"band": 0, "bars": 1, "level": 2, "line": 3, "steps": 3, "points": 4}
    for index in sorted(range(len(panel.series)), key=lambda index: order[panel.series[index].mark]):
        layers += _layers(index, panel.series[index], drawn[index], x, panel.y, pen)
        layers += _marks(index, chart, panel, drawn[index], pen)
    if pen.is_picture and chart.events and is_first:
        layers.append(_labels_of_events(chart, pen))
    if pen.is_picture and len(panel.series) > 1:
        layers.append(_legend(panel.series, drawn, pen, _room_above(chart, pen) if is_first else 0))
    height = _HEIGHT if is_first or chart.x.scale == "nines" else _LOWER_HEIGHT
    view: View = alt.layer(*layers, data=alt.NamedData(f"{pen.data}{number}")).properties(height=height)
    return view


def panel_rows(x: Axis, panel: Panel) -> list[Row]:
    """Return the rows of a panel's points. A point that its axes cannot show is a gap."""
    return [
        row
        for index, series in enumerate(panel.series)
        for point in series.points
        if (row := _row(index, point, x, panel.y)) is not None
    ]


def _row(index: int, point: Point, x_axis: Axis, y_axis: Axis) -> Row | None:
    x = _on_axis(x_axis, point.x)
    if not math.isfinite(x) or (x <= 0 and x_axis.scale != "linear"):
        return None
    row: Row = {"i": index, "x": x, "y": _shown(point.y, y_axis)}
    ends = {"l": _shown(point.low, y_axis), "h": _shown(point.high, y_axis)}
    row |= {name: value for name, value in ends.items() if value is not None}
    if point.until is not None:
        row["u"] = _on_axis(x_axis, point.until)
    if point.text:
        row["t"] = printable(point.text)
    return row


def _shown(y: float | None, axis: Axis) -> float | None:
    """Return a value that the axis can show, in six digits; None for any other."""
    if y is None or not math.isfinite(y) or (axis.scale != "linear" and y <= 0):
        return None
    return float(f"{y:.6g}")


def _on_axis(axis: Axis, x: float) -> float:
    if axis.scale != "nines":
        return x
    return math.inf if x >= 1 else float(f"{1 / (1 - x):.6g}")


def _xs(chart: AnyChart) -> list[float]:
    if isinstance(chart, Forest):
        ends = [end for effect in chart.effects for end in (effect.low, effect.value, effect.high) if end is not None]
        return [chart.neutral, *ends]
    if isinstance(chart, HeatMap):
        return [x for cell in chart.cells for x in (cell.x, cell.x_end)]
    points = [point for panel in chart.panels for series in panel.series for point in series.points]
    ends = [point.until for point in points if point.until is not None]
    return [*(point.x for point in points), *ends, *(event.x for event in chart.events)]


def _x_axis(axis: Axis, pen: _Pen, *, is_signed: bool = False) -> alt.X:
    is_place = axis.unit == "place"
    return alt.X(
        "x:Q",
        title=printable(axis.title) or None,
        scale=_x_scale(axis, pen),
        axis=alt.Axis(
            labelExpr=label_expression(axis, is_signed, _is_narrow("x", pen)),
            labelAngle=-40 if is_place and max(map(len, axis.labels), default=0) > _LETTERS_THAT_FIT else 0,
            grid=not is_place,
            labelFlush=not is_place,
            **_ticks(axis, pen),
        ),
    )


def _ticks(axis: Axis, pen: _Pen) -> dict[str, Any]:
    number = "max(3, ceil(width / 90))"
    low, high = map(str, pen.ends) if pen.is_picture else X_ENDS
    if axis.unit == "min":
        return {"values": alt.ExprRef(minute_ticks(low, high, number))}
    if axis.unit == "place" and len(axis.labels) > _MOST_PLACES:
        apart = f"max(1, ceil(({high} - {low}) / {_MOST_PLACES}))"
        return {"values": alt.ExprRef(f"sequence(ceil(max(0, {low})), {high}, {apart})")}
    return ticks(axis) or {"tickCount": alt.ExprRef(number)}


def _scale_type(axis: Axis) -> Literal["linear", "log"]:
    return "linear" if axis.scale == "linear" else "log"


def _x_scale(axis: Axis, pen: _Pen) -> alt.Scale:
    return alt.Scale(type=_scale_type(axis), domain=list(pen.ends), nice=False, zero=False)


def _y_ends(rows: Sequence[Row]) -> tuple[float, float] | None:
    """Return the least and the greatest value of these rows; None if they have none."""
    values = [value for row in rows for name in "lyh" if (value := row.get(name)) is not None]
    return (min(values), max(values)) if values else None


def _is_narrow(name: Literal["x", "y"], pen: _Pen) -> str:
    """Return the expression that is true if the ends of that axis are near each other. A page's reader moves them."""
    if not pen.is_picture:
        return f"domain('{name}')[1] < {NARROW} * domain('{name}')[0]"
    ends = [end for end in (pen.ends if name == "x" else pen.y_ends or ()) if isinstance(end, float | int)]
    return "true" if len(ends) == 2 and ends[1] < NARROW * ends[0] else "false"


def _y_axis(axis: Axis, pen: _Pen, field: str = "y") -> alt.Y:
    scale = _scale_type(axis)
    settings: dict[str, Any]
    if not axis.from_zero:
        # Vega may reserve room for a logarithmic axis of its own, from 1 on.
        settings = {"nice": scale == "linear", "padding": 6}
    elif pen.y_ends is None or pen.y_ends[1] <= 0:
        settings = {"nice": True}
    else:
        # A line at the upper edge would be cut in half.
        settings = {"nice": _Y_TICKS, "domainMax": pen.y_ends[1] * (1 + _SHARE_OF_ROOM)}
    return alt.Y(
        f"{field}:Q",
        title=None,
        scale=alt.Scale(type=scale, zero=axis.from_zero and scale == "linear", **settings),
        axis=alt.Axis(
            labelExpr=label_expression(axis, is_narrow=_is_narrow("y", pen)),
            minExtent=58,
            maxExtent=58,
            tickCount=_Y_TICKS,
            **ticks(axis),
        ),
    )


def _layers(index: int, series: Series, look: Look, x: alt.X, axis: Axis, pen: _Pen) -> list[View]:
    colour = pen.paint[look.colour]
    is_faint = series.role == "faint"
    base = alt.Chart().transform_filter(f"datum.i === {index}").encode(x=x, y=_y_axis(axis, pen))
    has_ends = any(point.low is not None and point.high is not None for point in series.points)
    if series.mark == "band":
        return [
            alt.Chart()
            .transform_filter(f"datum.i === {index}")
            .mark_area(color=colour, opacity=0.22, clip=True)
            .encode(x=x, y=_y_axis(axis, pen, "l"), y2="h:Q")
        ]
    if series.mark == "bars":
        return [_bars(base, series, colour)]
    if series.mark == "level":
        return [base.mark_rule(color=colour, strokeWidth=2, strokeDash=list(look.dashes), clip=True).encode(x2="u:Q")]
    found: list[View] = []
    if has_ends:
        ends = alt.Chart().transform_filter(f"datum.i === {index} && isValid(datum.l) && isValid(datum.h)")
        found.append(
            ends.mark_rule(color=colour, strokeWidth=1.5, opacity=0.8, clip=True).encode(
                x=x, y=_y_axis(axis, pen, "l"), y2="h:Q"
            )
        )
    if series.mark == "points":
        points = base.mark_point(
            shape=look.shape, color=colour, filled=True, size=46, opacity=0.95, clip=True, invalid="filter"
        )
        return [*found, points]
    line = base.mark_line(
        color=colour,
        strokeWidth=1 if is_faint else 2,
        opacity=0.6 if is_faint else 1,
        strokeDash=list(look.dashes),
        interpolate="step-after" if series.mark == "steps" else "linear",
        clip=True,
        invalid="break-paths-show-path-domains",
    )
    return [*found, line]


def _marks(index: int, chart: Chart, panel: Panel, look: Look, pen: _Pen) -> list[View]:
    """Return marks at the points that a line alone would not show: those between gaps, and all of a short line."""
    series = panel.series[index]
    alone = [_on_axis(chart.x, point.x) for point in _alone(series, panel.y)]
    if series.mark not in ("line", "steps") or not alone:
        return []
    filtered = alt.Chart().transform_filter(f"datum.i === {index} && indexof({json.dumps(alone)}, datum.x) >= 0")
    marked = filtered.mark_point(
        shape=look.shape, color=pen.paint[look.colour], filled=True, size=_MARK_SIZE, clip=True, invalid="filter"
    )
    return [marked.encode(x=_x_axis(chart.x, pen), y=_y_axis(panel.y, pen))]


def _alone(series: Series, axis: Axis) -> list[Point]:
    known = [_shown(point.y, axis) is not None for point in series.points]
    is_short = sum(known) <= (_FEW_POINTS if series.mark == "line" else 1)
    return [
        point
        for point, is_known, left, right in zip(
            series.points, known, [False, *known[:-1]], [*known[1:], False], strict=True
        )
        if is_known and (is_short or not (left or right))
    ]


def _bars(base: alt.Chart, series: Series, colour: str) -> View:
    if any(point.until is not None for point in series.points):
        # A bar with two ends along x would have no height: it would be a line at y. Its stroke is seen in any width.
        bars: View = base.mark_rect(color=colour, stroke=colour, clip=True, opacity=0.85).encode(
            x2="u:Q", y2=alt.datum(0)
        )
        return bars
    width = alt.ExprRef("max(2, 0.7 * abs(scale('x', 1) - scale('x', 0)))")
    narrow: View = base.mark_bar(color=colour, clip=True, opacity=0.85, width=width)
    return narrow


def _events(events: Sequence[Event], axis: Axis, x: alt.X, pen: _Pen) -> View:
    """Return a line for each event."""
    layers = []
    for event in events:
        at = alt.Chart(alt.InlineData(values=[{"x": _on_axis(axis, event.x)}]))
        colour = pen.paint[colour_of(event.role)]
        layers.append(at.mark_rule(color=colour, strokeDash=[4, 4], strokeWidth=1.5, clip=True).encode(x=x))
    view: View = alt.layer(*layers)
    return view


def _event_places(chart: Chart, pen: _Pen) -> list[tuple[float, Place]]:
    """Return for each event of a picture its distance from the left edge, and the place of its label."""
    width = pen.picture_width or 0
    low, high = x_ends(chart)
    along = [(_on_axis(chart.x, event.x) - low) / (high - low) * width for event in chart.events]
    widths = [len(printable(event.text)) * _LETTER_WIDTH for event in chart.events]
    return list(zip(along, places(list(zip(along, widths, strict=True)), width), strict=True))


def _room_above(chart: Chart, pen: _Pen) -> float:
    """Return the height of the labels above the first panel of a picture, in pixels."""
    return number_of_rows([place for _, place in _event_places(chart, pen)]) * ROW_HEIGHT


def _labels_of_events(chart: Chart, pen: _Pen) -> View:
    """Return the labels above the first panel of a picture, each with a line down to its mark."""
    lines, texts = [], []
    for event, (at, place) in zip(chart.events, _event_places(chart, pen), strict=True):
        base = alt.Chart(alt.InlineData(values=[{"t": printable(event.text)}]))
        colour = pen.paint[colour_of(event.role)]
        bottom = -place.row * ROW_HEIGHT
        line = base.mark_rule(color=colour, strokeDash=[4, 4], strokeWidth=1.5, clip=False)
        lines.append(line.encode(x=alt.value(at), y=alt.value(bottom - 3), y2=alt.value(0)))
        where = {"x": alt.value(place.left), "y": alt.value(bottom - 4)}
        text: dict[str, Any] = {"align": "left", "baseline": "bottom", "fontSize": _LABEL_SIZE, "clip": False}
        # A ground of the page's colour, where the line of another label passes.
        behind = base.mark_text(**text, color=pen.paint["ground"], stroke=pen.paint["ground"], strokeWidth=4)
        texts += [
            behind.encode(**where, text="t:N"),
            base.mark_text(**text, color=pen.paint["ink"]).encode(**where, text="t:N"),
        ]
    view: View = alt.layer(*lines, *texts)
    return view


def _legend(series: Sequence[Series], drawn: Sequence[Look], pen: _Pen, room_below: float) -> View:
    """Return a layer that draws nothing, and has the legend of the panel, so many pixels above it."""
    names = [printable(line.label) for line in series]
    legend = alt.Legend(
        title=None,
        orient="top",
        direction="horizontal",
        columns=4,
        symbolType="stroke",
        symbolSize=400,
        offset=room_below + _LEGEND_OFFSET,
    )
    view: View = (
        alt.Chart(alt.InlineData(values=[{"n": name} for name in names]))
        .mark_rule(opacity=0, strokeWidth=3)
        .encode(
            color=alt.Color(
                "n:N",
                scale=alt.Scale(domain=names, range=[pen.paint[look.colour] for look in drawn]),
                legend=alt.Legend(**{**legend.to_dict(), "symbolOpacity": 1, "symbolStrokeWidth": 3}),
            ),
            strokeDash=alt.StrokeDash(
                "n:N", scale=alt.Scale(domain=names, range=[list(look.dashes) for look in drawn]), legend=legend
            ),
        )
    )
    return view


def _heat_map(chart: HeatMap, pen: _Pen) -> View:
    pen = replace(pen, y_ends=(min(cell.y for cell in chart.cells), max(cell.y_end for cell in chart.cells)))
    most = max((cell.count for cell in chart.cells), default=1)
    cells = (
        alt.Chart()
        .mark_rect(color=pen.paint["blue"], clip=True, stroke=None)
        .encode(
            x=_x_axis(chart.x, pen),
            x2="u:Q",
            y=_y_axis(chart.y, pen, "l"),
            y2="h:Q",
            opacity=alt.Opacity(
                "y:Q", scale=alt.Scale(type="log", domain=[1, max(most, 2)], range=[0.15, 1]), legend=None
            ),
        )
    )
    view: View = alt.layer(cells, data=alt.NamedData(f"{pen.data}0")).properties(height=_HEIGHT + 20)
    return view


def heat_rows(chart: HeatMap) -> list[Row]:
    """Return the rows of a heat map: `x` to `u`, `l` to `h`, and the count as `y`."""
    return [
        {
            "i": 0,
            "x": _on_axis(chart.x, cell.x),
            "u": _on_axis(chart.x, cell.x_end),
            "l": _shown(cell.y, chart.y),
            "h": _shown(cell.y_end, chart.y),
            "y": cell.count,
        }
        for cell in chart.cells
    ]


def forest_rows(chart: Forest) -> list[Row]:
    """Return the rows of a forest plot: `y` is the place from the top on."""
    return [
        {
            "i": number,
            "y": number,
            "x": effect.value,
            "l": effect.value if effect.low is None else effect.low,
            "h": effect.value if effect.high is None else effect.high,
            "n": _cut(effect.label),
            **({"t": printable(effect.text)} if effect.text else {}),
        }
        for number, effect in enumerate(chart.effects)
    ]


def _forest(chart: Forest, pen: _Pen) -> View:
    x = _x_axis(chart.x, pen, is_signed=True)
    count = len(chart.effects)
    roles = [effect.role for effect in chart.effects]
    y = alt.Y("y:Q", title=None, axis=None, scale=alt.Scale(domain=[count - 0.35, -0.75], nice=False, zero=False))
    domain = list(range(count))
    colour = alt.Color(
        "i:O",
        legend=None,
        scale=alt.Scale(domain=domain, range=[pen.paint[colour_of(role)] for role in roles]),
    )
    shape = alt.Shape("i:O", legend=None, scale=alt.Scale(domain=domain, range=[shape_of(role) for role in roles]))
    neutral = alt.Chart(alt.InlineData(values=[{"x": chart.neutral}])).mark_rule(
        color=pen.paint["muted"], strokeWidth=1.5, clip=True
    )
    base = alt.Chart().encode(y=y, color=colour)
    names = alt.Chart().encode(y=y, x=alt.value(0), text="n:N")
    in_place: dict[str, Any] = {"align": "left", "baseline": "bottom", "dy": -8, "fontSize": 11}
    layers = [
        neutral.encode(x=x),
        base.mark_rule(strokeWidth=3, clip=True).encode(x=alt.X("l:Q", scale=_x_scale(chart.x, pen)), x2="h:Q"),
        base.mark_point(filled=True, size=90, opacity=1, clip=True).encode(x=x, shape=shape),
        # A ground behind the words, so that no line strikes them through.
        names.mark_text(**in_place, color=pen.paint["ground"], stroke=pen.paint["ground"], strokeWidth=4),
        names.mark_text(**in_place, color=pen.paint["ink"]),
    ]
    view: View = alt.layer(*layers, data=alt.NamedData(f"{pen.data}0")).properties(
        height=_EFFECT_HEIGHT * max(count, 1) + 14
    )
    return view


def _cut(label: str) -> str:
    """Return a label that fits. Its end stays, because labels beside each other often differ there alone."""
    shown = printable(label)
    if len(shown) <= _LABEL_LETTERS:
        return shown
    return f"{shown[: _LABEL_LETTERS // 2]}…{shown[len(shown) - _LABEL_LETTERS // 2 + 1 :]}"


def _wrapped(text: str, letters: int) -> list[str]:
    lines = [""]
    for word in printable(text).split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > letters:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
