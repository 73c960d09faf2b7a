"""Numbers and names as text for people, the same in every output format.

Rules of this file: pure functions from a value to its text. What is not known is a dash, what is only bounded shows its
bound, and nothing is ever cut.
"""

import math

from bench.printable import printable
from bench.results.figure import Figure, Unit

__all__ = ["UNKNOWN", "count", "measured", "microseconds", "per_second", "printable", "ratio"]

UNKNOWN = "-"

FAILED = "failed"
"""The word for a time that falls among the failures, of which nothing is known."""

_SIGNS = {"exact": "", "above": "> ", "below": "< "}


def count(value: int) -> str:
    """A count with thousands separators: 12,345."""
    return f"{value:,}"


def per_second(value: float | None) -> str:
    """A rate: whole with separators from 100 on, with one decimal below."""
    return UNKNOWN if value is None else _decimal_below(value, 100)


def microseconds(figure: Figure | None) -> str:
    """A time in microseconds: 12,345 or 133.4. One that is only bounded has its unit with it: > 500 ms."""
    if figure is None:
        return UNKNOWN
    if figure.bound == "exact":
        return _decimal_below(figure.value, 1000)
    return FAILED if math.isinf(figure.value) else f"{_SIGNS[figure.bound]}{_limit(figure.value)}"


def measured(figure: Figure | None, unit: Unit) -> str:
    """A figure in its unit, without the unit's name."""
    if figure is None:
        return UNKNOWN
    if unit is Unit.MICROSECONDS:
        return microseconds(figure)
    return per_second(figure.value) if unit is Unit.PER_SECOND else count(round(figure.value))


def ratio(figure: Figure | None) -> str:
    """A ratio with three decimals: 1.051, or > 1.250 where only a bound is known."""
    return UNKNOWN if figure is None else f"{_SIGNS[figure.bound]}{figure.value:,.3f}"


def _decimal_below(value: float, whole_from: float) -> str:
    return f"{value:,.1f}" if round(value, 1) < whole_from else f"{value:,.0f}"


def _limit(value_us: float) -> str:
    for unit, in_us in (("s", 1e6), ("ms", 1e3)):
        if value_us >= in_us:
            return f"{value_us / in_us:,.6g} {unit}"
    return f"{value_us:,.6g} µs"
