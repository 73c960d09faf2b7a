"""The rows of a comparison: a row before its verdict, and the verdicts of all rows together.

Rules of this file: pure. An estimate is of the time that a round trip takes, so positive always means slower. A rate is
inverted before it is estimated and again before it is shown. All rows that may claim a change are one family, across
all benchmarks (see `bench.statistics.verdicts.verdicts`).
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bench.compare.model import IncomparableError, Row, RowVerdict
from bench.results.figure import Figure, Unit, middle
from bench.statistics.estimates import Estimate, ratio_estimate
from bench.statistics.verdicts import verdicts

#: The log values of one side: a tuple for each run.
Runs = tuple[tuple[float, ...], ...]

#: The number of runs from which a side's own runs show how much runs differ.
FEWEST_RUNS = 2

_NAMES_SHOWN = 3


def common_names(baseline: Collection[str], candidate: Collection[str]) -> list[str]:
    """Return the benchmarks that both sides have, in the candidate's order. Raises IncomparableError for none."""
    common = [name for name in candidate if name in baseline]
    if not common:
        raise IncomparableError(f"no benchmark in common: OLD has {some_of(baseline)}, NEW has {some_of(candidate)}")
    return common


def some_of(names: Collection[str]) -> str:
    """Return the first names, and the number of the others."""
    shown = ", ".join(list(names)[:_NAMES_SHOWN]) or "none"
    return f"{shown} and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else shown


@dataclass(frozen=True)
class UnjudgedRow:
    """A row without its verdict. `estimate` is of the time.

    `blocked_because` is the reason why the row may claim no change. `fixed_verdict` is a verdict that needs no
    estimate; `blocked_because` is then the reason for it. An `informational` row gets no verdict.
    """

    metric: str
    unit: Unit
    baseline: Figure | None
    candidate: Figure | None
    baseline_runs: Runs = ()
    candidate_runs: Runs = ()
    estimate: Estimate | None = None
    higher_is_better: bool = False
    blocked_because: str | None = None
    fixed_verdict: RowVerdict | None = None
    informational: bool = False


def make_row(
    metric: str,
    unit: Unit,
    figures: tuple[Sequence[Figure | None], Sequence[Figure | None]],
    runs: tuple[Runs, Runs],
    *,
    between_runs: float | None,
    higher_is_better: bool = False,
    blocked_because: str | None = None,
    informational: bool = False,
) -> UnjudgedRow:
    """Return a row of both sides' figures: a figure and a tuple of log values for each run.

    `between_runs` is the known standard deviation of the log value from run to run (see `ratio_estimate`). If it is
    None, a side of a single run gives no interval.
    """
    baseline_runs, candidate_runs = (tuple(run for run in side if run) for side in runs)
    estimate, missing = _estimated(baseline_runs, candidate_runs, between_runs, -1 if higher_is_better else 1)
    return UnjudgedRow(
        metric=metric,
        unit=unit,
        baseline=middle(figures[0]),
        candidate=middle(figures[1]),
        baseline_runs=baseline_runs,
        candidate_runs=candidate_runs,
        estimate=estimate,
        higher_is_better=higher_is_better,
        blocked_because=missing or blocked_because,
        informational=informational,
    )


def _estimated(
    baseline: Runs, candidate: Runs, between_runs: float | None, sign: int
) -> tuple[Estimate | None, str | None]:
    """Return the estimate, and the reason why it has no interval, if it has none."""
    if not (baseline and candidate):
        return None, "not measured on both sides"
    sides = [[[sign * value for value in run] for run in side] for side in (baseline, candidate)]
    fewest = min(len(baseline), len(candidate))
    if fewest < FEWEST_RUNS and between_runs is None:
        means = [[[math.fsum(map(_mean, side)) / len(side)]] for side in sides]  # of a single one: it has no interval
        return ratio_estimate(*means, between_runs=0), "a single run does not show how much runs differ"
    estimate = ratio_estimate(*sides, between_runs=between_runs or 0.0)
    return estimate, "a single process has no spread" if estimate.low is None else None


def far_apart(
    baselines: Sequence[Figure | None], candidates: Sequence[Figure | None], bound: float
) -> RowVerdict | None:
    """Return which side is more than `bound` times as long, run by run; None if neither is.

    The function compares every run of a side with every run of the other, so a single strange run claims nothing. A
    figure that is only known to lie above a limit counts as the limit, and only as the longer figure.
    """
    baseline, candidate = ([figure for figure in side if figure is not None] for side in (baselines, candidates))
    if len(baseline) < len(baselines) or len(candidate) < len(candidates) or not (baseline and candidate):
        return None
    for shorter, longer, found in ((baseline, candidate, "slower"), (candidate, baseline, "faster")):
        exact = all(figure.bound == "exact" and figure.value > 0 for figure in shorter)
        if exact and min(figure.value for figure in longer) > bound * max(figure.value for figure in shorter):
            return "slower" if found == "slower" else "faster"
    return None


def with_fixed_verdict(row: UnjudgedRow, verdict: RowVerdict | None, because: str) -> UnjudgedRow:
    """Return the row with a verdict that its estimate cannot prove. A row that proves something stays as it is."""
    if verdict is None or row.blocked_because is None or row.fixed_verdict is not None:
        return row
    return replace(row, fixed_verdict=verdict, blocked_because=because)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def with_verdicts(rows: Sequence[UnjudgedRow], threshold: float, *, forced: bool) -> tuple[Row, ...]:
    """Return the rows of a whole comparison with their verdicts, in order. `threshold` is a share."""
    claiming = [row for row in rows if _may_claim(row)]
    found = iter(verdicts([row.estimate for row in claiming if row.estimate is not None], threshold))
    return tuple(_judged_row(row, next(found) if _may_claim(row) else None, forced) for row in rows)


def _may_claim(row: UnjudgedRow) -> bool:
    return row.estimate is not None and not (row.blocked_because or row.fixed_verdict or row.informational)


def _judged_row(row: UnjudgedRow, found: RowVerdict | None, forced: bool) -> Row:
    verdict: RowVerdict | None = None
    if not row.informational:
        verdict = row.fixed_verdict or found or "inconclusive"
    estimate = row.estimate
    effect = low = high = None
    if estimate is not None:
        effect, low, high = estimate.effect, estimate.low, estimate.high
        if row.higher_is_better:
            effect, low, high = _inverse(effect), _inverse(high), _inverse(low)
    return Row(
        metric=row.metric,
        unit=row.unit,
        old=row.baseline,
        new=row.candidate,
        higher_is_better=row.higher_is_better,
        effect=effect,
        low=low,
        high=high,
        half_width=estimate and estimate.half_width,
        standard_error=estimate and estimate.standard_error,
        verdict=verdict,
        forced=forced and verdict is not None,
        reason=row.blocked_because,
        old_log_values=row.baseline_runs,
        new_log_values=row.candidate_runs,
    )


def _inverse(effect: float | None) -> float | None:
    """Return the change of a rate whose time changes by `effect`, and the reverse; None if it is unbounded."""
    return None if effect is None or effect <= -1 else math.expm1(-math.log1p(effect))
