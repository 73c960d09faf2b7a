"""Numbers and names as text for people, the same in every output format.

Rules of this file: pure functions from a value to its text. What is not known is a dash, what is only bounded shows its
bound, and nothing is ever cut.
"""

import math
from typing import Literal

from bench.results.figure import Figure, Unit

#: The text of a figure that is not known.
UNKNOWN = "-"

#: The word for a time that falls among the failures, whose times are unknown.
FAILED = "failed"

_SIGNS = {"exact": "", "above": "> ", "below": "< "}


def count(value: int) -> str:
    """Return a count with thousands separators: 12,345."""
    return f"{value:,}"


def per_second(value: float | None) -> str:
    """Return a rate: whole with separators from 100 on, with one decimal below."""
    return UNKNOWN if value is None else _decimal_below(value, 100)


def amount(size_bytes: float) -> str:
    """Return a number of bytes in a unit of three digits or four: 512 B, 1.23 MB, 1,234 GB."""
    for unit, in_bytes in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= in_bytes:
            return f"{_three_digits(size_bytes / in_bytes)} {unit}"
    return f"{_three_digits(size_bytes)} B"


def microseconds(figure: Figure | None) -> str:
    """Return a time in microseconds: 12,345 or 133.4. A bound has its unit with it: > 500 ms."""
    if figure is None:
        return UNKNOWN
    if figure.bound == "exact":
        return _decimal_below(figure.value, 1000)
    return FAILED if math.isinf(figure.value) else f"{_SIGNS[figure.bound]}{_limit(figure.value)}"


def measured(figure: Figure | None, unit: Unit) -> str:
    """Return a figure in its unit, without the unit's name."""
    if figure is None:
        return UNKNOWN
    if unit is Unit.MICROSECONDS:
        return microseconds(figure)
    return per_second(figure.value) if unit is Unit.PER_SECOND else count(round(figure.value))


def ratio(figure: Figure | None) -> str:
    """Return a ratio with three decimals: 1.051, or > 1.250 if only a bound is known."""
    return UNKNOWN if figure is None else f"{_SIGNS[figure.bound]}{figure.value:,.3f}"


def percent(share: float) -> str:
    """Return a share of 1 in per cent: 0.5 %."""
    return f"{share * 100:g} %"


def effect(value: float, bound: Literal["exact", "above", "below"] = "exact") -> str:
    """Return a relative change in per cent: +1.25 %, or > +1.25 % if only a bound is known.

    From 1,000 % on it is a whole number.
    """
    text = f"{value * 100:+,.2f} %" if abs(value) < 10 else f"{value * 100:+,.0f} %"
    return f"{_SIGNS[bound]}{text}"


def effect_interval(low: float | None, high: float | None) -> str:
    """Return the interval of a relative change: +1.00 % to +1.50 %."""
    return UNKNOWN if low is None or high is None else f"{effect(low)} to {effect(high)}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a count with its noun: 1 restart, 1,234 restarts."""
    return f"{count(number)} {noun if number == 1 else plural or f'{noun}s'}"


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _decimal_below(value: float, whole_from: float) -> str:
    return f"{value:,.1f}" if round(value, 1) < whole_from else f"{value:,.0f}"


def _limit(value_us: float) -> str:
    for unit, in_us in (("s", 1e6), ("ms", 1e3)):
        if value_us >= in_us:
            return f"{value_us / in_us:,.6g} {unit}"
    return f"{value_us:,.6g} µs"
