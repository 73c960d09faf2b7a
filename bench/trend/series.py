"""The series of results in commit order, and the steps of each series.

Rules of this file: data in, frozen dataclasses out; no files, no clock, no git. A value is never compared across
machines, scenarios or settings: those are series of their own. `bench.statistics.change_points` finds the steps.
"""

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.results.figure import Figure, exact, figure
from bench.results.header import Kind, MachineInfo
from bench.results.latency import LatencyBenchmark, LatencyResult
from bench.results.load import CONNECT, LoadResult, Operation, TimesKind
from bench.results.settings import CLOCK, LATENCY_SETTINGS, LOAD_SETTINGS, clock_in_series, series_of
from bench.results.store import Result
from bench.statistics.change_points import change_points, level_changes, levels_between
from bench.statistics.estimates import Estimate
from bench.statistics.significance import SIGNIFICANCE
from bench.trend.metric import Metric

TrendUnit = Literal["µs", "per second", "x control"]

#: The name of the benchmark that stands for all of a load run.
WHOLE_RUN = "whole run"

_US_PER_S = 1e6


@dataclass(frozen=True)
class Point:
    """A result in a series. `value` may be only a bound; `remarks` are the reasons why the result is not clean.

    A point that is not `judged` is shown, but has no part in finding steps.
    """

    commit: str
    commit_known: bool
    dirty: bool
    time: dt.datetime
    value: Figure
    remarks: tuple[str, ...]
    judged: bool
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Level:
    """The results between two steps, by index into the series, both ends included; `value` is their geometric mean."""

    first: int
    last: int
    value: float


@dataclass(frozen=True)
class Step:
    """A change of level between the results at `before` and `after`, the indices of the last before and first after.

    `change` is the relative change of the mean with its interval. `also_changed` is what else is different between the
    two results: versions of packages, of Python, of the kernel.
    """

    before: int
    after: int
    change: Estimate
    p_value: float
    also_changed: tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """A metric of a benchmark under the same conditions on one machine, in commit order, and its steps.

    `measured` names the value in words. `without_control` is the number of results that have no ratio to the control,
    if the metric could have such a ratio. The raw value is then shown. It is None if the user asked for raw values or
    if the metric has no such ratio.
    """

    kind: Kind
    benchmark: str
    machine: str
    conditions: tuple[tuple[str, str], ...]
    measured: str
    unit: TrendUnit
    higher_is_better: bool
    points: tuple[Point, ...]
    levels: tuple[Level, ...]
    steps: tuple[Step, ...]
    without_control: int | None

    @property
    def judged(self) -> int:
        """The number of results that have a part in finding steps."""
        return sum(point.judged for point in self.points)


@dataclass(frozen=True)
class Trends:
    """The series of all results, by machine and benchmark. `unknown_commits` are not in the history.

    `history` is true if there was a history. `illustrative` names benchmarks that are left out, because the server ran
    in the client's own loop.
    """

    series: tuple[Series, ...]
    metric: Metric
    significance: float
    history: bool
    unknown_commits: tuple[str, ...]
    illustrative: tuple[str, ...]


def trends(
    results: Iterable[Result],
    metric: Metric = "p50",
    history: Sequence[str] | None = None,
    *,
    raw: bool = False,
    significance: float = SIGNIFICANCE,
    benchmarks: Sequence[str] = (),
    machine: str | None = None,
) -> Trends:
    """Return the series of a metric over these results, with their steps.

    `history` is a list of full commit ids, parents first; None if it is not known. `benchmarks` and `machine` select
    series: the name of the benchmark contains any of these texts, the name of the machine this text. The p50 of a
    latency benchmark is its ratio to the control on the same stack. It is the time itself with `raw`, or if a result of
    the series has no such ratio. Results without the metric are left out.
    """
    ordered = in_commit_order(results, history)
    known = frozenset(history or ())
    groups: dict[_Key, list[_Sample]] = {}
    illustrative: dict[str, None] = {}
    for result in ordered:
        where = machine_name(result.machine_info)
        if machine is not None and machine not in where:
            continue
        for key, sample in _samples(result, where, metric, known):
            if benchmarks and not any(name in key.benchmark or name in sample.full_name for name in benchmarks):
                continue
            if sample.illustrative:
                illustrative[key.benchmark] = None
            else:
                groups.setdefault(key, []).append(sample)
    series = [
        _series(key, samples, metric, raw, significance)
        for key, samples in sorted(groups.items(), key=lambda item: (item[0].machine, item[0].kind))
    ]
    unknown = {point.commit: None for line in series for point in line.points if not point.commit_known}
    return Trends(
        series=tuple(series),
        metric=metric,
        significance=significance,
        history=history is not None,
        unknown_commits=tuple(unknown) if history is not None else (),
        illustrative=tuple(illustrative),
    )


def in_commit_order(results: Iterable[Result], history: Sequence[str] | None) -> list[Result]:
    """Return results in the order of their commits in `history`, parents first; results of one commit by their runs.

    A commit that the history does not have goes after the last commit that is not younger. Its age is the committer's
    time in its result, or else the time of the run. Without a history, all results are in the order of their runs.
    """
    by_run = sorted(results, key=lambda result: result.datetime)
    if history is None:
        return by_run
    places = {commit: place for place, commit in enumerate(history)}
    known = sorted(
        (result for result in by_run if result.commit_info.id in places),
        key=lambda result: places[result.commit_info.id],
    )
    # Clocks differ, so a child may seem older than its parent: each counts as no older than those before it.
    times: list[dt.datetime] = []
    for result in known:
        times.append(max([_commit_time(result), *times[-1:]]))
    keyed = [((time, 0), result) for time, result in zip(times, known, strict=True)]
    keyed += [((_commit_time(result), 1), result) for result in by_run if result.commit_info.id not in places]
    return [result for _, result in sorted(keyed, key=lambda item: item[0])]  # stable: ties keep their order


def machine_name(machine: MachineInfo) -> str:
    """Return the name of a machine: host, processor, cores, system, Python's implementation and version.

    Results of machines with the same name are comparable.
    """
    cpu = machine.cpu
    python = ".".join(machine.python_version.split(".")[:2])
    parts = [
        machine.node or "unnamed",
        str(cpu.get("brand_raw") or machine.processor or "unknown processor"),
        f"{cpu.get('count', 'unknown number of')} cores",
        f"{machine.system} {machine.machine}".strip(),
        f"{machine.python_implementation} {python}".strip(),
    ]
    return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class _Key:
    """The values that are equal in all results of a series."""

    machine: str
    kind: Kind
    benchmark: str
    conditions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Sample:
    """A benchmark of a result: its value, and its ratio to the control, if it has a control."""

    full_name: str
    measured: str
    raw: Figure
    controlled: float | None
    illustrative: bool
    result: Result
    known: bool
    remarks: tuple[str, ...]
    judged: bool


def _samples(result: Result, machine: str, metric: Metric, known: frozenset[str]) -> Iterator[tuple[_Key, _Sample]]:
    remarks, judged = _remarks(result)
    is_known = result.commit_info.id in known

    def sample(full_name: str, measured: str, raw: Figure, controlled: float | None, illustrative: bool) -> _Sample:
        positive = raw.value > 0
        is_known_time = not math.isinf(raw.value)
        bounded = () if raw.bound == "exact" else ("a lower bound" if is_known_time else "among what failed",)
        is_judged = positive and is_known_time
        more = remarks + bounded + (() if is_judged else ("not judged",))
        return _Sample(full_name, measured, raw, controlled, illustrative, result, is_known, more, judged and is_judged)

    if isinstance(result, LatencyResult):
        for benchmark in result.benchmarks:
            value = _latency_value(benchmark, metric)
            if value is not None and math.isfinite(value):
                controlled = benchmark.ratio_to("same-stack") if metric == "p50" else None
                key = _Key(machine, "latency", benchmark.name, series_of(LATENCY_SETTINGS, benchmark))
                yield (
                    key,
                    sample(
                        benchmark.fullname, _LATENCY_WORDS[metric], Figure(value), controlled, benchmark.is_illustrative
                    ),
                )
        return
    conditions = series_of(LOAD_SETTINGS, result)
    if metric == "cpu":
        cpu = result.server.cpu_us_per_round_trip if result.server else None
        if cpu is not None:
            key = _Key(machine, "load", WHOLE_RUN, (*conditions, (CLOCK, str(clock_in_series(result, None)))))
            yield key, sample(WHOLE_RUN, "server CPU per round trip", Figure(cpu), None, False)
        return
    for operation in result.operations:
        found, words = _load_value(operation, metric)
        if found is not None:
            is_of_run = operation.times_of == "run" and operation.kind != CONNECT
            its_own = (*conditions, ("times of", "the whole run")) if is_of_run else conditions
            if (clock := clock_in_series(result, operation)) is not None:
                its_own = (*its_own, (CLOCK, clock))
            yield _Key(machine, "load", operation.label, its_own), sample(operation.label, words, found, None, False)


_LATENCY_WORDS: dict[Metric, str] = {"p50": "median round trip", "p99": "p99", "cpu": "server CPU per round trip"}


def _latency_value(benchmark: LatencyBenchmark, metric: Metric) -> float | None:
    if metric == "p50":
        return benchmark.stats.median * _US_PER_S
    if metric == "p99":
        return None if benchmark.is_p99_longest else benchmark.p99_us
    return benchmark.server_cpu_us_per_round_trip if metric == "cpu" else None


def _load_value(operation: Operation, metric: Metric) -> tuple[Figure | None, str]:
    """Return the response time of an open load, or the service time of a closed load, which has no other."""
    if metric == "throughput":
        rate = operation.throughput_per_s
        return exact(rate), "throughput"
    kind: TimesKind = "service" if operation.response_us is None else "response"
    if metric in operation.longest(kind):
        return None, ""
    times = operation.service_us if operation.response_us is None else operation.response_us
    return figure(times, metric), f"{metric} of the {kind} time"


def _remarks(result: Result) -> tuple[tuple[str, ...], bool]:
    """Return the reasons why a result is not clean, and True if it is judged all the same."""
    remarks = ["uncommitted changes"] if result.commit_info.dirty else []
    unsound: list[str] = []
    if isinstance(result, LoadResult):
        unsound += ["generator saturated"] if result.generator.verdict == "saturated" else []
        unsound += ["wrong figures"] if result.invalid_reason is not None else []
        unsound += ["service lost"] if result.service_loss is not None else []
        unsound += ["partial"] if result.partial else []
        unsound += ["ended by force"] if result.forced else []
    return (*remarks, *unsound), not unsound


def _environment(result: Result) -> dict[str, str]:
    machine = result.machine_info
    return {**result.packages, "python": machine.python_version, "kernel": machine.release}


def _commit_time(result: Result) -> dt.datetime:
    try:
        time = dt.datetime.fromisoformat(result.commit_info.time or "")
    except ValueError:
        return result.datetime
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def _series(key: _Key, samples: Sequence[_Sample], metric: Metric, raw: bool, significance: float) -> Series:
    controlled = [sample.controlled for sample in samples if sample.controlled is not None]
    could_be = key.kind == "latency" and metric == "p50" and not raw
    is_controlled = could_be and len(controlled) == len(samples)
    values = [Figure(value) for value in controlled] if is_controlled else [sample.raw for sample in samples]
    points = tuple(
        Point(
            commit=sample.result.commit_info.id,
            commit_known=sample.known,
            dirty=sample.result.commit_info.dirty,
            time=sample.result.datetime,
            value=value,
            remarks=sample.remarks,
            judged=sample.judged,
            environment=_environment(sample.result),
        )
        for sample, value in zip(samples, values, strict=True)
    )
    levels, steps = _stepped(points, significance)
    unit: TrendUnit = "x control" if is_controlled else "per second" if metric == "throughput" else "µs"
    measured = samples[-1].measured
    return Series(
        kind=key.kind,
        benchmark=key.benchmark,
        machine=key.machine,
        conditions=key.conditions,
        measured=f"{measured}, ratio to the control on the same stack" if is_controlled else measured,
        unit=unit,
        higher_is_better=metric == "throughput",
        points=points,
        levels=levels,
        steps=steps,
        without_control=len(samples) - len(controlled) if could_be and not is_controlled else None,
    )


def _stepped(points: Sequence[Point], significance: float) -> tuple[tuple[Level, ...], tuple[Step, ...]]:
    judged = [index for index, point in enumerate(points) if point.judged]
    if not judged:
        return (), ()
    values = np.array([points[index].value.value for index in judged])
    found = change_points(values, significance)
    parts = levels_between(np.log(values), found)
    starts = [0, *(point.index for point in found)]
    levels = tuple(
        Level(judged[start], judged[start + part.size - 1], math.exp(part.mean()))
        for start, part in zip(starts, parts, strict=True)
    )
    steps = tuple(
        Step(
            before=judged[point.index - 1],
            after=judged[point.index],
            change=change,
            p_value=point.p_value,
            also_changed=_also_changed(points[judged[point.index - 1]], points[judged[point.index]]),
        )
        for point, change in zip(found, level_changes(parts), strict=True)
    )
    return levels, steps


def _also_changed(before: Point, after: Point) -> tuple[str, ...]:
    names = [*before.environment, *(name for name in after.environment if name not in before.environment)]
    pairs = [(name, before.environment.get(name), after.environment.get(name)) for name in names]
    return tuple(f"{name} {old or 'none'} → {new or 'none'}" for name, old, new in pairs if old != new)
