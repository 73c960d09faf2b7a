"""The places of the labels of marks: never on each other, nor on the line from another label to its mark."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.drawing.marks import Place, number_of_rows, places


def test_a_label_begins_at_its_mark_or_ends_at_the_edge() -> None:
    assert places([(100, 80), (300, 80), (790, 60)], 800) == [Place(100, 0), Place(300, 0), Place(740, 0)]


def test_labels_near_each_other_are_staggered_and_the_first_is_the_highest() -> None:
    assert [place.row for place in places([(100, 80), (110, 80), (120, 80)], 800)] == [2, 1, 0]
    assert [place.row for place in places([(100, 80), (100, 80)], 800)] == [1, 0]


def test_the_number_of_rows() -> None:
    assert number_of_rows([]) == 0
    assert number_of_rows(places([(100, 80), (110, 80)], 800)) == 2


@pytest.mark.parametrize("width", [300, 860])
@given(marks=st.lists(st.tuples(st.floats(0, 300), st.floats(1, 250)), max_size=13))
def test_labels_never_lie_on_each_other(width: int, marks: list[tuple[float, float]]) -> None:
    placed = places(marks, width)
    for (left, (_, left_width)), (right, (_, right_width)) in combinations(zip(placed, marks, strict=True), 2):
        if left.row == right.row:
            assert left.left + left_width <= right.left or right.left + right_width <= left.left
    for (at, label_width), place in zip(marks, placed, strict=True):
        assert 0 <= place.left <= max(0, width - label_width)
        assert place.left <= at + 1e-9
