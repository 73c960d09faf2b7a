"""The verdict on the generator: pure rules over made-up seconds."""

import dataclasses

import numpy as np
import pytest

from bench.load.metrics.saturation import CPU_SHARE, LATE_NS, JudgedSecond, saturation
from bench.timing.histogram import Histogram

MS = 1_000_000


def times(*values_ms: float) -> Histogram:
    histogram = Histogram()
    histogram.record(np.array([round(value * MS) for value in values_ms], dtype=np.int64))
    return histogram


def second(number: int, cpu_share: float | None = 0.3, **late: Histogram) -> JudgedSecond:
    punctual = {"send_lateness": times(0.2), "loop_lag": times(0.1), "queueing": times(0.05), "service": times(1)}
    noted = punctual | late
    return JudgedSecond(
        number, cpu_share, noted["send_lateness"], noted["loop_lag"], noted["queueing"], noted["service"]
    )


def late(number: int) -> JudgedSecond:
    return second(number, loop_lag=times(5))


def test_a_generator_with_time_to_spare_is_ok() -> None:
    assert saturation([]) is None
    assert saturation([second(number) for number in range(10)]) is None
    assert saturation([second(1, cpu_share=None)]) is None
    assert saturation([second(1, send_lateness=Histogram(), loop_lag=Histogram(), queueing=Histogram())]) is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (second(4, cpu_share=CPU_SHARE), "a process of it used 95% of a core"),
        (
            second(4, send_lateness=times(3)),
            "it sent 3.0 ms and more later than scheduled, half of the time",
        ),
        (second(4, loop_lag=times(3)), "its event loop was 3.0 ms and more late, half of the time"),
        (
            second(4, queueing=times(3)),
            "replies waited 3.0 ms and more in it before they were looked at, half of the time",
        ),
        (
            second(4, send_lateness=times(*[0.2] * 8, 30, 30)),
            "it sent 30.0 ms and more later than scheduled, a tenth of the time",
        ),
    ],
)
def test_each_reason(bad: JudgedSecond, reason: str) -> None:
    found = saturation([bad])
    assert found is not None
    assert (found.reason, found.since_s) == (reason, 4)


def test_just_within_the_limits() -> None:
    assert LATE_NS == 2 * MS
    assert saturation([second(1, cpu_share=0.94, loop_lag=times(1.9))]) is None
    assert saturation([second(1, send_lateness=times(*[0.2] * 8, 9, 9))]) is None
    assert saturation([second(1, send_lateness=times(*[0.2] * 19, 500))]) is None, "a twentieth is the machine's"


def test_replies_in_a_burst_wait_for_each_other() -> None:
    """Replies sent in a burst are read in a burst: the wait counts only in relation to the service time."""
    assert saturation([second(1, queueing=times(5), service=times(187))]) is None
    assert saturation([second(1, queueing=times(5), service=times(20))]) is not None


def test_one_hiccup_condemns_no_run() -> None:
    assert saturation([second(1), second(2), late(3), second(4)]) is None


def test_two_seconds_in_a_row_do() -> None:
    found = saturation([*(second(number) for number in range(50)), late(50), late(51), *map(second, range(52, 90))])
    assert found is not None
    assert found.since_s == 50
    assert saturation([*(second(number) for number in range(50)), late(50), second(51), late(52)]) is None


def test_a_tenth_of_all_does() -> None:
    seconds = [late(number) if number % 10 == 3 else second(number) for number in range(40)]
    found = saturation(seconds)
    assert found is not None
    assert found.since_s == 3


def still(number: int, standstill_ms: float) -> JudgedSecond:
    return dataclasses.replace(second(number), standstill_ns=round(standstill_ms * MS))


def test_a_standstill_of_several_seconds_is_as_many_saturated_seconds() -> None:
    """The standstill's only delay is a sample among the many of the second in which it ended."""
    stood = [still(5, 600), JudgedSecond.unnoted(6), JudgedSecond.unnoted(7), still(8, 400)]
    found = saturation([*map(second, range(5)), *stood, *map(second, range(9, 60))])
    assert found is not None
    assert (found.reason, found.since_s) == ("its event loop stood still for 3.0 s", 5)


def test_a_short_standstill_is_a_hiccup() -> None:
    assert saturation([*map(second, range(5)), still(5, 99), still(6, 99), second(7)]) is None
    assert saturation([*map(second, range(5)), still(5, 300), second(6), second(7)]) is None


# ---------------------------------------------------------------------------------------------- real runs
