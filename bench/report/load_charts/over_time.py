"""The course of a load: rates, times, failures, CPU and the generator's delays, second by second on one axis."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.report.chart import Axis, Chart, Event, Mark, Panel, Point, Role, Series
from bench.report.formatting import count, counted, per_second
from bench.report.load_charts.limits import MOST_SECONDS, MOST_SECONDS_OF_OPERATIONS
from bench.report.load_charts.log_events import marked_lines
from bench.report.load_charts.operations import Drawn, time_kind
from bench.report.load_charts.seconds import SecondsRead
from bench.report.load_charts.thinning import kept_rows, thinned
from bench.report.load_charts.time_axis import time_axis
from bench.results.load import LoadResult, Second
from bench.statistics.percentiles import is_greatest

Values = list[float | None]


@dataclass(frozen=True)
class _Line:
    """A value for each second of the timeline, None where it is not known."""

    label: str
    values: Values
    role: Role = "plain"
    mark: Mark = "line"


def over_time(result: LoadResult, read: SecondsRead) -> Chart | None:
    """Return the chart of a run's course; None of a run without a second."""
    seconds = result.timeline
    if not seconds:
        return None
    rates = [
        _counts("sent", seconds, lambda second: second.sent),
        _counts("ok", seconds, lambda second: second.ok, "good"),
    ]
    times = [
        _Line("p50", _of(seconds, lambda second: second.p50_us)),
        _Line("p90", read.p90_us),
        _Line("p99", _of(seconds, lambda second: second.p99_us)),
        _Line("longest", read.max_us, "faint"),
    ]
    failures = [
        # Bars, because a line between two seconds that are shown would tell of failures in those that are not.
        _Line("dropped", _of(seconds, lambda second: second.dropped or None), "warning", "bars"),
        _Line("failed", _of(seconds, lambda second: second.failed or None), "bad", "bars"),
    ]
    users = [_Line("users", _of(seconds, lambda second: second.users), mark="steps")]
    cores = [
        _Line("service", _of(seconds, lambda second: second.server_cpu_share)),
        _Line("generator's busiest process", _of(seconds, lambda second: second.generator_cpu_share)),
    ]
    delays = [
        _Line("send lateness p99", _of(seconds, lambda second: second.send_lateness_p99_us)),
        _Line("loop lag p99", _of(seconds, lambda second: second.loop_lag_p99_us)),
        _Line("reading delay p99", _of(seconds, lambda second: second.reading_delay_p99_us)),
    ]
    rows = _kept([*rates, *times, *failures, *users, *cores, *delays])
    at_s = [second.t for second in seconds]
    panels = [
        _panel(Axis("per second", "per second", from_zero=True), rates, at_s, rows, "Throughput", _offered(result)),
        _panel(Axis(time_kind(result), "µs", "logarithmic"), times, at_s, rows, _titled(result)),
        _panel(Axis("per second", "per second", from_zero=True), failures, at_s, rows, "Failures"),
        _panel(Axis("users", from_zero=True), users, at_s, rows, "Users"),
        _panel(Axis("share of a core", "share", from_zero=True), cores, at_s, rows, "CPU"),
        _panel(Axis("delay", "µs", "logarithmic"), delays, at_s, rows, "Delays of the generator itself"),
    ]
    return Chart(
        name="over-time",
        title="The run, second by second",
        alt=_alt(result),
        x=time_axis(result),
        panels=tuple(panel for panel in panels if panel.series),
        events=(*_events(result), *marked_lines(result).events),
        caption=" ".join(filter(None, _caption(result, rows))),
    )


def operations_over_time(result: LoadResult, read: SecondsRead, drawn: Drawn) -> Chart | None:
    """Return the chart of each operation's p50 and p99, second by second; None of fewer than two operations."""
    if len(drawn.operations) < 2:
        return None
    lines = {
        name: [
            _Line(
                operation.label,
                [
                    None if second is None else getattr(second, f"{name}_us")
                    for second in read.operations[operation.key]
                ],
            )
            for operation in drawn.operations
        ]
        for name in ("p50", "p99")
    }
    rows = _kept([line for named in lines.values() for line in named], MOST_SECONDS_OF_OPERATIONS)
    at_s = [second.t for second in result.timeline]
    axis = Axis(time_kind(result), "µs", "logarithmic")
    panels = [_panel(axis, named, at_s, rows, name) for name, named in lines.items()]
    if not any(panel.series for panel in panels):
        return None
    named = ", ".join(operation.label for operation in drawn.operations)
    caption = "The times of the replies that came in each second. What failed has no time."
    return Chart(
        name="operations-over-time",
        title="Each operation, second by second",
        alt=f"Lines over time of the median and the p99 of {named}.",
        x=time_axis(result),
        panels=tuple(panel for panel in panels if panel.series),
        events=_events(result),
        caption=" ".join(filter(None, (caption, drawn.remark, _thinned(result, rows)))),
    )


def _of(seconds: Sequence[Second], value: Callable[[Second], float | None]) -> Values:
    return [value(second) for second in seconds]


def _counts(label: str, seconds: Sequence[Second], value: Callable[[Second], float], role: Role = "plain") -> _Line:
    return _Line(label, [value(second) for second in seconds], role)


def _kept(lines: Sequence[_Line], most: int = MOST_SECONDS) -> list[int]:
    known = [line.values for line in lines if any(value is not None for value in line.values)]
    return kept_rows(known, most)


def _panel(
    axis: Axis, lines: Sequence[_Line], at_s: Sequence[float], rows: Sequence[int], title: str, *more: Series | None
) -> Panel:
    series = [
        Series(line.label, tuple(_points(axis, line, at_s, rows)), line.mark, line.role)
        for line in lines
        if any(_drawable(axis, value) is not None for value in line.values)
    ]
    return Panel(axis, (*series, *(found for found in more if found is not None)), title)


def _points(axis: Axis, line: _Line, at_s: Sequence[float], rows: Sequence[int]) -> Iterator[Point]:
    for row in rows:
        value = _drawable(axis, line.values[row])
        if value is not None or line.mark != "bars":  # a line is broken where nothing is known
            yield Point(at_s[row], value, until=at_s[row] + 1 if line.mark == "bars" else None)


def _drawable(axis: Axis, value: float | None) -> float | None:
    return None if axis.scale == "logarithmic" and value is not None and value <= 0 else value


def _offered(result: LoadResult) -> Series | None:
    """Return the rate that the schedule asked for, stage by stage."""
    points = tuple(
        Point(stage.start_s, stage.offered_per_s, until=stage.end_s, text=stage.stage) for stage in result.stages
    )
    return Series("offered", points, "level", "faint") if points else None


def _events(result: LoadResult) -> tuple[Event, ...]:
    return tuple(_events_of(result))


def _events_of(result: LoadResult) -> Iterator[Event]:
    window = result.window
    if window.duration_s > 0:
        users_s = max(0.0, window.start_s - window.warmup_s)
        if window.warmup_s > 0:
            yield Event(users_s, "all users there")
            yield Event(window.start_s, "window begins")
        else:
            yield Event(window.start_s, "all users there, window begins")
        yield Event(window.end_s, "window ends")
    if result.generator.verdict == "saturated" and result.generator.saturated_since_s is not None:
        yield Event(result.generator.saturated_since_s, "generator saturated", "bad")
    if (loss := result.service_loss) is not None:
        what = f"service died{loss.cause and f' ({loss.cause})'}" if loss.how == "died" else "service lost"
        yield Event(loss.t, what, "bad")


def _titled(result: LoadResult) -> str:
    return f"{time_kind(result).capitalize()} of all operations"


def _alt(result: LoadResult) -> str:
    seconds = result.timeline
    most = max(second.ok for second in seconds)
    failed = sum(second.failed + second.dropped for second in seconds)
    return (
        f"Lines over {counted(len(seconds), 'second')}: throughput up to {per_second(most)} a second, percentiles of "
        f"the {time_kind(result)}, users, CPU and the generator's delays. {count(failed)} failed or were dropped."
    )


def _caption(result: LoadResult, rows: Sequence[int]) -> Iterator[str]:
    if any(second.failed or second.dropped for second in result.timeline):
        yield "A line of percentiles is broken where its percentile falls among what failed."
        yield "The p90 and the longest are of seconds without failures."
    if _few_replies(result):
        yield "Of fewer than 100 replies in a second, the p99 is the longest."
    if result.generator.verdict != "saturated":
        yield "Where the service's times and the generator's delays rise together, the generator may be the cause."
    yield marked_lines(result).remark
    yield _thinned(result, rows)


def _few_replies(result: LoadResult) -> bool:
    """Return true if most seconds with replies have so few that their p99 is the longest time."""
    numbers = [second.ok for second in result.timeline if second.ok]
    return sum(is_greatest("p99", number) for number in numbers) * 2 > len(numbers)


def _thinned(result: LoadResult, rows: Sequence[int]) -> str:
    what = "the least and the greatest value of each line in each part of the run"
    return thinned(len(rows), len(result.timeline), what)
