"""Numbers and names as text for people, the same in every output format.

Rules of this file: pure functions from a value to its text. What is not known is a dash, what is only bounded shows its
bound, and nothing is ever cut. A time has its unit beside it, and three or four significant digits. Times that are
compared with each other have the same unit.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.results.figure import Figure, Unit
from bench.timing.durations import span_text

#: The text of a figure that is not known.
UNKNOWN = "-"

#: The word for a time that falls among the failures, whose times are unknown.
FAILED = "failed"

#: The word for a percentile of a load that falls among what failed or was dropped, while other times are known.
LOST = "lost"

#: The length of a run, in seconds, from which on its moments are shown in hours, minutes and seconds.
LONG_RUN_S = 120

_COMMIT = re.compile("[0-9a-f]{7,64}")
_SIGNS = {"exact": "", "above": "> ", "below": "< "}


@dataclass(frozen=True)
class DurationUnit:
    """A unit of times: its name, and its length in microseconds."""

    name: str
    length_us: float


_MICROSECOND, _MILLISECOND, _SECOND = DurationUnit("µs", 1.0), DurationUnit("ms", 1e3), DurationUnit("s", 1e6)
_UNITS = (_MICROSECOND, _MILLISECOND, _SECOND)

#: The number from which on a time is shown in the next larger unit, if it stands alone.
_NEXT_UNIT_FROM = 1_000
#: The same for the longest of several times with one unit, and the least that the shortest may be in the next unit.
_NEXT_COMMON_UNIT_FROM, _SHORTEST_FROM = 10_000, 0.1
#: The same for times that are so long that short times may have zeros.
_LONG_FROM, _SHORTEST_BESIDE_LONG_FROM = 1_000_000, 0.001


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


def common_unit(times_us: Iterable[float]) -> DurationUnit:
    """Return the unit in which times are compared, in microseconds: the shortest's, or a larger if that is too small.

    A time of zero has any unit.
    """
    known = [time_us for time_us in times_us if 0 < time_us < math.inf]
    if not known:
        return _MICROSECOND
    shortest, longest = min(known), max(known)
    unit = _own_unit(shortest)
    for larger in _UNITS[_UNITS.index(unit) + 1 :]:
        units = longest / unit.length_us
        least = _SHORTEST_FROM if units < _LONG_FROM else _SHORTEST_BESIDE_LONG_FROM
        if units < _NEXT_COMMON_UNIT_FROM or shortest / larger.length_us < least:
            break
        unit = larger
    return unit


def duration(figure: Figure | None, unit: DurationUnit | None = None) -> str:
    """Return a time of so many microseconds with its unit: 133.4 µs, 1.234 ms. A bound is whole: > 500 ms.

    Without a `unit` it is the time's own.
    """
    if figure is None:
        return UNKNOWN
    if figure.bound != "exact":
        return FAILED if math.isinf(figure.value) else f"{_SIGNS[figure.bound]}{_limit(figure.value)}"
    unit = unit or _own_unit(figure.value)
    return f"{duration_number(figure.value, unit)} {unit.name}"


def is_lost(figure: Figure | None) -> bool:
    """Return true for a percentile among what failed or was dropped, of which not even a limit is known."""
    return figure is not None and math.isinf(figure.value)


def durations(figures: Sequence[Figure | None]) -> list[str]:
    """Return times that are compared with each other, all in one unit, each with the unit beside it."""
    unit = unit_of(figures)
    return [duration(figure, unit) for figure in figures]


def unit_of(figures: Iterable[Figure | None]) -> DurationUnit:
    """Return the unit for figures that are compared with each other. Figures that are only bounded have their own."""
    return common_unit(figure.value for figure in figures if figure is not None and figure.bound == "exact")


def duration_number(time_us: float, unit: DurationUnit) -> str:
    """Return a time of so many microseconds as a number of units, without the unit's name: 12,345, 133.4, 0.0123."""
    value = time_us / unit.length_us
    if value == 0:
        return "0"
    # 4 digits; 3 below 1, where they are fewer than the digits that are shown.
    return f"{value:,.{max(0, _digits_after_point(value))}f}"


def measured(figures: Sequence[Figure | None], unit: Unit) -> list[str]:
    """Return figures that are compared with each other: times and rates with their unit, counts have none."""
    if unit is Unit.MICROSECONDS:
        return durations(figures)
    return [_rate_or_count(figure, unit) for figure in figures]


def _rate_or_count(figure: Figure | None, unit: Unit) -> str:
    if figure is None:
        return UNKNOWN
    return f"{per_second(figure.value)}/s" if unit is Unit.PER_SECOND else count(round(figure.value))


def moment(at_s: float, run_s: float) -> str:
    """Return a moment of a run of so many seconds: second 12, or 20 min 34 s of a long run."""
    return span_text(at_s) if run_s > LONG_RUN_S else f"second {at_s:.6g}"


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


def short_commit(commit: str, digits: int = 12) -> str:
    """Return the first digits of a commit's id. A word in place of an id, such as `unversioned`, stays whole."""
    return commit[:digits] if _COMMIT.fullmatch(commit) else commit


def commit_with_changes(commit: str, dirty: bool, digits: int = 12) -> str:
    """Return the first digits of a commit's id, and that the code had changes beyond it: 3cf0b59c6de9 + changes."""
    return short_commit(commit, digits) + (" + changes" if dirty else "")


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a count with its noun: 1 restart, 1,234 restarts."""
    return f"{count(number)} {noun if number == 1 else plural or f'{noun}s'}"


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _decimal_below(value: float, whole_from: float) -> str:
    return f"{value:,.1f}" if round(value, 1) < whole_from else f"{value:,.0f}"


def _own_unit(time_us: float) -> DurationUnit:
    """Return the unit in which a time has one to three digits before the point."""
    for unit in _UNITS[:-1]:
        if float(f"{time_us / unit.length_us:.4g}") < _NEXT_UNIT_FROM:
            return unit
    return _UNITS[-1]


def _digits_after_point(value: float) -> int:
    """Return how many digits after the point make four significant digits, or three below 1."""
    exponent = math.floor(math.log10(float(f"{abs(value):.4g}")))
    return 3 - exponent if exponent >= 0 else 2 - exponent


def _limit(value_us: float) -> str:
    for unit, in_us in (("s", 1e6), ("ms", 1e3)):
        if value_us >= in_us:
            return f"{value_us / in_us:,.6g} {unit}"
    return f"{value_us:,.6g} µs"
