"""Precisions as people type them for --until."""

import pytest

from bench.objectives.precision import AskedPrecision, PrecisionError, parse_precision, parse_precisions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p99 ± 5 %", AskedPrecision("p99 ± 5 %", "p99", 0.05)),
        ("p99.90+-0.5%", AskedPrecision("p99.90+-0.5%", "p99.9", 0.005)),
        ("mean +/- 10 %", AskedPrecision("mean +/- 10 %", "mean", 0.1)),
        ("p99 ± 2 ms", AskedPrecision("p99 ± 2 ms", "p99", 2_000, unit="µs")),
        ("mean +- 1.5s", AskedPrecision("mean +- 1.5s", "mean", 1_500_000, unit="µs")),
        ("throughput ± 5/s", AskedPrecision("throughput ± 5/s", "throughput", 5, unit="per second")),
        ("say:  p50  ± 2 %", AskedPrecision("say: p50 ± 2 %", "p50", 0.02, "say")),
        (
            "a+b: 1 ± 2: throughput ± 1 %",
            AskedPrecision("a+b: 1 ± 2: throughput ± 1 %", "throughput", 0.01, "a+b: 1 ± 2"),
        ),
    ],
)
def test_a_precision(text: str, expected: AskedPrecision) -> None:
    assert parse_precision(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("p99", "expected METRIC ± WIDTH, as in 'p99 ± 5 %', 'p99 ± 2 ms' or 'say: mean +- 2 %'"),
        ("p99 < 5 ms", "a limit that has to hold is --slo"),
        ("± 5 %", "it names no metric"),
        ("p9x ± 5 %", "there is no metric 'p9x': did you mean p99?"),
        ("p100 ± 5 %", "p100 is no percentile"),
        ("errors ± 5 %", "errors is counted, and gets no surer by a longer run"),
        ("max ± 5 %", "max is counted"),
        ("p99 ± 5", "'5' is no width of it: expected a share such as 5 %, or a time such as 2 ms"),
        ("p99 ± 5/s", "'5/s' is no width of it: expected a share such as 5 %, or a time such as 2 ms"),
        ("throughput ± 2 ms", "'2 ms' is no width of it: expected a share such as 5 %, or a rate such as 5/s"),
        ("p99 ± 0 ms", "0 ms is out of range: expected a width such as 2 ms"),
        ("p99 ± 0 %", "0 % is out of range: expected from 0.1% to less than 100 %"),
        ("p99 ± 100 %", "100 % is out of range"),
    ],
)
def test_a_precision_that_makes_no_sense_is_one_line(text: str, reason: str) -> None:
    with pytest.raises(PrecisionError) as raised:
        parse_precision(text)
    assert str(raised.value).startswith(f"precision {text!r}: ")
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


def test_several_precisions_are_each_there_once() -> None:
    found = parse_precisions(["p99 ± 5 %; p50 ± 1 %", "p99 ± 5 %", " "])
    assert [precision.text for precision in found] == ["p99 ± 5 %", "p50 ± 1 %"]
    assert parse_precisions("") == ()
