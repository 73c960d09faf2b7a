"""Times in the unit that reads best."""

import pytest

from bench.report.readable_times import readable_column_ns, readable_ns


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "0.000 µs"),
        (850, "0.850 µs"),
        (133_412, "133.4 µs"),
        (999_990, "1.000 ms"),
        (5_181_000, "5.181 ms"),
        (12_304_000_000, "12.30 s"),
        (3_600e9, "3,600 s"),
    ],
)
def test_a_time_alone(time_ns: float, text: str) -> None:
    assert readable_ns(time_ns) == text


def test_times_that_are_compared_have_one_unit() -> None:
    assert readable_column_ns([5_181_000, None, 850_000]) == ["5,181 µs", "-", "850.0 µs"]
    assert readable_column_ns([5_181_000, 12_345_678]) == ["5.181 ms", "12.35 ms"]
    assert readable_column_ns([None]) == ["-"]
