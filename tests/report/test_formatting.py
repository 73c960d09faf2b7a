"""Figures as text: units, limits, and what is not known."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.printable import printable
from bench.report.formatting import common_unit, duration, durations, measured, moment, per_second, ratio
from bench.results.figure import Figure, Unit


class TestFigures:
    @pytest.mark.parametrize(
        ("value_us", "text"),
        [
            (0.0, "0 µs"),
            (0.04, "0.0400 µs"),
            (0.9996, "1.000 µs"),
            (1.5, "1.500 µs"),
            (9.9999, "10.00 µs"),
            (133.44, "133.4 µs"),
            (999.94, "999.9 µs"),
            (999.96, "1.000 ms"),
            (1000.0, "1.000 ms"),
            (12345.6, "12.35 ms"),
            (999_960.0, "1.000 s"),
            (12345678.9, "12.35 s"),
            (5_400_000_000.0, "5,400 s"),
        ],
    )
    def test_a_time_alone_has_its_own_unit(self, value_us: float, text: str) -> None:
        assert duration(Figure(value_us)) == text

    @pytest.mark.parametrize(
        ("values_us", "texts"),
        [
            ([297.7, 4831.2], ["297.7 µs", "4,831 µs"]),
            ([297.7, 20_100], ["0.298 ms", "20.10 ms"]),
            ([297.7, 20_100, 8_000_000], ["0.298 ms", "20.10 ms", "8,000 ms"]),
            ([9.5, 13_000_000], ["0.00950 ms", "13,000 ms"]),
            ([48.8, 23_167], ["48.80 µs", "23,167 µs"]),
            ([0.0, 13_000_000], ["0 s", "13.00 s"]),
            ([1500, 2500], ["1.500 ms", "2.500 ms"]),
            ([900, 1100], ["900.0 µs", "1,100 µs"]),
            ([0.0], ["0 µs"]),
            ([], []),
        ],
    )
    def test_times_that_are_compared_have_one_unit(self, values_us: list[float], texts: list[str]) -> None:
        assert durations([Figure(value_us) for value_us in values_us]) == texts

    @given(st.lists(st.floats(1e-3, 1e10), min_size=1, max_size=5))
    def test_in_one_unit_each_time_keeps_three_digits(self, values_us: list[float]) -> None:
        unit = common_unit(values_us)
        for value_us, text in zip(values_us, durations([Figure(value_us) for value_us in values_us]), strict=True):
            number, name = text.split(" ")
            assert name == unit.name
            assert float(number.replace(",", "")) * unit.length_us == pytest.approx(value_us, rel=6e-3)

    def test_bounds_have_their_own_unit_beside_times(self) -> None:
        found = durations([Figure(20.0), Figure(2e6, "above"), None, Figure(math.inf, "above")])
        assert found == ["20.00 µs", "> 2 s", "-", "failed"]

    @pytest.mark.parametrize(
        ("limit_us", "text"),
        [(500_000, "> 500 ms"), (1_500_000, "> 1.5 s"), (60_000_000, "> 60 s"), (900, "> 900 µs"), (1000, "> 1 ms")],
    )
    def test_beyond_a_limit(self, limit_us: float, text: str) -> None:
        assert duration(Figure(limit_us, "above")) == text

    def test_what_is_not_known(self) -> None:
        assert duration(None) == per_second(None) == ratio(None) == "-"
        assert measured([None], Unit.COUNT) == durations([None]) == ["-"]

    def test_rates_counts_and_ratios(self) -> None:
        assert (per_second(3.14), per_second(99.96), per_second(12345.6)) == ("3.1", "100", "12,346")
        assert measured([Figure(12345)], Unit.COUNT) == ["12,345"]
        assert measured([Figure(12345.6)], Unit.PER_SECOND) == ["12,346/s"]
        assert (ratio(Figure(1.0506)), ratio(Figure(5, "above")), ratio(Figure(0.2, "below"))) == (
            "1.051",
            "> 5.000",
            "< 0.200",
        )

    def test_names_cannot_steer_the_terminal(self) -> None:
        assert printable("a\x1b[31mb\nc") == "a�[31mb�c"


def test_a_moment_of_a_short_and_of_a_long_run() -> None:
    assert (moment(75, 120), moment(75, 121)) == ("second 75", "1 min 15 s")
