"""Durations and decimals as people type them, read without a rounding error."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

#: A decimal number without sign and exponent, as a regular expression.
NUMBER = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_DURATION = re.compile(rf"(?:([0-9]+)h)?(?:([0-9]+)m)?(?:({NUMBER})s)?")
_PLAIN_SECONDS = re.compile(NUMBER)


class DurationError(ValueError):
    """A text that is no duration. One line: which text, and what is expected."""


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as 90, 30s, 5m or 1h30m.

    The forms are those that Locust reads (`locust.util.timespan`), and decimals. Raises DurationError.
    """
    if _PLAIN_SECONDS.fullmatch(text):
        return float(text)
    parts = _DURATION.fullmatch(text)
    if parts is None or not text:
        raise DurationError(f"{text!r} is no duration: expected one like 30s, 5m or 1h30m")
    hours, minutes, seconds = (Decimal(part or 0) for part in parts.groups())
    return float((hours * 60 + minutes) * 60 + seconds)


def duration_text(duration_s: float) -> str:
    """Return a duration in the form that `parse_duration` reads, such as 1h30m."""
    minutes, seconds = divmod(exact(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{plain_decimal(float(number))}{unit}" for number, unit in parts if number)


def plain_decimal(number: float) -> str:
    """Return a number's decimals without an exponent, as few as tell it from every other float."""
    text = f"{Decimal(repr(float(number))):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def exact(number: float) -> Fraction:
    """Return the decimal that was typed, rather than the binary fraction next to it: 0.1 times 30 is 3."""
    return Fraction(repr(float(number)))
