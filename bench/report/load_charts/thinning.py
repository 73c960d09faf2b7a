"""Long series for a page of limited width: fewer points, and none of the extremes lost.

Rules of this file: numbers in, places out. What is kept was measured: nothing is averaged or moved. Largest-Triangle-
Three-Buckets and the like keep the shape of a line, but lose the longest time of a second, which matters here.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.report.formatting import count

Values = NDArray[np.float64]


def kept_rows(series: Sequence[Sequence[float | None]], most: int) -> list[int]:
    """Return the rows to show of series with a value each row, ascending; all of them if there are at most `most`.

    The rows are cut into parts of the same length. Of each part the rows with the least and the greatest value of each
    series are kept, and a row without the value if there is any. So a row that is shown has all of
    its values, and the extremes of each part are there. There are as many parts as give at most `most` rows. If two
    parts give more already, there are two. The first and the last row are always kept. Raises ValueError if a series
    is longer than another.
    """
    values = [np.array([np.nan if value is None else value for value in row], dtype=np.float64) for row in series]
    number = len(values[0]) if values else 0
    if any(len(row) != number for row in values):
        raise ValueError("the series have different numbers of rows")
    if number <= most:
        return list(range(number))
    few, many = 2, max(3, most)
    while many - few > 1:
        parts = (few + many) // 2
        few, many = (parts, many) if len(_extremes(values, number, parts)) <= most else (few, parts)
    return sorted(_extremes(values, number, few))


def _extremes(series: Sequence[Values], number: int, parts: int) -> set[int]:
    ends = [number * part // parts for part in range(parts + 1)]
    kept = {0, number - 1}
    for start, end in itertools.pairwise(ends):
        for values in series:
            part = values[start:end]
            unknown = np.isnan(part)
            if unknown.any():  # also where nothing else is: a line is broken there
                kept.add(start + int(unknown.argmax()))
            if not unknown.all():
                kept |= {start + int(np.nanargmin(part)), start + int(np.nanargmax(part))}
    return kept


def thinned(kept: int, total: int, what: str) -> str:
    """Return the sentence that says which of the seconds are shown; empty if all of them are."""
    return "" if kept >= total else f"It shows {count(kept)} of {count(total)} seconds: {what}."
