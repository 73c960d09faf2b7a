"""Long series on a small page: fewer rows, and the extremes of each series still there."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.load_charts.thinning import kept_rows

values = st.lists(st.none() | st.integers(-1000, 1000).map(float), min_size=1, max_size=400)


@given(values, values, st.integers(4, 60))
def test_extremes_are_kept(first: list[float | None], second: list[float | None], most: int) -> None:
    number = min(len(first), len(second))
    series = [first[:number], second[:number]]
    kept = kept_rows(series, most)
    assert kept == sorted(set(kept))
    assert (kept[0], kept[-1]) == (0, number - 1)
    for row in series:
        known = [value for value in row if value is not None]
        shown = [row[place] for place in kept if row[place] is not None]
        if known:
            assert (min(known), max(known)) == (
                min(v for v in shown if v is not None),
                max(v for v in shown if v is not None),
            )
        assert (None in row) == any(row[place] is None for place in kept) or not known


def test_short_series_stay_whole() -> None:
    assert kept_rows([[1.0, None, 3.0]], 3) == [0, 1, 2]
    assert kept_rows([[]], 3) == []
    assert kept_rows([], 3) == []


def test_the_number_is_limited_and_the_limit_is_used() -> None:
    chance = random.Random(1)
    series = [[chance.random() for _ in range(1800)] for _ in range(12)]
    kept = kept_rows(series, 240)
    assert 200 <= len(kept) <= 240


def test_a_spike_and_a_gap_of_a_second_are_still_there() -> None:
    flat: list[float | None] = [1.0] * 1800
    spiked = [*flat[:777], 99.0, *flat[778:]]
    gap = [*flat[:1500], None, *flat[1501:]]
    kept = kept_rows([flat, spiked, gap], 240)
    assert {777, 1500} <= set(kept)


def test_a_gap_as_long_as_a_part_is_still_a_gap() -> None:
    values = [1.0] * 300 + [None] * 1000 + [1.0] * 500
    kept = kept_rows([[1.0] * 1800, values], 40)
    assert any(values[place] is None for place in kept)


def test_series_of_different_lengths_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="different numbers"):
        kept_rows([[1.0], [1.0, 2.0]], 10)
