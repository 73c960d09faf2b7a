"""Rates over time: the stages that a user types, as the integral of a rate.

Rules of this file: pure. Times are whole nanoseconds since the start. Everything is derived from the arrivals expected
up to a moment, the integral of the rate. So no error adds up.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from bench.timing.durations import NUMBER, DurationError, duration_text, exact, parse_duration, plain_decimal

NS_PER_S = 1_000_000_000

LOWEST_PER_S = 1e-9
#: The bounds of a rate other than 0. The upper bound is an arrival per nanosecond: times can tell no more apart.
HIGHEST_PER_S = 1e9

#: The bounds of a stage's duration, in seconds.
SHORTEST_S = 1e-9
LONGEST_S = 1e9

_RATES = re.compile(rf"({NUMBER})(?:\.\.({NUMBER}))?")


class RateError(ValueError):
    """A rate that cannot be used. One line: what is wrong, with which value, and what is expected."""


@dataclass(frozen=True)
class Share:
    """The part of a schedule that one process has: worker `index` (from 0) of `count`. Raises ValueError."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ValueError(f"share {self.index} of {self.count}: expected an index from 0 to one less than the count")


@dataclass(frozen=True)
class Stage:
    """A part of a profile in which the rate is constant or changes linearly. Raises RateError for impossible values.

    Its methods count seconds and arrivals from the stage's own start.
    """

    start_s: float
    #: The stage's duration, in seconds; None: it goes on for ever.
    duration_s: float | None
    from_per_s: float
    to_per_s: float

    def __post_init__(self) -> None:
        check_rate(self.from_per_s)
        check_rate(self.to_per_s)
        if self.duration_s is None:
            if self.is_ramp:
                raise RateError(f"the ramp {self} has no duration: expected one, as in {self}:30s")
        elif not SHORTEST_S <= self.duration_s <= LONGEST_S:
            limits = f"{plain_decimal(SHORTEST_S)} to {plain_decimal(LONGEST_S)} seconds"
            raise RateError(f"a stage of {plain_decimal(self.duration_s)} seconds: expected a duration of {limits}")

    @property
    def is_ramp(self) -> bool:
        """Return whether the rate changes."""
        return self.from_per_s != self.to_per_s

    def rate_per_s(self, elapsed_s: float) -> float:
        """Return the rate after `elapsed_s` seconds of the stage."""
        if self.duration_s is None:
            return self.from_per_s
        return self.from_per_s + (self.to_per_s - self.from_per_s) * (elapsed_s / self.duration_s)

    def expected(self, elapsed_s: float) -> float:
        """Return the arrivals expected in the first `elapsed_s` seconds: a trapezium."""
        return elapsed_s * (self.from_per_s + self.rate_per_s(elapsed_s)) / 2

    def elapsed_s(self, count: float) -> float:
        """Return the inverse of `expected`, for a stage that expects at least that count.

        On a ramp of slope a from rate r, it is the root of a t²/2 + r t = count, as 2 count / (r + v). There v is the
        rate at that moment: v² = r² + 2 a count, or the same counted from the other end if a is negative. These are
        sums of what is not negative, so nothing cancels (N. Higham, Accuracy and Stability of Numerical Algorithms,
        2002, section 1.8).
        """
        if self.duration_s is None or not self.is_ramp:
            return count / self.from_per_s if count else 0.0
        slope = (self.to_per_s - self.from_per_s) / self.duration_s
        if slope > 0:
            reached_per_s = math.sqrt(self.from_per_s**2 + 2 * slope * count)
        else:
            left = max(0.0, self.expected(self.duration_s) - count)
            reached_per_s = math.sqrt(self.to_per_s**2 - 2 * slope * left)
        twice_mean_per_s = self.from_per_s + reached_per_s
        return 2 * count / twice_mean_per_s if twice_mean_per_s else 0.0

    def __str__(self) -> str:
        rates = plain_decimal(self.from_per_s)
        if self.is_ramp:
            rates += f"..{plain_decimal(self.to_per_s)}"
        return rates if self.duration_s is None else f"{rates}:{duration_text(self.duration_s)}"


@dataclass(frozen=True)
class _Piece:
    """A stage with where it lies, in fractions: which stage an arrival belongs to must not depend on rounding."""

    stage: Stage
    start_s: Fraction
    #: The arrivals expected before it.
    before: Fraction
    #: The arrivals expected in it; None: without end.
    total: Fraction | None

    @property
    def after(self) -> float:
        """The arrivals expected up to its end."""
        return math.inf if self.total is None else float(self.before + self.total)

    def nanoseconds(self) -> Callable[[float], int]:
        """Return a function: the time, in ns of the schedule, at which a count of arrivals was expected in this piece.

        The time is never beyond the piece's end.
        """
        stage, start_ns = self.stage, math.floor(self.start_s * NS_PER_S)
        if stage.duration_s is None:
            interval_ns = NS_PER_S / stage.from_per_s
            return lambda count: start_ns + int(count * interval_ns)
        last_ns = max(start_ns, math.ceil((self.start_s + exact(stage.duration_s)) * NS_PER_S) - 1)
        return lambda count: min(start_ns + int(stage.elapsed_s(count) * NS_PER_S), last_ns)

    def numbers(self, share: Share) -> Iterable[int]:
        """Return the numbers, from 0, of the profile's evenly spaced arrivals that are in this piece and in a share.

        The piece's first is the first number that is not below what was expected before.
        """
        first = math.ceil(self.before)
        first += (share.index - first) % share.count
        if self.total is None:
            return itertools.count(first, share.count)
        return range(first, math.ceil(self.before + self.total), share.count)


@dataclass(frozen=True)
class RateProfile:
    """The total rate as a function of the seconds since the schedule's start: stages, each constant or a linear ramp.

    A stage has its rate from its start up to, not including, its end. Outside the profile the rate is 0. Raises
    RateError for stages that do not follow each other, or whose rate is 0 throughout.
    """

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        end_s: Fraction | None = Fraction(0)
        for stage in self.stages:
            if end_s is None:
                raise RateError(
                    f"rate {str(self)!r}: a stage without a duration goes on for ever: expected it to be the last"
                )
            if stage.start_s != float(end_s):
                raise RateError(
                    f"stage {stage} starts at {stage.start_s} s: expected {float(end_s)} s, where the last one ends"
                )
            end_s = None if stage.duration_s is None else end_s + exact(stage.duration_s)
        if not any(stage.from_per_s or stage.to_per_s for stage in self.stages):
            raise RateError(f"rate {str(self)!r}: nothing would ever be sent: expected a rate above 0, as in 500")

    @classmethod
    def parse(cls, text: str) -> RateProfile:
        """Read a rate per second, or stages of them with their durations. Raises RateError.

        `500` is constant and without end; `100:30s,500:30s,1000:1m` are steps; `100..500:30s` is a ramp. Durations are
        written as for Locust's --run-time (`30`, `30s`, `1m`, `1h30m`), and seconds may have decimals. Only the last
        stage may have none: it goes on for ever.
        """
        stages: list[Stage] = []
        start_s = Fraction(0)
        parts = [part.strip() for part in text.split(",")]
        for number, part in enumerate(parts, 1):
            rates_text, colon, duration_text = part.partition(":")
            rates = _RATES.fullmatch(rates_text)
            if rates is None:
                raise RateError(
                    f"rate {text!r}: {rates_text!r} is no rate: expected arrivals per second, as in 500 or 0.5, "
                    "a ramp, as in 100..500:30s, or stages, as in 100:30s,500:1m"
                )
            try:
                duration_s = parse_duration(duration_text) if colon else None
            except DurationError as error:
                raise RateError(f"rate {text!r}: {error}") from None
            if duration_s is None and number < len(parts):
                raise RateError(
                    f"rate {text!r}: {part!r} has no duration: expected one but in the last stage, as in {part}:30s"
                )
            from_per_s = float(rates[1])
            stages.append(
                Stage(float(start_s), duration_s, from_per_s, from_per_s if rates[2] is None else float(rates[2]))
            )
            if duration_s is not None:
                start_s += exact(duration_s)
        return cls(tuple(stages))

    @property
    def duration_s(self) -> float | None:
        """Return the profile's duration, in seconds; None: for ever."""
        last = self._pieces[-1]
        return None if last.stage.duration_s is None else float(last.start_s + exact(last.stage.duration_s))

    def expected(self, at_s: float) -> float:
        """Return the number of arrivals expected up to `at_s`: the integral of the rate."""
        for piece in reversed(self._pieces):
            stage = piece.stage
            if at_s >= stage.start_s:
                elapsed_s = at_s - stage.start_s
                if stage.duration_s is not None:
                    elapsed_s = min(elapsed_s, stage.duration_s)
                return min(float(piece.before) + stage.expected(elapsed_s), piece.after)
        return 0.0

    def __str__(self) -> str:
        return ",".join(map(str, self.stages))

    @cached_property
    def _pieces(self) -> tuple[_Piece, ...]:
        pieces = []
        start_s = before = Fraction(0)
        for stage in self.stages:
            from_per_s, to_per_s = exact(stage.from_per_s), exact(stage.to_per_s)
            if stage.duration_s is not None:
                duration_s = exact(stage.duration_s)
                total = (from_per_s + to_per_s) / 2 * duration_s
                pieces.append(_Piece(stage, start_s, before, total))
                start_s, before = start_s + duration_s, before + total
            else:
                pieces.append(_Piece(stage, start_s, before, None if from_per_s else Fraction(0)))
        return tuple(pieces)


def check_rate(rate_per_s: float) -> None:
    """Raise RateError where a rate is neither 0 nor within the bounds."""
    if rate_per_s != 0 and not LOWEST_PER_S <= rate_per_s <= HIGHEST_PER_S:
        limits = f"{plain_decimal(LOWEST_PER_S)} to {plain_decimal(HIGHEST_PER_S)}"
        raise RateError(f"a rate of {plain_decimal(rate_per_s)} per second: expected 0, or {limits}")
