"""What a check of our accuracy is stored as: schema "accuracy/1". Data and what follows, no files and no clock."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import BaseModel, Field, FiniteFloat, NonNegativeFloat, NonNegativeInt, PositiveFloat

from bench.machine.disturbances import Spoiler
from bench.results.header import WRITTEN, Header

ACCURACY_SCHEMA: Literal["accuracy/1"] = "accuracy/1"

Unit = Literal["us", "count", "percent"]


class Quantity(BaseModel):
    """A value in its row's unit; or, where `is_above`, that it is above that value."""

    model_config = WRITTEN

    value: FiniteFloat
    is_above: bool = False


class FigureCheck(BaseModel):
    """One repetition: what is true, what we reported (null: nothing), and how far apart they may be, in the unit."""

    model_config = WRITTEN

    truth: Quantity
    ours: Quantity | None
    bound: NonNegativeFloat

    @property
    def error(self) -> float:
        """Ours less what is true; infinite where that cannot be told."""
        if self.ours is None or self.ours.is_above != self.truth.is_above:
            return math.inf
        return self.ours.value - self.truth.value

    @property
    def is_inside(self) -> bool:
        """Whether they are no farther apart than they may be."""
        return abs(self.error) <= self.bound


class ToolFigure(BaseModel):
    """What another tool reported (null: it cannot tell), and what was true of its own run where that is counted."""

    model_config = WRITTEN

    reported: Quantity | None
    truth: FiniteFloat | None = None


class Row(BaseModel):
    """One figure of a scenario, in all repetitions; of those `judged`, the one with the median error speaks for all.

    `judged` are the numbers of those during which others took least of the cores' time; empty: all are.
    `is_exact` rows do not depend on how long anything took. `inside` is null where nothing is judged (`--quick` judges
    no times). `peers` is what the other tools reported of it.
    """

    model_config = WRITTEN

    figure: str
    unit: Unit
    is_exact: bool
    inside: bool | None
    repetitions: tuple[FigureCheck, ...] = Field(min_length=1)
    judged: tuple[NonNegativeInt, ...] = ()
    peers: dict[str, ToolFigure] = {}

    @classmethod
    def of(
        cls,
        figure: str,
        unit: Unit,
        repetitions: Sequence[FigureCheck],
        *,
        is_exact: bool = False,
        is_judged: bool = True,
        judged: Sequence[int] = (),
        peers: Mapping[str, ToolFigure] | None = None,
    ) -> Self:
        """Judge a figure: a time by the repetition with the median error, what is exact by every one of them."""
        checks = tuple(repetitions)
        judged = () if is_exact else tuple(judged)
        inside: bool | None = None
        if is_exact:
            inside = all(repetition.is_inside for repetition in checks)
        elif is_judged:
            inside = median(_chosen(checks, judged)).is_inside
        return cls(
            figure=figure,
            unit=unit,
            is_exact=is_exact,
            inside=inside,
            repetitions=checks,
            judged=judged,
            peers=dict(peers or {}),
        )

    @property
    def shown(self) -> FigureCheck:
        """The repetition that speaks for all: of an exact row that is outside, one that is."""
        if self.is_exact:
            return next((check for check in self.repetitions if not check.is_inside), self.repetitions[0])
        return median(_chosen(self.repetitions, self.judged))


def _chosen(repetitions: Sequence[FigureCheck], judged: Sequence[int]) -> Sequence[FigureCheck]:
    return [repetitions[number] for number in judged] or repetitions


def median(repetitions: Sequence[FigureCheck]) -> FigureCheck:
    """The one with the median error; of an even number the one above the middle."""
    return sorted(repetitions, key=lambda check: check.error)[len(repetitions) // 2]


class Run(BaseModel):
    """One of our runs, and whether it can be believed. CPU shares are of one core.

    `taken_share` is what the host and other processes took of the cores' time; null where that cannot be told.
    """

    model_config = WRITTEN

    run: str
    sent: NonNegativeInt
    dropped: NonNegativeInt
    generator_cpu_share: NonNegativeFloat | None
    send_lateness_p99_us: NonNegativeFloat | None
    verdict: Literal["ok", "saturated"] | None
    reason: str | None
    taken_share: NonNegativeFloat | None = None
    spoilers: tuple[Spoiler, ...]


class Scenario(BaseModel):
    """A scenario: what was asked for, what came of it, and our runs with all that may have spoilt them."""

    model_config = WRITTEN

    name: str
    title: str
    rate_per_s: PositiveFloat
    duration_s: PositiveFloat
    rows: tuple[Row, ...]
    runs: tuple[Run, ...]

    @property
    def inside(self) -> bool:
        """Whether no row is outside its bound."""
        return all(row.inside is not False for row in self.rows)


class Absent(BaseModel):
    """A tool that is left out, of one scenario or (`scenario` null) of all, and why."""

    model_config = WRITTEN

    peer: str
    scenario: str | None = None
    reason: str


class Accuracy(Header):
    """A whole check. `peers` are the titles of the other tools by their names, with their versions.

    `nice` is what servers and generators ran with: below 0 they went before other processes.
    """

    schema_: Literal["accuracy/1"] = Field(default=ACCURACY_SCHEMA, alias="schema")
    server_core: NonNegativeInt | None
    generator_cores: tuple[NonNegativeInt, ...]
    awake_cores: tuple[NonNegativeInt, ...]
    nice: int = 0
    quick: bool
    peers: dict[str, str]
    peers_rate_per_s: PositiveFloat
    scenarios: tuple[Scenario, ...]
    absent: tuple[Absent, ...]

    @property
    def inside(self) -> bool:
        """Whether no row of any scenario is outside its bound."""
        return all(scenario.inside for scenario in self.scenarios)
