"""The shapes of distributions, as data of documents, and their drawing in block characters.

Rules of this file: pure. A shape is the number of times in each of many bins, all of the same width on a logarithmic
axis. A drawing is as wide as there is room. It never hides a time: whatever is not empty has at least the lowest block.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.cells import cell_len

from bench.printable import printable
from bench.report.document import Line, Shape, Shapes
from bench.report.formatting import counted, duration
from bench.results.figure import Figure
from bench.timing.histogram import Histogram, HistogramError

#: The number of bins of a shape: more than a terminal has columns.
_BINS = 240

#: The fewest times that have a shape.
_FEWEST_TIMES = 10

#: The most rows that are drawn below a table. More would bury the tables that follow.
_MOST_ROWS = 12

#: The width of the narrowest axis, as a ratio of its ends.
_LEAST_RATIO = 2.0

_NS_PER_US = 1_000.0

#: The heights of a bin, from the lowest to the highest, and the same where a terminal has no blocks.
_BLOCKS, _LETTERS = "▁▂▃▄▅▆▇█", ".:-=+*#@"

#: The most and the fewest columns of a drawing.
_WIDEST, _NARROWEST = 60, 24

_GAP = "  "

#: The marks of an axis within each power of ten.
_STEPS = (1, 2, 5)


def shapes_of(title: str, encoded: Iterable[tuple[str, str, str | None]]) -> Shapes | None:
    """Return the shapes of histograms in V2 form, each with its group and its name; None if none has enough times.

    Of many only those with the most times are taken.
    """
    found: dict[tuple[str, str], Histogram] = {}
    for group, name, text in encoded:
        histogram = _read(text)
        if histogram is not None:
            found[group, name] = histogram
    return _shapes(title, found)


def _read(text: str | None) -> Histogram | None:
    if text is None:
        return None
    try:
        histogram = Histogram.decode(text)
    except HistogramError:
        return None
    return histogram if histogram.count >= _FEWEST_TIMES else None


def _shapes(title: str, found: Mapping[tuple[str, str], Histogram]) -> Shapes | None:
    most = sorted(found, key=lambda key: -found[key].count)[:_MOST_ROWS]
    shown = {key: histogram for key, histogram in found.items() if key in most}
    if not shown:
        return None
    low_us = min((histogram.min_ns or 0) / _NS_PER_US for histogram in shown.values()) or 0.1
    high_us = max((histogram.max_ns or 0) / _NS_PER_US for histogram in shown.values())
    if high_us < low_us * _LEAST_RATIO:
        middle = math.sqrt(low_us * max(high_us, low_us))
        low_us, high_us = middle / math.sqrt(_LEAST_RATIO), middle * math.sqrt(_LEAST_RATIO)
    return Shapes(
        title=title,
        low_us=low_us,
        high_us=high_us,
        rows=tuple(
            Shape(name, _numbers(histogram, low_us, high_us), group) for (group, name), histogram in shown.items()
        ),
        left_out=len(found) - len(shown),
    )


def _numbers(histogram: Histogram, low_us: float, high_us: float) -> tuple[int, ...]:
    buckets, counts = histogram.bucket_counts()
    shortest, longest = histogram.bucket_bounds_ns(buckets)
    scale = _BINS / math.log(high_us / low_us)
    numbers = [0] * _BINS
    for first, last, number in zip(shortest.tolist(), longest.tolist(), counts.tolist(), strict=True):
        middle_us = max((first + last) / 2 / _NS_PER_US, low_us)
        numbers[min(int(math.log(middle_us / low_us) * scale), _BINS - 1)] += number
    return tuple(numbers)


def shape_lines(shapes: Shapes, width: int, *, has_blocks: bool) -> Iterator[Line]:
    """Yield the lines of shapes: the axis, where a time begins at the first letter of its text, and a line a row."""
    indent = {row.group: _GAP if row.group else "" for row in shapes.rows}
    names = [indent[row.group] + printable(row.name) for row in shapes.rows]
    title = printable(shapes.title)
    beside = max(map(cell_len, (title, *names)))
    room = width - beside - len(_GAP)
    is_apart = room < _NARROWEST
    if is_apart:
        beside, room = 0, width - len(_GAP)
    columns = min(room, _WIDEST)
    axis = _axis(shapes.low_us, shapes.high_us, columns)
    yield Line(title if is_apart else (title + " " * (beside - cell_len(title)) + _GAP + axis).rstrip(), "heading")
    if is_apart:
        yield Line((_GAP + axis).rstrip(), "heading")
    group = ""
    for row, name in zip(shapes.rows, names, strict=True):
        if row.group != group:
            group = row.group
            yield Line(printable(group), "heading")
        drawn = _drawn(row.numbers, columns, _BLOCKS if has_blocks else _LETTERS)
        if is_apart:
            yield Line(name)
            yield Line((_GAP + drawn).rstrip())
        else:
            yield Line((name + " " * (beside - cell_len(name)) + _GAP + drawn).rstrip())
    if shapes.left_out:
        yield Line(f"and {counted(shapes.left_out, 'operation')} with fewer times")


def _drawn(numbers: Sequence[int], columns: int, heights: str) -> str:
    """Return the drawing of bins in so many columns. A bin that two columns share counts in both, by its parts."""
    heaps = [0.0] * columns
    for place, number in enumerate(numbers):
        if not number:
            continue
        first, last = place * columns / len(numbers), (place + 1) * columns / len(numbers)
        for column in range(int(first), min(math.ceil(last - 1e-9), columns)):
            heaps[column] += number * (min(last, column + 1) - max(first, column)) / (last - first)
    highest = max(heaps)
    return "".join(
        " " if heap <= 0 else heights[max(0, math.ceil(heap / highest * len(heights)) - 1)] for heap in heaps
    )


def _axis(low_us: float, high_us: float, columns: int) -> str:
    """Return the texts of round times, each beginning at the column of its time."""
    scale = columns / math.log(high_us / low_us)
    marks = [mark_us for mark_us in _round_times(low_us, high_us) if low_us <= mark_us <= high_us]
    placed: list[tuple[int, str]] = []
    # Powers of ten come first; others where there is room.
    for mark_us in sorted(marks, key=lambda mark_us: (not _is_power_of_ten(mark_us), mark_us)):
        text = _mark(mark_us)
        begin = int(math.log(mark_us / low_us) * scale + 1e-9)
        end = begin + len(text)
        if end <= columns and all(end + 1 <= other or begin >= other + len(known) + 1 for other, known in placed):
            placed.append((begin, text))
    axis = ""
    for begin, text in sorted(placed):
        axis += " " * (begin - len(axis)) + text
    return axis


def _round_times(low_us: float, high_us: float) -> Iterator[float]:
    for exponent in itertools.count(math.floor(math.log10(low_us))):
        for step in _STEPS:
            mark_us = step * 10.0**exponent
            if mark_us > high_us:
                return
            yield mark_us


def _is_power_of_ten(time_us: float) -> bool:
    return math.isclose(math.log10(time_us), round(math.log10(time_us)), abs_tol=1e-9)


def _mark(time_us: float) -> str:
    return duration(Figure(time_us, bound="above")).removeprefix("> ")
