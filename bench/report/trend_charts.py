"""The charts of trends: each series in commit order, with its levels and steps."""

from collections.abc import Mapping

from bench.report.chart import Axis, Chart, Event, Panel, Point, Role, Series, Unit
from bench.report.document import Document
from bench.report.formatting import short_commit
from bench.report.trend import (
    change_text,
    commit_text,
    full_text,
    measured_words,
    run_text,
    series_titles,
    step_text,
    trend_document,
    unit_text,
)
from bench.results.remote import commit_pages, commit_subjects
from bench.statistics.change_points import fewest_results
from bench.trend import series as trend_series
from bench.trend.series import Trends, TrendUnit

#: The most digits of a commit along the axis.
_DIGITS = 7

_UNITS: dict[TrendUnit, Unit] = {"µs": "µs", "per second": "per second", "x control": "ratio"}

#: The states of results, as series of points, in the order of the legend.
_STATES: tuple[tuple[str, Role], ...] = (
    ("clean", "plain"),
    ("uncommitted changes, or a lower bound", "warning"),
    ("not judged", "faint"),
)


def charted_trend(trends: Trends, last: int | None, command: str = "") -> Document:
    """Return the document of trends with their charts, and with what the repository here knows of their commits."""
    subjects = commit_subjects(point.commit for series in trends.series for point in series.points)
    return trend_document(trends, last, charts=trend_charts(trends, subjects), pages=commit_pages(), command=command)


def trend_charts(trends: Trends, subjects: Mapping[str, str] | None = None) -> tuple[Chart, ...]:
    """Return a chart for each series. `subjects` are the subjects of commits, by full id, as far as they are known."""
    titles = series_titles(trends)
    return tuple(
        _chart(series, title, number, trends, subjects or {})
        for number, (series, title) in enumerate(zip(trends.series, titles, strict=True), 1)
    )


def _chart(series: trend_series.Series, title: str, number: int, trends: Trends, subjects: Mapping[str, str]) -> Chart:
    words = trends.metric if series.unit == "µs" else f"{trends.metric}, {unit_text(series)}"
    points = [
        Series(state, found, "points", role) for state, role in _STATES if (found := _points(series, state, subjects))
    ]
    levels = Series(
        "level",
        tuple(Point(level.first, level.value, until=level.last) for level in series.levels),
        "level",
        "faint",
    )
    steps = [step_text(series, step) for step in series.steps]
    said = "; ".join(f"step: {step}" for step in steps) or _without_a_step(series, trends.significance)
    return Chart(
        name=f"trend-{number}",
        title=title,
        alt=f"{len(series.points)} results in commit order: {measured_words(series)}; {said}.",
        x=Axis(
            "commit, oldest first",
            "place",
            labels=tuple(short_commit(point.commit, _DIGITS) for point in series.points),
        ),
        panels=(
            Panel(
                Axis(words, _UNITS[series.unit]),
                (*([levels] if levels.points else []), *points),
                f"{words} (axis does not start at 0)",
            ),
        ),
        events=tuple(Event((step.before + step.after) / 2, change_text(step), "bad") for step in series.steps),
        caption=f"{series.machine}. {measured_words(series)}. {said}.",
    )


def _without_a_step(series: trend_series.Series, significance: float) -> str:
    fewest = fewest_results(significance)
    return "no step found" if series.judged >= fewest else f"too short: a step shows from {fewest} results on"


def _points(series: trend_series.Series, state: str, subjects: Mapping[str, str]) -> tuple[Point, ...]:
    return tuple(
        Point(place, point.value.value, text=_text(point, series, subjects))
        for place, point in enumerate(series.points)
        if _state(point) == state
    )


def _state(point: trend_series.Point) -> str:
    if not point.judged:
        return _STATES[2][0]
    return _STATES[1][0] if point.remarks else _STATES[0][0]


def _text(point: trend_series.Point, series: trend_series.Series, subjects: Mapping[str, str]) -> str:
    subject = subjects.get(point.commit, "")
    remarks = ", ".join(point.remarks)
    bound = "" if point.value.bound == "exact" else full_text(point.value, series)
    parts = (f"{commit_text(point)} {subject}".strip(), f"{run_text(point)} UTC", bound, remarks)
    return "; ".join(filter(None, parts))
