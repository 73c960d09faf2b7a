"""The certainty of the figures of a load, as results store it: intervals, tests of the run, and asked precisions.

Rules of this file: data and its invariants only. Units are in the names.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, FiniteFloat, NonNegativeInt, model_validator

from bench.objectives.model import WidthUnit
from bench.results.header import WRITTEN, NonNegative

#: The tests of a run.
RunTestName = Literal["arrivals", "independence", "stationarity"]


class KnownInterval(BaseModel):
    """The ends of an interval. An end is null if it lies beyond what is known."""

    model_config = WRITTEN

    low: NonNegative | None
    high: NonNegative | None

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"the interval begins at {self.low}, above its end at {self.high}")
        return self


class TimeIntervals(BaseModel):
    """The intervals of an operation's times in microseconds, over the whole seconds of the steady window.

    They are of response times in an open load, else of service times: `times` says which. `seconds` is the number of
    whole seconds. A figure is null if nothing is known of it. `reason` says why an end or a figure is not known, and
    `needs_s` how many seconds of steady window would probably know it.
    """

    model_config = WRITTEN

    times: Literal["service", "response"]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    seconds: NonNegativeInt
    p50: KnownInterval | None = None
    p90: KnownInterval | None = None
    p99: KnownInterval | None = None
    mean: KnownInterval | None = None
    reason: str | None = None
    needs_s: NonNegative | None = None


class RunTest(BaseModel):
    """A test of whether the load was the load that was asked for, or whether its figures had settled.

    `statistic` is the index of dispersion of the arrivals, the correlation of neighbouring parts of the run, or the
    rank correlation of its parts with time. `p` is the probability of a statistic as far off by chance, over all
    operations that were tested. Both are of `operation`, the one that was furthest off; it is null for all together.
    `passed` is null if the run was not tested. `meaning` says in words what came of it, and what to do.
    """

    model_config = WRITTEN

    name: RunTestName
    operation: str | None = None
    statistic: FiniteFloat | None = None
    p: Annotated[float, Field(ge=0, le=1)] | None = None
    passed: bool | None
    meaning: Annotated[str, Field(min_length=1)]


class Precision(BaseModel):
    """A precision that `--until` asked for, and what was reached.

    `text` is what was asked, `operation` the label of the operation (null for all together), `metric` the figure.
    `asked` is the half width that was asked, in `unit`: as a share of the figure, in microseconds or per second.
    `reached` is that of the figure's interval at the end; it is null if an end of the interval is not known. `value`,
    `low` and `high` are the figure and its interval: times in microseconds, rates per second. `is_reached` says whether
    the interval was as narrow as asked. `reason` says why it was not.
    """

    model_config = WRITTEN

    text: Annotated[str, Field(min_length=1)]
    operation: str | None = None
    metric: Annotated[str, Field(min_length=1)]
    asked: Annotated[float, Field(gt=0)]
    unit: WidthUnit = "share"
    reached: NonNegative | None = None
    value: NonNegative | None = None
    low: NonNegative | None = None
    high: NonNegative | None = None
    is_reached: bool
    reason: str | None = None
