"""Trends as one chart specification, and that as self-contained HTML, SVG or PNG.

Rules of this file: trends in, text or bytes out; nothing is fetched, now or when the page is opened. One panel a
series. Colours are Okabe and Ito's, which colour-blind people can tell apart, and shapes say the same again.
"""

import json
import math
import textwrap
from typing import Any

import altair as alt

from bench.printable import printable
from bench.report.chart_axes import DURATION_LABEL
from bench.report.chart_file import chart_file
from bench.report.chart_formats import ChartFormat
from bench.report.formatting import short_commit
from bench.report.trend import (
    change_text,
    commit_text,
    full_text,
    measured_words,
    run_text,
    series_titles,
    step_text,
    unit_text,
)
from bench.results.figure import Figure
from bench.statistics.change_points import fewest_results
from bench.trend.series import Point, Series, Trends

_WIDTH = 860
_HEIGHT = 220
_TITLE_LETTERS, _SUBTITLE_LETTERS = 100, 130  # that fit into the width
_MOST_COMMITS_ON_AXIS = 40
_BLUE, _VERMILION, _ORANGE, _GREY = "#0072B2", "#D55E00", "#E69F00", "#555555"
_CLEAN, _DIRTY, _UNSOUND = "clean", "uncommitted changes, or a lower bound", "not judged"


def trend_chart(trends: Trends, form: ChartFormat) -> bytes:
    """Return the chart of all series in that format; raises ValueError where there is no series."""
    specification = chart_specification(trends)
    return chart_file(specification, form, f"bench trend: {trends.metric}")


def chart_specification(trends: Trends) -> dict[str, Any]:
    """Return the Vega-Lite specification that all formats are made of; raises ValueError where there is no series."""
    if not trends.series:
        raise ValueError("no series to draw")
    titles = series_titles(trends)
    panels = [_panel(series, title, trends) for series, title in zip(trends.series, titles, strict=True)]
    panelled = alt.vconcat(*panels, spacing=40).resolve_scale(color="independent", shape="independent")
    chart = panelled.configure_view(stroke="#dddddd").configure(font="sans-serif")
    specification: dict[str, Any] = chart.to_dict()
    return specification


def _panel(series: Series, title: str, trends: Trends) -> alt.LayerChart | alt.FacetChart:
    last = len(series.points) - 1
    labels = [printable(short_commit(point.commit, 7)) for point in series.points]
    every = -(-len(labels) // _MOST_COMMITS_ON_AXIS)
    x = alt.X(
        "place:Q",
        title="commit, oldest first",
        scale=alt.Scale(domain=[-0.5, last + 0.5], nice=False),
        axis=alt.Axis(
            values=list(range(0, last + 1, every)),
            labelExpr=f"{json.dumps(labels)}[datum.value]",
            labelAngle=-60,
            labelOverlap=False,
            grid=False,
        ),
    )
    is_time = series.unit == "µs"
    y = alt.Y(
        "value:Q",
        title=[trends.metric if is_time else f"{trends.metric}, {unit_text(series)}", "(axis does not start at 0)"],
        scale=alt.Scale(zero=False, nice=True, padding=12),
        axis=alt.Axis(labelExpr=DURATION_LABEL) if is_time else alt.Axis(),
    )
    subtitle = [
        printable(series.machine),
        measured_words(series),
        *([step_text(series, step) for step in series.steps] or [_without_a_step(series, trends.significance)]),
    ]
    layers = [*_levels(series, x, y), *_steps(series, x), _points(series, x, y)]
    return alt.layer(*layers).properties(
        width=_WIDTH,
        height=_HEIGHT,
        title=alt.TitleParams(
            text=textwrap.wrap(title, _TITLE_LETTERS),
            subtitle=[line for text in subtitle for line in textwrap.wrap(text, _SUBTITLE_LETTERS)],
            anchor="start",
            subtitleColor=_GREY,
        ),
    )


def _without_a_step(series: Series, significance: float) -> str:
    fewest = fewest_results(significance)
    return "no step found" if series.judged >= fewest else f"too short: a step shows from {fewest} results on"


def _points(series: Series, x: alt.X, y: alt.Y) -> alt.Chart:
    rows = [
        {
            "place": place,
            "value": point.value.value if math.isfinite(point.value.value) else None,
            "shown": full_text(point.value, series),
            "commit": commit_text(point),
            "run": f"{run_text(point)} UTC",
            "result": _state(point),
            "remarks": printable(", ".join(point.remarks)) or "none",
        }
        for place, point in enumerate(series.points)
    ]
    states = [_CLEAN, _DIRTY, _UNSOUND]
    legend = alt.Legend(title=None, orient="bottom", labelLimit=0) if any(p.remarks for p in series.points) else None
    chart: alt.Chart = (
        alt.Chart({"values": rows})
        .mark_point(filled=True, size=60, opacity=1, strokeWidth=2)
        .encode(
            x=x,
            y=y,
            shape=alt.Shape(
                "result:N", scale=alt.Scale(domain=states, range=["circle", "triangle-up", "cross"]), legend=legend
            ),
            color=alt.Color("result:N", scale=alt.Scale(domain=states, range=[_BLUE, _ORANGE, _GREY]), legend=legend),
            tooltip=[
                alt.Tooltip("commit:N"),
                alt.Tooltip("shown:N", title="value"),
                alt.Tooltip("run:N"),
                alt.Tooltip("remarks:N"),
            ],
        )
    )
    return chart


def _state(point: Point) -> str:
    if not point.judged:
        return _UNSOUND
    return _DIRTY if point.remarks else _CLEAN


def _levels(series: Series, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    rows = [
        {
            "place": level.first - 0.4,
            "end": level.last + 0.4,
            "value": level.value,
            "shown": full_text(Figure(level.value), series),
        }
        for level in series.levels
    ]
    return [
        alt.Chart({"values": rows})
        .mark_rule(color=_GREY, strokeWidth=2)
        .encode(x=x, x2="end:Q", y=y, tooltip=[alt.Tooltip("shown:N", title="level")])
    ]


def _steps(series: Series, x: alt.X) -> list[alt.Chart]:
    if not series.steps:
        return []
    rows = [
        {"place": (step.before + step.after) / 2, "change": change_text(step), "step": step_text(series, step)}
        for step in series.steps
    ]
    base = alt.Chart({"values": rows}).encode(x=x, tooltip=[alt.Tooltip("step:N")])
    return [
        base.mark_rule(color=_VERMILION, strokeWidth=2, strokeDash=[5, 4]),
        base.mark_text(color=_VERMILION, fontSize=13, fontWeight="bold", align="left", dx=5, dy=9).encode(
            text="change:N", y=alt.value(0)
        ),
    ]
