"""The stored result of an accuracy check: schema "accuracy/1". Data and what follows from it, no files and no clock."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import BaseModel, Field, FiniteFloat, NonNegativeFloat, NonNegativeInt, PositiveFloat

from bench.machine.disturbances import Spoiler
from bench.results.header import WRITTEN, Header

ACCURACY_SCHEMA: Literal["accuracy/1"] = "accuracy/1"

Unit = Literal["us", "count", "percent"]


class Quantity(BaseModel):
    """A value in its row's unit; with `is_above`, a quantity that lies above the value."""

    model_config = WRITTEN

    value: FiniteFloat
    is_above: bool = False


class FigureCheck(BaseModel):
    """A figure of one repetition beside the truth: `bound` is the largest allowed error, in the unit.

    `ours` is null if we reported nothing.
    """

    model_config = WRITTEN

    truth: Quantity
    ours: Quantity | None
    bound: NonNegativeFloat

    @property
    def error(self) -> float:
        """The difference of our figure and the truth; infinite if it is not known."""
        if self.ours is None or self.ours.is_above != self.truth.is_above:
            return math.inf
        return self.ours.value - self.truth.value

    @property
    def is_inside(self) -> bool:
        """True if the error is within its bound."""
        return abs(self.error) <= self.bound


class ToolFigure(BaseModel):
    """A figure that another tool reported, and the truth of the tool's own run if that is counted.

    `reported` is null if the tool cannot report this figure.
    """

    model_config = WRITTEN

    reported: Quantity | None
    truth: FiniteFloat | None = None


class Row(BaseModel):
    """A figure of a scenario in all repetitions. The judged repetition with the median error speaks for all.

    `judged` are the numbers of the repetitions in which others took least of the cores' time; empty: all are judged.
    Rows with `is_exact` do not depend on how long anything took. `inside` is null if nothing is judged (`--quick`
    judges no times). `peers` is this figure as the other tools reported it.
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
        """Judge a figure: a time by the repetition with the median error, an exact figure by every repetition."""
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
        """The repetition that speaks for all; for an exact row the first repetition that is outside, if any."""
        if self.is_exact:
            return next((check for check in self.repetitions if not check.is_inside), self.repetitions[0])
        return median(_chosen(self.repetitions, self.judged))


def _chosen(repetitions: Sequence[FigureCheck], judged: Sequence[int]) -> Sequence[FigureCheck]:
    return [repetitions[number] for number in judged] or repetitions


def median(repetitions: Sequence[FigureCheck]) -> FigureCheck:
    """Return the check with the median error; of an even number, the check above the middle."""
    return sorted(repetitions, key=lambda check: check.error)[len(repetitions) // 2]


class Run(BaseModel):
    """A run of ours, with the reasons to believe it or not. CPU shares are of one core.

    `taken_share` is the share of the cores' time that the host and other processes took; null if it is not known.
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
    """A scenario: its load, its rows, and our runs with all that may have spoilt them."""

    model_config = WRITTEN

    name: str
    title: str
    rate_per_s: PositiveFloat
    duration_s: PositiveFloat
    rows: tuple[Row, ...]
    runs: tuple[Run, ...]

    @property
    def inside(self) -> bool:
        """True if no row is outside its bound."""
        return all(row.inside is not False for row in self.rows)


class Absent(BaseModel):
    """A tool that is left out, with the reason, of one scenario or (`scenario` null) of all."""

    model_config = WRITTEN

    peer: str
    scenario: str | None = None
    reason: str


class Accuracy(Header):
    """A whole check. `peers` are the titles of the other tools by their names, with their versions.

    `nice` is the niceness of servers and generators: below 0 they went before other processes.
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
        """True if no row of any scenario is outside its bound."""
        return all(scenario.inside for scenario in self.scenarios)
