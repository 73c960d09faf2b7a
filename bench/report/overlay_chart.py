"""The latency distributions of two sides over each other, as self-contained HTML, SVG or PNG.

Rules of this file: results in, bytes out; nothing is fetched, now or when the page is opened. Each benchmark or
operation has a panel, in the manner of HdrHistogram's percentile plots. The percentile p is on a logarithmic axis of 1
/ (1 - p), so that each further nine takes the same room. Times are logarithmic too: at equal ratios, equal distances. A
side's runs are merged into one curve, which is exact; beside it, thin, is each of them.

A curve of a load ends where what failed begins: these took longer than anything that is known. Their share is that of
the whole run, the times are of its steady window. Colours are Okabe and Ito's, and the new side is dashed as well.
"""

import json
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from bench.compare.model import Compared, Comparison
from bench.printable import printable
from bench.report.chart_axes import DURATION_LABEL
from bench.report.chart_file import chart_file
from bench.report.chart_formats import ChartFormat
from bench.report.formatting import duration
from bench.results.figure import Figure
from bench.results.latency import LatencyResult
from bench.results.load import LoadResult, Operation
from bench.results.references import Stored
from bench.results.store import Result
from bench.timing.histogram import Histogram, HistogramError

_WIDTH, _HEIGHT = 860, 280
_TITLE_LETTERS, _SUBTITLE_LETTERS = 100, 130  # that fit into the width
_POINTS_PER_DECADE = 30
_MOST_CURVES = 5  # thin ones, of a side
_NINES = [1, 2, 4, 10, 100, 1_000, 10_000, 100_000, 1_000_000]
_LABELS = ["0 %", "50 %", "75 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"]
_BLUE, _VERMILION, _GREY = "#0072B2", "#D55E00", "#555555"
_SIDES = ("old", "new")

TimeKind = Literal["service", "response"]


@dataclass(frozen=True)
class Distribution:
    """The times of round trips, and the number of those known only to have taken longer than all of these."""

    times: Histogram
    censored: int


def overlay_chart(comparison: Comparison, old: Sequence[Stored], new: Sequence[Stored], form: ChartFormat) -> bytes:
    """Return the chart of all benchmarks in that format. Raises ValueError if no result has a distribution stored.

    Raises bench.timing.histogram.HistogramError, with the file's name, for a distribution that cannot be read.
    """
    specification = overlay_specification(comparison, old, new)
    return chart_file(specification, form, f"bench compare: {comparison.kind}, old and new")


def overlay_specification(comparison: Comparison, old: Sequence[Stored], new: Sequence[Stored]) -> dict[str, Any]:
    """Return the Vega-Lite specification that all formats are made of. Raises as `overlay_chart` does."""
    panels = []
    for benchmark in comparison.benchmarks:
        kind = _time_kind(benchmark.name, [stored.result for stored in (*old, *new)])
        sides = {
            side: [found for stored in results if (found := _distribution(stored, benchmark.name, kind)) is not None]
            for side, results in zip(_SIDES, (old, new), strict=True)
        }
        if all(sides.values()):
            panels.append(_panel(benchmark, sides, f"{kind} time"))
    if not panels:
        raise ValueError("no benchmark has its distribution stored on both sides")
    stacked = alt.vconcat(*panels, spacing=40).resolve_scale(color="independent", strokeDash="independent")
    chart = stacked.configure_view(stroke="#dddddd").configure(font="sans-serif")
    specification: dict[str, Any] = chart.to_dict()
    return specification


def percentile_points(distribution: Distribution) -> Iterator[tuple[float, float]]:
    """Yield 1 / (1 - p) and the time in µs that the share p does not exceed, up to where that is known."""
    total = distribution.times.count + distribution.censored
    decades = math.log10(max(total, 1))
    for step in range(math.floor(decades * _POINTS_PER_DECADE) + 1):
        nines = 10 ** (step / _POINTS_PER_DECADE)
        time_ns = distribution.times.percentile_ns(100 * (1 - 1 / nines), distribution.censored)
        if time_ns is None:
            return
        yield nines, time_ns / 1e3


def _time_kind(name: str, results: Sequence[Result]) -> TimeKind:
    """Return "response" if all results with the operation have its response time. Connecting has none."""
    loads = [result for result in results if isinstance(result, LoadResult)]
    operations = [operation for load in loads for operation in load.operations if operation.label == name]
    has_all = bool(operations) and all(operation.response_histogram is not None for operation in operations)
    return "response" if has_all else "service"


def _distribution(stored: Stored, name: str, kind: TimeKind) -> Distribution | None:
    try:
        return _decoded(stored.result, name, kind)
    except HistogramError as error:
        raise HistogramError(f"{stored.path}: {name}: {error}") from None


def _decoded(result: Result, name: str, kind: TimeKind) -> Distribution | None:
    if isinstance(result, LatencyResult):
        encoded = next((benchmark.histogram for benchmark in result.benchmarks if benchmark.fullname == name), None)
        return None if encoded is None else Distribution(Histogram.decode(encoded), 0)
    operation = next((operation for operation in result.operations if operation.label == name), None)
    if operation is None:
        return None
    encoded = operation.response_histogram if kind == "response" else operation.service_histogram
    return None if encoded is None else _of_operation(operation, Histogram.decode(encoded))


def _of_operation(operation: Operation, times: Histogram) -> Distribution:
    share = operation.failed / operation.scheduled if operation.scheduled else 0.0
    censored = round(times.count * share / (1 - share)) if share < 1 else 0
    return Distribution(times, censored)


def _merged(distributions: Sequence[Distribution]) -> Distribution:
    times = Histogram()
    for distribution in distributions:
        times.merge(distribution.times)
    return Distribution(times, sum(distribution.censored for distribution in distributions))


def _panel(benchmark: Compared, sides: dict[str, list[Distribution]], what: str) -> alt.LayerChart | alt.FacetChart:
    merged = {side: _merged(found) for side, found in sides.items()}
    x = alt.X(
        "nines:Q",
        title="percentile",
        scale=alt.Scale(type="log", domain=[1, max(10, *(d.times.count + d.censored for d in merged.values()))]),
        axis=alt.Axis(
            values=_NINES, labelExpr=f"{json.dumps(dict(zip(map(str, _NINES), _LABELS, strict=True)))}[datum.value]"
        ),
    )
    y = alt.Y(
        "us:Q",
        title=[what, "(logarithmic)"],
        scale=alt.Scale(type="log", nice=False, padding=8),
        axis=alt.Axis(labelExpr=DURATION_LABEL),
    )
    colour = alt.Color(
        "side:N",
        scale=alt.Scale(domain=list(_SIDES), range=[_BLUE, _VERMILION]),
        legend=alt.Legend(title=None, orient="top-left", symbolStrokeWidth=3, symbolOpacity=1),
    )
    layers = [
        alt.Chart({"values": _rows(side, run)})
        .mark_line(strokeWidth=1, opacity=0.35, clip=True)
        .encode(x=x, y=y, color=colour)
        for side, runs in sides.items()
        if len(runs) > 1
        for run in runs[:_MOST_CURVES]
    ]
    layers.append(
        alt.Chart({"values": [row for side in _SIDES for row in _rows(side, merged[side])]})
        .mark_line(strokeWidth=2.5, clip=True)
        .encode(
            x=x,
            y=y,
            color=colour,
            strokeDash=alt.StrokeDash(
                "side:N", scale=alt.Scale(domain=list(_SIDES), range=[[1, 0], [6, 3]]), legend=None
            ),
            tooltip=[
                alt.Tooltip("side:N"),
                alt.Tooltip("percentile:N"),
                alt.Tooltip("shown:N", title="time"),
            ],
        )
    )
    subtitle = [line for text in _subtitles(sides, merged) for line in textwrap.wrap(text, _SUBTITLE_LETTERS)]
    return alt.layer(*layers).properties(
        width=_WIDTH,
        height=_HEIGHT,
        title=alt.TitleParams(
            text=textwrap.wrap(printable(benchmark.label), _TITLE_LETTERS),
            subtitle=subtitle,
            anchor="start",
            subtitleColor=_GREY,
        ),
    )


def _rows(side: str, distribution: Distribution) -> list[dict[str, Any]]:
    return [
        {
            "side": side,
            "nines": nines,
            "us": us,
            "percentile": f"{100 * (1 - 1 / nines):.7g} %",
            "shown": duration(Figure(us)),
        }
        for nines, us in percentile_points(distribution)
        if us > 0  # which has no logarithm
    ]


def _subtitles(sides: dict[str, list[Distribution]], merged: dict[str, Distribution]) -> Iterator[str]:
    for side, found in sides.items():
        curve = merged[side]
        runs = "1 run" if len(found) == 1 else f"{len(found)} runs"
        beyond = f", and {curve.censored:,} that failed, beyond the end of the curve" if curve.censored else ""
        thin = f"; thin: the first {_MOST_CURVES} runs" if len(found) > _MOST_CURVES else ""
        yield f"{side}: {curve.times.count:,} round trips in {runs}{beyond}{thin}"
