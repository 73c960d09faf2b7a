"""Trends as a document: each series' results in commit order, then the steps; and the words that the chart uses too.

Rules of this file: every statement here is data of the trends. What a reader wants first, the steps, comes last, where
a terminal ends.
"""

import datetime as dt
import re
from collections.abc import Collection, Iterator, Sequence

from bench.printable import printable
from bench.report.chart import AnyChart
from bench.report.document import Break, Column, Document, Line, Note, Row, Table
from bench.report.formatting import (
    UNKNOWN,
    DurationUnit,
    commit_with_changes,
    count,
    counted,
    duration,
    duration_number,
    per_second,
    ratio,
    short_commit,
    unit_of,
)
from bench.results.figure import Figure
from bench.statistics.change_points import fewest_results
from bench.trend.series import Point, Series, Step, Trends

_HASH = re.compile("[0-9a-f]{7,64}")
_SHORT_COMMIT = 10

_NAMES_SHOWN = 3


def trend_document(
    trends: Trends,
    last: int | None = None,
    *,
    charts: Sequence[AnyChart] = (),
    pages: str | None = None,
    command: str = "",
) -> Document:
    """Return the document of trends: a table for each series, with the level of each result; then steps and remarks.

    With `last`, a table has only the last results, that many, and those on both sides of each step. `charts` are those
    of the trends, for formats with pictures. `pages` is the address before which a commit's id comes to its page.
    `command` is the one that was typed.
    """
    titles = series_titles(trends)
    return Document(
        kind="trend",
        title=f"{trends.metric} of {counted(len(trends.series), 'series', 'series')} in commit order",
        headline=_headline(trends),
        tables=tuple(_table(series, title, last, pages) for series, title in zip(trends.series, titles, strict=True)),
        notes=tuple(_summary(trends, titles)),
        charts=tuple(charts),
        command=command,
        command_title="To show it again",
    )


def series_titles(trends: Trends) -> tuple[str, ...]:
    """Return a name for each series: its benchmark, the scenario of a load, and whatever else tells series apart."""
    return tuple(_title(series, trends) for series in trends.series)


def measured_words(series: Series) -> str:
    """Return the name of a series' values, with their unit."""
    return f"{series.measured}, {unit_text(series)}"


def unit_text(series: Series) -> str:
    """Return the unit in which all values of a series are shown."""
    return _duration_unit(series).name if series.unit == "µs" else series.unit


def value_text(value: Figure, series: Series) -> str:
    """Return a value of a series without its unit. A bound of a time has its own."""
    if series.unit == "per second":
        return per_second(value.value)
    if series.unit == "x control":
        return ratio(value)
    if value.bound == "exact":
        return duration_number(value.value, _duration_unit(series))
    return duration(value)


def full_text(value: Figure, series: Series) -> str:
    """Return a value of a series with its unit."""
    if series.unit == "µs":
        return duration(value, _duration_unit(series))
    return f"{value_text(value, series)} {series.unit}"


def _duration_unit(series: Series) -> DurationUnit:
    return unit_of(point.value for point in series.points)


def run_text(point: Point) -> str:
    """Return the time at which a point was measured, in UTC, to the minute."""
    return f"{point.time.astimezone(dt.UTC):%Y-%m-%d %H:%M}"


def commit_text(point: Point) -> str:
    """Return a point's commit, short, with a mark if the tree had uncommitted changes."""
    return printable(commit_with_changes(point.commit, point.dirty, _SHORT_COMMIT))


def _short(commit: str) -> str:
    return printable(short_commit(commit, _SHORT_COMMIT))


def change_text(step: Step) -> str:
    """Return a step's relative change: +5.1 %."""
    return f"{_percent(step.change.effect)} %"


def step_text(series: Series, step: Step) -> str:
    """Return a step in a sentence without its series: by how much, how sure, and between which commits."""
    change = step.change
    interval = UNKNOWN
    if change.low is not None and change.high is not None:
        interval = f"{_percent(change.low)} to {_percent(change.high)} %"
    verdict = "better" if (change.effect > 0) == series.higher_is_better else "worse"
    before, after = series.points[step.before], series.points[step.after]
    if before.commit == after.commit and not _HASH.fullmatch(before.commit):
        where = f"between the runs of {run_text(before)} and {run_text(after)}, whose commits are not known"
    elif before.commit == after.commit:
        where = f"between two results of commit {commit_text(before)}, so not by a change of the code that is committed"
    else:
        where = f"between commit {commit_text(before)} (last before) and {commit_text(after)} (first after)"
    also = f"; also changed there: {printable(', '.join(step.also_changed))}" if step.also_changed else ""
    return f"{change_text(step)} ({interval}), {verdict}, {where}; p = {step.p_value:.2g}{also}"


def _percent(effect: float) -> str:
    """Return a relative change, signed, in per cent, to a tenth; whole from 100 on."""
    return f"{effect * 100:+,.1f}" if abs(effect) < 1 else f"{effect * 100:+,.0f}"


def _title(series: Series, trends: Trends) -> str:
    alike = [
        other
        for other in trends.series
        if (other.machine, other.kind, other.benchmark) == (series.machine, series.kind, series.benchmark)
    ]
    always = ("user classes", "users", "model", "rate per s") if series.kind == "load" else ()
    said = [
        f"{name} {value}"
        for name, value in series.conditions
        if name in always or any(dict(other.conditions).get(name) != value for other in alike)
    ]
    return printable(f"{series.benchmark} ({', '.join(said)})" if said else series.benchmark)


def _table(series: Series, title: str, last: int | None, pages: str | None) -> Table:
    shown = _shown(series, last)
    levels = {index: level for level in series.levels for index in range(level.first, level.last + 1)}
    steps = {step.after: step for step in series.steps}
    rows: list[Row | Break] = []
    left_out = 0
    for index, point in enumerate(series.points):
        if index not in shown:
            left_out += 1
            continue
        if left_out:
            rows.append(Break(f".. {counted(left_out, 'result')} left out", "plain"))
            left_out = 0
        if index in steps:
            rows.append(Break(f"-- {change_text(steps[index])}", "step"))
        level = levels.get(index) if point.judged else None
        cells = (
            _short(point.commit),
            run_text(point),
            value_text(point.value, series),
            value_text(Figure(level.value), series) if level else UNKNOWN,
            ", ".join(point.remarks),
        )
        is_linked = pages is not None and _HASH.fullmatch(point.commit)
        rows.append(Row(cells, link=f"{pages}{point.commit}" if is_linked else ""))
    return Table(
        columns=(
            Column("commit", "name"),
            Column("run (UTC)", "word"),
            Column(unit_text(series)),
            Column("level"),
            Column("", "text"),
        ),
        rows=tuple(rows),
        section=f"machine: {series.machine}",
        title=title,
        caption=f"{measured_words(series)}; {_results(series)}{_shown_words(series, shown, last)}",
    )


def _shown(series: Series, last: int | None) -> frozenset[int]:
    """Return the indices of the results to show."""
    number = len(series.points)
    first = 0 if last is None else max(0, number - last)
    beside_steps = (index for step in series.steps for index in (step.before, step.after))
    return frozenset((*range(first, number), *beside_steps))


def _shown_words(series: Series, shown: Collection[int], last: int | None) -> str:
    if len(shown) == len(series.points):
        return ""
    also = " and both sides of each step" if series.steps else ""
    return f"; shown: the last {count(last or 0)}{also}"


def _results(series: Series) -> str:
    points = series.points
    commits = len({point.commit for point in points if _HASH.fullmatch(point.commit)})
    of = f"of {counted(commits, 'commit')}" if commits else "whose commits are not known"
    text = f"{counted(len(points), 'result')} {of}"
    return text if len(points) == series.judged else f"{text}, {count(series.judged)} of them judged"


def _headline(trends: Trends) -> Line | None:
    """Return how many steps there are; None if no series is long enough to show any."""
    steps = sum(len(series.steps) for series in trends.series)
    if steps:
        return Line(f"{counted(steps, 'step')} in {count(len(trends.series))} series", "step")
    fewest = fewest_results(trends.significance)
    long_enough = sum(series.judged >= fewest for series in trends.series)
    return Line(f"no step in {count(long_enough)} series", "heading") if long_enough else None


def _summary(trends: Trends, titles: tuple[str, ...]) -> Iterator[Note]:
    """Yield the steps, then what a reader has to know to read them."""
    machines = len({series.machine for series in trends.series}) > 1
    for series, title in zip(trends.series, titles, strict=True):
        on = f" on {series.machine}" if machines else ""
        for step in series.steps:
            yield Note(f"step: {title}{on}: {step_text(series, step)}", "step")
    fewest = fewest_results(trends.significance)
    long_enough = sum(series.judged >= fewest for series in trends.series)
    if long_enough:
        yield Note(
            f"steps are significant at {trends.significance:g}: where nothing changed, about one series in"
            f" {1 / trends.significance:,.0f} shows one by chance",
        )
    if short := len(trends.series) - long_enough:
        yield Note(
            f"{count(short)} of {count(len(trends.series))} series too short: a step shows from {fewest} results on",
        )
    yield from _remarks(trends, titles)


def _remarks(trends: Trends, titles: tuple[str, ...]) -> Iterator[Note]:
    titled = list(zip(trends.series, titles, strict=True))
    if raw := [title for series, title in titled if series.without_control]:
        yield Note(
            f"raw times, which drift with the machine, as not all results have a control: {', '.join(raw)}", "warning"
        )
    if hidden := [title for series, title in titled if series.unit == "x control" and _was_upgraded(series)]:
        yield Note(
            "the control shares the stack, so what an upgrade of it costs is hidden (--raw shows it): "
            + ", ".join(hidden),
            "warning",
        )
    if not trends.history:
        yield Note("no git history here: results are in the order of their runs, not of their commits", "warning")
    if trends.unknown_commits:
        shown = ", ".join(_short(commit) for commit in trends.unknown_commits[:_NAMES_SHOWN])
        more = len(trends.unknown_commits) - _NAMES_SHOWN
        rest = f" and {more} more" if more > 0 else ""
        yield Note(f"not in this repository, placed by the commit's or the run's time: {shown}{rest}", "warning")
    if trends.illustrative:
        names = ", ".join(trends.illustrative)
        yield Note(f"not shown, the server was in the client's own loop: {names}")


def _was_upgraded(series: Series) -> bool:
    """Return whether the versions of the stack changed from result to result. The kernel is not of the stack."""
    stacks = {
        tuple(sorted((name, version) for name, version in point.environment.items() if name != "kernel"))
        for point in series.points
    }
    return len(stacks) > 1
