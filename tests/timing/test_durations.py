"""Durations and percentages as people type them, in every option alike."""

import pytest

from bench.timing.durations import (
    DurationError,
    PercentError,
    duration_text,
    parse_duration,
    parse_percent,
    span_text,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("0.1", 0.1),
        (".5", 0.5),
        ("30s", 30.0),
        ("5m", 300.0),
        ("5 min", 300.0),
        ("1h30m", 5_400.0),
        ("1h 30m 15s", 5_415.0),
        ("1.5h", 5_400.0),
        ("0.1s", 0.1),
        ("2ms", 0.002),
        ("3m5ms", 180.005),
        ("250us", 0.00025),
        ("5µs", 5e-6),
        ("7ns", 7e-9),
        ("0s", 0.0),
        (" 3s ", 3.0),
    ],
)
def test_a_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", "h", "1m30", "30x", "5 mss", "1e3", "-1", "+1s", "1s1m", "1s2s", "1,5s", "nan"]
)
def test_no_duration(text: str) -> None:
    with pytest.raises(DurationError, match="is no duration: expected one like 30s, 5m or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize("seconds", [1.0, 59.0, 60.0, 90.5, 3_600.0, 5_415.25, 0.1])
def test_a_duration_is_written_as_it_is_read(seconds: float) -> None:
    assert parse_duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "share"), [("0.3", 0.003), ("0.3%", 0.003), ("0.3 %", 0.003), ("100", 1.0), ("0", 0.0), (" 5 ", 0.05)]
)
def test_a_percentage(text: str, share: float) -> None:
    assert parse_percent(text) == share


@pytest.mark.parametrize("text", ["", "%", "x", "-1", "1e1", "5s", "5%%", "nan"])
def test_no_percentage(text: str) -> None:
    with pytest.raises(PercentError, match="is no percentage"):
        parse_percent(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (34, "34 s"),
        (0.25, "0.25 s"),
        (59.9999, "1 min"),
        (300, "5 min"),
        (1234.5, "20 min 34.5 s"),
        (5400, "1 h 30 min"),
        (3601, "1 h 1 s"),
        (360_000, "100 h"),
    ],
)
def test_a_length_of_time(seconds: float, text: str) -> None:
    assert span_text(seconds) == text
    assert parse_duration(text) == pytest.approx(seconds, abs=1e-3), "it may be typed as well"
