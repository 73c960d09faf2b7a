"""Durations, percentages and decimals as people type them, read without a rounding error; and durations to be read.

Every option that takes a duration or a percentage reads it here, so the same forms are right everywhere. Two functions
write durations: `duration_text` as part of what somebody may type again, such as a stage of a rate, and `span_text` in
sentences and lines that people read.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction

#: A decimal number without sign and exponent, as a regular expression.
NUMBER = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"

#: The units of a duration in seconds, from the longest to the shortest, each with its spellings.
_UNITS: tuple[tuple[Fraction, tuple[str, ...]], ...] = (
    (Fraction(3600), ("h",)),
    (Fraction(60), ("min", "m")),
    (Fraction(1), ("s",)),
    (Fraction(1, 10**3), ("ms",)),
    (Fraction(1, 10**6), ("us", "µs", "μs")),
    (Fraction(1, 10**9), ("ns",)),
)
# Each unit at most once. A unit's letters are not the beginning of a longer unit's: 2ms is no 2 m.
_DURATION = re.compile("".join(rf"(?:({NUMBER})\s*(?:{'|'.join(names)})(?![a-zµμ])\s*)?" for _, names in _UNITS))
_PLAIN_SECONDS = re.compile(NUMBER)
_PERCENT = re.compile(rf"({NUMBER})\s*%?")


class DurationError(ValueError):
    """A text that is no duration. One line: which text, and what is expected."""


class PercentError(ValueError):
    """A text that is no percentage. One line: which text, and what is expected."""


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as 90, 30s, 5m, 1h30m, 2ms or 1.5 min.

    A number without a unit is in seconds. The forms include those that Locust reads (`locust.util.timespan`). A
    duration beyond all floats is infinite. Raises DurationError.
    """
    text = text.strip()
    if _PLAIN_SECONDS.fullmatch(text):
        return float(text)
    parts = _DURATION.fullmatch(text)
    if parts is None or not text:
        raise DurationError(f"{text!r} is no duration: expected one like 30s, 5m or 1h30m")
    numbers = zip(parts.groups(), _UNITS, strict=True)
    seconds = sum(Fraction(Decimal(number)) * unit_s for number, (unit_s, _) in numbers if number is not None)
    try:
        return float(seconds)
    except OverflowError:
        return math.inf


def parse_percent(text: str) -> float:
    """Return the share of a percentage such as 0.3 or 0.3 %, which is 0.003. Raises PercentError."""
    match = _PERCENT.fullmatch(text.strip())
    if match is None:
        raise PercentError(f"{text!r} is no percentage: expected one like 0.3 or 0.3 %")
    return float(Fraction(Decimal(match[1])) / 100)


def duration_text(duration_s: float) -> str:
    """Return a duration in the form that `parse_duration` reads, such as 1h30m."""
    minutes, seconds = divmod(exact(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{plain_decimal(float(number))}{unit}" for number, unit in parts if number)


def span_text(span_s: float) -> str:
    """Return a length of so many seconds, to be read: 1 h 30 min, 5 min, 20 min 34.5 s, 12 s.

    It has as many places as it is given, up to milliseconds. `parse_duration` reads this form, too.
    """
    whole_minutes, rest_s = divmod(round(span_s, 3), 60)
    hours, minutes = divmod(int(whole_minutes), 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{rest_s:.6g} s" if rest_s else ""]
    return " ".join(filter(None, parts)) or "0 s"


def plain_decimal(number: float) -> str:
    """Return a number's decimals without an exponent, as few as tell it from every other float."""
    text = f"{Decimal(repr(float(number))):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def exact(number: float) -> Fraction:
    """Return the decimal that was typed, rather than the binary fraction next to it: 0.1 times 30 is 3."""
    return Fraction(repr(float(number)))
