"""A figure of a result: a value, or a bound if the value is not known, and the rules to combine figures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from bench.results.load import Distribution


@dataclass(frozen=True)
class Figure:
    """A measured value, or the bound above or below which it lies.

    A percentile that falls among the failures lies above infinity if no limit is known for them.
    """

    value: float
    bound: Literal["exact", "above", "below"] = "exact"


class Unit(StrEnum):
    """The unit of a row's figures."""

    MICROSECONDS = "µs"
    PER_SECOND = "per second"
    COUNT = "count"


def exact(value: float | None) -> Figure | None:
    """Return the figure of a value that is known exactly; None for None."""
    return None if value is None else Figure(value)


def ratio(old: Figure | None, new: Figure | None) -> Figure | None:
    """Return new / old.

    Return None if that says nothing: a side is missing or failed, old is zero, or both are only bounded.
    """
    if old is None or new is None or old.value == 0 or math.inf in (old.value, new.value):
        return None
    value = new.value / old.value
    if old.bound == "exact":
        return Figure(value, new.bound)
    if new.bound == "exact":
        return Figure(value, "below" if old.bound == "above" else "above")
    return None


def figure(distribution: Distribution | None, name: str) -> Figure | None:
    """Return a figure of a distribution in microseconds, by field name; a censored figure lies above the limit."""
    if distribution is None:
        return None
    value: float | None = getattr(distribution, name)
    if value is not None:
        return Figure(value)
    limit = distribution.censored_above_us
    return Figure(math.inf if limit is None else limit, "above")


def middle(figures: Sequence[Figure | None]) -> Figure | None:
    """Return the median of the known figures; None if there are none. A figure above a limit sorts last."""
    known = sorted(
        (figure for figure in figures if figure is not None),
        key=lambda figure: (figure.bound == "above", figure.value),
    )
    if not known:
        return None
    lower, upper = known[(len(known) - 1) // 2], known[len(known) // 2]
    return Figure((lower.value + upper.value) / 2, upper.bound)
