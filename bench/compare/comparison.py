"""`bench compare`: two sides of stored results, each one or several, become one comparison.

Rules of this file: results in, a `Comparison` out; no files, no clock. It puts together what is compared
(`stored_latency`, `stored_load`), what is different (`stored_conditions`) and the verdicts (`stored_rows`), and refuses
a comparison that is void, unless it is forced.
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
from bench.compare.rows import judged
from bench.results.latency import LatencyResult
from bench.results.load import LoadResult
from bench.results.store import Result, Stored
from bench.statistics.verdicts import THRESHOLD


def compare(
    old: Sequence[Stored],
    new: Sequence[Stored],
    *,
    threshold: float = THRESHOLD,
    force: bool = False,
    wanted: int | None = None,
) -> Comparison:
    """Compare two sides, each of one or several results of one kind.

    `threshold` is relative. `wanted` is how many results a side should have had, None if any number will do. Raises
    IncomparableError where the kinds differ, there is nothing to compare in both, a result is on both sides, or, unless
    `force`, the comparison is void.
    """
    _check_sides(old, new)
    old, new = (sorted(side, key=lambda one: one.result.datetime) for side in (old, new))
    olds, news = [one.result for one in old], [one.result for one in new]
    environment = (*environment_differences(olds, news), *commit_differences(olds, news))
    compared: tuple[ComparedLatency | ComparedLoad, ...]
    not_compared: tuple[NotCompared, ...] = ()
    found_differences: tuple[Difference, ...]
    if _are_latency(olds) and _are_latency(news):
        latency = compare_latency(_latency(olds), _latency(news), force=force)
        compared, not_compared = latency.compared, latency.not_compared
        only, found_differences, remarks = (latency.only_old, latency.only_new), latency.differences, latency.remarks
    else:
        load = compare_load(_load(olds), _load(news), force=force)
        compared = load.compared
        only, found_differences, remarks = (load.only_old, load.only_new), load.differences, load.remarks
    differences = (*environment, *found_differences)
    void = [one for one in differences if one.void]
    if void and not force:
        reasons = "; ".join(f"{one.kind}: {one.detail}" for one in void)
        raise IncomparableError(f"not comparable: {reasons}; --force compares all the same")
    rows = iter(judged([draft for one in compared for draft in one.drafts], threshold, forced=bool(void)))
    return Comparison(
        kind=olds[0].kind,
        threshold=threshold,
        old=tuple(map(_compared_result, old)),
        new=tuple(map(_compared_result, new)),
        benchmarks=tuple(
            Compared(
                name=one.name,
                label=one.label if isinstance(one, ComparedLatency) else one.name,
                control=one.control if isinstance(one, ComparedLatency) else None,
                rows=tuple(next(rows) for _ in one.drafts),
            )
            for one in compared
        ),
        not_compared=not_compared,
        only_old=only[0],
        only_new=only[1],
        differences=differences,
        remarks=(*_fewer(old, new, wanted), *_same_commit(olds, news), *remarks),
        forced=bool(void),
    )


def _check_sides(old: Sequence[Stored], new: Sequence[Stored]) -> None:
    if not (old and new):
        raise IncomparableError("a side without any result cannot be compared")
    paths = {one.path.resolve() for one in old}
    both = [str(one.path) for one in new if one.path.resolve() in paths]
    if both:
        raise IncomparableError(f"OLD and NEW are the same result, {both[0]}: name two different ones")
    kinds = [{one.result.kind: None for one in side} for side in (old, new)]
    for name, found in zip(("OLD", "NEW"), kinds, strict=True):
        if len(found) > 1:
            raise IncomparableError(f"{name} has results of both kinds: name those of one, as latency/… or load/…")
    old_kind, new_kind = (next(iter(found)) for found in kinds)
    if old_kind != new_kind:
        raise IncomparableError(
            f"OLD is a {old_kind} result and NEW a {new_kind} result: only results of one kind can be compared"
        )


def _are_latency(results: Sequence[Result]) -> bool:
    return all(isinstance(one, LatencyResult) for one in results)


def _latency(results: Sequence[Result]) -> list[LatencyResult]:
    return [one for one in results if isinstance(one, LatencyResult)]


def _load(results: Sequence[Result]) -> list[LoadResult]:
    return [one for one in results if isinstance(one, LoadResult)]


def _compared_result(stored: Stored) -> ComparedResult:
    commit = stored.result.commit_info
    return ComparedResult(path=str(stored.path), datetime=stored.result.datetime, commit=commit.id, dirty=commit.dirty)


def _fewer(old: Sequence[Stored], new: Sequence[Stored], wanted: int | None) -> list[str]:
    return [
        f"only {len(side)} of the {wanted} results that were asked for: {name} has no more of its commit"
        for name, side in (("OLD", old), ("NEW", new))
        if wanted is not None and len(side) < wanted
    ]


def _same_commit(olds: Sequence[Result], news: Sequence[Result]) -> list[str]:
    states = {(one.commit_info.id, one.commit_info.dirty) for one in (*olds, *news)}
    if len(states) == 1 and not olds[0].commit_info.dirty:
        commit = olds[0].commit_info.id
        if commit not in ("unversioned", "unknown"):
            return [f"both sides are of commit {commit[:12]}: what differs is not its code"]
    return []
