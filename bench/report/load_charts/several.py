"""Several loads on one page: the same operations over each other, and the runs on one time axis.

Each run is a line with its own name. Operations that only one of the runs has are in that run's own part of the page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.report.chart import Axis, Chart, Panel, Point, Series
from bench.report.formatting import count
from bench.report.load_charts.limits import MOST_OPERATIONS_DRAWN, MOST_RUNS, MOST_SECONDS
from bench.report.load_charts.operations import times_of
from bench.report.load_charts.percentiles import percentile_points
from bench.report.load_charts.thinning import kept_rows
from bench.report.load_charts.time_axis import time_axis
from bench.report.nines import NINES
from bench.results.load import REPLIED_KINDS, LoadResult, Operation, OperationKey, Second
from bench.timing.histogram import HistogramError


@dataclass(frozen=True)
class NamedLoad:
    """A load and its name on the page, such as `load/3`."""

    name: str
    result: LoadResult


def charts_of_several(loads: Sequence[NamedLoad]) -> tuple[Chart, ...]:
    """Return the charts that compare loads with each other; nothing of a single load.

    Times are response times if all of the loads that have the operation were open, else service times. What cannot be
    read of a damaged file is left out here: the file's own part of the page says so.
    """
    if len(loads) < 2:
        return ()
    shown = loads[:MOST_RUNS]
    remark = f"It shows the first {MOST_RUNS} of {count(len(loads))} runs." if len(loads) > len(shown) else ""
    charts = (_percentiles(shown, remark), _over_time(shown, remark), _by_rate(shown, remark))
    return tuple(chart for chart in charts if chart is not None)


def _percentiles(loads: Sequence[NamedLoad], remark: str) -> Chart | None:
    panels, kinds = [], set()
    common = common_operations(loads)
    for key in common[:MOST_OPERATIONS_DRAWN]:
        rows = [(load.name, row) for load in loads for row in load.result.operations if row.key == key]
        of_response = all(row.response_histogram is not None for _, row in rows)
        kind = "response time" if of_response else "service time"
        series = [Series(name, _points(row, of_response)) for name, row in rows]
        known = tuple(line for line in series if line.points)
        if len(known) > 1:
            kinds.add(kind)
            panels.append(Panel(Axis(kind, "µs", "logarithmic"), known, f"{key.label}, {kind}"))
    if not panels:
        return None
    rest = len(common) - len(panels)
    others = f"Of {count(len(common))} common operations it shows the most frequent." if rest > 0 else ""
    return Chart(
        name="runs-by-percentile",
        title="The runs by percentile",
        alt=f"Curves by percentile of {_names(loads)}, for {', '.join(panel.title for panel in panels)}.",
        x=NINES,
        panels=tuple(panels),
        caption=" ".join(filter(None, ("A lower curve is faster. Of the steady windows.", others, remark))),
    )


def _over_time(loads: Sequence[NamedLoad], remark: str) -> Chart | None:
    panels = [
        _panel(loads, "Throughput", Axis("per second", "per second", from_zero=True), lambda second: second.ok),
        _panel(loads, "p99 of all operations", Axis("time", "µs", "logarithmic"), lambda second: second.p99_us),
        _panel(
            loads,
            "Failed and dropped",
            Axis("per second", "per second", from_zero=True),
            lambda second: second.failed + second.dropped,
        ),
        _panel(
            loads,
            "CPU of the service",
            Axis("share of a core", "share", from_zero=True),
            lambda second: second.server_cpu_share,
        ),
    ]
    known = tuple(panel for panel in panels if panel.series)
    if not known:
        return None
    models = {load.result.scenario.model for load in loads}
    mixed = "Times of open loads are response times, those of closed loads service times." if len(models) > 1 else ""
    is_thinned = any(len(load.result.timeline) > MOST_SECONDS for load in loads)
    thinned = "Of long runs it shows the seconds with the least and greatest values." if is_thinned else ""
    return Chart(
        name="runs-over-time",
        title="The runs second by second",
        alt=f"Lines over time of {_names(loads)}: {', '.join(panel.title for panel in known)}.",
        x=time_axis(*(load.result for load in loads), of="each run"),
        panels=known,
        caption=" ".join(filter(None, (mixed, thinned, remark))),
    )


def _by_rate(loads: Sequence[NamedLoad], remark: str) -> Chart | None:
    """Return the latency-throughput curves, if all loads have stages."""
    if not all(load.result.stages for load in loads) or all(len(load.result.stages) < 2 for load in loads):
        return None
    panels = []
    for name in ("p50", "p99"):
        series = []
        for load in loads:
            stages = sorted(load.result.stages, key=lambda stage: stage.offered_per_s)
            points = tuple(
                Point(stage.offered_per_s, getattr(stage, f"{name}_us"), text=f"stage {stage.stage}")
                for stage in stages
            )
            if any(point.y is not None for point in points):
                series.append(Series(load.name, points))
        if series:
            panels.append(Panel(Axis("response time", "µs", "logarithmic"), tuple(series), name))
    if not panels:
        return None
    return Chart(
        name="runs-by-rate",
        title="The runs at each rate",
        alt=f"The p50 and the p99 of each stage of {_names(loads)}, against the rate that was offered.",
        x=Axis("offered per second", "per second"),
        panels=tuple(panels),
        caption=" ".join(filter(None, ("Each point is a stage of a run.", remark))),
    )


def _panel(loads: Sequence[NamedLoad], title: str, axis: Axis, value: Callable[[Second], float | None]) -> Panel:
    series = []
    for load in loads:
        seconds = load.result.timeline
        values = [value(second) for second in seconds]
        if not any(values):
            continue  # always zero, or unknown
        rows = kept_rows([values], MOST_SECONDS)
        series.append(Series(load.name, tuple(Point(seconds[row].t, values[row]) for row in rows)))
    return Panel(axis, tuple(series), title)


def common_operations(loads: Sequence[NamedLoad]) -> list[OperationKey]:
    """Return the operations with replies that at least two of the loads have, the most frequent first."""
    sent: dict[OperationKey, list[int]] = {}
    for load in loads:
        for row in load.result.operations:
            if row.kind in REPLIED_KINDS and times_of(row) is not None:
                sent.setdefault(row.key, []).append(row.sent)
    common = [key for key, numbers in sent.items() if len(numbers) > 1]
    return sorted(common, key=lambda key: -sum(sent[key]))


def _points(row: Operation, of_response: bool) -> tuple[Point, ...]:
    try:
        return tuple(percentile_points(row, of_response=of_response))
    except HistogramError:
        return ()


def _names(loads: Sequence[NamedLoad]) -> str:
    return ", ".join(load.name for load in loads)
