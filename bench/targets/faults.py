"""The faults of a faulty server, and their form on a command line.

Pure: no clock, no socket. All times are whole nanoseconds. `Faults` contains all faults; any of them can be combined.
"""

import re
from dataclasses import dataclass
from random import Random
from typing import Self

from bench.timing.durations import DurationError, parse_duration

DEFAULT_SEED = 1

_LONGEST_NS = 3_600_000_000_000  # what the histograms hold


class FaultError(ValueError):
    """A fault that cannot be; the text says which fault, and what to give instead."""


def duration_ns(text: str) -> int:
    """Read a duration: a number and its unit. Raises FaultError."""
    try:
        if not text or text[-1].isdigit():  # nobody should have to guess the unit of a fault
            raise DurationError
        value_ns = round(parse_duration(text) * 1e9)
    except DurationError:
        raise FaultError(f"{text!r} is no duration: give a number and ns, us, ms or s, such as 2ms") from None
    if value_ns > _LONGEST_NS:
        raise FaultError(f"{text!r} is too long: at most 3600s")
    return value_ns


@dataclass(frozen=True)
class Bimodal:
    """A delay that is `usual_ns`, but with probability `rare_share` it is `rare_ns`."""

    usual_ns: int
    rare_ns: int
    rare_share: float

    def __post_init__(self) -> None:
        if not 0 < self.rare_share < 1:
            raise FaultError(f"a share of {self.rare_share:g}: give more than 0 and less than 1, such as 0.01")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1ms,50ms:0.01`. Raises FaultError."""
        match = re.fullmatch(r"([^,:]+),([^,:]+):(\d*\.?\d+)", text)
        if match is None:
            raise FaultError(f"{text!r} is no bimodal delay: give usual,rare:share, such as 1ms,50ms:0.01")
        return cls(duration_ns(match[1]), duration_ns(match[2]), float(match[3]))

    def __str__(self) -> str:
        return f"{self.usual_ns}ns,{self.rare_ns}ns:{self.rare_share:.17f}"


@dataclass(frozen=True)
class Stall:
    """A stall for the first `length_ns` (S) of every period of `period_ns` (P), except the first period.

    So stall k lasts from k·P to k·P + S after the server's start, k = 1, 2, … Closed form: an arrival at the phase x <
    S of such a period waits S - x. Any other arrival waits 0. With arrivals spread evenly over any n·P of time after
    the first period, a share S / P of them waits. Their waits are even between 0 and S. Hence P(wait > w) = (S - w) / P
    for 0 <= w < S. The quantile q of the wait is max(0, S - (1 - q)·P); the mean is S² / 2P and the maximum S. For
    arrivals that are spread otherwise, `wait_ns` returns the wait of each. For 1 s every 5 s: p80 0, p90 500 ms, p99
    950 ms, mean 100 ms. The server also needs time for the FOOs that have piled up: with n of them and c for each, up
    to n·c for the last.
    """

    length_ns: int
    period_ns: int

    def __post_init__(self) -> None:
        if not 0 < self.length_ns < self.period_ns:
            raise FaultError("a stall has to be longer than 0 and shorter than its period, such as 1s/5s")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1s/5s`. Raises FaultError."""
        length, slash, period = text.partition("/")
        if not slash:
            raise FaultError(f"{text!r} is no stall: give length/period, such as 1s/5s")
        return cls(duration_ns(length), duration_ns(period))

    def __str__(self) -> str:
        return f"{self.length_ns}ns/{self.period_ns}ns"

    def wait_ns(self, elapsed_ns: int) -> int:
        """Return the wait of a FOO for the end of a stall, 0 outside a stall. `elapsed_ns`: from the server's start."""
        period, phase_ns = divmod(elapsed_ns, self.period_ns)
        return max(0, self.length_ns - phase_ns) if period > 0 else 0

    def next_ns(self, elapsed_ns: int) -> int:
        """Return the time from the server's start to the beginning of the next period, and so of the next stall."""
        return (elapsed_ns // self.period_ns + 1) * self.period_ns


@dataclass(frozen=True)
class Faults:
    """The faults of a server; by default none.

    `delay_ns` and the delay that is drawn for `bimodal` add up. `lose` n: every n-th FOO has no reply; 0: none is lost.
    The server spends `busy_ns` computing on each FOO, lost or not, and does nothing else meanwhile. The delay runs
    during that time.
    """

    delay_ns: int = 0
    bimodal: Bimodal | None = None
    stall: Stall | None = None
    lose: int = 0
    busy_ns: int = 0
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        if min(self.delay_ns, self.busy_ns, self.lose) < 0:
            raise FaultError("a delay, a busy time and a number to lose by cannot be negative")

    def arguments(self) -> list[str]:
        """Return the faults as arguments of the faulty server's command line."""
        arguments = ["--delay", f"{self.delay_ns}ns", "--busy", f"{self.busy_ns}ns", "--seed", str(self.seed)]
        if self.bimodal is not None:
            arguments += ["--bimodal", str(self.bimodal)]
        if self.stall is not None:
            arguments += ["--stall", str(self.stall)]
        if self.lose:
            arguments += ["--lose", str(self.lose)]
        return arguments

    def delay_of_next_ns(self, random: Random) -> int:
        """Return the time to hold the next reply back. Draws once per call, if there is anything to draw."""
        if self.bimodal is None:
            return self.delay_ns
        is_rare = random.random() < self.bimodal.rare_share
        return self.delay_ns + (self.bimodal.rare_ns if is_rare else self.bimodal.usual_ns)
