"""Tests of the shapes of distributions: their bins, their axis, and their drawing."""

import numpy as np
import pytest

from bench.report.document import Column, Document, Shape, Shapes, Table
from bench.report.formats.text import text_lines
from bench.report.shapes import shape_lines, shapes_of
from bench.timing.histogram import Histogram


def encoded(*times_us: float) -> str:
    """Return a histogram of these times."""
    histogram = Histogram()
    histogram.record((np.array(times_us) * 1000).astype(np.int64))
    return histogram.encode()


def lines(shapes: Shapes | None, width: int = 80, *, has_blocks: bool = True) -> list[str]:
    """Return the lines of the drawing."""
    assert shapes is not None
    return [line.text for line in shape_lines(shapes, width, has_blocks=has_blocks)]


def test_a_row_has_a_block_wherever_there_is_a_time() -> None:
    shapes = shapes_of("service times", [("", "say", encoded(*[100] * 80, *[1_000] * 40, 10_000))])
    heading, drawn = lines(shapes, width=53)
    assert heading == "service times  100 µs             1 ms 2 ms    5 ms"
    assert drawn[15] == "█"
    assert drawn[15 + 19] == "▄"
    assert drawn[-1] == "▁"
    assert len(drawn) == 53
    assert set(drawn[15:]) == {"█", "▄", "▁", " "}


def test_times_begin_at_their_marks() -> None:
    shapes = shapes_of("times", [("", "a", encoded(*[100] * 9, 10_000)), ("", "b", encoded(*[1_001] * 10))])
    heading, _, drawn = lines(shapes)
    assert drawn.index("█") == heading.index("1 ms")


def test_all_drawings_fit_the_width() -> None:
    shapes = shapes_of("times", [("group", "a name that is long, too long " * 3, encoded(*range(90, 9_000, 7)))])
    for width in (30, 80, 200):
        found = lines(shapes, width)
        assert all(len(line) <= max(width, 94) for line in found)
        assert max(len(line) for line in found if set(line) & set("▁▂▃▄▅▆▇█")) <= width


def test_a_terminal_without_blocks_gets_letters() -> None:
    shapes = shapes_of("times", [("", "a", encoded(*[100] * 8, *[200] * 80))])
    table = Table((Column("times", "name"),), (), shapes=shapes)
    texts = [line.text for line in text_lines(Document("load", "t", (table,)), encoding="ascii") if "a  " in line.text]
    assert texts
    assert texts[0].isascii()
    assert "@" in texts[0]
    assert "." in texts[0]


def test_times_that_are_all_the_same_have_a_shape() -> None:
    assert lines(shapes_of("times", [("", "a", encoded(*[100] * 10))]))[1].count("█") >= 1


def test_few_times_and_unreadable_histograms_have_none() -> None:
    assert shapes_of("times", [("", "a", encoded(*[100] * 9)), ("", "b", None), ("", "c", "nonsense")]) is None


def test_of_many_distributions_those_with_the_most_times_are_drawn() -> None:
    shapes = shapes_of("times", [("", f"op {n}", encoded(*[100] * (10 + n))) for n in range(20)])
    found = lines(shapes)
    assert [line.split("  ")[0] for line in found[1:-1]] == [f"op {n}" for n in range(8, 20)]
    assert found[-1] == "and 8 operations with fewer times"


@pytest.mark.parametrize("numbers", [(0, 0, 5, 0), (1,) * 7])
def test_bins_are_neither_lost_nor_made_up(numbers: tuple[int, ...]) -> None:
    drawn = lines(Shapes("t", 1, 1_000, (Shape("n", numbers),)), width=67)[1][3:]
    first, last = drawn.index("█"), drawn.rindex("█")
    occupied = [place for place, number in enumerate(numbers) if number]
    assert first == int(occupied[0] * 60 / len(numbers))
    assert last == -(-(occupied[-1] + 1) * 60 // len(numbers)) - 1
