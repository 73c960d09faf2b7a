"""The data of trends, as `bench trend --json` writes it.

Rules of this file: data only; strict. Each series says the unit of its values. A value that is not `exact` is only a
bound: the figure lies above or below it. It is null where no bound is known, because what failed has no time.
"""

import math
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, Field, FiniteFloat, model_validator

from bench.results.figure import Figure
from bench.results.header import WRITTEN, Kind
from bench.statistics.estimates import Estimate
from bench.trend.metric import Metric
from bench.trend.series import Level, Point, Series, Step, Trends, TrendUnit

TREND_SCHEMA: Literal["trend/1"] = "trend/1"


class TrendPoint(BaseModel):
    """A result of a series, in commit order. One that is not `judged` has no part in finding steps.

    `environment` has the versions of packages, of Python and of the kernel.
    """

    model_config = WRITTEN

    commit: str
    commit_known: bool
    dirty: bool
    datetime: AwareDatetime
    value: FiniteFloat | None
    bound: Literal["exact", "above", "below"]
    judged: bool
    remarks: tuple[str, ...]
    environment: dict[str, str] = {}

    def point(self) -> Point:
        """Return the point, as it was found."""
        return Point(
            commit=self.commit,
            commit_known=self.commit_known,
            dirty=self.dirty,
            time=self.datetime,
            value=Figure(math.inf if self.value is None else self.value, self.bound),
            remarks=self.remarks,
            judged=self.judged,
            environment=self.environment,
        )


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

    def step(self) -> Step:
        """Return the step, as it was found."""
        change = Estimate(self.effect, self.low, self.high, None, None, None, 0)
        return Step(self.before, self.after, change, self.p_value, self.also_changed)


class TrendSeries(BaseModel):
    """The results of a benchmark under the same conditions on one machine.

    `without_control` is the number of results that have no ratio to the control; null if the values are no ratios.
    """

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
    without_control: int | None = None

    @model_validator(mode="after")
    def _is_of_its_points(self) -> Self:
        places = [(level.first, level.last) for level in self.levels]
        places += [(step.before, step.after) for step in self.steps]
        if not all(0 <= first <= last < len(self.points) for first, last in places):
            raise ValueError(f"{self.benchmark}: a level or a step is not among its {len(self.points)} points")
        return self

    def found(self) -> Series:
        """Return the series, as it was found."""
        return Series(
            kind=self.kind,
            benchmark=self.benchmark,
            machine=self.machine,
            conditions=tuple(self.conditions.items()),
            measured=self.measured,
            unit=self.unit,
            higher_is_better=self.higher_is_better,
            points=tuple(point.point() for point in self.points),
            levels=tuple(Level(level.first, level.last, level.value) for level in self.levels),
            steps=tuple(step.step() for step in self.steps),
            without_control=self.without_control,
        )


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

    def trends(self) -> Trends:
        """Return the trends, as they were found."""
        return Trends(
            series=tuple(series.found() for series in self.series),
            metric=self.metric,
            significance=self.significance,
            history=self.has_history,
            unknown_commits=self.unknown_commits,
            illustrative=self.illustrative,
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
        without_control=series.without_control,
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
        environment=dict(point.environment),
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
