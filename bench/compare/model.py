"""What a comparison of stored results says: the data that `bench compare` prints and writes.

Rules of this file: data and its invariants only; strict, units in the names. Two sides, OLD and NEW, each of one or
several results of one kind. `effect` is the relative change from old to new, ratio - 1; of times a positive one is
slower, of what is `higher_is_better` a negative one. Log values are natural logarithms, one tuple for each run of a
side: all of the other figures of a row that has an interval can be found from them again.
"""

import math
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, FiniteFloat

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


class IncomparableError(Exception):
    """Results between which nothing can be compared. Its text is one line for the user."""


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


class Difference(BaseModel):
    """One thing that may spoil the comparison, what exactly it is, and whether the comparison is void by it."""

    model_config = WRITTEN

    kind: DifferenceKind
    detail: str
    void: bool


class ComparedResult(BaseModel):
    """One stored result that is compared: the file, and whose it is."""

    model_config = WRITTEN

    path: str
    datetime: AwareDatetime
    commit: str
    dirty: bool


def _with_infinity(stored: object) -> object:
    """Return a stored figure with infinity for its value, which JSON does not have, where it has null."""
    if isinstance(stored, dict) and stored.get("value", 0) is None:
        return stored | {"value": math.inf}
    return stored


_Known = Annotated[Figure | None, BeforeValidator(_with_infinity)]


class Row(BaseModel):
    """One metric on both sides. `old` and `new` are as measured, each the median over that side's runs.

    The effect and its interval are of the log values: ratios to the control where there is one, else the measured
    values. They are null where there are too few runs or nothing to divide by, and `reason` then says why. `verdict` is
    null for what is only reported.
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
        """new / old as measured, with the bound that follows where one is only bounded; None if nothing follows."""
        return ratio(self.old, self.new)


class Compared(BaseModel):
    """One benchmark, or one operation of a load, that both sides have.

    `label` is its name without the file, where that says which one it is. `control` is what ratios are to, null where
    the measured values themselves are compared.
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
    """Two sides of results of one kind, in the order of the new side's newest one.

    `threshold` is relative (0.005 is 0.5 %). `remarks` are what to know besides the differences. `forced` means that
    the comparison is void by some difference and was made all the same.
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
        """What became slower, or failed where it did not before, by benchmark: "echo (p50, failed)"."""
        found = [
            (benchmark, [row.metric for row in benchmark.rows if row.verdict in FAILING])
            for benchmark in self.benchmarks
        ]
        return tuple(f"{benchmark.label} ({', '.join(metrics)})" for benchmark, metrics in found if metrics)

    def to_json(self) -> bytes:
        """The comparison as it is written to a file: indented UTF-8 JSON."""
        return self.model_dump_json(by_alias=True, indent=2).encode() + b"\n"
