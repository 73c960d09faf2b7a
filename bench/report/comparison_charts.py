"""The charts of a comparison of stored results: all effects with their intervals, and both sides' distributions.

A side's runs are merged into one curve, which is exact; beside it, thin, is each of them. A curve of a load ends where
what failed begins: these took longer than anything that is known. Their share is that of the whole run, the times are
of its steady window.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.compare.model import FAILING, Compared, ComparedResult, Comparison, Row, RowVerdict
from bench.report.chart import AnyChart, Axis, Chart, Effect, Forest, Panel, Point, Role, Series
from bench.report.formatting import commit_with_changes, count, counted, measured, percent
from bench.report.nines import NINES, nines_points
from bench.results.latency import LatencyResult
from bench.results.load import LoadResult, Operation
from bench.results.references import Stored
from bench.results.store import Result
from bench.timing.histogram import Histogram, HistogramError

#: The metrics that a chart of many effects keeps; all that is worse is kept as well.
_PRIMARY = {"p50", "throughput", "response p50", "response p99", "failed"}

#: The most effects that a chart shows with all metrics.
_MOST_EFFECTS = 40

#: The beginning of the names of the charts of distributions.
DISTRIBUTION = "distribution-"

#: The most thin curves of a side.
_MOST_CURVES = 5

#: The most digits of a commit in a legend.
_COMMIT_DIGITS = 10

ROLES: dict[RowVerdict | None, Role] = {
    "slower": "bad",
    "worse": "bad",
    "faster": "good",
    "better": "good",
    "inconclusive": "warning",
}

TimeKind = Literal["service", "response"]


@dataclass(frozen=True)
class Distribution:
    """The times of round trips, and the number of those known only to have taken longer than all of these."""

    times: Histogram
    censored: int


def comparison_charts(
    comparison: Comparison, old: Sequence[Stored] = (), new: Sequence[Stored] = ()
) -> tuple[AnyChart, ...]:
    """Return the charts of a comparison: effects, and distributions if the results of both sides are given.

    Raises bench.timing.histogram.HistogramError, with the file's name, for a distribution that cannot be read.
    """
    forest = effects_chart(comparison)
    return (*([forest] if forest is not None else []), *distribution_charts(comparison, old, new))


def effects_chart(comparison: Comparison) -> Forest | None:
    """Return the effects with their intervals; None if there is none."""
    rows = [(compared, row) for compared in comparison.benchmarks for row in compared.rows if row.effect is not None]
    shown = rows
    if len(rows) > _MOST_EFFECTS:
        shown = [(compared, row) for compared, row in rows if row.metric in _PRIMARY or row.verdict in FAILING]
    effects = tuple(_effect(compared, row) for compared, row in shown if row.effect is not None)
    if not effects:
        return None
    left_out = "" if len(shown) == len(rows) else f" Of {counted(len(rows), 'effect')} these are the first to read."
    worse = [effect.label for effect in effects if effect.role == "bad"]
    found = f"worse: {', '.join(worse)}" if worse else "none is known to be worse"
    return Forest(
        name="effects",
        title="Effects: the candidate against the baseline",
        alt=f"{counted(len(effects), 'effect')} with {comparison.confidence:.0%} intervals; {found}.",
        x=Axis("change from the baseline to the candidate", "share"),
        effects=effects,
        caption=(
            f"Right of the line a time is longer, or a rate higher. A bar is the {comparison.confidence:.0%} interval. "
            f"Slower is what lies wholly beyond {percent(comparison.threshold)}.{left_out}"
        ),
    )


def distribution_charts(comparison: Comparison, old: Sequence[Stored], new: Sequence[Stored]) -> tuple[Chart, ...]:
    """Return a chart for each benchmark whose distribution both sides have. Raises HistogramError."""
    charts: list[Chart] = []
    for benchmark in comparison.benchmarks:
        kind = _time_kind(benchmark.name, [stored.result for stored in (*old, *new)])
        sides = [
            [found for stored in results if (found := _distribution(stored, benchmark.name, kind)) is not None]
            for results in (old, new)
        ]
        if all(sides):
            names = _side_names(comparison, old, new)
            charts.append(_overlay(benchmark, len(charts) + 1, sides, names, f"{kind} time"))
    return tuple(charts)


def side_text(label: str, results: Sequence[ComparedResult], machines: Sequence[str] = ()) -> str:
    """Return a side in words, after its label if it has any: its commits, when it was measured, on which machines."""
    commits = dict.fromkeys(commit_with_changes(result.commit, result.dirty, _COMMIT_DIGITS) for result in results)
    first, last = (_day(pick(result.datetime for result in results)) for pick in (min, max))
    when = first if first == last else f"{first} to {last}"
    where = f", on {', '.join(dict.fromkeys(filter(None, machines)))}" if any(machines) else ""
    words = f"{', '.join(commits)}, {when}{where}"
    return f"{label}: {words}" if label else words


def _day(when: dt.datetime) -> str:
    return f"{when.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def _effect(compared: Compared, row: Row) -> Effect:
    verdict = row.verdict or "only reported"
    old, new = measured([row.old, row.new], row.unit)
    assert row.effect is not None
    return Effect(
        label=f"{compared.label}: {row.metric}",
        value=row.effect,
        low=row.low,
        high=row.high,
        role=ROLES.get(row.verdict, "plain"),
        text=f"{verdict}, {old} → {new}",
    )


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


def _side_names(comparison: Comparison, old: Sequence[Stored], new: Sequence[Stored]) -> list[str]:
    return [
        side_text(label, compared, [stored.result.machine_info.node for stored in side])
        for label, compared, side in (("baseline", comparison.old, old), ("candidate", comparison.new, new))
    ]


def _overlay(
    benchmark: Compared, number: int, sides: Sequence[Sequence[Distribution]], names: Sequence[str], words: str
) -> Chart:
    merged = [_merged(found) for found in sides]
    roles: tuple[Role, ...] = ("baseline", "candidate")
    thin = [
        Series(f"{role}, run {place}", _points(run), role="faint")
        for role, runs in zip(roles, sides, strict=True)
        if len(runs) > 1
        for place, run in enumerate(runs[:_MOST_CURVES], 1)
    ]
    whole = [Series(name, _points(curve), role=role) for name, curve, role in zip(names, merged, roles, strict=True)]
    told = zip(("baseline", "candidate"), sides, merged, strict=True)
    return Chart(
        name=f"{DISTRIBUTION}{number}",
        title=f"{words.capitalize()} of {benchmark.label}",
        alt=f"Two curves of the {words} by percentile, of the baseline and of the candidate.",
        x=NINES,
        panels=(Panel(Axis(words, "µs", "logarithmic"), (*thin, *whole), f"{words}, logarithmic"),),
        caption=" ".join(_side_caption(side, found, curve) for side, found, curve in told),
    )


def _points(distribution: Distribution) -> tuple[Point, ...]:
    return tuple(nines_points(distribution.times, distribution.censored))


def _side_caption(side: str, found: Sequence[Distribution], curve: Distribution) -> str:
    beyond = f", and {count(curve.censored)} that failed, beyond the end of the curve" if curve.censored else ""
    thin = f"; thin: the first {_MOST_CURVES} runs" if len(found) > _MOST_CURVES else ""
    return f"{side.capitalize()}: {count(curve.times.count)} round trips in {counted(len(found), 'run')}{beyond}{thin}."
