"""The conversion of the kernel's stamps, by clocks that the test sets, and the choice of the clock."""

import errno

import pytest

from bench.wire import stamps
from bench.wire.stamps import PROCESS_CLOCK, SCM_TIMESTAMPING, StampClock, stamp_in

S = 1_000_000_000
DAY_NS = 1_700_000_000 * S


class Clocks:
    """The two clocks of a machine. Each reading takes a while; the day's clock can be set."""

    def __init__(self, reading_ns: int = 50) -> None:
        self.now_ns = 1000 * S
        self.offset_ns = DAY_NS
        self.reading_ns = reading_ns
        #: How long the next readings take, beside what each takes.
        self.hitches_ns: list[int] = []

    def monotonic_ns(self) -> int:
        self.now_ns += self.reading_ns + (self.hitches_ns.pop(0) if self.hitches_ns else 0)
        return self.now_ns

    def realtime_ns(self) -> int:
        return self.monotonic_ns() + self.offset_ns

    def clock(self) -> StampClock:
        return StampClock(self.realtime_ns, self.monotonic_ns)


def test_a_stamp_is_told_by_the_monotonic_clock() -> None:
    clocks = Clocks()
    clock = clocks.clock()
    assert clock.bound_ns == 50, "half of a bracket of two readings"
    assert abs(clock.offset_ns - DAY_NS) <= clock.bound_ns
    received_ns = clocks.now_ns + 10_000
    found_ns = clock.converted(received_ns + DAY_NS, received_ns - 5000, received_ns + 5000)
    assert abs(found_ns - received_ns) <= clock.bound_ns
    assert (clock.steps, clock.contradictions) == (0, 0)


def test_the_narrowest_bracket_counts() -> None:
    clocks = Clocks()
    clocks.hitches_ns = [0, 0, 9000, 0, 8000, 7000, 0, 0, 0, 500, 0, 0]
    clock = clocks.clock()
    assert clock.bound_ns == 50
    clocks = Clocks()
    clocks.hitches_ns = [1000] * 24
    assert clocks.clock().bound_ns == 1050, "and if all are wide, that is said"


def test_without_a_stamp_nothing_is_told() -> None:
    clock = Clocks().clock()
    assert clock.converted(0, 0, 1000 * S) == 0
    assert clock.contradictions == 0


def test_within_the_bound_it_is_not_later_than_the_read() -> None:
    clocks = Clocks()
    clock = clocks.clock()
    now_ns = clocks.now_ns
    assert clock.converted(now_ns + clock.offset_ns + clock.bound_ns, now_ns - 100, now_ns) == now_ns
    earlier_ns = now_ns - 100 - clock.bound_ns
    assert clock.converted(earlier_ns + clock.offset_ns, now_ns - 100, now_ns) == earlier_ns
    assert clock.contradictions == 0


@pytest.mark.parametrize("step_ns", [37 * S, -37 * S, S, -S, 5_000_000, -5_000_000])
def test_a_step_shows_at_the_first_stamp_that_contradicts(step_ns: int) -> None:
    """A leap second, a clock that is set: by the old offset, the message came before the last, or is yet to come."""
    clocks = Clocks()
    clock = clocks.clock()
    clocks.offset_ns += step_ns
    now_ns = clocks.now_ns = clocks.now_ns + 1_000_000
    found_ns = clock.converted(now_ns - 20_000 + clocks.offset_ns, now_ns - 900_000, now_ns)
    assert abs(found_ns - (now_ns - 20_000)) <= clock.bound_ns
    assert (clock.steps, clock.contradictions) == (1, 0)
    assert clock.offset_ns == pytest.approx(DAY_NS + step_ns, abs=clock.bound_ns)


def test_a_small_step_shows_within_a_second() -> None:
    clocks = Clocks()
    clock = clocks.clock()
    clocks.offset_ns -= 500_000
    now_ns = clocks.now_ns + 100_000_000
    wrong_ns = clock.converted(now_ns - 20_000 + clocks.offset_ns, now_ns - 5_000_000, now_ns)
    assert wrong_ns == pytest.approx(now_ns - 520_000, abs=100), "nothing contradicts it"
    clocks.now_ns = now_ns = now_ns + S
    right_ns = clock.converted(now_ns - 20_000 + clocks.offset_ns, now_ns - 5_000_000, now_ns)
    assert right_ns == pytest.approx(now_ns - 20_000, abs=100)
    assert (clock.steps, clock.contradictions) == (1, 0)


def test_a_stamp_of_before_a_step_cannot_be_told_after_it() -> None:
    clocks = Clocks()
    clock = clocks.clock()
    now_ns = clocks.now_ns = clocks.now_ns + 1_000_000
    stamp_ns = now_ns - 20_000 + clocks.offset_ns
    clocks.offset_ns += 60 * S
    first_of_after = now_ns - 10_000 + clocks.offset_ns
    assert clock.converted(first_of_after, now_ns - 900_000, now_ns) > 0
    assert clock.converted(stamp_ns, now_ns - 900_000, now_ns) == 0
    assert (clock.steps, clock.contradictions) == (1, 1)


def test_an_impossible_stamp_is_no_step() -> None:
    """Segments that arrive out of order have such stamps."""
    clocks = Clocks()
    clock = clocks.clock()
    offset_ns = clock.offset_ns
    now_ns = clocks.now_ns + 1_000_000
    assert clock.converted(now_ns - 5_000_000 + offset_ns, now_ns - 1_000_000, now_ns) == 0
    assert clock.converted(now_ns + 5_000_000 + offset_ns, now_ns - 1_000_000, now_ns) == 0
    assert (clock.steps, clock.contradictions) == (0, 2)


def test_a_better_measurement_replaces_a_worse_one_and_not_the_other_way_round() -> None:
    clocks = Clocks()
    clocks.hitches_ns = [1000] * 24
    clock = clocks.clock()
    assert clock.bound_ns == 1050
    now_ns = clocks.now_ns + 2 * S
    clock.converted(now_ns - 20_000 + DAY_NS, 0, now_ns)
    assert clock.bound_ns == 50
    clocks.hitches_ns = [1000] * 24
    now_ns += 2 * S
    clock.converted(now_ns - 20_000 + DAY_NS, 0, now_ns)
    assert (clock.bound_ns, clock.steps) == (50, 0)


# --- what the kernel says beside the data


def test_a_stamp_is_found_in_what_the_kernel_says() -> None:
    whole = stamps._STAMP.pack(1_700_000_000, 7) + bytes(32)
    assert stamp_in([(1, SCM_TIMESTAMPING, whole)]) == DAY_NS + 7
    assert stamp_in([(1, 29, b"else"), (1, SCM_TIMESTAMPING, whole)]) == DAY_NS + 7
    for nothing in ([], [(1, 29, whole)], [(2, SCM_TIMESTAMPING, whole)], [(1, SCM_TIMESTAMPING, whole[:9])]):
        assert stamp_in(nothing) == 0


# --- whose clock


@pytest.fixture(autouse=True)
def undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROCESS_CLOCK, raising=False)
    monkeypatch.setattr(stamps, "_process", stamps._Process())


def test_this_system_has_stamps_or_says_why_not() -> None:
    if stamps.is_kernel_clock():
        assert stamps.process_clock_reason() == ""
        assert stamps.stamp_clock() is stamps.stamp_clock() is not None
        assert stamps.received_clock() == "kernel"
    else:
        assert stamps.process_clock_reason().startswith("the system ")
        assert stamps.stamp_clock() is None


@pytest.mark.parametrize("way", ["call", "environment"])
def test_the_clock_of_the_process_can_be_asked_for(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "call":
        stamps.use_process_clock()
    else:
        monkeypatch.setenv(PROCESS_CLOCK, "1")
    assert not stamps.is_kernel_clock()
    assert stamps.received_clock() == "process"
    assert stamps.stamp_clock() is None
    assert stamps.process_clock_reason() == "the process's clock was asked for"


def test_a_system_that_refuses_stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise OSError(errno.ENOPROTOOPT, "Protocol not available")

    monkeypatch.setattr(stamps, "ask_for_stamps", refuse)
    assert stamps.process_clock_reason() == "the system has no receive times: Protocol not available"
    assert stamps.received_clock() == "process"


def test_a_system_that_takes_the_wish_and_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "ask_for_stamps", lambda _: None)
    monkeypatch.setattr(stamps, "_PROBE_PAUSE_S", 0)
    assert stamps.process_clock_reason() == "the system does not say when it has received what is read"
