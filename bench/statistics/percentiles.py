"""Percentiles of few values: the numbers from which a percentile is another than the greatest value.

By nearest rank, the percentile p of n values is the value of rank ceil(p / 100 · n). With few values that is rank n: a
p99 of 50 round trips is the longest of them, and says no more than the longest.
"""

from __future__ import annotations

#: The percentiles of results by field name, and the fewest values of which each is another than the greatest.
FEWEST_VALUES = {"p90": 10, "p99": 100, "p99_9": 1_000}


def is_greatest(name: str, number: int | None) -> bool:
    """Return true if a percentile of that many values is the greatest of them; false if the number is not known."""
    return number is not None and number < FEWEST_VALUES.get(name, 0)
