"""Percentiles of few times, the same in tables and lines: of so few, a percentile is the longest of them."""

from collections.abc import Sequence

#: The word in place of a percentile that is the longest time.
LONGEST = "max"


def marked(texts: Sequence[str], are_longest: Sequence[bool]) -> list[str]:
    """Return the cells of a percentile, with the word where it is the longest time."""
    return [LONGEST if is_longest else text for text, is_longest in zip(texts, are_longest, strict=True)]


def named(name: str, is_longest: bool) -> str:
    """Return the name of a percentile, as it stands before its time in a line."""
    return LONGEST if is_longest else name
