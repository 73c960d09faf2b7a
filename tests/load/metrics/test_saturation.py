"""The verdict on the generator: pure rules over made-up seconds."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from bench.load.metrics.saturation import ALL, CPU_SHARE, LATE_NS, JudgedSecond, saturation
from bench.timing.histogram import Histogram
from bench.timing.receive_times import UNSTAMPED, ReceiveTimes

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


# ---------------------------------------------------------------------------------------------- the kernel's clock


def receive_times(reading_ms: Sequence[float], error_ms: Sequence[float] | None = None) -> ReceiveTimes:
    """Receive times with these reading delays; all exact, or with these errors (UNSTAMPED: none of the kernel's)."""
    errors = [0.0] * len(reading_ms) if error_ms is None else error_ms
    found = ReceiveTimes()
    found.record(
        np.array([round(value * MS) for value in reading_ms]),
        np.array([UNSTAMPED if value < 0 else round(value * MS) for value in errors]),
    )
    return found


def stamped(
    number: int,
    reading_ms: float = 0.02,
    error_ms: float = 0,
    *,
    is_open: bool = True,
    is_short_of_users: bool = False,
    timed_by_process: int = 0,
    standstill_ms: float = 0,
    cpu_share: float = 0.3,
    **late: Histogram,
) -> JudgedSecond:
    """Return a second whose replies have the kernel's times."""
    if not is_open:
        late["send_lateness"] = Histogram()
    return dataclasses.replace(
        second(number, cpu_share, **late),
        received=receive_times([reading_ms] * 10, [error_ms] * 10),
        is_open=is_open,
        is_short_of_users=is_short_of_users,
        timed_by_process=timed_by_process,
        standstill_ns=round(standstill_ms * MS),
    )


@pytest.mark.parametrize(
    "spared",
    [
        pytest.param(stamped(4, loop_lag=times(30)), id="the loop was late, and sent in time"),
        pytest.param(stamped(4, reading_ms=30), id="replies were read late, and the schedule was kept"),
        pytest.param(stamped(4, queueing=times(30)), id="tasks went on late, and the schedule was kept"),
        pytest.param(stamped(4, loop_lag=times(30), is_open=False), id="the loop of a closed load was late"),
        pytest.param(stamped(4, reading_ms=1.9, is_open=False), id="replies were read a little late"),
        pytest.param(stamped(4, reading_ms=5, service=times(187), is_open=False), id="a small part of the time"),
        pytest.param(stamped(4, error_ms=1.9), id="times are wrong by little"),
        pytest.param(stamped(4, error_ms=5, service=times(187)), id="times are wrong by a small part of them"),
        pytest.param(stamped(4, standstill_ms=99), id="a short standstill"),
        pytest.param(stamped(4, cpu_share=0.94), id="a core that is almost full"),
    ],
)
def test_what_spoils_nothing_is_not_said_where_the_kernel_keeps_the_time(spared: JudgedSecond) -> None:
    assert saturation([spared]) is None


@pytest.mark.parametrize(
    ("bad", "reason", "spoils"),
    [
        (
            stamped(4, send_lateness=times(3)),
            "it sent 3.0 ms and more later than scheduled, half of the time",
            ("response times", "throughput"),
        ),
        (
            stamped(4, cpu_share=0.97),
            "a process of it used 97% of a core",
            ("response times", "throughput"),
        ),
        (
            stamped(4, cpu_share=0.97, is_open=False),
            "a process of it used 97% of a core",
            ("throughput",),
        ),
        (
            stamped(4, standstill_ms=300),
            "its event loop stood still for 0.3 s",
            ("response times", "throughput"),
        ),
        (
            stamped(4, reading_ms=3, is_open=False),
            "replies waited 3.0 ms and more unread, and a user sends only after its reply, half of the time",
            ("throughput",),
        ),
        (
            stamped(4, reading_ms=3, is_short_of_users=True),
            "replies waited 3.0 ms and more unread, and a user sends only after its reply, half of the time",
            ("response times", "throughput"),
        ),
        (
            stamped(4, queueing=times(3), is_open=False),
            "replies waited 3.0 ms and more for their task, and a user sends only after its reply, half of the time",
            ("throughput",),
        ),
        (
            stamped(4, error_ms=3),
            "receive times may be 3.0 ms and more too late, because several messages were in flight on a connection, "
            "half of the time",
            ("service times", "response times"),
        ),
        (
            stamped(4, error_ms=3, send_lateness=times(3)),
            "it sent 3.0 ms and more later than scheduled, half of the time",
            ("service times", "response times", "throughput"),
        ),
        (
            stamped(4, loop_lag=times(3), timed_by_process=1),
            "its event loop was 3.0 ms and more late, half of the time",
            ("times by the process's clock",),
        ),
        (
            stamped(4, cpu_share=0.97, timed_by_process=1),
            "a process of it used 97% of a core",
            ("response times", "throughput", "times by the process's clock"),
        ),
    ],
)
def test_what_still_spoils_is_said_with_what_it_spoils(bad: JudgedSecond, reason: str, spoils: tuple[str, ...]) -> None:
    found = saturation([bad])
    assert found is not None
    assert (found.reason.replace("3.001", "3.0"), found.spoils) == (reason, spoils)


def test_a_tenth_of_the_times_may_be_wrong_by_more() -> None:
    few = dataclasses.replace(stamped(4), received=receive_times([0.02] * 10, [0] * 8 + [9, 9]))
    many = dataclasses.replace(stamped(4), received=receive_times([0.02] * 10, [0] * 8 + [12, 12]))
    assert saturation([few]) is None
    found = saturation([many])
    assert found is not None
    assert found.reason.endswith("a tenth of the time")


def test_the_times_of_the_process_are_spoilt_by_a_late_loop() -> None:
    mixed = dataclasses.replace(
        stamped(4, loop_lag=times(3)), received=receive_times([0.02] * 10, [0.0] * 9 + [UNSTAMPED])
    )
    found = saturation([mixed])
    assert found is not None
    assert found.spoils == ("times by the process's clock",)


def test_a_second_in_which_nothing_was_received_is_judged_as_the_others() -> None:
    waiting = second(5, loop_lag=times(30), service=Histogram())
    assert saturation([stamped(4), waiting]) is None
    unstamped = dataclasses.replace(second(4), received=receive_times([0], [UNSTAMPED]))
    found = saturation([unstamped, waiting])
    assert found is not None
    assert (found.since_s, found.spoils) == (5, ALL)
    stood = saturation([stamped(4), JudgedSecond.unnoted(5), JudgedSecond.unnoted(6)])
    assert stood is not None
    assert stood.spoils == ("response times", "throughput")


def test_a_second_with_times_of_the_process_alone_spoils_no_others() -> None:
    logging_in = dataclasses.replace(second(5, loop_lag=times(3)), timed_by_process=2)
    found = saturation([stamped(4), logging_in])
    assert found is not None
    assert found.spoils == ("times by the process's clock",)
    alone = saturation([logging_in])
    assert alone is not None
    assert alone.spoils == ALL


def test_the_processs_own_clock_spoils_everything() -> None:
    found = saturation([dataclasses.replace(late(4), received=receive_times([0, 0], [UNSTAMPED] * 2))])
    assert found is not None
    assert (found.reason, found.spoils) == ("its event loop was 5.0 ms and more late, half of the time", ALL)


# ---------------------------------------------------------------------------------------------- real runs
