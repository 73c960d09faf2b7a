"""When an open load sends: arrival schedules as pure functions of a rate, a shape, a share and a seed.

The rules of this file: no clock, no waiting, no event loop, and no randomness but that of a seeded `random.Random`.
Times are whole nanoseconds since the schedule's start. Whoever sends adds them to a start of its own and waits.

Everything is derived from the arrivals expected up to a moment, the integral of the rate. Evenly spaced arrivals are
where it reaches 0, 1, 2 …: each is found from its number, never from the arrival before it, so no error adds up, and
every n-th of them is the share of one of n processes. Poisson arrivals are where it reaches the arrivals of a Poisson
process of rate 1 (inversion: E. Çinlar, Introduction to Stochastic Processes, 1975, section 4.7; L. Devroye,
Non-Uniform Random Variate Generation, 1986, section VI.1.3).
"""

from __future__ import annotations

import itertools
import math
import random
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Literal, get_args

Shape = Literal["constant", "poisson"]
"""Evenly spaced, or as independent users arrive."""

NS_PER_S = 1_000_000_000

LOWEST_PER_S = 1e-9
HIGHEST_PER_S = 1e9
"""The bounds of a rate other than 0. The upper one is an arrival per nanosecond, which is what times can tell apart."""

SHORTEST_S = 1e-9
LONGEST_S = 1e9
"""The bounds of a stage's duration."""

_NUMBER = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_RATES = re.compile(rf"({_NUMBER})(?:\.\.({_NUMBER}))?")
_DURATION = re.compile(rf"(?:([0-9]+)h)?(?:([0-9]+)m)?(?:({_NUMBER})s)?")
_PLAIN_SECONDS = re.compile(_NUMBER)


class RateError(ValueError):
    """A rate that cannot be used. One line: what is wrong, with which value, and what is expected."""


@dataclass(frozen=True)
class Share:
    """One process's part of a schedule: that of worker `index` (from 0) of `count`. Raises ValueError."""

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
    duration_s: float | None
    """None: it goes on for ever."""
    from_per_s: float
    to_per_s: float

    def __post_init__(self) -> None:
        _check_rate(self.from_per_s)
        _check_rate(self.to_per_s)
        if self.duration_s is None:
            if self.is_ramp:
                raise RateError(f"the ramp {self} has no duration: expected one, as in {self}:30s")
        elif not SHORTEST_S <= self.duration_s <= LONGEST_S:
            limits = f"{_plain(SHORTEST_S)} to {_plain(LONGEST_S)} seconds"
            raise RateError(f"a stage of {_plain(self.duration_s)} seconds: expected a duration of {limits}")

    @property
    def is_ramp(self) -> bool:
        """Whether the rate changes."""
        return self.from_per_s != self.to_per_s

    def rate_per_s(self, elapsed_s: float) -> float:
        """The rate after `elapsed_s` seconds of the stage."""
        if self.duration_s is None:
            return self.from_per_s
        return self.from_per_s + (self.to_per_s - self.from_per_s) * (elapsed_s / self.duration_s)

    def expected(self, elapsed_s: float) -> float:
        """The arrivals expected in the first `elapsed_s` seconds: a trapezium."""
        return elapsed_s * (self.from_per_s + self.rate_per_s(elapsed_s)) / 2

    def elapsed_s(self, count: float) -> float:
        """The inverse of `expected`, for a stage that expects as many.

        On a ramp of slope a from rate r, the root of a t²/2 + r t = count, as 2 count / (r + v), where v is the rate at
        that moment: v² = r² + 2 a count, or the same counted from the other end if a is negative. These are sums of
        what is not negative, so nothing cancels (N. Higham, Accuracy and Stability of Numerical Algorithms, 2002,
        section 1.8).
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
        rates = _plain(self.from_per_s)
        if self.is_ramp:
            rates += f"..{_plain(self.to_per_s)}"
        return rates if self.duration_s is None else f"{rates}:{_duration_text(self.duration_s)}"


@dataclass(frozen=True)
class _Piece:
    """A stage with where it lies, in fractions: which stage an arrival belongs to must not depend on rounding."""

    stage: Stage
    start_s: Fraction
    before: Fraction
    """The arrivals expected before it."""
    total: Fraction | None
    """Those expected in it; None: without end."""

    @property
    def after(self) -> float:
        """The arrivals expected up to its end."""
        return math.inf if self.total is None else float(self.before + self.total)

    def nanoseconds(self) -> Callable[[float], int]:
        """The schedule's time of the moment when so many arrivals were expected in this piece; never beyond its end."""
        stage, start_ns = self.stage, math.floor(self.start_s * NS_PER_S)
        if stage.duration_s is None:
            interval_ns = NS_PER_S / stage.from_per_s
            return lambda count: start_ns + int(count * interval_ns)
        last_ns = max(start_ns, math.ceil((self.start_s + _exact(stage.duration_s)) * NS_PER_S) - 1)
        return lambda count: min(start_ns + int(stage.elapsed_s(count) * NS_PER_S), last_ns)

    def numbers(self, share: Share) -> Iterable[int]:
        """Which of the profile's evenly spaced arrivals, numbered from 0, are in this piece and in a share.

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
            end_s = None if stage.duration_s is None else end_s + _exact(stage.duration_s)
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
            duration_s = _parse_duration(duration_text, text) if colon else None
            if duration_s is None and number < len(parts):
                raise RateError(
                    f"rate {text!r}: {part!r} has no duration: expected one but in the last stage, as in {part}:30s"
                )
            from_per_s = float(rates[1])
            stages.append(
                Stage(float(start_s), duration_s, from_per_s, from_per_s if rates[2] is None else float(rates[2]))
            )
            if duration_s is not None:
                start_s += _exact(duration_s)
        return cls(tuple(stages))

    @property
    def duration_s(self) -> float | None:
        """How long it lasts; None: for ever."""
        last = self._pieces[-1]
        return None if last.stage.duration_s is None else float(last.start_s + _exact(last.stage.duration_s))

    def rate_per_s(self, at_s: float) -> float:
        """The rate at `at_s`; where two stages meet, the second one's; 0 before the start and from the end on."""
        for stage in reversed(self.stages):
            if at_s >= stage.start_s:
                elapsed_s = at_s - stage.start_s
                return stage.rate_per_s(elapsed_s) if stage.duration_s is None or elapsed_s < stage.duration_s else 0.0
        return 0.0

    def expected(self, at_s: float) -> float:
        """How many arrivals are expected up to `at_s`: the integral of the rate."""
        for piece in reversed(self._pieces):
            stage = piece.stage
            if at_s >= stage.start_s:
                elapsed_s = at_s - stage.start_s
                if stage.duration_s is not None:
                    elapsed_s = min(elapsed_s, stage.duration_s)
                return min(float(piece.before) + stage.expected(elapsed_s), piece.after)
        return 0.0

    def time_of(self, count: float) -> float | None:
        """The seconds after which `expected` first reaches `count`; None if it never does.

        Raises ValueError for a count that is negative or not finite.
        """
        if not 0 <= count < math.inf:
            raise ValueError(f"{count} arrivals: expected a number from 0 on")
        for piece in self._pieces:
            if count <= piece.after:
                # What was expected before is rounded, and may be so to above the count.
                return piece.stage.start_s + piece.stage.elapsed_s(max(0.0, count - float(piece.before)))
        return None

    def __str__(self) -> str:
        return ",".join(map(str, self.stages))

    @cached_property
    def _pieces(self) -> tuple[_Piece, ...]:
        pieces = []
        start_s = before = Fraction(0)
        for stage in self.stages:
            from_per_s, to_per_s = _exact(stage.from_per_s), _exact(stage.to_per_s)
            if stage.duration_s is not None:
                duration_s = _exact(stage.duration_s)
                total = (from_per_s + to_per_s) / 2 * duration_s
                pieces.append(_Piece(stage, start_s, before, total))
                start_s, before = start_s + duration_s, before + total
            else:
                pieces.append(_Piece(stage, start_s, before, None if from_per_s else Fraction(0)))
        return tuple(pieces)


def schedule(profile: RateProfile, shape: Shape, share: Share, seed: int | str) -> Iterator[int]:
    """The arrivals of one process: nanoseconds since the schedule's start, ascending, until the profile ends.

    Constant: arrival k of worker i of n is arrival k n + i of the one schedule that all share. Its first is at 0, or
    when the rate begins to be above 0; each other one is due when one more has been expected, and if that is when a
    pause begins, at the end of the pause. The seed plays no part.

    Poisson: independent Poisson arrivals at the n-th part of the rate, each share's from a stream of its own, drawn
    from the seed and the share's index. In both shapes all shares together have the whole rate.

    Takes O(1) memory. Raises ValueError for another shape.
    """
    _check_shape(shape)
    return _constant(profile, share) if shape == "constant" else _poisson(profile, share, seed)


class VaryingSchedule:
    """The arrivals of a process whose rate is not known beforehand: it changes as users come and go.

    The rate is this process's own, and so are the arrivals; the share says how they lie beside those of others. What
    has accrued towards the next arrival is kept when the rate changes, so that nothing is lost or doubled, and arrivals
    that are overdue by then keep the times at which they were due. Read `next_ns` again after each call.

    Constant: the first arrival is due when i/n of one has been expected (share i of n), each other one after 1 more.
    Poisson: as in `schedule`; schedules side by side in one process need different seeds. Raises ValueError for another
    shape.
    """

    def __init__(self, shape: Shape, seed: int | str, share: Share) -> None:
        _check_shape(shape)
        self._interval = _unit_exponentials(seed, share) if shape == "poisson" else lambda: 1.0
        self._changes: deque[tuple[int, float]] = deque()
        """Since when, and which rate: the one in which the next arrival is due, and those that followed."""
        self._due = self._interval() if shape == "poisson" else share.index / share.count
        """How many are to be expected since the first of these changes until the next arrival is due."""
        self._next_ns: int | None = None

    @property
    def next_ns(self) -> int | None:
        """When the next arrival is due, or was if it is overdue, in nanoseconds on the clock of `set_rate`.

        None before a rate is set, and while it is 0 and nothing is overdue.
        """
        return self._next_ns

    def advance(self) -> None:
        """The next arrival was taken: on to the one after it. Raises RuntimeError if there was none."""
        if self._next_ns is None:
            raise RuntimeError("no arrival to take: the rate is 0, or not set yet")
        self._due += self._interval()  # without drift: adding 1 to a float is exact but where its exponent grows
        self._find_next()

    def set_rate(self, now_ns: int, rate_per_s: float) -> None:
        """From `now_ns` on the rate is another. 0 is a pause.

        Raises RateError for a rate that cannot be, ValueError for a time before that of the last change.
        """
        _check_rate(rate_per_s)
        if self._changes and now_ns < self._changes[-1][0]:
            raise ValueError(f"a change of rate at {now_ns} ns, before the last one at {self._changes[-1][0]} ns")
        self._changes.append((now_ns, rate_per_s))
        self._find_next()

    def _find_next(self) -> None:
        changes = self._changes
        while len(changes) > 1:
            since_ns, rate_per_s = changes[0]
            expected = rate_per_s * (changes[1][0] - since_ns) / NS_PER_S
            if self._due < expected:
                break
            self._due -= expected
            changes.popleft()
        since_ns, rate_per_s = changes[0]
        self._next_ns = since_ns + int(self._due * NS_PER_S / rate_per_s) if rate_per_s else None


@dataclass(frozen=True)
class Arrivals:
    """Open load of each user, as a user class's `wait_time`. Made by `arrivals`; the engine knows it by its type."""

    rate_per_s: float
    """Per user."""
    shape: Shape

    def __post_init__(self) -> None:
        _check_shape(self.shape)
        rate: object = self.rate_per_s  # from a locustfile: anything
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not rate > 0:
            raise RateError(f"arrivals({rate!r}): expected a number above 0, per user and second, as in arrivals(5)")
        _check_rate(self.rate_per_s)

    def __call__(self, *_arguments: object, **_keywords: object) -> float:
        """The mean interval between two arrivals, in seconds, whatever the arguments: for what calls any `wait_time`.

        To wait so long after each reply is a closed load; that is not what this is for.
        """
        return 1 / self.rate_per_s


def arrivals(rate: float, shape: Shape = "poisson") -> Arrivals:
    """Open load: each user begins a task `rate` times per second, whether or not earlier ones have ended.

        wait_time = arrivals(5, "poisson")

    The shape is "poisson" or "constant". Raises RateError for a rate that is not a number above 0, ValueError for
    another shape.
    """
    return Arrivals(rate, shape)


def _constant(profile: RateProfile, share: Share) -> Iterator[int]:
    for piece in profile._pieces:
        numbers = piece.numbers(share)
        if piece.stage.is_ramp:
            base = math.ceil(piece.before)
            since_start = float(base - piece.before)  # apart from large numbers, beside which it would be rounded
            nanoseconds = piece.nanoseconds()
            for number in numbers:
                yield nanoseconds(number - base + since_start)
        elif numbers:
            # Whole numbers throughout, so that the last arrival of a year is as exact as the first.
            interval_ns = NS_PER_S / _exact(piece.stage.from_per_s)
            start_ns = NS_PER_S * piece.start_s - piece.before * interval_ns
            divisor = math.lcm(interval_ns.denominator, start_ns.denominator)
            factor, summand = int(interval_ns * divisor), int(start_ns * divisor)
            for number in numbers:
                yield (number * factor + summand) // divisor


def _poisson(profile: RateProfile, share: Share, seed: int | str) -> Iterator[int]:
    interval, count = _unit_exponentials(seed, share), share.count
    due = count * interval()
    for piece in profile._pieces:
        total = math.inf if piece.total is None else float(piece.total)
        if total == 0:
            continue
        nanoseconds = piece.nanoseconds()
        while due < total:
            yield nanoseconds(due)
            due += count * interval()
        due -= total


def _unit_exponentials(seed: int | str, share: Share) -> Callable[[], float]:
    """Intervals of a Poisson process of rate 1, from a stream that belongs to the seed and the share's index."""
    # Text is hashed as a whole, the same in every process: neighbouring seeds and indices have nothing in common.
    draw, log = random.Random(f"{seed}/{share.index}").random, math.log
    return lambda: -log(1.0 - draw())


def _check_shape(shape: str) -> None:
    if shape not in get_args(Shape):
        raise ValueError(f"{shape!r} is no shape of arrivals: expected {' or '.join(map(repr, get_args(Shape)))}")


def _check_rate(rate_per_s: float) -> None:
    if rate_per_s != 0 and not LOWEST_PER_S <= rate_per_s <= HIGHEST_PER_S:
        limits = f"{_plain(LOWEST_PER_S)} to {_plain(HIGHEST_PER_S)}"
        raise RateError(f"a rate of {_plain(rate_per_s)} per second: expected 0, or {limits}")


def _parse_duration(duration_text: str, text: str) -> float:
    """Seconds, read as Locust reads them (`locust.util.timespan`) but for the decimals."""
    if _PLAIN_SECONDS.fullmatch(duration_text):
        return float(duration_text)
    parts = _DURATION.fullmatch(duration_text)
    if parts is None or not duration_text:
        raise RateError(f"rate {text!r}: {duration_text!r} is no duration: expected one like 30s, 5m or 1h30m")
    hours, minutes, seconds = (Decimal(part or 0) for part in parts.groups())
    return float((hours * 60 + minutes) * 60 + seconds)


def _duration_text(duration_s: float) -> str:
    minutes, seconds = divmod(_exact(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{_plain(float(number))}{unit}" for number, unit in parts if number)


def _plain(number: float) -> str:
    """A number's decimals without an exponent, as few as tell it from every other float."""
    text = f"{Decimal(repr(float(number))):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _exact(number: float) -> Fraction:
    """The decimal that was typed, rather than the binary fraction next to it: 0.1 times 30 is 3."""
    return Fraction(repr(float(number)))
