# mypy: disable-error-code="no-untyped-call"
"""The virtual timer, alone and as pytest-benchmark uses it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_benchmark.timers import compute_timer_precision

from bench.timing.clocks import READING_NS, VirtualTimer


@given(st.lists(st.integers(0, 3_600_000_000_000), max_size=50))
def test_two_readings_differ_by_what_passed_between_them_and_one_nanosecond(durations_ns: list[int]) -> None:
    timer = VirtualTimer()
    before = timer()
    for duration_ns in durations_ns:
        timer.advance(duration_ns)
    assert timer() - before == pytest.approx((sum(durations_ns) + READING_NS) / 1e9, abs=1e-10, rel=1e-12)


def test_nothing_else_makes_it_advance() -> None:
    timer = VirtualTimer()
    assert [timer() for _ in range(3)] == [1e-9, 2e-9, 3e-9]


def test_pytest_benchmark_finds_its_precision() -> None:
    assert compute_timer_precision(VirtualTimer()) == pytest.approx(1e-9)


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="-1 ns"):
        VirtualTimer().advance(-1)


def test_results_name_it_the_same_in_every_process() -> None:
    assert str(VirtualTimer()) == "virtual timer"
