"""What is compared, row by row: a row before its verdict, and how all rows of a comparison get theirs together.

Rules of this file: pure. Estimates are of how long a round trip takes, so that positive always means slower; a rate's
is turned round before it is estimated and again when it is shown. All rows that may claim a change are one family (see
`bench.statistics.verdicts.verdicts`), whatever benchmark they are of.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bench.compare.model import IncomparableError, Row, RowVerdict
from bench.results.figure import Figure, Unit, middle
from bench.statistics.estimates import Estimate, ratio_estimate
from bench.statistics.verdicts import verdicts

Runs = tuple[tuple[float, ...], ...]
"""Log values of one side: a tuple for each run."""

FEWEST_RUNS = 2
"""From here on a side's own runs show how runs differ."""

_NAMES_SHOWN = 3


def common_names(old: Collection[str], new: Collection[str]) -> list[str]:
    """The benchmarks that both sides have, in the order of the new ones. Raises IncomparableError."""
    common = [name for name in new if name in old]
    if not common:
        raise IncomparableError(f"no benchmark in common: OLD has {some_of(old)}, NEW has {some_of(new)}")
    return common


def some_of(names: Collection[str]) -> str:
    """The first of them, and how many more there are."""
    shown = ", ".join(list(names)[:_NAMES_SHOWN]) or "none"
    return f"{shown} and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else shown


@dataclass(frozen=True)
class Draft:
    """A row without its verdict. `estimate` is of the time; `unproven` says why the row may claim no change.

    `decided` is a verdict that needs no estimate; `unproven` is then the reason for it.
    """

    metric: str
    unit: Unit
    old: Figure | None
    new: Figure | None
    old_runs: Runs = ()
    new_runs: Runs = ()
    estimate: Estimate | None = None
    higher_is_better: bool = False
    unproven: str | None = None
    decided: RowVerdict | None = None
    only_reported: bool = False


def drafted(
    metric: str,
    unit: Unit,
    figures: tuple[Sequence[Figure | None], Sequence[Figure | None]],
    runs: tuple[Runs, Runs],
    *,
    between_runs: float | None,
    higher_is_better: bool = False,
    unproven: str | None = None,
    only_reported: bool = False,
) -> Draft:
    """A row of both sides' figures, a figure and a tuple of log values for each run.

    `between_runs` is the known standard deviation of the log value from run to run (see `ratio_estimate`). Where it is
    None, a side of a single run gives no interval.
    """
    old_runs, new_runs = (tuple(run for run in side if run) for side in runs)
    estimate, missing = _estimated(old_runs, new_runs, between_runs, -1 if higher_is_better else 1)
    return Draft(
        metric=metric,
        unit=unit,
        old=middle(figures[0]),
        new=middle(figures[1]),
        old_runs=old_runs,
        new_runs=new_runs,
        estimate=estimate,
        higher_is_better=higher_is_better,
        unproven=missing or unproven,
        only_reported=only_reported,
    )


def _estimated(old: Runs, new: Runs, between_runs: float | None, sign: int) -> tuple[Estimate | None, str | None]:
    """The estimate, and why it has no interval where it has none."""
    if not (old and new):
        return None, "not measured on both sides"
    sides = [[[sign * value for value in run] for run in side] for side in (old, new)]
    fewest = min(len(old), len(new))
    if fewest < FEWEST_RUNS and between_runs is None:
        means = [[[math.fsum(map(_mean, side)) / len(side)]] for side in sides]  # of a single one: it has no interval
        return ratio_estimate(*means, between_runs=0), "a single run does not show how much runs differ"
    estimate = ratio_estimate(*sides, between_runs=between_runs or 0.0)
    return estimate, "a single process has no spread" if estimate.low is None else None


def far_apart(olds: Sequence[Figure | None], news: Sequence[Figure | None], bound: float) -> RowVerdict | None:
    """Return which side is more than `bound` times as long, run by run; None if neither is.

    The function compares every run of a side with every run of the other, so a single strange run claims nothing. A
    figure that is only known to lie above a limit counts as the limit, and only as the longer figure.
    """
    old, new = ([one for one in side if one is not None] for side in (olds, news))
    if len(old) < len(olds) or len(new) < len(news) or not (old and new):
        return None
    for shorter, longer, found in ((old, new, "slower"), (new, old, "faster")):
        exact = all(one.bound == "exact" and one.value > 0 for one in shorter)
        if exact and min(one.value for one in longer) > bound * max(one.value for one in shorter):
            return "slower" if found == "slower" else "faster"
    return None


def decided_as(draft: Draft, verdict: RowVerdict | None, because: str) -> Draft:
    """Return the row with a verdict that its estimate cannot prove, if there is one and the row proves nothing."""
    if verdict is None or draft.unproven is None or draft.decided is not None:
        return draft
    return replace(draft, decided=verdict, unproven=because)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def judged(drafts: Sequence[Draft], threshold: float, *, forced: bool) -> tuple[Row, ...]:
    """The rows of a whole comparison with their verdicts, in order."""
    claiming = [one for one in drafts if _may_claim(one)]
    found = iter(verdicts([one.estimate for one in claiming if one.estimate is not None], threshold))
    return tuple(_row(one, next(found) if _may_claim(one) else None, forced) for one in drafts)


def _may_claim(draft: Draft) -> bool:
    return draft.estimate is not None and not (draft.unproven or draft.decided or draft.only_reported)


def _row(draft: Draft, found: RowVerdict | None, forced: bool) -> Row:
    verdict: RowVerdict | None = None
    if not draft.only_reported:
        verdict = draft.decided or found or "inconclusive"
    estimate = draft.estimate
    effect = low = high = None
    if estimate is not None:
        effect, low, high = estimate.effect, estimate.low, estimate.high
        if draft.higher_is_better:
            effect, low, high = _inverse(effect), _inverse(high), _inverse(low)
    return Row(
        metric=draft.metric,
        unit=draft.unit,
        old=draft.old,
        new=draft.new,
        higher_is_better=draft.higher_is_better,
        effect=effect,
        low=low,
        high=high,
        half_width=estimate and estimate.half_width,
        standard_error=estimate and estimate.standard_error,
        verdict=verdict,
        forced=forced and verdict is not None,
        reason=draft.unproven,
        old_log_values=draft.old_runs,
        new_log_values=draft.new_runs,
    )


def _inverse(effect: float | None) -> float | None:
    """The relative change of a rate whose time changes by `effect`, and the reverse; None where it has no end."""
    return None if effect is None or effect <= -1 else math.expm1(-math.log1p(effect))
