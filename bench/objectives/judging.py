"""The judgement on an objective, by the figure that a measurement has for it.

Rules of this file: figures in, judgements out. An objective is met if it holds at the bad end of the figure's interval,
and missed if it does not hold even at the good end. Otherwise it is undecided. A figure that is not known decides
nothing by a number that was made up: only by the end of its interval that is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from bench.objectives.model import JudgedObjective, JudgedTimes, Objective, ObjectiveVerdict
from bench.timing.durations import span_text

#: The confidence of the intervals by which objectives are judged.
CONFIDENCE = 0.95

#: The longest run that is proposed, in seconds: a day.
_LONGEST_S = 86_400.0

#: The steps to which a proposed run is rounded: the longest run of each, and the step, in seconds.
_STEPS = ((10, 1), (60, 5), (600, 30), (3600, 300))


def run_of(needs_s: float) -> str:
    """Return in words how long a run would decide an objective."""
    return f"a run of about {_rounded(needs_s)} would decide it"


@dataclass(frozen=True)
class Measured:
    """The figure that a measurement has for an objective, in the objective's unit.

    An end of its interval is None if it lies beyond what is known. Without `value` the figure lies there itself.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = CONFIDENCE
    #: The label of the operation, or the name of the benchmark, that it is of; None for all operations of a load.
    operation: str | None = None
    times: JudgedTimes | None = None
    #: The seconds in which it was measured; None if a longer run is not what makes it surer.
    seconds: float | None = None
    #: The root of the time with which its interval shrinks.
    root: int = 2
    #: The number of times that longer a measurement has to be, in words: what would decide an objective. Only needed
    #: without `seconds`.
    remedy: Callable[[float], str] | None = None
    #: Why an end of the interval is not known, in words, and the seconds of a run in which it would be.
    lacks: str | None = None
    needs_s: float | None = None
    #: Why the objective cannot be judged by it, in words.
    useless_because: str | None = None

    @classmethod
    def exact(cls, value: float, operation: str | None = None, times: JudgedTimes | None = None) -> Measured:
        """Return a figure that was counted, and not estimated."""
        return cls(value, value, value, operation=operation, times=times)


def judge(objective: Objective, measured: Measured) -> JudgedObjective:
    """Return the judgement on an objective by this figure."""
    verdict, reason, needs_s = _verdict(objective, measured)
    return JudgedObjective(
        text=objective.text,
        operation=measured.operation,
        metric=objective.metric,
        relation=objective.relation,
        limit=objective.limit,
        unit=objective.unit,
        times=measured.times,
        value=measured.value,
        low=finite(measured.low),
        high=finite(measured.high),
        confidence=measured.confidence,
        verdict=verdict,
        reason=reason,
        needs_s=needs_s,
    )


def finite(end: float | None) -> float | None:
    """Return an end as it is stored: what failed without any limit in time lies beyond what is known."""
    return end if end is not None and math.isfinite(end) else None


def not_judged(objective: Objective, reason: str, operation: str | None = None) -> JudgedObjective:
    """Return the judgement on an objective for which a measurement has no figure."""
    return judge(objective, Measured(operation=operation, useless_because=reason))


def _verdict(objective: Objective, measured: Measured) -> tuple[ObjectiveVerdict, str | None, float | None]:
    """Return the verdict, the reason for it, and the seconds of a run that would decide it."""
    if measured.useless_because is not None:
        return "not judged", measured.useless_because, None
    is_upper = objective.is_upper_limit
    good, bad = (measured.low, measured.high) if is_upper else (measured.high, measured.low)
    if bad is not None and math.isfinite(bad) and objective.holds(bad):
        return "met", None, None
    if good is not None and not objective.holds(good):
        return "missed", measured.lacks if measured.value is None else None, None
    if measured.value is None:
        if measured.lacks is None and good is None and bad is None:
            return "not judged", "nothing was measured", None
        return "undecided", measured.lacks or "the figure is not known", None
    end = bad if objective.holds(measured.value) else good
    if end is None:
        return "undecided", measured.lacks or "too little was measured for an interval", measured.needs_s
    return _undecided(objective, measured, abs(end - measured.value))


def _undecided(
    objective: Objective, measured: Measured, reach: float
) -> tuple[ObjectiveVerdict, str | None, float | None]:
    """Return why an objective is undecided whose limit lies within the reach of the figure.

    The reach of an interval shrinks with a root of the time, so it is the distance to the limit after this many times
    the time.
    """
    assert measured.value is not None
    distance = abs(objective.limit - measured.value)
    times_longer = (reach / distance) ** measured.root if distance else math.inf
    if measured.remedy is not None:
        return "undecided", measured.remedy(times_longer), None
    if measured.seconds is None:
        return "undecided", "the limit lies within the interval", None
    needs_s = measured.seconds * times_longer
    if needs_s > _LONGEST_S:
        return "undecided", "the figure is so near to the limit that a day would not decide it", None
    return "undecided", run_of(needs_s), float(f"{needs_s:.3g}")


def _rounded(seconds: float) -> str:
    """Return a duration that somebody would choose, a little longer rather than shorter: 40 s, 2 min, 1 h 30 min."""
    step_s = next((step_s for below_s, step_s in _STEPS if seconds <= below_s), 1800)
    return span_text(math.ceil(seconds / step_s) * step_s)
