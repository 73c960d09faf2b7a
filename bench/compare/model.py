"""The data of a comparison of stored results, as `bench compare` prints and writes it.

Rules of this file: data and its invariants only; strict, units in the names. There are two sides, OLD and NEW, with
results of the same kind. `effect` is the relative change from old to new, ratio - 1. A positive effect on a time is
slower; with `higher_is_better`, a negative effect is. Log values are natural logarithms, a tuple for each run of a
side. If a row has an interval, its other figures follow from the log values.
"""

import math
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, FiniteFloat

from bench.compare.errors import IncomparableError as IncomparableError  # part of what this module offers
from bench.results.figure import Figure, Unit, ratio
from bench.results.header import WRITTEN, Kind, NonNegative
from bench.results.latency import ControlKind
from bench.statistics.estimates import CONFIDENCE
from bench.statistics.verdicts import Verdict

COMPARISON_SCHEMA: Literal["compare/1"] = "compare/1"

#: The verdict of a row: of times and rates as in statistics, of failures "worse" and "better" instead.
RowVerdict = Verdict | Literal["worse", "better"]

#: The verdicts that fail a comparison.
FAILING: tuple[RowVerdict, ...] = ("slower", "worse")


class DifferenceKind(StrEnum):
    """Everything that may make a difference between two sides mean something else than a changed service."""

    MACHINE = "different machines"
    PYTHON = "different Pythons"
    PACKAGES = "different versions"
    SETTINGS = "different settings"
    CONTROL = "different controls"
    DIRTY = "uncommitted changes"
    COMMITS = "several commits"
    SATURATED = "generator saturated"
    PARTIAL = "partial result"
    FORCED = "ended by force"
    INVALID = "wrong figures"
    SERVICE_LOST = "service lost"


class Difference(BaseModel):
    """A difference that may spoil the comparison, its detail, and `void`: true if it makes the comparison void."""

    model_config = WRITTEN

    kind: DifferenceKind
    detail: str
    void: bool


class ComparedResult(BaseModel):
    """A stored result that is compared: its file and its commit."""

    model_config = WRITTEN

    path: str
    datetime: AwareDatetime
    commit: str
    dirty: bool


def _with_infinity(stored: object) -> object:
    """Return a stored figure with infinity for a null value: JSON has no infinity."""
    if isinstance(stored, dict) and stored.get("value", 0) is None:
        return stored | {"value": math.inf}
    return stored


_Known = Annotated[Figure | None, BeforeValidator(_with_infinity)]


class Row(BaseModel):
    """A metric on both sides. `old` and `new` are as measured, each the median over that side's runs.

    The effect and its interval come from the log values: ratios to the control if there is a control, else the measured
    values. They are null if there are too few runs or nothing to divide by; `reason` then says why. `verdict` is null
    for a metric that is only reported.
    """

    model_config = WRITTEN

    metric: str
    unit: Unit
    old: _Known
    new: _Known
    higher_is_better: bool = False
    effect: FiniteFloat | None = None
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    half_width: NonNegative | None = None
    standard_error: NonNegative | None = None
    verdict: RowVerdict | None = None
    #: True if the comparison is void and was forced; the verdict is then worth less.
    forced: bool = False
    reason: str | None = None
    old_log_values: tuple[tuple[FiniteFloat, ...], ...] = ()
    new_log_values: tuple[tuple[FiniteFloat, ...], ...] = ()

    @property
    def ratio(self) -> Figure | None:
        """new / old as measured, with the bound that follows if either is only bounded; None if nothing follows."""
        return ratio(self.old, self.new)


class Compared(BaseModel):
    """A benchmark, or an operation of a load, that both sides have.

    `label` is its name without the file, if no other benchmark has that name. `control` is the control of the ratios;
    it is null if the measured values themselves are compared.
    """

    model_config = WRITTEN

    name: str
    label: str
    control: ControlKind | None = None
    rows: tuple[Row, ...]


class NotCompared(BaseModel):
    """A benchmark that both sides have but that is not compared, and why."""

    model_config = WRITTEN

    name: str
    label: str
    reason: str


class Comparison(BaseModel):
    """A comparison of two sides of results of the same kind, in the order of the new side's newest result.

    `threshold` is relative (0.005 is 0.5 %). `remarks` are further facts about the comparison. `forced` means that the
    comparison is void by some difference and was made all the same.
    """

    model_config = WRITTEN

    schema_: Literal["compare/1"] = Field(default=COMPARISON_SCHEMA, alias="schema")
    kind: Kind
    threshold: NonNegative
    confidence: NonNegative = CONFIDENCE
    old: tuple[ComparedResult, ...]
    new: tuple[ComparedResult, ...]
    benchmarks: tuple[Compared, ...]
    not_compared: tuple[NotCompared, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    differences: tuple[Difference, ...]
    remarks: tuple[str, ...]
    forced: bool

    @property
    def worse(self) -> tuple[str, ...]:
        """The slower metrics and the new failures of each benchmark, such as "echo (p50, failed)"."""
        found = [
            (benchmark, [row.metric for row in benchmark.rows if row.verdict in FAILING])
            for benchmark in self.benchmarks
        ]
        return tuple(f"{benchmark.label} ({', '.join(metrics)})" for benchmark, metrics in found if metrics)

    def to_json(self) -> bytes:
        """Return the comparison as indented UTF-8 JSON, as the file has it."""
        return self.model_dump_json(by_alias=True, indent=2).encode() + b"\n"
