"""Figures as text: units, limits, and what is not known."""

import pytest

from bench.printable import printable
from bench.report.formatting import measured, microseconds, per_second, ratio
from bench.results.figure import Figure, Unit


class TestFigures:
    @pytest.mark.parametrize(
        ("value_us", "text"),
        [
            (0.0, "0.0"),
            (0.04, "0.0"),
            (133.44, "133.4"),
            (999.94, "999.9"),
            (999.96, "1,000"),
            (1000.0, "1,000"),
            (12345678.9, "12,345,679"),
        ],
    )
    def test_microseconds(self, value_us: float, text: str) -> None:
        assert microseconds(Figure(value_us)) == text

    @pytest.mark.parametrize(
        ("limit_us", "text"),
        [(500_000, "> 500 ms"), (1_500_000, "> 1.5 s"), (60_000_000, "> 60 s"), (900, "> 900 µs"), (1000, "> 1 ms")],
    )
    def test_beyond_a_limit(self, limit_us: float, text: str) -> None:
        assert microseconds(Figure(limit_us, "above")) == text

    def test_what_is_not_known(self) -> None:
        assert microseconds(None) == per_second(None) == ratio(None) == measured(None, Unit.COUNT) == "-"

    def test_rates_counts_and_ratios(self) -> None:
        assert (per_second(3.14), per_second(99.96), per_second(12345.6)) == ("3.1", "100", "12,346")
        assert measured(Figure(12345), Unit.COUNT) == "12,345"
        assert measured(Figure(12345.6), Unit.PER_SECOND) == "12,346"
        assert (ratio(Figure(1.0506)), ratio(Figure(5, "above")), ratio(Figure(0.2, "below"))) == (
            "1.051",
            "> 5.000",
            "< 0.200",
        )

    def test_names_cannot_steer_the_terminal(self) -> None:
        assert printable("a\x1b[31mb\nc") == "a�[31mb�c"
