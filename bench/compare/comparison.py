"""The comparison of `bench compare`: two sides, each with one or several stored results, become one comparison.

Rules of this file: results in, a `Comparison` out; no files, no clock. It puts together the rows (`latency`, `load`),
the differences (`conditions`) and the verdicts (`rows`). It refuses a comparison that is void, unless it is forced.
"""

from collections.abc import Sequence

from bench.compare.conditions import commit_differences, environment_differences
from bench.compare.latency import ComparedLatency, compare_latency
from bench.compare.load import ComparedLoad, compare_load
from bench.compare.model import (
    Compared,
    ComparedResult,
    Comparison,
    Difference,
    IncomparableError,
    NotCompared,
)
from bench.compare.rows import with_verdicts
from bench.results.latency import LatencyResult
from bench.results.load import LoadResult
from bench.results.references import Stored
from bench.results.store import Result
from bench.statistics.verdicts import THRESHOLD


def compare(
    baseline: Sequence[Stored],
    candidate: Sequence[Stored],
    *,
    threshold: float = THRESHOLD,
    force: bool = False,
    wanted: int | None = None,
) -> Comparison:
    """Compare two sides, each of one or several results of the same kind.

    `threshold` is relative. `wanted` is how many results a side should have had, None if any number will do. Raises
    IncomparableError if the kinds differ, if both sides have nothing in common, or if a result is on both sides.
    Without `force`, it also raises IncomparableError for a void comparison.
    """
    _check_sides(baseline, candidate)
    baseline, candidate = (sorted(side, key=lambda stored: stored.result.datetime) for side in (baseline, candidate))
    baseline_results, candidate_results = (
        [stored.result for stored in baseline],
        [stored.result for stored in candidate],
    )
    environment = (
        *environment_differences(baseline_results, candidate_results),
        *commit_differences(baseline_results, candidate_results),
    )
    compared: tuple[ComparedLatency | ComparedLoad, ...]
    not_compared: tuple[NotCompared, ...] = ()
    found_differences: tuple[Difference, ...]
    if _are_latency(baseline_results) and _are_latency(candidate_results):
        latency = compare_latency(_latency(baseline_results), _latency(candidate_results), force=force)
        compared, not_compared = latency.compared, latency.not_compared
        only, found_differences, remarks = (latency.only_old, latency.only_new), latency.differences, latency.remarks
    else:
        load = compare_load(_load(baseline_results), _load(candidate_results), force=force)
        compared = load.compared
        only, found_differences, remarks = (load.only_old, load.only_new), load.differences, load.remarks
    differences = (*environment, *found_differences)
    void = [difference for difference in differences if difference.void]
    if void and not force:
        reasons = "; ".join(f"{difference.kind}: {difference.detail}" for difference in void)
        raise IncomparableError(f"not comparable: {reasons}; --force compares all the same")
    rows = iter(with_verdicts([row for benchmark in compared for row in benchmark.rows], threshold, forced=bool(void)))
    return Comparison(
        kind=baseline_results[0].kind,
        threshold=threshold,
        old=tuple(map(_compared_result, baseline)),
        new=tuple(map(_compared_result, candidate)),
        benchmarks=tuple(
            Compared(
                name=benchmark.name,
                label=benchmark.label if isinstance(benchmark, ComparedLatency) else benchmark.name,
                control=benchmark.control if isinstance(benchmark, ComparedLatency) else None,
                rows=tuple(next(rows) for _ in benchmark.rows),
            )
            for benchmark in compared
        ),
        not_compared=not_compared,
        only_old=only[0],
        only_new=only[1],
        differences=differences,
        remarks=(*_fewer(baseline, candidate, wanted), *_same_commit(baseline_results, candidate_results), *remarks),
        forced=bool(void),
    )


def _check_sides(baseline: Sequence[Stored], candidate: Sequence[Stored]) -> None:
    if not (baseline and candidate):
        raise IncomparableError("a side without any result cannot be compared")
    paths = {stored.path.resolve() for stored in baseline}
    both = [str(stored.path) for stored in candidate if stored.path.resolve() in paths]
    if both:
        raise IncomparableError(f"OLD and NEW are the same result, {both[0]}: name two different ones")
    kinds = [{stored.result.kind: None for stored in side} for side in (baseline, candidate)]
    for name, found in zip(("OLD", "NEW"), kinds, strict=True):
        if len(found) > 1:
            raise IncomparableError(f"{name} has results of both kinds: name those of one, as latency/… or load/…")
    baseline_kind, candidate_kind = (next(iter(found)) for found in kinds)
    if baseline_kind != candidate_kind:
        raise IncomparableError(
            f"OLD is a {baseline_kind} result and NEW a {candidate_kind} result:"
            " only results of one kind can be compared"
        )


def _are_latency(results: Sequence[Result]) -> bool:
    return all(isinstance(result, LatencyResult) for result in results)


def _latency(results: Sequence[Result]) -> list[LatencyResult]:
    return [result for result in results if isinstance(result, LatencyResult)]


def _load(results: Sequence[Result]) -> list[LoadResult]:
    return [result for result in results if isinstance(result, LoadResult)]


def _compared_result(stored: Stored) -> ComparedResult:
    commit = stored.result.commit_info
    return ComparedResult(path=str(stored.path), datetime=stored.result.datetime, commit=commit.id, dirty=commit.dirty)


def _fewer(baseline: Sequence[Stored], candidate: Sequence[Stored], wanted: int | None) -> list[str]:
    return [
        f"only {len(side)} of the {wanted} results that were asked for: {name} has no more of its commit"
        for name, side in (("OLD", baseline), ("NEW", candidate))
        if wanted is not None and len(side) < wanted
    ]


def _same_commit(baseline_results: Sequence[Result], candidate_results: Sequence[Result]) -> list[str]:
    states = {(result.commit_info.id, result.commit_info.dirty) for result in (*baseline_results, *candidate_results)}
    if len(states) == 1 and not baseline_results[0].commit_info.dirty:
        commit = baseline_results[0].commit_info.id
        if commit not in ("unversioned", "unknown"):
            return [f"both sides are of commit {commit[:12]}: what differs is not its code"]
    return []
