"""The chart of what failed: how often each kind came, second by second."""

from collections import Counter

from bench.report.chart import Axis, Chart, Panel, Point, Series
from bench.report.formatting import count, counted, moment
from bench.report.load_charts.limits import MOST_COLUMNS, MOST_ERRORS
from bench.report.load_charts.time_axis import run_s, time_axis
from bench.results.load import LoadResult

_LETTERS = 60

#: The name of the kinds of errors that have no bars of their own.
_OTHERS = "all others"


def errors_over_time(result: LoadResult) -> Chart | None:
    """Return the chart of failures by kind; None if nothing failed, or if an older result does not tell the kinds."""
    seconds = result.timeline
    total = Counter[str]()
    for second in seconds:
        total.update(second.errors)
    if not total:
        return None
    kinds = [kind for kind, _ in total.most_common(MOST_ERRORS)]
    width = -(-len(seconds) // MOST_COLUMNS)
    series = []
    for kind in kinds:
        bars = _bars(result, width, (kind,))
        series.append(Series(_short(kind), bars, "bars", "bad"))
    if rest := [kind for kind in total if kind not in kinds]:
        series.append(Series(_OTHERS, _bars(result, width, rest), "bars", "faint"))
    panels = [Panel(Axis("failures", from_zero=True), (line,), line.label) for line in series]
    first = next(second.t for second in seconds if second.errors)
    span = "a second" if width == 1 else f"{width} seconds"
    return Chart(
        name="errors-over-time",
        title="What failed, and when",
        alt=(
            f"Bars over time for each of {counted(len(total), 'kind')} of failures, {count(total.total())} in all, "
            f"the first in {moment(first, run_s(result))}: " + ", ".join(_short(kind) for kind in kinds) + "."
        ),
        x=time_axis(result),
        panels=tuple(panels),
        caption=f"Each bar is {span}. A failure counts when it ended: a timeout at its end.",
    )


def _bars(result: LoadResult, width: int, kinds: "list[str] | tuple[str, ...]") -> tuple[Point, ...]:
    seconds = result.timeline
    points = []
    for start in range(0, len(seconds), width):
        part = seconds[start : start + width]
        number = sum(second.errors.get(kind, 0) for second in part for kind in kinds)
        if number:
            points.append(Point(part[0].t, number, until=part[-1].t + 1))
    return tuple(points)


def _short(kind: str) -> str:
    return kind if len(kind) <= _LETTERS else f"{kind[: _LETTERS - 1]}…"
