"""The certainty of the figures of a load: intervals of times, tests of the run, and the precisions that were asked for.

Rules of this file: pure; reports in, parts of the result out. All of it rests on the whole seconds of the steady window
(see `LoadFigures`). A run of which too little is known has the reason in place of a figure, and no narrow interval.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.load.metrics.figures import Chosen, LoadFigures
from bench.load.metrics.report import BINS
from bench.objectives.judging import Measured, finite
from bench.objectives.model import Objective
from bench.objectives.precision import AskedPrecision
from bench.report.steadiness import width_text
from bench.results.load import REPLIED_KINDS, Operation
from bench.results.steadiness import KnownInterval, Precision, RunTest, RunTestName, TimeIntervals
from bench.statistics.estimates import CONFIDENCE
from bench.statistics.intervals import SteadyTimes
from bench.statistics.steadiness import (
    CHANGE_MARGIN,
    DISPERSION_MARGIN,
    FALSE_ALARMS,
    PARTS,
    Outcome,
    dispersion,
    independence,
    parts_of,
    trend,
)
from bench.timing.arrivals import Shape
from bench.timing.rates import RateProfile

#: The figures of which an operation has intervals.
_FIGURES = ("p50", "p90", "p99", "mean")

#: The fewest times of an operation that is tested: with fewer in a part, a part is little more than chance.
_FEWEST_TIMES = 20 * PARTS

#: The part of the time after which an interval was as narrow as asked, for which it has to stay so: 10 %.
#:
#: A run that ended as soon as the interval is narrow would favour the moments at which it is too narrow.
_CONFIRMING = 0.1

#: The fewest seconds of steady window after which a precision can be reached.
FEWEST_SECONDS = 20


@dataclass(frozen=True)
class AskedSteadiness:
    """The load that was asked for, as far as the tests of a run need it.

    `profile` is the rate over time and `load_start_s` the second of its start; without a rate there is no profile.
    `changed_users` says that the number of users changed during the run.
    """

    profile: RateProfile | None = None
    shape: Shape = "poisson"
    load_start_s: float = 0.0
    changed_users: bool = False

    @property
    def changes(self) -> str | None:
        """The reason why the figures of the run cannot be steady, as its load was not; None if it was."""
        if self.profile is not None and (len(self.profile.stages) > 1 or self.profile.stages[0].is_ramp):
            return "the rate has stages or a ramp"
        return "the number of users changed" if self.changed_users else None


def with_intervals(operations: Sequence[Operation], figures: LoadFigures) -> tuple[Operation, ...]:
    """Return the operations, each with the intervals of its times in the steady window, if it has any."""
    return tuple(
        operation.model_copy(update={"intervals": _intervals(operation, figures)})
        if operation.kind in REPLIED_KINDS and operation.times_of == "window"
        else operation
        for operation in operations
    )


def _intervals(operation: Operation, figures: LoadFigures) -> TimeIntervals | None:
    chosen = figures.choose(_figure("p50", operation.label))
    if isinstance(chosen, str):
        return None
    measured = {name: figures.measured(_figure(name, operation.label), chosen) for name in _FIGURES}
    lacking = next((known for known in measured.values() if known.low is None or known.high is None), None)
    return TimeIntervals(
        times="response" if chosen.is_open else "service",
        confidence=CONFIDENCE,
        seconds=len(figures.steady_seconds()),
        reason=None if lacking is None else lacking.useless_because or lacking.lacks,
        needs_s=None if lacking is None else lacking.needs_s,
        **{name: _known(known) for name, known in measured.items()},
    )


def _figure(metric: str, operation: str | None) -> Objective:
    """Return a figure as an objective has it. Its limit means nothing."""
    return Objective(metric, metric, ">=", 0.0, "µs", operation)


def _known(measured: Measured) -> KnownInterval | None:
    low, high = finite(measured.low), finite(measured.high)
    return None if low is None and high is None else KnownInterval(low=low, high=high)


# ------------------------------------------------------------------ tests


def run_tests(operations: Sequence[Operation], figures: LoadFigures, asked: AskedSteadiness) -> tuple[RunTest, ...]:
    """Return the tests of a run: whether arrivals were as scheduled, and whether times were independent and steady."""
    return tuple(itertools.chain(_arrivals_test(figures, asked), _times_tests(operations, figures, asked)))


def _arrivals_test(figures: LoadFigures, asked: AskedSteadiness) -> Iterator[RunTest]:
    profile = asked.profile
    if profile is None:
        return
    # Nothing is sent before the schedule starts.
    seconds = [second for second in figures.steady_seconds() if second >= asked.load_start_s - 1e-6]
    known = dict(zip(figures.steady_seconds(), figures.arrivals(), strict=True))
    counts = [count for second in seconds for count in known[second]]
    upto = [profile.expected(second - asked.load_start_s + place / BINS) for second in seconds for place in range(BINS)]
    if seconds:
        upto.append(profile.expected(seconds[-1] + 1 - asked.load_start_s))
    expected = [max(0.0, after - before) for before, after in itertools.pairwise(upto)]
    outcome = dispersion(counts, expected, is_random=asked.shape == "poisson")
    if outcome is None:
        yield RunTest(name="arrivals", passed=None, meaning="not tested: there were too few arrivals")
        return
    index = outcome.statistic
    if asked.shape == "poisson":
        passed = outcome.p is None or outcome.p >= FALSE_ALARMS or abs(index - 1) < DISPERSION_MARGIN
    else:
        passed = index < 1
    yield RunTest(
        name="arrivals", statistic=index, p=outcome.p, passed=passed, meaning=_arrivals_meaning(index, passed, asked)
    )


def _arrivals_meaning(index: float, passed: bool, asked: AskedSteadiness) -> str:
    if passed:
        return "arrivals were as scheduled"
    if asked.shape != "poisson":
        return (
            f"arrivals were not evenly spaced but as uneven as random ones or more (index of dispersion {index:.2f}): "
            "they were held back; give more --users, more --processes, or a lower rate"
        )
    if index > 1:
        return (
            f"arrivals came in bunches, {index:.2f} times as uneven as random ones: they were held back; give more "
            "--users, more --processes, or a lower rate"
        )
    return (
        f"arrivals were more even than random ones (index of dispersion {index:.2f}): they were held back; give more "
        "--users, more --processes, or a lower rate"
    )


@dataclass(frozen=True)
class _Tested:
    """The two outcomes of an operation, and the change of its median from the first quarter of the window on."""

    operation: str
    independence: Outcome
    trend: Outcome
    change: float | None


def _times_tests(operations: Sequence[Operation], figures: LoadFigures, asked: AskedSteadiness) -> Iterator[RunTest]:
    names: tuple[RunTestName, ...] = ("independence", "stationarity")
    number = len(figures.steady_seconds())
    why_not = asked.changes
    if why_not is None and number < PARTS:
        why_not = f"the steady window has {number} whole seconds, at least {PARTS} are needed"
    tested = [] if why_not else [found for operation in operations if (found := _tested(operation, figures))]
    if not tested:
        reason = why_not or "no operation has enough times"
        yield from (RunTest(name=name, passed=None, meaning=f"not tested: {reason}") for name in names)
        return
    worst = min(tested, key=lambda each: each.independence.p or 0.0)
    p = _of_all(worst.independence, len(tested))
    passed = p >= FALSE_ALARMS
    correlation = worst.independence.statistic
    yield RunTest(
        name="independence",
        operation=worst.operation,
        statistic=correlation,
        p=p,
        passed=passed,
        meaning="the parts of the run did not depend on each other"
        if passed
        else f"the parts of the run depend on each other (correlation {correlation:.2f} of neighbours, times of "
        f"{worst.operation}): the run is too short for its intervals; run longer",
    )
    # Of those that changed by an amount that matters the surest comes first; else the surest of all.
    worst = min(tested, key=lambda each: (not _matters(each.change), each.trend.p or 0.0))
    p = _of_all(worst.trend, len(tested))
    passed = p >= FALSE_ALARMS or not _matters(worst.change)
    yield RunTest(
        name="stationarity",
        operation=worst.operation,
        statistic=worst.trend.statistic,
        p=p,
        passed=passed,
        meaning="the times had settled" if passed else _trend_meaning(worst),
    )


def _tested(operation: Operation, figures: LoadFigures) -> _Tested | None:
    """Return the outcomes of an operation; None of one without times, or with too few."""
    if operation.kind not in REPLIED_KINDS or operation.times_of != "window":
        return None
    chosen = figures.choose(_figure("p50", operation.label))
    times = None if isinstance(chosen, str) else figures.steady_times(chosen)
    if times is None or times.number < _FEWEST_TIMES:
        return None
    parts = parts_of(times.below_median().tolist())
    return None if parts is None else _Tested(operation.label, independence(parts), trend(parts), _change(times))


def _change(times: SteadyTimes) -> float | None:
    """Return the change of the median from the first quarter of the run to the last, as a share."""
    number = len(times.blocks)
    before, after = times.median_ns(0, number // 4), times.median_ns(number - number // 4, number)
    return None if not before or after is None else after / before - 1


def _matters(change: float | None) -> bool:
    """Return true if a change is large enough to speak of; a median that falls among failures has changed as well."""
    return change is None or abs(change) >= CHANGE_MARGIN


def _of_all(outcome: Outcome, number: int) -> float:
    """Return the probability of the furthest of so many outcomes (Bonferroni)."""
    return min(1.0, (1.0 if outcome.p is None else outcome.p) * number)


def _trend_meaning(tested: _Tested) -> str:
    name, change = tested.operation, tested.change
    if change is None:
        return f"{name} had not settled: more and more of it failed; run it at a lower rate"
    if change > 0:
        return (
            f"the times of {name} were still rising, their median by {change:.0%} from the first quarter of the window "
            "to the last: run longer, warm up longer, or the service cannot keep up"
        )
    return (
        f"the times of {name} were still falling, their median by {-change:.0%} from the first quarter of the window "
        "to the last: give a longer --warmup"
    )


# ------------------------------------------------------------------ precisions


def precisions(
    asked: Sequence[AskedPrecision], figures: LoadFigures, give_way: Callable[[], None] = lambda: None
) -> tuple[Precision, ...]:
    """Return what was reached of the precisions that were asked for.

    `give_way` is called before each of them: all of them may take long.
    """
    found = []
    for precision in asked:
        give_way()
        found.append(_precision(precision, figures))
    return tuple(found)


def _precision(asked: AskedPrecision, figures: LoadFigures) -> Precision:
    figure = asked.figure
    chosen: Chosen | str = figures.choose(figure)
    measured = (
        Measured(useless_because=chosen) if isinstance(chosen, str) else figures.measured(figure, chosen, CONFIDENCE)
    )
    value, low, high = measured.value, finite(measured.low), finite(measured.high)
    reached = None
    if value and low is not None and high is not None:
        reached = max(high - value, value - low) if asked.unit != "share" else max(high / value - 1, 1 - low / value)
    is_reached = reached is not None and reached <= asked.width
    reason = None
    if not is_reached:
        reason = measured.useless_because or measured.lacks
        if reached is not None:
            reason = f"its interval is ± {width_text(reached, asked.unit)}"
    return Precision(
        text=asked.text,
        operation=measured.operation,
        metric=asked.metric,
        asked=asked.width,
        unit=asked.unit,
        reached=reached,
        value=value,
        low=low,
        high=high,
        is_reached=is_reached,
        reason=reason,
    )


class PrecisionRule:
    """The rule that says when a run has reached the precisions that were asked for.

    A run that goes on until an interval is narrow relative to its figure covers what it says in the long run (Chow and
    Robbins 1965, Ann. Math. Statist. 36, 457-462; Glynn and Whitt 1992, "The asymptotic validity of sequential stopping
    rules for stochastic simulations", Ann. Appl. Probab. 2, 180-198). For short runs there are two safeguards: a least
    time, and a tenth of the time more, after which the intervals have to be narrow again (Simons 1968).
    """

    def __init__(self) -> None:
        self._first_s: int | None = None

    def is_satisfied(self, seconds: int, found: Sequence[Precision]) -> bool:
        """Return whether the run may end, after so many seconds of steady window."""
        if seconds < FEWEST_SECONDS or not all(precision.is_reached for precision in found):
            return False
        if self._first_s is None:
            self._first_s = seconds
        return seconds >= self._first_s * (1 + _CONFIRMING)
