"""Receive times: exact, bounded and unstamped are told apart, and merge."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.timing.receive_times import UNSTAMPED, ReceiveTimes

errors_of_replies = st.lists(st.one_of(st.just(UNSTAMPED), st.just(0), st.integers(1, 10**9)), max_size=30)


def received(*errors_ns: int, reading_ns: int = 5000) -> ReceiveTimes:
    times = ReceiveTimes()
    times.record(np.full(len(errors_ns), reading_ns), np.array(errors_ns, dtype=np.int64))
    return times


def test_nothing_has_neither_a_clock_nor_an_error() -> None:
    nothing = ReceiveTimes()
    assert (nothing.are_kernels, nothing.error_ns(50), nothing.greatest_error_ns) == (None, None, None)
    nothing.record(np.array([], dtype=np.int64), np.array([], dtype=np.int64))
    assert nothing.are_kernels is None


def test_the_three_kinds_are_counted() -> None:
    times = received(0, 0, 0, 70_000, UNSTAMPED, UNSTAMPED)
    assert (times.exact, times.bounded, times.unstamped, times.stamped) == (3, 1, 2, 4)
    assert times.reading.count == 4, "a reply that the kernel told nothing of has no reading delay"


def test_a_single_time_of_the_process_makes_the_row_the_processs() -> None:
    assert received(0, 0, 500).are_kernels is True
    assert received(0, UNSTAMPED, 500).are_kernels is False
    assert received(UNSTAMPED).are_kernels is False
    assert received(UNSTAMPED).greatest_error_ns is None


def test_an_exact_time_has_the_error_zero() -> None:
    times = received(*[0] * 98, 50_000, 90_000)
    assert [times.error_ns(percent) for percent in (50, 98)] == [0, 0]
    assert times.error_ns(99) is not None
    assert 50_000 <= (times.error_ns(99) or 0) <= 50_050
    assert times.greatest_error_ns == 90_000
    assert received(0, 0).greatest_error_ns == 0


@given(errors_of_replies, errors_of_replies, st.sampled_from([50.0, 90.0, 99.0, 100.0]))
def test_merged_times_are_those_of_all(some: list[int], others: list[int], percent: float) -> None:
    merged, whole = received(*some), received(*some, *others)
    merged.merge(received(*others))
    assert [merged.exact, merged.bounded, merged.unstamped] == [whole.exact, whole.bounded, whole.unstamped]
    assert merged.error_ns(percent) == whole.error_ns(percent)
    assert merged.reading.encode() == whole.reading.encode()
    known = sorted(error for error in (*some, *others) if error >= 0)
    found = merged.error_ns(percent)
    if known:
        true_ns = known[max(0, -(-len(known) * int(percent) // 100) - 1)]
        assert found is not None
        assert abs(found - true_ns) <= max(128, true_ns / 1000), "to the histogram's precision"
    else:
        assert found is None
