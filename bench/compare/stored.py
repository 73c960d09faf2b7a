"""Two stored results, benchmark by benchmark: old, new, and the ratio new / old.

Rules of this file: results in, data out. Nothing is printed and nothing is read. What may spoil the comparison is data
too, one `Spoiler` each of an enumerated kind. No judgement is made here: a ratio says by how much, not whether it means
anything.
"""

from collections.abc import Iterable, Mapping
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
    SCENARIO = "different settings"
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

    `whole_run` are metrics of a load run as a whole. `only_old` and `only_new` name what the other side does not have.
    """

    kind: Kind
    old: Result
    new: Result
    pairs: tuple[Pair, ...]
    whole_run: tuple[Row, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    spoilers: tuple[Spoiler, ...]


def compare(old: Result, new: Result) -> Comparison:
    """Pair the benchmarks of two results by name: latency by pytest's full name, load by the operation's.

    Raises IncomparableError where the kinds differ or no benchmark is in both.
    """
    if isinstance(old, LatencyResult) and isinstance(new, LatencyResult):
        old_benchmarks = {benchmark.fullname: benchmark for benchmark in old.benchmarks}
        new_benchmarks = {benchmark.fullname: benchmark for benchmark in new.benchmarks}
        common = _common(old_benchmarks, new_benchmarks)
        pairs = [Pair(name, _latency_rows(old_benchmarks[name], new_benchmarks[name])) for name in common]
        return _comparison(old, new, pairs, (), old_benchmarks, new_benchmarks)
    if isinstance(old, LoadResult) and isinstance(new, LoadResult):
        old_operations = {operation.name: operation for operation in old.operations}
        new_operations = {operation.name: operation for operation in new.operations}
        common = _common(old_operations, new_operations)
        pairs = [Pair(name, _load_rows(old_operations[name], new_operations[name])) for name in common]
        return _comparison(old, new, pairs, _whole_run_rows(old, new), old_operations, new_operations)
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


def _common(old: Iterable[str], new: Iterable[str]) -> list[str]:
    old, new = list(old), list(new)
    common = [name for name in new if name in old]
    if not common:
        raise IncomparableError(f"no benchmark in common: OLD has {_names(old)}, NEW has {_names(new)}")
    return common


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN]) or "none"
    return f"{shown} and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else shown


def _comparison(
    old: Result,
    new: Result,
    pairs: Iterable[Pair],
    whole_run: tuple[Row, ...],
    old_names: Iterable[str],
    new_names: Iterable[str],
) -> Comparison:
    old_names, new_names = list(old_names), list(new_names)
    return Comparison(
        kind=new.kind,
        old=old,
        new=new,
        pairs=tuple(pairs),
        whole_run=whole_run,
        only_old=tuple(name for name in old_names if name not in new_names),
        only_new=tuple(name for name in new_names if name not in old_names),
        spoilers=tuple(sorted(_spoilers(old, new), key=lambda spoiler: list(SpoilerKind).index(spoiler.kind))),
    )


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


def _spoilers(old: Result, new: Result) -> Iterable[Spoiler]:
    if changed := _changes(_machine(old.machine_info), _machine(new.machine_info)):
        yield Spoiler(SpoilerKind.MACHINE, changed)
    packages_known = bool(old.packages and new.packages)  # pytest-benchmark alone stores none
    if changed := _changes(_versions(old, packages_known), _versions(new, packages_known)):
        yield Spoiler(SpoilerKind.PACKAGES, changed)
    if (
        isinstance(old, LoadResult)
        and isinstance(new, LoadResult)
        and (changed := _changes(_settings(old), _settings(new)))
    ):
        yield Spoiler(SpoilerKind.SCENARIO, changed)
    for side, result in (("old", old), ("new", new)):
        if result.commit_info.dirty:
            yield Spoiler(SpoilerKind.DIRTY, f"the {side} result is of {result.commit_info.id[:12]} and changes to it")
        if isinstance(result, LoadResult):
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


def _settings(result: Result) -> dict[str, object]:
    if not isinstance(result, LoadResult):
        return {}
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
    }


def _changes(old: Mapping[str, object], new: Mapping[str, object]) -> str:
    """The entries that differ, as text; empty if none does."""
    names = [*old, *(name for name in new if name not in old)]
    changed = [(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]
    return ", ".join(f"{name} {_or_none(before)} → {_or_none(after)}" for name, before, after in changed)


def _or_none(value: object) -> str:
    return "none" if value is None else str(value)
