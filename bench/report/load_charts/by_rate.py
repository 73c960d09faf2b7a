"""Times against the load: each second's against the rate of all operations, and each stage's."""

from bench.report.chart import Axis, Chart, Panel, Point, Series
from bench.report.formatting import moment, per_second
from bench.report.load_charts.limits import MOST_SECONDS_OF_OPERATIONS
from bench.report.load_charts.operations import Drawn, time_kind
from bench.report.load_charts.seconds import SecondsRead
from bench.report.load_charts.thinning import kept_rows, thinned
from bench.report.load_charts.time_axis import run_s
from bench.results.load import LoadResult, Second, StageFigures


def latency_by_rate(result: LoadResult, read: SecondsRead, drawn: Drawn) -> Chart | None:
    """Return the chart of each operation's p50 and p99 of a second against the rate of all operations in that second.

    It shows seconds of the window, or of the whole run if there is no window. None without two seconds.
    """
    seconds = result.timeline
    # Seconds of the same rate are beside each other: so the extremes of each rate are kept.
    inside = sorted(_in_window(result), key=lambda row: (_rate_per_s(seconds[row]), row))
    columns = [
        [
            None if (found := read.operations[operation.key][row]) is None else getattr(found, f"{name}_us")
            for row in inside
        ]
        for operation in drawn.operations
        for name in ("p50", "p99")
    ]
    known = [column for column in columns if any(time_us is not None for time_us in column)]
    kept = [inside[place] for place in kept_rows(known, MOST_SECONDS_OF_OPERATIONS)]
    panels = []
    for name in ("p50", "p99"):
        series = []
        for operation in drawn.operations:
            points = tuple(
                Point(
                    _rate_per_s(seconds[row]), getattr(found, f"{name}_us"), text=moment(seconds[row].t, run_s(result))
                )
                for row in kept
                if (found := read.operations[operation.key][row]) is not None
            )
            if points:
                series.append(Series(operation.label, points, "points"))
        if series:
            panels.append(Panel(Axis(f"{name} of {time_kind(result)}", "µs", "logarithmic"), tuple(series), name))
    if not panels or max(len(series.points) for panel in panels for series in panel.series) < 2:
        return None
    caption = [
        "Each point is a second. Where times rise with the rate, the service comes near its limit.",
        "What failed counts in the rate and has no time.",
        drawn.remark,
        thinned(len(kept), len(inside), "the least and the greatest time of each operation at each rate"),
    ]
    named = ", ".join(operation.label for operation in drawn.operations)
    return Chart(
        name="latency-by-rate",
        title=f"{time_kind(result).capitalize()} against the rate of all operations",
        alt=f"A point for each second: its rate of all operations, and its p50 and p99 of {named}.",
        x=Axis("operations that ended, per second", "per second"),
        panels=tuple(panels),
        caption=" ".join(filter(None, caption)),
    )


def _in_window(result: LoadResult) -> list[int]:
    """Return the places of the whole seconds of the window, or of all seconds if there is no window."""
    window = result.window
    return [
        row
        for row, second in enumerate(result.timeline)
        if window.duration_s == 0 or (window.start_s <= second.t and second.t + 1 <= window.end_s)
    ]


def _rate_per_s(second: Second) -> float:
    return float(second.ok + second.failed)


def stages(result: LoadResult) -> Chart | None:
    """Return the latency-throughput curve: a point for each stage of the rate; None of fewer than two stages."""
    if len(result.stages) < 2:
        return None
    all_times = (Series(name, _stage_points(result, name)) for name in ("p50", "p90", "p99"))
    times = tuple(series for series in all_times if any(point.y is not None for point in series.points))
    done = tuple(
        Point(stage.offered_per_s, stage.throughput_per_s, text=f"stage {stage.stage}") for stage in _ordered(result)
    )
    kept_up = tuple(Point(point.x, point.x) for point in (done[0], done[-1]))
    panels = (
        Panel(Axis("response time", "µs", "logarithmic"), times, "Response time of each stage"),
        Panel(
            Axis("answered per second", "per second", from_zero=True),
            (Series("answered", done, "line", "good"), Series("as offered", kept_up, "line", "faint")),
            "What came of the rate that was offered",
        ),
    )
    known = tuple(panel for panel in panels if panel.series)
    first, last = done[0], done[-1]
    return Chart(
        name="stages",
        title="Response time at each rate",
        alt=(
            f"Percentiles of {len(done)} stages, from {per_second(first.x)} to {per_second(last.x)} offered a second; "
            f"at the last, {per_second(last.y)} a second were answered."
        ),
        x=Axis("offered per second", "per second"),
        panels=known,
        caption=(
            "Each point is a stage of the rate. A line is broken where a percentile falls among what failed or was "
            "dropped. Where fewer are answered than offered, the service or the generator did not keep up."
        ),
    )


def _ordered(result: LoadResult) -> list[StageFigures]:
    return sorted(result.stages, key=lambda stage: stage.offered_per_s)


def _stage_points(result: LoadResult, name: str) -> tuple[Point, ...]:
    return tuple(
        Point(stage.offered_per_s, getattr(stage, f"{name}_us"), text=f"stage {stage.stage}")
        for stage in _ordered(result)
    )
