"""An objective, and the judgement on it as results store it.

Rules of this file: data and its invariants only. A limit and a figure are in the unit that the objective names: times
in microseconds, shares from 0 to 1, rates per second, and numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

#: The relation of a figure to its limit that has to hold.
Relation = Literal["<", "<=", ">", ">="]

#: The unit of a limit, and of the figures that it is for.
ObjectiveUnit = Literal["µs", "share", "per second", "count"]

#: The metrics that count how operations ended, or were not begun.
FailureMetric = Literal["errors", "timeouts", "dropped"]
FAILURE_METRICS: tuple[FailureMetric, ...] = get_args(FailureMetric)

#: The unit of a half width that is asked for: a share of the figure, or the figure's own unit.
WidthUnit = Literal["share", "µs", "per second"]

#: The judgement. An objective is "undecided" if the limit lies within the figure's interval. It is "not judged" if the
#: measurement has no figure for it, or if the figure is not the service's.
ObjectiveVerdict = Literal["met", "missed", "undecided", "not judged"]

#: The kind of times that were judged.
JudgedTimes = Literal["service", "response"]

_HOLDS: dict[Relation, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Objective:
    """An objective as it was asked for. `operation` is None if it names none."""

    #: The objective as it was typed, with single spaces.
    text: str
    #: A percentile such as p99.9, mean, max, errors, timeouts, dropped, connects or throughput.
    metric: str
    relation: Relation
    limit: float
    unit: ObjectiveUnit
    operation: str | None = None

    @property
    def percent(self) -> float | None:
        """The percentile that the metric is, from 0 to 100; None for another metric."""
        return float(self.metric[1:]) if self.metric[1:2].isdigit() else None

    @property
    def is_of_times(self) -> bool:
        """True if the metric is a time."""
        return self.unit == "µs"

    @property
    def is_upper_limit(self) -> bool:
        """True if a figure has to stay below the limit."""
        return self.relation in ("<", "<=")

    @property
    def is_extreme(self) -> bool:
        """True of a share that has to be 0 % or 100 %."""
        return self.unit == "share" and self.limit == (0.0 if self.is_upper_limit else 1.0)

    def holds(self, value: float) -> bool:
        """Return true if the objective holds for this figure."""
        return _HOLDS[self.relation](value, self.limit)


class JudgedObjective(BaseModel):
    """An objective and the judgement on it.

    `operation` is the label of the operation, or the name of the benchmark, that was judged. It is null for all
    operations of a load together. `times` says of which times a time is.

    `value` is the figure. It is null if the figure is not known, such as a percentile that falls among the failures.
    `low` and `high` are the ends of its interval with `confidence`; an end is null if it lies beyond what is known. A
    figure that was counted, and not estimated, has itself as both ends.

    `reason` says why an objective was not judged or is undecided, or what else is to know of it. `needs_s` is an
    estimate of the seconds after which a run would decide an objective that is undecided.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    text: Annotated[str, Field(min_length=1)]
    operation: str | None = None
    metric: Annotated[str, Field(min_length=1)]
    relation: Relation
    limit: FiniteFloat
    unit: ObjectiveUnit
    times: JudgedTimes | None = None
    value: FiniteFloat | None = None
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    confidence: FiniteFloat = 0.95
    verdict: ObjectiveVerdict
    reason: str | None = None
    needs_s: FiniteFloat | None = None

    @model_validator(mode="after")
    def _says_why_it_was_not_judged(self) -> Self:
        if self.verdict == "not judged" and not self.reason:
            raise ValueError(f"{self.text}: it was not judged but no reason is given")
        return self
