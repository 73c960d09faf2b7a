"""The arrival schedules of an open load: pure functions of a rate, a shape, a share and a seed.

The rules of this file: no clock, no waiting, no event loop, and no randomness but that of a seeded `random.Random`.
Times are whole nanoseconds since the schedule's start. Whoever sends adds them to a start of its own and waits.

Everything is derived from the arrivals expected up to a moment, the integral of the rate. Evenly spaced arrivals are
where it reaches 0, 1, 2 … Each is found from its number, never from the arrival before it, so no error adds up. Every
n-th of them is the share of one of n processes. Poisson arrivals are where it reaches the arrivals of a Poisson process
of rate 1 (inversion: E. Çinlar, Introduction to Stochastic Processes, 1975, section 4.7; L. Devroye, Non-Uniform Random
Variate Generation, 1986, section VI.1.3).
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from bench.timing.durations import exact
from bench.timing.rates import NS_PER_S, RateError, RateProfile, Share, check_rate

#: The shape of arrivals: evenly spaced, or as independent users arrive.
Shape = Literal["constant", "poisson"]


def schedule(profile: RateProfile, shape: Shape, share: Share, seed: int | str) -> Iterator[int]:
    """Yield the arrivals of one process: nanoseconds since the schedule's start, ascending, until the profile ends.

    Constant: arrival k of worker i of n is arrival k n + i of the single schedule that all share. Its first is at 0, or
    when the rate begins to be above 0. Each later arrival is due when 1 more has been expected, or at the end of the
    pause if a pause begins then. The seed plays no part.

    Poisson: independent Poisson arrivals at the n-th part of the rate, each share's from a stream of its own, drawn
    from the seed and the share's index. In both shapes all shares together have the whole rate.

    Takes O(1) memory. Raises ValueError for another shape.
    """
    _check_shape(shape)
    return _constant(profile, share) if shape == "constant" else _poisson(profile, share, seed)


class VaryingSchedule:
    """The arrivals of a process whose rate is not known beforehand: it changes as users come and go.

    The rate is this process's own, and so are the arrivals; the share says how they lie beside those of others. When
    the rate changes, the part of the next arrival that has accrued is kept, so nothing is lost or doubled. Arrivals
    that are overdue by then keep the times at which they were due. Read `next_ns` again after each call.

    Constant: the first arrival is due when i/n of an arrival has been expected (share i of n), each later arrival after
    1 more. Poisson: as in `schedule`; schedules side by side in one process need different seeds. Raises ValueError for
    another shape.
    """

    def __init__(self, shape: Shape, seed: int | str, share: Share) -> None:
        _check_shape(shape)
        self._interval = _unit_exponentials(seed, share) if shape == "poisson" else lambda: 1.0
        #: The moments at which the rate changed, and the rates: that in which the next arrival is due, and later ones.
        self._changes: deque[tuple[int, float]] = deque()
        #: The number of arrivals expected from the first of these changes until the next arrival is due.
        self._due = self._interval() if shape == "poisson" else share.index / share.count
        self._next_ns: int | None = None

    @property
    def next_ns(self) -> int | None:
        """Return when the next arrival is due, or was if it is overdue, in nanoseconds on the clock of `set_rate`.

        None before a rate is set, and while it is 0 and nothing is overdue.
        """
        return self._next_ns

    def advance(self) -> None:
        """Go on to the arrival after the next, which was taken. Raises RuntimeError if there was none."""
        if self._next_ns is None:
            raise RuntimeError("no arrival to take: the rate is 0, or not set yet")
        self._due += self._interval()  # without drift: adding 1 to a float is exact but where its exponent grows
        self._find_next()

    def set_rate(self, now_ns: int, rate_per_s: float) -> None:
        """Change the rate from `now_ns` on. 0 is a pause.

        Raises RateError for a rate that cannot be, ValueError for a time before that of the last change.
        """
        check_rate(rate_per_s)
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
    """The open load of each user, as a user class's `wait_time`.

    `arrivals` makes it; the engine knows it by its type.
    """

    #: The arrivals per second of each user.
    rate_per_s: float
    shape: Shape

    def __post_init__(self) -> None:
        _check_shape(self.shape)
        rate: object = self.rate_per_s  # from a locustfile: anything
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not rate > 0:
            raise RateError(f"arrivals({rate!r}): expected a number above 0, per user and second, as in arrivals(5)")
        check_rate(self.rate_per_s)

    def __call__(self, *_arguments: object, **_keywords: object) -> float:
        """Return the mean interval between two arrivals, in seconds, whatever the arguments, as any `wait_time` does.

        To wait so long after each reply is a closed load; that is not what this is for.
        """
        return 1 / self.rate_per_s


def arrivals(rate: float, shape: Shape = "poisson") -> Arrivals:
    """Open load: each user begins a task `rate` times per second, whether or not earlier ones have ended::

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
            interval_ns = NS_PER_S / exact(piece.stage.from_per_s)
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
    """Return intervals of a Poisson process of rate 1, from a stream that belongs to the seed and the share's index."""
    # Text is hashed as a whole, the same in every process: neighbouring seeds and indices have nothing in common.
    draw, log = random.Random(f"{seed}/{share.index}").random, math.log
    return lambda: -log(1.0 - draw())


def _check_shape(shape: str) -> None:
    if shape not in get_args(Shape):
        raise ValueError(f"{shape!r} is no shape of arrivals: expected {' or '.join(map(repr, get_args(Shape)))}")
