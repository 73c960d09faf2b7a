"""Figures and bounds: their ratio and their median."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.results.figure import Figure, middle, ratio


class TestRatio:
    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            (Figure(100), Figure(125), Figure(1.25)),
            (Figure(100), Figure(500, "above"), Figure(5, "above")),
            (Figure(500, "above"), Figure(100), Figure(0.2, "below")),
            (Figure(500, "above"), Figure(500, "above"), None),
            (None, Figure(1), None),
            (Figure(1), None, None),
            (Figure(0), Figure(3), None),
            (Figure(3), Figure(0), Figure(0)),
        ],
    )
    def test_what_follows(self, old: Figure | None, new: Figure | None, expected: Figure | None) -> None:
        assert ratio(old, new) == expected

    @given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(1, 1e6))
    def test_a_bound_holds_whatever_the_censored_value_was(self, known: float, limit: float, beyond: float) -> None:
        truth = limit + beyond
        above = ratio(Figure(known), Figure(limit, "above"))
        below = ratio(Figure(limit, "above"), Figure(known))
        assert above is not None
        assert below is not None
        assert above.bound == "above"
        assert truth / known >= above.value
        assert below.bound == "below"
        assert known / truth <= below.value

    @pytest.mark.parametrize(
        ("figures", "expected"),
        [
            ([], None),
            ([None], None),
            ([Figure(3), None, Figure(1), Figure(2)], Figure(2)),
            ([Figure(1), Figure(4)], Figure(2.5)),
            ([Figure(5, "above"), Figure(9)], Figure(7, "above")),
            ([Figure(5, "above"), Figure(9), Figure(1)], Figure(9)),
            ([Figure(5, "above"), Figure(1), Figure(9), Figure(2)], Figure(5.5)),
        ],
    )
    def test_the_median_of_several_runs(self, figures: list[Figure | None], expected: Figure | None) -> None:
        assert middle(figures) == expected
