"""Trends on a terminal, or in a file that stands for one; and the words for a step, which the chart uses too.

Rules of this file: trends and a console in, text out; everything said here is data of the trends. What a reader wants
first, the steps, comes last, where a terminal ends.
"""

import datetime as dt
import re
from collections.abc import Iterator

from rich.console import Console

from bench.report.figures import UNKNOWN, count, microseconds, per_second, printable, ratio
from bench.report.lines import print_line, print_row, widths
from bench.results.figure import Figure
from bench.statistics.change_points import fewest_results
from bench.trend.series import Point, Series, Step, Trends

_HASH = re.compile("[0-9a-f]{7,64}")
_SHORT_COMMIT = 10
_NAMES_SHOWN = 3


def trend_table(trends: Trends, console: Console) -> None:
    """Print each series' results in commit order, with the level that each belongs to, then all steps and remarks."""
    titles = series_titles(trends)
    machine = ""
    for series, title in zip(trends.series, titles, strict=True):
        if series.machine != machine:
            machine = series.machine
            print_line(console, f"machine: {printable(machine)}", "bold")
            print_line(console, "")
        _print_series(console, series, title)
        print_line(console, "")
    for line, style in _summary(trends, titles):
        print_line(console, line, style)


def series_titles(trends: Trends) -> tuple[str, ...]:
    """A name for each series: of the benchmark, and of a load its scenario, with whatever else tells them apart."""
    return tuple(_title(series, trends) for series in trends.series)


def measured_words(series: Series) -> str:
    """What the values of a series are, with their unit."""
    return f"{series.measured}, {series.unit}"


def value_text(value: Figure, series: Series) -> str:
    """A value of a series without its unit."""
    if series.unit == "per second":
        return per_second(value.value)
    return ratio(value) if series.unit == "x control" else microseconds(value)


def level_text(value: float, series: Series) -> str:
    """A level of a series without its unit."""
    return value_text(Figure(value), series)


def short_commit(point: Point) -> str:
    """The first digits of a point's commit."""
    return printable(point.commit[:_SHORT_COMMIT])


def run_text(point: Point) -> str:
    """When a point was measured, in UTC, to the minute."""
    return f"{point.time.astimezone(dt.UTC):%Y-%m-%d %H:%M}"


def commit_text(point: Point) -> str:
    """A point's commit, short, and a mark where the tree had changes besides."""
    return short_commit(point) + (" + changes" if point.dirty else "")


def change_text(step: Step) -> str:
    """A step's relative change: +5.1 %."""
    return f"{_percent(step.change.effect)} %"


def step_text(series: Series, step: Step) -> str:
    """A step in a sentence without its series: by how much, how sure, and between which commits."""
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
    """Signed, in per cent, to a tenth; whole from 100 on."""
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


def _print_series(console: Console, series: Series, title: str) -> None:
    print_line(console, title, "bold")
    print_line(console, f"{measured_words(series)}; {_results(series)}")
    rows: list[tuple[str, ...]] = [("commit", "run (UTC)", series.unit, "level", "")]
    levels = {index: level for level in series.levels for index in range(level.first, level.last + 1)}
    for index, point in enumerate(series.points):
        level = levels.get(index) if point.judged else None
        rows.append(
            (
                short_commit(point),
                run_text(point),
                value_text(point.value, series),
                level_text(level.value, series) if level else UNKNOWN,
                printable(", ".join(point.remarks)),
            )
        )
    column_widths = widths([row[:-1] for row in rows])
    steps = {step.after: step for step in series.steps}
    for index, (*cells, remarks) in enumerate(rows, start=-1):
        if index in steps:
            print_line(console, f"-- {change_text(steps[index])}", "bold yellow")
        aligned = [cells[0], *(cell.rjust(width) for cell, width in zip(cells[1:], column_widths[1:], strict=True))]
        aligned[-1] += f"  {remarks}" if remarks else ""
        print_row(console, aligned, [column_widths[0], *map(len, aligned[1:])], "bold" if index < 0 else "")


def _results(series: Series) -> str:
    points = series.points
    commits = len({point.commit for point in points})
    text = f"{_counted(len(points), 'result')} of {_counted(commits, 'commit')}"
    return text if len(points) == series.judged else f"{text}, {count(series.judged)} of them judged"


def _counted(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def _summary(trends: Trends, titles: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The steps, then what has to be known to read them, each line with its style."""
    machines = len({series.machine for series in trends.series}) > 1
    for series, title in zip(trends.series, titles, strict=True):
        on = f" on {printable(series.machine)}" if machines else ""
        for step in series.steps:
            yield f"step: {title}{on}: {step_text(series, step)}", "bold yellow"
    fewest = fewest_results(trends.significance)
    long_enough = sum(series.judged >= fewest for series in trends.series)
    if not any(series.steps for series in trends.series) and long_enough:
        yield f"no step in {count(long_enough)} series", ""
    if long_enough:
        yield (
            f"steps are significant at {trends.significance:g}: where nothing changed, about one series in"
            f" {1 / trends.significance:,.0f} shows one by chance",
            "",
        )
    if short := len(trends.series) - long_enough:
        yield (
            f"{count(short)} of {count(len(trends.series))} series too short: a step shows from {fewest} results on",
            "",
        )
    yield from _remarks(trends, titles)


def _remarks(trends: Trends, titles: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    titled = list(zip(trends.series, titles, strict=True))
    if raw := [title for series, title in titled if series.without_control]:
        yield f"raw times, which drift with the machine, as not all results have a control: {', '.join(raw)}", "yellow"
    if hidden := [title for series, title in titled if series.unit == "x control" and _was_upgraded(series)]:
        yield (
            "the control shares the stack, so what an upgrade of it costs is hidden (--raw shows it): "
            + ", ".join(hidden),
            "yellow",
        )
    if not trends.history:
        yield "no git history here: results are in the order of their runs, not of their commits", "yellow"
    if trends.unknown_commits:
        shown = ", ".join(printable(commit[:_SHORT_COMMIT]) for commit in trends.unknown_commits[:_NAMES_SHOWN])
        more = len(trends.unknown_commits) - _NAMES_SHOWN
        rest = f" and {more} more" if more > 0 else ""
        yield f"not in this repository, placed by the commit's or the run's time: {shown}{rest}", "yellow"
    if trends.illustrative:
        names = ", ".join(printable(name) for name in trends.illustrative)
        yield f"not shown, the server was in the client's own loop: {names}", ""


def _was_upgraded(series: Series) -> bool:
    """Whether results were measured with other versions than the ones before them; the kernel is not of the stack."""
    stacks = {
        tuple(sorted((name, version) for name, version in point.environment.items() if name != "kernel"))
        for point in series.points
    }
    return len(stacks) > 1
