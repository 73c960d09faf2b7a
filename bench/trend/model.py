"""The data of trends, as `bench trend --json` writes it.

Rules of this file: data only; strict. Each series says the unit of its values. A value that is not `exact` is only a
bound: the figure lies above or below it. It is null where no bound is known, because what failed has no time.
"""

import math
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field, FiniteFloat

from bench.results.header import WRITTEN, Kind
from bench.trend.metric import Metric
from bench.trend.series import Point, Series, Step, Trends, TrendUnit

TREND_SCHEMA: Literal["trend/1"] = "trend/1"


class TrendPoint(BaseModel):
    """A result of a series, in commit order. One that is not `judged` has no part in finding steps."""

    model_config = WRITTEN

    commit: str
    commit_known: bool
    dirty: bool
    datetime: AwareDatetime
    value: FiniteFloat | None
    bound: Literal["exact", "above", "below"]
    judged: bool
    remarks: tuple[str, ...]


class TrendLevel(BaseModel):
    """The level of the points from index `first` to `last`, both included: their geometric mean."""

    model_config = WRITTEN

    first: int
    last: int
    value: FiniteFloat


class TrendStep(BaseModel):
    """A step between the points at `before` and `after`: the relative change with its interval, 0.05 for +5 %."""

    model_config = WRITTEN

    before: int
    after: int
    effect: FiniteFloat
    low: FiniteFloat | None
    high: FiniteFloat | None
    p_value: FiniteFloat
    is_better: bool
    also_changed: tuple[str, ...]


class TrendSeries(BaseModel):
    """The results of a benchmark under the same conditions on one machine."""

    model_config = WRITTEN

    kind: Kind
    benchmark: str
    machine: str
    conditions: dict[str, str]
    measured: str
    unit: TrendUnit
    higher_is_better: bool
    points: tuple[TrendPoint, ...]
    levels: tuple[TrendLevel, ...]
    steps: tuple[TrendStep, ...]


class TrendFile(BaseModel):
    """All series. `has_history` is false without a git repository: the order is then that of the runs."""

    model_config = WRITTEN

    schema_: Literal["trend/1"] = Field(default=TREND_SCHEMA, alias="schema")
    metric: Metric
    significance: FiniteFloat
    has_history: bool
    series: tuple[TrendSeries, ...]
    unknown_commits: tuple[str, ...]
    illustrative: tuple[str, ...]

    @classmethod
    def of(cls, trends: Trends) -> "TrendFile":
        """Return the data of trends."""
        return cls(
            metric=trends.metric,
            significance=trends.significance,
            has_history=trends.history,
            series=tuple(map(_series, trends.series)),
            unknown_commits=trends.unknown_commits,
            illustrative=trends.illustrative,
        )

    def to_json(self) -> bytes:
        """Return the trends as indented UTF-8 JSON."""
        return self.model_dump_json(by_alias=True, indent=2).encode() + b"\n"


def _series(series: Series) -> TrendSeries:
    return TrendSeries(
        kind=series.kind,
        benchmark=series.benchmark,
        machine=series.machine,
        conditions=dict(series.conditions),
        measured=series.measured,
        unit=series.unit,
        higher_is_better=series.higher_is_better,
        points=tuple(map(_point, series.points)),
        levels=tuple(TrendLevel(first=level.first, last=level.last, value=level.value) for level in series.levels),
        steps=tuple(_step(series, step) for step in series.steps),
    )


def _point(point: Point) -> TrendPoint:
    return TrendPoint(
        commit=point.commit,
        commit_known=point.commit_known,
        dirty=point.dirty,
        datetime=point.time,
        value=point.value.value if math.isfinite(point.value.value) else None,
        bound=point.value.bound,
        judged=point.judged,
        remarks=point.remarks,
    )


def _step(series: Series, step: Step) -> TrendStep:
    return TrendStep(
        before=step.before,
        after=step.after,
        effect=step.change.effect,
        low=step.change.low,
        high=step.change.high,
        p_value=step.p_value,
        is_better=(step.change.effect > 0) == series.higher_is_better,
        also_changed=step.also_changed,
    )
