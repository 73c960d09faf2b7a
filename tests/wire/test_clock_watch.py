"""The watch over the clock of the kernel's stamps, by a converter whose clock the test sets."""

from dataclasses import dataclass

from bench.results.receiving import ClockStep, ReceiveClock
from bench.wire.clock_watch import ClockWatch

S = 1_000_000_000


@dataclass
class Converter:
    """A converter as the watch sees it."""

    bound_ns: int = 100
    offset_ns: int = 1_700_000_000 * S
    steps: int = 0

    def step(self, by_ns: int) -> None:
        self.offset_ns += by_ns
        self.steps += 1


def test_a_clock_that_nobody_sets() -> None:
    converter = Converter()
    watch = ClockWatch(converter)
    converter.bound_ns, converter.offset_ns = 40, converter.offset_ns + 50  # a better measurement is no step
    watch.look(3 * S)
    assert watch.steps == []
    assert watch.bound_ns == 100, "the worst of the measurement"
    assert ReceiveClock.of(watch, 1 * S) == ReceiveClock(bound_us=0.1)


def test_steps_are_noted_with_their_times_and_sizes() -> None:
    converter = Converter()
    converter.step(999 * S)  # before the measurement
    watch = ClockWatch(converter)
    watch.look(2 * S)
    converter.step(3 * S + S // 5)
    watch.look(3 * S)
    watch.look(4 * S)
    converter.step(-S // 4)
    watch.look(5 * S)
    assert ReceiveClock.of(watch, 1 * S).steps == (ClockStep(t=2, by_s=3.2), ClockStep(t=4, by_s=-0.25))


def test_a_step_that_is_noted_by_half_is_for_the_next_look() -> None:
    converter = Converter()
    watch = ClockWatch(converter)
    converter.steps += 1  # another thread has not set the offset yet
    watch.look(2 * S)
    assert watch.steps == []
    converter.offset_ns += S
    watch.look(3 * S)
    assert watch.steps_s(0) == [(3, 1)]


def test_without_stamps_the_reason_is_told() -> None:
    watch = ClockWatch(None, "the process's clock was asked for")
    watch.look(5 * S)
    assert ReceiveClock.of(watch, 0) == ReceiveClock(process_because="the process's clock was asked for")
