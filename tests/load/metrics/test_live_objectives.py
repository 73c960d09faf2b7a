"""Objectives of a load that goes on: their figures so far, from made-up counts and times."""

import numpy as np
import pytest

from bench.load.metrics.live import LiveOperation, OperationTimes
from bench.load.metrics.live_objectives import LiveVerdict, so_far
from bench.objectives.parsing import parse_objectives
from bench.results.load import CONNECT, OperationKey
from bench.timing.histogram import Histogram

TIMEOUT_US = 10e6


def times(*values_ms: float) -> Histogram:
    histogram = Histogram()
    histogram.record(np.array([round(value * 1e6) for value in values_ms], dtype=np.int64))
    return histogram


SAY = LiveOperation(
    ok=98, timeouts=1, errors=1, dropped=25, times=OperationTimes(times(*[1] * 98), times(*[2] * 97, 80))
)
OPERATIONS = {
    OperationKey("say"): SAY,
    OperationKey("join"): LiveOperation(ok=100, times=OperationTimes(times(*[5] * 100), times(*[6] * 100))),
    OperationKey("buy", "transaction"): LiveOperation(ok=1, times=OperationTimes(times(900))),
    OperationKey(CONNECT, CONNECT): LiveOperation(ok=9, errors=1, window_failed=1, times=OperationTimes(times(7))),
}


@pytest.mark.parametrize(
    ("text", "verdict", "figure"),
    [
        ("say: p50 < 5 ms", "holds so far", "p50 2.001 ms"),
        ("say: p50 < 1 ms", "does not hold so far", "p50 2.001 ms"),
        ("p50 < 7 ms", "holds so far", "p50 6.001 ms"),
        ("max < 50 ms", "does not hold so far", "max 80.00 ms"),
        ("buy (transaction): p50 < 1 s", "holds so far", "p50 900.0 ms"),
        ("buy: mean < 800 ms", "does not hold so far", "mean 900.0 ms"),
        ("say: errors < 0.5 %", "does not hold so far", "errors 1.0 %"),
        ("errors < 5", "holds so far", "errors 1"),
        ("say: dropped < 21 %", "holds so far", "dropped 20 %"),
        ("timeouts <= 1", "holds so far", "timeouts 1"),
        ("connects >= 95 %", "does not hold so far", "connects 90 %"),
        ("throughput > 10/s", "no figure so far", ""),
        ("sing: p99 < 1 s", "no figure so far", ""),
    ],
)
def test_a_figure_so_far_holds_or_does_not(text: str, verdict: LiveVerdict, figure: str) -> None:
    (found,) = so_far(parse_objectives(text), OPERATIONS, TIMEOUT_US)
    assert (found.text, found.verdict, found.figure) == (text, verdict, figure)


def test_a_percentile_among_failures_does_not_hold_and_is_no_number() -> None:
    late = LiveOperation(ok=10, timeouts=90, window_failed=90, times=OperationTimes(times(*[1] * 10)))
    below, above = so_far(parse_objectives("p99 < 9 s; p99 > 9 s"), {OperationKey("say"): late}, TIMEOUT_US)
    assert (below.verdict, above.verdict) == ("does not hold so far", "holds so far")
    assert below.figure == "p99 failed"


def test_before_anything_happened_there_is_no_figure() -> None:
    (found,) = so_far(parse_objectives("p99 < 9 s"), {}, TIMEOUT_US)
    assert found.verdict == "no figure so far"
