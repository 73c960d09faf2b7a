"""The comparison of load results: rates, times and CPU, run by run, and failures exactly.

Rules of this file: the unit is the run, because a load result has neither several processes of the service nor a
control. So, with a single run on a side, there is no interval. A drift of the machine between two sides that were
measured one after the other looks just like a change of the service. So this module needs a reason to say slower,
faster or same. Either the runs of the sides alternate in time, or the effect is beyond any drift.

- **Beyond any drift** (`FAR`) is a median that is more than twice as long. Every run of the longer side has to be so,
  compared with every run of the other. It also has to be longer by more than the generators themselves were kept
  waiting in these runs. Other figures of the same operation and kind are judged by that only together with its median:
  a tail alone may be one bad moment.
- A percentile that fell into the censored share is longer than any that is known, by an unknown amount. It may be a
  change if all runs of one side are like that, and all of the other are known and below the limit. Only this order of
  the runs and its reverse look like that. It is a change once that is rare enough by chance: at the level of the
  interval, from four runs a side on.
- A percentile that is the longest of its times in some run, because there were so few, has no row.
- Failures (dropped, timed out, in error, unfinished) are counted, not estimated. If there were no failures and now
  there are some, it is worse, for a single run as for many. If there were some already, their number says little,
  because they come in bursts: more or fewer is shown, and not judged.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.compare.conditions import load_differences, package_changes
from bench.compare.model import Difference, DifferenceKind, RowVerdict
from bench.compare.rows import FEWEST_RUNS, UnjudgedRow, common_names, far_apart, make_row, some_of, with_fixed_verdict
from bench.results.figure import Figure, Unit, exact, figure, middle
from bench.results.load import CONNECT, Distribution, LoadResult, Operation, TimesKind
from bench.statistics.estimates import CONFIDENCE
from bench.statistics.percentiles import FEWEST_VALUES

#: The name of the rows that are of the run as a whole.
WHOLE_RUN = "whole run"

_BEYOND = "the median takes more than twice as long in one of the sides, which is beyond any drift of the machine"
_PERCENTILES = (("p50", "p50"), ("p90", "p90"), ("p99", "p99"), ("p99.9", "p99_9"))
_KINDS: tuple[TimesKind, ...] = ("response", "service")
_FEWEST_CHANGES = 2  # of the side, in order of time: OLD NEW OLD, or ABBA

#: The factor beyond which a longer time is no drift. On a machine with nothing else to do, equal code never differed by
#: so much from run to run. Another process that is always busy takes half of the server's core, which doubles times.
#:
#: On a machine that several others use, equal code may differ by more. Its generators see the same, as loop lag. So
#: the difference also has to exceed the loop lag of either side (`_unrest_us`). docs/measurements.md, "Differences from
#: run to run", has the figures.
FAR = 2.0

_FEWEST_REPLIES = 100  # with fewer replies, the median can be a moment of the machine

Operations = tuple[Operation, ...]


@dataclass(frozen=True)
class ComparedLoad:
    """The rows of one operation, or of the whole run."""

    name: str
    rows: tuple[UnjudgedRow, ...]


@dataclass(frozen=True)
class LoadComparison:
    """Everything that a comparison of load results says."""

    compared: tuple[ComparedLoad, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    differences: tuple[Difference, ...]
    remarks: tuple[str, ...]


def compare_load(baselines: Sequence[LoadResult], candidates: Sequence[LoadResult], *, force: bool) -> LoadComparison:
    """Pair the operations by name and kind. With `force`, runs that do not alternate are judged as if they did.

    Raises IncomparableError if no operation is on both sides.
    """
    baseline_runs, candidate_runs = _by_name(baselines), _by_name(candidates)
    common = common_names(baseline_runs, candidate_runs)
    blocked_because: str | None = None
    remarks: tuple[str, ...] = ()
    if min(len(baselines), len(candidates)) >= FEWEST_RUNS and not alternates(baselines, candidates):
        remarks = (
            "load has no control, so a drift of the machine between the two sides would count as a change; nothing is "
            "called slower or faster unless the runs of both sides alternate in time (OLD, NEW, NEW, OLD), or it takes "
            "more than twice as long",
        )
        blocked_because = None if force else "the runs of the two sides do not alternate in time"
    changed = package_changes(baselines, candidates)
    return LoadComparison(
        compared=(
            *(
                ComparedLoad(
                    name,
                    _unjudged_rows(
                        baseline_runs[name],
                        candidate_runs[name],
                        blocked_because,
                        _unrest_us((*baselines, *candidates)),
                    ),
                )
                for name in common
            ),
            *_whole_run(baselines, candidates, blocked_because),
        ),
        only_old=tuple(name for name in baseline_runs if name not in candidate_runs),
        only_new=tuple(name for name in candidate_runs if name not in baseline_runs),
        differences=(
            *([Difference(kind=DifferenceKind.PACKAGES, detail=changed, void=True)] if changed else []),
            *load_differences(baselines, candidates),
        ),
        remarks=(*_single_runs(baselines, candidates), *remarks, *_few(common, baseline_runs, candidate_runs)),
    )


def alternates(baselines: Sequence[LoadResult], candidates: Sequence[LoadResult]) -> bool:
    """Return True if neither side was measured as a whole before the other."""
    in_time = sorted(
        itertools.chain(((run.datetime, "old") for run in baselines), ((run.datetime, "new") for run in candidates))
    )
    sides = [side for _, side in in_time]
    return sum(before != after for before, after in itertools.pairwise(sides)) >= _FEWEST_CHANGES


def _by_name(results: Sequence[LoadResult]) -> dict[str, Operations]:
    labels = dict.fromkeys(operation.label for result in reversed(results) for operation in result.operations)
    return {
        label: tuple(operation for result in results for operation in result.operations if operation.label == label)
        for label in labels
    }


def _single_runs(baselines: Sequence[LoadResult], candidates: Sequence[LoadResult]) -> Iterator[str]:
    if min(len(baselines), len(candidates)) < FEWEST_RUNS:
        yield (
            "one run a side: a load run has no processes to see a spread from, so there are ratios without intervals; "
            "several runs a side (--last 5), made in alternation, give them"
        )


def _few(common: Sequence[str], *sides: Mapping[str, Operations]) -> Iterator[str]:
    """Yield the operations without a row for a percentile, because that is the longest time in some run."""
    for words, name in _PERCENTILES:
        few = [
            label
            for label in common
            if any(name in operation.longest(kind) for side in sides for operation in side[label] for kind in _KINDS)
        ]
        if few:
            yield (
                f"no row for the {words} of {some_of(few)}: of fewer than {FEWEST_VALUES[name]:,} times in a run it is "
                "their maximum"
            )


# --- the rows -------------------------------------------------------------------------------------------------------


def _unrest_us(results: Sequence[LoadResult]) -> float:
    """Return by how much the machine alone may have changed a time: the delay of the generators in these runs."""
    lags = [result.generator.loop_lag_us for result in results]
    return max((lag.p99 for lag in lags if lag is not None), default=0.0)


def _unjudged_rows(
    baselines: Operations, candidates: Operations, blocked_because: str | None, unrest_us: float
) -> tuple[UnjudgedRow, ...]:
    rows: list[UnjudgedRow] = []
    enough = min(operation.ok + operation.timeouts for operation in (*baselines, *candidates)) >= _FEWEST_REPLIES
    if (
        len({operation.times_of or "window" for operation in (*baselines, *candidates) if operation.ok}) > 1
        and baselines[0].kind != CONNECT
    ):
        times_blocked_because: str | None = "times of the whole run in some, of the steady window in others"
        enough = False
    else:
        times_blocked_because = blocked_because
    throughput: tuple[list[Figure | None], list[Figure | None]] = (
        [exact(operation.throughput_per_s) for operation in baselines],
        [exact(operation.throughput_per_s) for operation in candidates],
    )
    rows.append(_row("throughput", Unit.PER_SECOND, throughput, blocked_because, higher_is_better=True))
    for kind in _KINDS:
        median: RowVerdict | None = None
        for words, name in _PERCENTILES:
            times = (
                [figure(_times(operation, kind), name) for operation in baselines],
                [figure(_times(operation, kind), name) for operation in candidates],
            )
            far = _far(times, unrest_us) if enough else None
            if name == "p50":
                median = far
            if any(name in operation.longest(kind) for operation in (*baselines, *candidates)):
                continue
            row = _row(f"{kind} {words}", Unit.MICROSECONDS, times, times_blocked_because)
            rows.append(with_fixed_verdict(row, far if far == median else None, _BEYOND))
    return (
        *(row for row in rows if row.baseline is not None or row.candidate is not None),
        _failures(baselines, candidates),
    )


def _far(times: tuple[list[Figure | None], list[Figure | None]], unrest_us: float) -> RowVerdict | None:
    """Return which side is slower or faster beyond any drift of the machine; None if neither is."""
    known = [[figure.value for figure in side if figure is not None] for side in times]
    found = far_apart(*times, FAR)
    if found is None:
        return None
    shorter, longer = known if found == "slower" else known[::-1]
    return found if min(longer) - max(shorter) > unrest_us else None


def _times(operation: Operation, kind: TimesKind) -> Distribution | None:
    return operation.response_us if kind == "response" else operation.service_us


def _whole_run(
    baselines: Sequence[LoadResult], candidates: Sequence[LoadResult], blocked_because: str | None
) -> Iterator[ComparedLoad]:
    def both(of: Callable[[LoadResult], float | None]) -> tuple[list[Figure | None], list[Figure | None]]:
        return [exact(of(result)) for result in baselines], [exact(of(result)) for result in candidates]

    server = both(lambda result: result.server.cpu_us_per_round_trip if result.server else None)
    generator = both(lambda result: result.generator.cpu_us_per_round_trip)
    rows = (
        _row("server CPU per round trip", Unit.MICROSECONDS, server, blocked_because),
        _row("generator CPU per round trip", Unit.MICROSECONDS, generator, None, informational=True),
    )
    known = tuple(row for row in rows if row.baseline is not None or row.candidate is not None)
    if known:
        yield ComparedLoad(WHOLE_RUN, known)


def _row(
    metric: str,
    unit: Unit,
    figures: tuple[list[Figure | None], list[Figure | None]],
    blocked_because: str | None,
    *,
    higher_is_better: bool = False,
    informational: bool = False,
) -> UnjudgedRow:
    if any(figure is not None and figure.bound != "exact" for side in figures for figure in side):
        return _censored(metric, unit, figures, blocked_because)
    baseline, candidate = (
        tuple((math.log(figure.value),) for figure in side if figure is not None and figure.value > 0)
        for side in figures
    )
    return make_row(
        metric,
        unit,
        figures,
        (baseline, candidate),
        between_runs=None,
        higher_is_better=higher_is_better,
        blocked_because=blocked_because,
        informational=informational,
    )


def _censored(
    metric: str, unit: Unit, figures: tuple[list[Figure | None], list[Figure | None]], blocked_because: str | None
) -> UnjudgedRow:
    """Return the row of a percentile that lies beyond the limit in some run: only its order is known."""
    baseline, candidate = ([figure for figure in side if figure is not None] for side in figures)
    fixed_verdict: RowVerdict | None = None
    beyond = [sum(figure.bound == "above" for figure in side) for side in (baseline, candidate)]
    where = (
        "among what failed"
        if any(math.isinf(figure.value) for figure in (*baseline, *candidate))
        else "beyond the limit"
    )
    reason = f"{where} in {beyond[0]} of {len(baseline)} old and {beyond[1]} of {len(candidate)} new runs"
    if _all_longer(candidate, baseline):
        fixed_verdict, reason = "slower", f"{reason}, which is longer than every old one"
    elif _all_longer(baseline, candidate):
        fixed_verdict, reason = "faster", f"{reason}, which is longer than every new one"
    if fixed_verdict and (blocked_because or chance_of_order(len(baseline), len(candidate)) > 1 - CONFIDENCE):
        fixed_verdict = None
        reason = f"{reason}; {blocked_because or 'four runs a side could show that it is no chance'}"
    return UnjudgedRow(
        metric=metric,
        unit=unit,
        baseline=middle(baseline),
        candidate=middle(candidate),
        fixed_verdict=fixed_verdict,
        blocked_because=reason,
    )


def _all_longer(longer: Sequence[Figure], shorter: Sequence[Figure]) -> bool:
    """Return True if all of `longer` are censored at a limit that none of `shorter`, all known, reaches."""
    if not (longer and shorter) or any(figure.bound != "exact" for figure in shorter):
        return False
    return all(figure.bound == "above" and figure.value >= max(known.value for known in shorter) for figure in longer)


def chance_of_order(baseline: int, candidate: int) -> float:
    """Return the probability that one side lies wholly above the other, with the runs in random order.

    `baseline` and `candidate` are numbers of runs. The probability is two-sided (Wilcoxon 1945).
    """
    return 2 / math.comb(baseline + candidate, baseline)


def _failures(baselines: Operations, candidates: Operations) -> UnjudgedRow:
    baseline, candidate = (
        sum(operation.failed for operation in baselines),
        sum(operation.failed for operation in candidates),
    )
    verdict: RowVerdict = "same"
    reason = None
    if baseline or candidate:
        reason = ", ".join(_failure_changes(baselines, candidates))
        if not baseline:
            verdict = "worse"
        elif not candidate:
            verdict = "better"
        else:
            verdict = "inconclusive"
            shares = [f"{_share(side) * 100:.3g} %" for side in (baselines, candidates)]
            reason = f"there were failures before, {shares[0]} → {shares[1]}; {reason}"
    return UnjudgedRow(
        "failed", Unit.COUNT, Figure(baseline), Figure(candidate), fixed_verdict=verdict, blocked_because=reason
    )


def _share(operations: Operations) -> float:
    scheduled = sum(operation.scheduled for operation in operations)
    return sum(operation.failed for operation in operations) / scheduled if scheduled else 0.0


def _failure_changes(baselines: Operations, candidates: Operations) -> Iterator[str]:
    baseline, candidate = _failure_kinds(baselines), _failure_kinds(candidates)
    for kind in dict.fromkeys((*baseline, *candidate)):
        yield f"{kind} {baseline[kind]:,} → {candidate[kind]:,}"


def _failure_kinds(operations: Operations) -> Counter[str]:
    kinds: Counter[str] = Counter()
    for operation in operations:
        kinds.update({"dropped": operation.dropped, "timeouts": operation.timeouts, "unfinished": operation.unfinished})
        kinds.update(operation.errors)
    return +kinds
