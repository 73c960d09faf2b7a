"""The stored account of receive times: whose clock told them, and how far they can be trusted.

Shared by load results, latency results and those of `bench ab`. Results from before these fields have the process's
times.
"""

from typing import Self

from pydantic import BaseModel, FiniteFloat, NonNegativeInt

from bench.results.header import WRITTEN, Histogram, NonNegative
from bench.results.lateness import Lateness
from bench.timing.receive_times import ReceiveTimes
from bench.wire.clock_watch import ClockWatch
from bench.wire.stamps import ReceivedClock as ReceivedClock  # part of what this module offers


class Receiving(BaseModel):
    """The receive times of the replies whose times a row has.

    `exact` and `bounded` count the kernel's times. A bounded time may be too late, by `error_max_us` at most. The error
    of an exact time is 0, and `error_p99_us` is of both together. `unstamped` counts the times of the process: when it
    had read the reply. `reading_delay_us` is from the kernel's time until the process had read the reply. That is time
    in the generator's own queue, and in no other time. It and the errors are null if the kernel told no time.
    """

    model_config = WRITTEN

    exact: NonNegativeInt
    bounded: NonNegativeInt
    unstamped: NonNegativeInt
    error_p99_us: NonNegative | None = None
    error_max_us: NonNegative | None = None
    reading_delay_us: Lateness | None = None
    reading_delay_histogram: Histogram | None = None

    @classmethod
    def of(cls, times: ReceiveTimes) -> Self | None:
        """Return the stored form of receive times; None of nothing."""
        if times.are_kernels is None:
            return None
        return cls(
            exact=times.exact,
            bounded=times.bounded,
            unstamped=times.unstamped,
            error_p99_us=_us(times.error_ns(99)),
            error_max_us=_us(times.greatest_error_ns),
            reading_delay_us=Lateness.of(times.reading),
            reading_delay_histogram=times.reading.encode() if times.reading.count else None,
        )

    @property
    def clock(self) -> ReceivedClock:
        """The clock of the row: the kernel's only if it told every time."""
        return "process" if self.unstamped else "kernel"


class ClockStep(BaseModel):
    """A jump of the machine's clock: `t` seconds after the start, by `by_s` seconds, negative if it was put back."""

    model_config = WRITTEN

    t: FiniteFloat
    by_s: FiniteFloat


class ReceiveClock(BaseModel):
    """The clock of a result's receive times.

    The kernel's stamps are of the machine's wall clock, and are converted. `bound_us` is by how much a converted stamp
    may be wrong, in either direction; null without stamps. `steps` are the jumps of that clock that were noticed.
    `process_because` says why the process's clock was used throughout; null where the kernel's was.
    """

    model_config = WRITTEN

    bound_us: NonNegative | None = None
    steps: tuple[ClockStep, ...] = ()
    process_because: str | None = None

    @classmethod
    def of(cls, watch: ClockWatch, since_ns: int) -> Self:
        """Return what a watch has seen since then, by `perf_counter_ns`."""
        return cls(
            bound_us=_us(watch.bound_ns),
            steps=tuple(ClockStep(t=t_s, by_s=by_s) for t_s, by_s in watch.steps_s(since_ns)),
            process_because=watch.process_because or None,
        )


def _us(value_ns: int | None) -> float | None:
    return None if value_ns is None else value_ns / 1000
