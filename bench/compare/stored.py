"""Two stored results, benchmark by benchmark: old, new, and the ratio new / old.

Rules of this file: results in, data out. Nothing is printed and nothing is read. What may spoil the comparison is data
too, one `Spoiler` each of an enumerated kind. No judgement is made here: a ratio says by how much, not whether it means
anything.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from bench.results.model import (
    Distribution,
    Kind,
    LatencyBenchmark,
    LatencyResult,
    LoadResult,
    MachineInfo,
    Operation,
    Result,
    Server,
)

_US_PER_S = 1e6
_NAMES_SHOWN = 3
_CONDITIONS = (
    *("service", "event", "reply", "matched_by", "client", "transport", "server", "loop", "http", "ws"),
    *("server_core", "generator_cores", "reply_timeout_s"),
)


class IncomparableError(Exception):
    """Two results between which nothing can be compared. Its text is one line for the user."""


@dataclass(frozen=True)
class Figure:
    """A measured value, or the bound above or below which it lies."""

    value: float
    bound: Literal["exact", "above", "below"] = "exact"


class Unit(StrEnum):
    """What a row's figures count."""

    MICROSECONDS = "µs"
    PER_SECOND = "per second"
    COUNT = "count"


@dataclass(frozen=True)
class Row:
    """One metric on both sides. A side that does not have it is None, and so is the ratio where there is none."""

    metric: str
    unit: Unit
    old: Figure | None
    new: Figure | None

    @property
    def ratio(self) -> Figure | None:
        """new / old, with the bound that follows where one of them is only bounded; None if nothing follows."""
        return ratio(self.old, self.new)


@dataclass(frozen=True)
class Pair:
    """One benchmark, or one operation of a load, that both results have."""

    name: str
    rows: tuple[Row, ...]


class SpoilerKind(StrEnum):
    """Everything that may make a difference between two results mean something else than a changed service."""

    MACHINE = "different machines"
    PACKAGES = "different versions"
    SETTINGS = "different settings"
    DIRTY = "uncommitted changes"
    SATURATED = "generator saturated"
    PARTIAL = "partial result"
    FORCED = "ended by force"


@dataclass(frozen=True)
class Spoiler:
    """One thing that may spoil the comparison, and what exactly it is."""

    kind: SpoilerKind
    detail: str


@dataclass(frozen=True)
class Comparison:
    """Two results of one kind side by side, in the order of the new one.

    `whole_run` are metrics of a load run as a whole. `illustrative` names the benchmarks that both have but that are
    not to be compared, `only_old` and `only_new` those that the other side does not have.
    """

    kind: Kind
    old: Result
    new: Result
    pairs: tuple[Pair, ...]
    whole_run: tuple[Row, ...]
    illustrative: tuple[str, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    spoilers: tuple[Spoiler, ...]


def compare(old: Result, new: Result) -> Comparison:
    """Pair the benchmarks of two results by name: latency by pytest's full name, load by the operation's.

    Raises IncomparableError where the kinds differ or there is no benchmark to compare in both.
    """
    if isinstance(old, LatencyResult) and isinstance(new, LatencyResult):
        return _compare_latency(old, new)
    if isinstance(old, LoadResult) and isinstance(new, LoadResult):
        return _compare_load(old, new)
    raise IncomparableError(
        f"OLD is a {old.kind} result and NEW a {new.kind} result: only results of one kind can be compared"
    )


def ratio(old: Figure | None, new: Figure | None) -> Figure | None:
    """new / old, or None where that says nothing: a side missing, old zero, or both sides only bounded."""
    if old is None or new is None or old.value == 0:
        return None
    value = new.value / old.value
    if old.bound == "exact":
        return Figure(value, new.bound)
    if new.bound == "exact":
        return Figure(value, "below" if old.bound == "above" else "above")
    return None


def figure(distribution: Distribution | None, name: str) -> Figure | None:
    """One figure of a distribution in microseconds, by field name; a censored one is above the limit."""
    if distribution is None:
        return None
    value: float | None = getattr(distribution, name)
    if value is not None:
        return Figure(value)
    limit = distribution.censored_above_us
    return None if limit is None else Figure(limit, "above")


def _compare_latency(old: LatencyResult, new: LatencyResult) -> Comparison:
    olds = {benchmark.fullname: benchmark for benchmark in old.benchmarks}
    news = {benchmark.fullname: benchmark for benchmark in new.benchmarks}
    common = _common(olds, news)
    illustrative = tuple(name for name in common if olds[name].is_illustrative or news[name].is_illustrative)
    compared = [name for name in common if name not in illustrative]
    if not compared:
        raise IncomparableError(
            "nothing to compare: the server ran in the client's own loop in all common benchmarks; these illustrate"
        )
    settings = {_changes(_conditions(olds[name]), _conditions(news[name])): None for name in compared}
    return Comparison(
        kind="latency",
        old=old,
        new=new,
        pairs=tuple(Pair(name, _latency_rows(olds[name], news[name])) for name in compared),
        whole_run=(),
        illustrative=illustrative,
        only_old=tuple(name for name in olds if name not in news),
        only_new=tuple(name for name in news if name not in olds),
        spoilers=(
            *_environment_spoilers(old, new),
            *(Spoiler(SpoilerKind.SETTINGS, changed) for changed in settings if changed),
            *_commit_spoilers(old, new),
        ),
    )


def _compare_load(old: LoadResult, new: LoadResult) -> Comparison:
    olds = {operation.name: operation for operation in old.operations}
    news = {operation.name: operation for operation in new.operations}
    changed = _changes(_settings(old), _settings(new))
    return Comparison(
        kind="load",
        old=old,
        new=new,
        pairs=tuple(Pair(name, _load_rows(olds[name], news[name])) for name in _common(olds, news)),
        whole_run=_whole_run_rows(old, new),
        illustrative=(),
        only_old=tuple(name for name in olds if name not in news),
        only_new=tuple(name for name in news if name not in olds),
        spoilers=(
            *_environment_spoilers(old, new),
            *([Spoiler(SpoilerKind.SETTINGS, changed)] if changed else []),
            *_commit_spoilers(old, new),
            *_run_spoilers(old, new),
        ),
    )


def _common(old: Collection[str], new: Collection[str]) -> list[str]:
    common = [name for name in new if name in old]
    if not common:
        raise IncomparableError(f"no benchmark in common: OLD has {_names(old)}, NEW has {_names(new)}")
    return common


def _names(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:_NAMES_SHOWN]) or "none"
    return f"{shown} and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else shown


def _latency_rows(old: LatencyBenchmark, new: LatencyBenchmark) -> tuple[Row, ...]:
    def row(metric: str, old_value: float | None, new_value: float | None) -> Row:
        return Row(metric, Unit.MICROSECONDS, _measured(old_value), _measured(new_value))

    return _known(
        row("median", old.stats.median * _US_PER_S, new.stats.median * _US_PER_S),
        row("mean", old.stats.mean * _US_PER_S, new.stats.mean * _US_PER_S),
        row("min", old.stats.min * _US_PER_S, new.stats.min * _US_PER_S),
        row("p99", old.p99_us, new.p99_us),
    )


def _load_rows(old: Operation, new: Operation) -> tuple[Row, ...]:
    def times(metric: str, old_times: Distribution | None, new_times: Distribution | None, name: str) -> Row:
        return Row(metric, Unit.MICROSECONDS, figure(old_times, name), figure(new_times, name))

    return _known(
        Row("throughput", Unit.PER_SECOND, _measured(old.throughput_per_s), _measured(new.throughput_per_s)),
        times("service p50", old.service_us, new.service_us, "p50"),
        times("service p99", old.service_us, new.service_us, "p99"),
        times("response p50", old.response_us, new.response_us, "p50"),
        times("response p99", old.response_us, new.response_us, "p99"),
        Row("sent", Unit.COUNT, Figure(old.sent), Figure(new.sent)),
        Row("failed", Unit.COUNT, Figure(old.failed), Figure(new.failed)),
    )


def _whole_run_rows(old: LoadResult, new: LoadResult) -> tuple[Row, ...]:
    def server_cpu(server: Server | None) -> Figure | None:
        return _measured(server.cpu_us_per_round_trip) if server else None

    return _known(
        Row("server CPU per round trip", Unit.MICROSECONDS, server_cpu(old.server), server_cpu(new.server)),
        Row(
            "generator CPU per round trip",
            Unit.MICROSECONDS,
            _measured(old.generator.cpu_us_per_round_trip),
            _measured(new.generator.cpu_us_per_round_trip),
        ),
    )


def _known(*rows: Row) -> tuple[Row, ...]:
    """Without the rows that neither side has."""
    return tuple(row for row in rows if row.old or row.new)


def _measured(value: float | None) -> Figure | None:
    return None if value is None else Figure(value)


# --- what may spoil it ----------------------------------------------------------------------------------------------


def _environment_spoilers(old: Result, new: Result) -> Iterator[Spoiler]:
    if changed := _changes(_machine(old.machine_info), _machine(new.machine_info)):
        yield Spoiler(SpoilerKind.MACHINE, changed)
    packages_known = bool(old.packages and new.packages)  # pytest-benchmark alone stores none
    if changed := _changes(_versions(old, packages_known), _versions(new, packages_known)):
        yield Spoiler(SpoilerKind.PACKAGES, changed)


def _commit_spoilers(old: Result, new: Result) -> Iterator[Spoiler]:
    for side, result in (("old", old), ("new", new)):
        if result.commit_info.dirty:
            yield Spoiler(SpoilerKind.DIRTY, f"the {side} result is of {result.commit_info.id[:12]} and changes to it")


def _run_spoilers(old: LoadResult, new: LoadResult) -> Iterator[Spoiler]:
    for side, result in (("old", old), ("new", new)):
        if result.generator.verdict == "saturated":
            yield Spoiler(SpoilerKind.SATURATED, f"in the {side} result: {result.generator.reason}")
        if result.partial:
            yield Spoiler(SpoilerKind.PARTIAL, f"the {side} one: {result.partial_reason}")
        if result.forced:
            yield Spoiler(SpoilerKind.FORCED, f"the {side} run did not await its outstanding replies")


def _machine(machine: MachineInfo) -> dict[str, object]:
    """What makes it the same machine. Not the clock rate that it happened to have."""
    return {
        "node": machine.node,
        "system": machine.system,
        "release": machine.release,
        "machine": machine.machine,
        "processor": machine.cpu.get("brand_raw"),
        "cores": machine.cpu.get("count"),
    }


def _versions(result: Result, with_packages: bool) -> dict[str, str]:
    return (result.packages if with_packages else {}) | {"python": result.machine_info.python_version}


def _conditions(benchmark: LatencyBenchmark) -> dict[str, object]:
    """The settings of one latency benchmark, as far as its result tells them."""
    return {name: benchmark.extra_info.get(name) for name in _CONDITIONS}


def _settings(result: LoadResult) -> dict[str, object]:
    scenario, server = result.scenario, result.server
    return {
        "user classes": ", ".join(scenario.user_classes),
        "users": scenario.users,
        "model": scenario.model,
        "rate per second": scenario.rate_per_s,
        "seconds": scenario.duration_s,
        "transport": scenario.transport,
        "app": scenario.app,
        "url": scenario.url if server is None else None,  # a server of ours has another port each time
        "loop": server and server.loop,
        "http": server and server.http,
        "ws": server and server.ws,
        "core": server.core if server else None,
        "generator processes": result.generator.processes,
    }


def _changes(old: Mapping[str, object], new: Mapping[str, object]) -> str:
    """The entries that differ, as text; empty if none does."""
    names = [*old, *(name for name in new if name not in old)]
    changed = [(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]
    return ", ".join(f"{name} {_or_none(before)} → {_or_none(after)}" for name, before, after in changed)


def _or_none(value: object) -> str:
    return "none" if value is None else str(value)
