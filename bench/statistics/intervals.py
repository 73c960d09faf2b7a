"""Intervals of the figures of a run: percentiles, mean, shares and rates, from what happened in each second of it.

Rules of this file: numbers in, numbers out; no I/O, no clock and no drawing of random numbers. Successive replies
depend on each other (dependence.py), so a second is the smallest unit, and never a single reply.

**The effective number.** A percentile is where a share of the times lies below. That share has a variance, which the
seconds tell: their counts below the percentile, less what the share expects of them (a ratio estimate: Cochran 1977,
"Sampling techniques", chapter 6). The *effective number* is that of independent times that would give the share the
same variance. The percentile's interval is that of so many independent times, found in the distribution itself
(Woodruff 1952, "Confidence intervals for medians and other position measures", J. Am. Stat. Assoc. 47, 635-646), with
the exact binomial (Clopper and Pearson 1934, Biometrika 26, 404-413). Student's t makes the effective number smaller
(Korn and Graubard 1998, Survey Methodology 24, 193-201).

**A tail is never known better than what is below it.** Long times come in bursts. A run that has seen few of them does
not show how much bursts differ, and seems sure. So the effective number of a percentile is at most that of the lower
percentiles 50, 90 and 99 of the same times. A queue at 95 % load has that property; without this rule the p99 of two
minutes there would have an interval in a fifth of the runs, and half of these intervals would be wrong.

**Too little is known.** An end that lies among times of which the run has too few, or among failures, is None. So a run
that is too short has no upper end, and never a narrow interval. docs/measurements.md has the coverage on simulated
queues.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.statistics.dependence import spread_of_sum
from bench.statistics.distributions import binomial_at_least, t_quantile
from bench.statistics.estimates import CONFIDENCE

#: The fewest seconds of which anything is said.
FEWEST_SECONDS = 10

#: The number of blocks of whole seconds that a long run is cut into, at most.
_MOST_BLOCKS = 240

#: The percentiles that a higher percentile cannot be known better than.
_ANCHORS = (50.0, 90.0, 99.0)

#: The effective number of times from which on the upper end of a mean is known: times are skewed to the right.
_FEWEST_FOR_A_MEAN = 200

#: The variance of a binomial from which on the Cornish-Fisher expansion is exact to a fraction of a rank.
_LARGE_VARIANCE = 500.0

#: The distance, in ranks, within which the expansion mostly is of what it expands.
_NEAR = 0.25

Number = TypeVar("Number", bound=np.number[Any])

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]


class CountedTimes(Protocol):
    """A distribution of times, counted in buckets of ascending times."""

    @property
    def sum_ns(self) -> int:
        """The sum of all times."""

    def bucket_counts(self) -> tuple[Integers, Integers]:
        """Return the buckets that are not empty, ascending, and the number of times in each."""

    def bucket_bounds_ns(self, buckets: Integers) -> tuple[Integers, Integers]:
        """Return the shortest and the longest time of each bucket."""


@dataclass(frozen=True)
class SecondOfTimes:
    """The times of a second, and the number of those that are known only to be longer than all others."""

    times: CountedTimes
    censored: int = 0


@dataclass(frozen=True)
class Interval:
    """The bounds of a figure, in its unit. An end is None if it lies beyond what is known."""

    low: float | None
    high: float | None


@dataclass(frozen=True)
class Certainty:
    """The interval of a figure.

    `reason` says why there is none, or why an end is not known; it is empty where both are. `needed_s` is the number of
    seconds of a run that would probably know both; None if no length would, or nobody knows.
    """

    interval: Interval | None
    reason: str = ""
    needed_s: float | None = None


#: The reason why an upper end is not known that a longer run would know.
TOO_SHORT = "the run is too short for an upper end"


@dataclass(frozen=True)
class JoinedSeconds:
    """The times of successive whole seconds in a few arrays.

    Entry by entry, `buckets` and `counts` have a bucket and the number of times in it: those of the first second come
    first, in any order. A bucket of a second may have several entries. Second by second, `entries` has the number of
    its entries, `censored` the number of times that are known only to be longer than all others, and `sums_ns` the sum
    of its times. `occupied` has all buckets, ascending, and `numbers` the number of times in each. `bounds` tells the
    bounds of buckets; None of nothing.
    """

    buckets: Integers
    counts: Integers
    entries: Integers
    censored: Integers
    sums_ns: Numbers
    occupied: Integers
    numbers: Integers
    bounds: CountedTimes | None

    @classmethod
    def of(cls, seconds: Sequence[SecondOfTimes]) -> Self:
        """Return the seconds, joined."""
        parts = [second.times.bucket_counts() for second in seconds]
        empty = np.empty(0, dtype=np.int64)
        buckets = np.concatenate([empty, *(buckets for buckets, _ in parts)])
        counts = np.concatenate([empty, *(counts for _, counts in parts)])
        occupied, numbers = _added_up(buckets, counts)
        return cls(
            buckets=buckets,
            counts=counts,
            occupied=occupied,
            numbers=numbers,
            entries=np.array([len(buckets) for buckets, _ in parts], dtype=np.int64),
            censored=np.array([second.censored for second in seconds], dtype=np.int64),
            sums_ns=np.array([second.times.sum_ns for second in seconds], dtype=np.float64),
            bounds=seconds[0].times if seconds else None,
        )


@dataclass(frozen=True)
class SteadyTimes:
    """The times of the seconds of a steady window, ready for the intervals of several figures.

    `blocks` has the number of times of each block of seconds, those censored included, and `sums_ns` their sums. Entry
    by entry, `buckets` and `counts` have a bucket and the number of times in it. `ends` has the number of entries up to
    each block, and up to the end. `occupied` has all buckets, ascending, and `upto` the number of times up to the end
    of each.
    """

    seconds: int
    confidence: float
    blocks: Numbers
    censored: int
    sums_ns: Numbers
    buckets: Integers
    counts: Integers
    ends: Integers
    occupied: Integers
    upto: Integers
    bounds: CountedTimes | None

    @classmethod
    def of(cls, seconds: Sequence[SecondOfTimes], confidence: float = CONFIDENCE) -> Self:
        """Return the times of successive whole seconds."""
        return cls.of_joined(JoinedSeconds.of(seconds), confidence)

    @classmethod
    def of_joined(cls, seconds: JoinedSeconds, confidence: float = CONFIDENCE) -> Self:
        """Return the same of seconds that are joined already."""
        length = _block_length(len(seconds.entries))
        entries = _whole(seconds.entries, length)
        number = len(entries) // length
        left_out = len(seconds.buckets) - int(entries.sum())
        buckets, counts = seconds.buckets[left_out:], seconds.counts[left_out:]
        ends = np.concatenate(([0], np.cumsum(entries.reshape(-1, length).sum(axis=1))))
        occupied, numbers = seconds.occupied, seconds.numbers
        if left_out:
            occupied, numbers = _less(occupied, numbers, seconds.buckets[:left_out], seconds.counts[:left_out])
        censored = _per_block(_whole(seconds.censored, length), length)
        return cls(
            seconds=number * length,
            confidence=confidence,
            blocks=_between(counts, ends) + censored,
            censored=int(censored.sum()),
            sums_ns=_per_block(_whole(seconds.sums_ns, length), length),
            buckets=buckets,
            counts=counts,
            ends=ends,
            occupied=occupied,
            upto=np.cumsum(numbers),
            bounds=seconds.bounds,
        )

    @property
    def number(self) -> int:
        """The number of times, those censored included."""
        return int(self.blocks.sum())

    def percentile(self, percent: float) -> Certainty:
        """Return the interval of a percentile (0 to 100), in nanoseconds."""
        if lack := self._lack():
            return lack
        share = percent / 100
        lower = [anchor / 100 for anchor in _ANCHORS if anchor < percent]
        effective = min(self._effective_below(each) for each in (*lower, share))
        low_share, high_share = _shares(share, effective, self.confidence)
        low = self._time_at(low_share)
        high = None if high_share is None else self._time_at(high_share)
        low_ns = None if low is None else float(low[0])
        high_ns = None if high is None else float(high[1])
        if high_share is None:
            needed = math.log((1 - self.confidence) / 2) / math.log(share)
            return self._too_short(Interval(low_ns, None), self.seconds * needed / effective)
        failures = "" if high_ns is not None else "it lies among failures, which have no time"
        return Certainty(Interval(low_ns, high_ns), failures)

    def mean(self) -> Certainty:
        """Return the interval of the mean, in nanoseconds; none if there were failures, which have no time."""
        if lack := self._lack():
            return lack
        if self.censored:
            return Certainty(None, "there were failures, which have no time: the mean of all is not known")
        mean_ns = float(self.sums_ns.sum()) / self.number
        variance = self._variance_of_times()
        residuals = self.sums_ns - mean_ns * self.blocks
        own = self._effective(residuals, variance * self.number) if variance > 0 else float(self.number)
        effective = min(own, *(self._effective_below(anchor / 100) for anchor in _ANCHORS))
        reach = NormalDist().inv_cdf((1 + self.confidence) / 2) * math.sqrt(variance / effective) / mean_ns
        # Means of skewed times are skewed as well: the interval of the logarithm is the better one.
        low_ns, high_ns = mean_ns * math.exp(-reach), mean_ns * math.exp(reach)
        if effective < _FEWEST_FOR_A_MEAN and own < self.number:
            return self._too_short(Interval(low_ns, None), self.seconds * _FEWEST_FOR_A_MEAN / effective)
        return Certainty(Interval(low_ns, high_ns))

    def below_median(self) -> Numbers:
        """Return for each block how many of its times do not exceed the median, less what its share would be."""
        return self._residuals_below(0.5)[0]

    def median_ns(self, first: int, until: int) -> int | None:
        """Return the median of the blocks from `first` up to, not including, `until`; None if it is among the censored.

        It is the longest time of its bucket.
        """
        within = slice(self.ends[first], self.ends[until])
        occupied, numbers = _added_up(self.buckets[within], self.counts[within])
        if not len(occupied) or self.bounds is None:
            return None
        upto = np.cumsum(numbers)
        rank = math.ceil(float(self.blocks[first:until].sum()) / 2)
        place = int(np.searchsorted(upto, rank))
        if place >= len(upto):
            return None
        _, longest = self.bounds.bucket_bounds_ns(occupied[place : place + 1])
        return int(longest[0])

    @cached_property
    def _known_effective(self) -> dict[float, float]:
        return {}

    def _lack(self) -> Certainty | None:
        if self.seconds < FEWEST_SECONDS:
            return _few_seconds(self.seconds)
        return None if self.number else Certainty(None, "there are no times")

    def _too_short(self, interval: Interval, needed_s: float) -> Certainty:
        needed_s = math.ceil(needed_s)
        return Certainty(interval, TOO_SHORT, needed_s)

    def _effective_below(self, share: float) -> float:
        """Return the effective number of times for the percentile of that share."""
        if share not in self._known_effective:
            residuals, found = self._residuals_below(share)
            self._known_effective[share] = self._effective(residuals, found * (1 - found) * self.number)
        return self._known_effective[share]

    def _residuals_below(self, share: float) -> tuple[Numbers, float]:
        """Return what each block has below the percentile of that share more than its part, and the exact share."""
        place = self._place(share)
        bucket = self.occupied[place] if place is not None else self.occupied[-1] if len(self.occupied) else 0
        below = _between(self.counts * (self.buckets <= bucket), self.ends)
        found = float(below.sum()) / self.number  # a bucket may have many times: its share is a little larger
        return below - found * self.blocks, found

    def _effective(self, residuals: Numbers, independent: float) -> float:
        """Return the effective number of times. `independent` is the variance of the sum of independent times."""
        return _effective_number(self.number, residuals, independent, self.confidence)

    def _place(self, share: float) -> int | None:
        """Return where in the levels the time is that this share of all does not exceed; None among the censored."""
        rank = max(1, math.ceil(share * self.number - 1e-9))
        place = int(np.searchsorted(self.upto, rank))
        return place if place < len(self.occupied) else None

    def _time_at(self, share: float) -> tuple[int, int] | None:
        """Return the bounds of the bucket of the time that this share of all does not exceed."""
        place = self._place(share)
        if place is None or self.bounds is None:
            return None
        lows, highs = self.bounds.bucket_bounds_ns(self.occupied[place : place + 1])
        return int(lows[0]), int(highs[0])

    def _variance_of_times(self) -> float:
        assert self.bounds is not None, "there are times"
        lows, highs = self.bounds.bucket_bounds_ns(self.occupied)
        counts = np.diff(self.upto, prepend=0)
        middles = (lows + highs) / 2
        mean = float((middles * counts).sum()) / self.number
        return float((counts * (middles - mean) ** 2).sum()) / self.number


def share_interval(parts: Sequence[int], totals: Sequence[int], confidence: float = CONFIDENCE) -> Certainty:
    """Return the interval of a share (0 to 1), such as that of errors, from the counts of successive whole seconds.

    If there is none in any second, nothing shows how they would come in bursts: the upper end is then that of
    independent parts. Raises ValueError if there are more parts than in total.
    """
    number, part = sum(totals), sum(parts)
    if part > number:
        raise ValueError(f"{part} of {number}: a part is not more than the total")
    if len(totals) < FEWEST_SECONDS:
        return _few_seconds(len(totals))
    if not number:
        return Certainty(None, "there is nothing to have a share of")
    length = _block_length(len(totals))
    in_parts, in_total = (_per_block(_whole(np.asarray(numbers), length), length) for numbers in (parts, totals))
    share = part / number
    independent = share * (1 - share) * number
    effective = float(number)
    if independent > 0:
        residuals = in_parts - in_parts.sum() / max(1.0, in_total.sum()) * in_total
        effective = _effective_number(number, residuals, independent, confidence)
    return Certainty(Interval(*_share_bounds(share, effective, confidence)))


def rate_interval(counts: Sequence[int], confidence: float = CONFIDENCE) -> Certainty:
    """Return the interval of a rate per second, from the counts of successive whole seconds."""
    if len(counts) < FEWEST_SECONDS:
        return _few_seconds(len(counts))
    length = _block_length(len(counts))
    blocks = _per_block(_whole(np.asarray(counts), length), length)
    rate_per_s = float(blocks.sum()) / (len(blocks) * length)
    reach = spread_of_sum(blocks - blocks.mean(), confidence).reach(confidence) / (len(blocks) * length)
    return Certainty(Interval(max(0.0, rate_per_s - reach), rate_per_s + reach))


def _few_seconds(seconds: int) -> Certainty:
    reason = (
        f"the run is too short: its steady window has {seconds} whole seconds, at least {FEWEST_SECONDS} are needed"
    )
    return Certainty(None, reason, FEWEST_SECONDS)


def _block_length(seconds: int) -> int:
    """Return how many seconds a block has."""
    return max(1, math.ceil(seconds / _MOST_BLOCKS))


def _added_up(buckets: Integers, counts: Integers) -> tuple[Integers, Integers]:
    """Return the different buckets, ascending, and the number of times in each."""
    if not len(buckets):
        return buckets, counts
    least = buckets.min()
    numbers = np.bincount(buckets - least, counts).astype(np.int64)
    occupied = np.flatnonzero(numbers)
    return occupied + least, numbers[occupied]


def _less(occupied: Integers, numbers: Integers, buckets: Integers, counts: Integers) -> tuple[Integers, Integers]:
    """Return buckets that are occupied, and the number of times in each, without these entries."""
    taken = np.bincount(np.searchsorted(occupied, buckets), counts, minlength=len(occupied)).astype(np.int64)
    left = numbers - taken
    is_left = left > 0
    return occupied[is_left], left[is_left]


def _between(counts: Integers, ends: Integers) -> Numbers:
    """Return the sums of the counts between each end and the next."""
    found = np.zeros(len(ends) - 1)
    has_any = ends[1:] > ends[:-1]  # of nothing the sum would be what comes next
    if has_any.any():
        found[has_any] = np.add.reduceat(counts, ends[:-1][has_any])
    return found


def _whole(values: NDArray[Number], length: int) -> NDArray[Number]:
    """Return the values without the first ones that do not fill a block."""
    return values[len(values) % length :]


def _per_block(values: NDArray[Number], length: int) -> Numbers:
    blocks: Numbers = np.asarray(values, dtype=np.float64).reshape(-1, length).sum(axis=1)
    return blocks


def _effective_number(number: int, residuals: Numbers, independent: float, confidence: float) -> float:
    """Return how many independent values would have the spread that these residuals of blocks show.

    `independent` is the variance of the sum of independent values.
    """
    spread = spread_of_sum(residuals, confidence)
    design = max(1.0, spread.variance / independent) if independent > 0 else 1.0
    return number / design * _less_for_few(confidence, spread.degrees_of_freedom)


def _less_for_few(confidence: float, degrees_of_freedom: int) -> float:
    """Return the factor by which the uncertainty of the spread makes an effective number smaller."""
    return float((NormalDist().inv_cdf((1 + confidence) / 2) / t_quantile(confidence, degrees_of_freedom)) ** 2)


def _shares(share: float, number: float, confidence: float) -> tuple[float, float | None]:
    """Return the shares of independent times between which the percentile of `share` lies.

    The upper share is None if it lies beyond the greatest of so many times.
    """
    tail = (1 - confidence) / 2
    low = max(0.0, _fewest(share, number, 1 - tail) - 1) / number
    return low, None if share**number > tail else min(1.0, _fewest(share, number, tail) / number)


def _fewest(share: float, number: float, probability: float) -> float:
    """Return k so that at least k of `number` times lie below with that probability; between whole numbers as well."""
    variance = number * share * (1 - share)
    z = NormalDist().inv_cdf(1 - probability)
    middle = number * share + z * math.sqrt(variance) + (z * z - 1) * (1 - 2 * share) / 6 + 0.5
    if variance > _LARGE_VARIANCE:  # Cornish and Fisher 1938, with the correction for whole numbers
        return min(max(middle, 0.0), number)

    def is_below(k: float) -> bool:
        return binomial_at_least(k, number, share) > probability

    # The expansion is near, so that most halves of the whole range are known before they are looked at.
    surely, never = middle - _NEAR, middle + _NEAR
    surely, never = surely if is_below(surely) else -math.inf, never if not is_below(never) else math.inf
    low, high = 0.0, number
    while high - low > 1e-3:
        k = (low + high) / 2
        if k <= surely or (k < never and is_below(k)):
            low = k
        else:
            high = k
    return (low + high) / 2


def _share_bounds(share: float, number: float, confidence: float) -> tuple[float, float]:
    """Return the exact interval of a share of `number` independent trials (Clopper and Pearson 1934)."""
    tail = (1 - confidence) / 2
    successes = share * number

    def chance_at(is_upper: bool) -> float:
        low, high = 0.0, 1.0
        for _ in range(60):
            chance = (low + high) / 2
            above = binomial_at_least(successes + 1, number, chance) if is_upper else 0.0
            is_too_small = above < 1 - tail if is_upper else binomial_at_least(successes, number, chance) < tail
            low, high = (chance, high) if is_too_small else (low, chance)
        return (low + high) / 2

    return (0.0 if share <= 0 else chance_at(False)), (1.0 if share >= 1 else chance_at(True))
