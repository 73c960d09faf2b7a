"""The intervals of a load's figures on simulated queues whose truth is known: how often they contain it.

An M/M/1 queue answers in the order of arrival; arrivals and service times are random and forget the past. The time in
it has an exponential distribution with the mean 1 / (service rate - arrival rate) (Kleinrock 1975, "Queueing Systems",
volume 1, section 3.2). So every percentile is known. Each simulated run begins in the steady state.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.statistics.intervals import Interval, SecondOfTimes, SteadyTimes
from bench.timing.histogram import Histogram
from bench.timing.rates import NS_PER_S

#: The number of requests that the server answers in a second while it is busy.
_SERVICE_PER_S = 1_000
_LOADS = (0.5, 0.8, 0.95)
_SECONDS = (10, 30, 60, 120, 600, 1_800)
_FIGURES: tuple[float | None, ...] = (50.0, 90.0, 99.0, None)


@dataclass
class Coverage:
    """The intervals of a figure in all runs of a setting."""

    runs: int = 0
    given: int = 0
    covering: int = 0
    with_both_ends: int = 0
    covering_with_both_ends: int = 0
    half_widths: tuple[float, ...] = ()

    def add(self, interval: Interval | None, truth: float) -> None:
        """Count an interval."""
        self.runs += 1
        if interval is None:
            return
        self.given += 1
        low, high = interval.low, interval.high
        is_covering = (low is None or low <= truth) and (high is None or truth <= high)
        self.covering += is_covering
        if low is not None and high is not None:
            self.with_both_ends += 1
            self.covering_with_both_ends += is_covering
            self.half_widths += ((high - low) / 2 / truth,)


def queue(random: np.random.Generator, load: float, seconds: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the second of the end and the time in the queue, in nanoseconds, of each request of a run."""
    arrivals_per_s = load * _SERVICE_PER_S
    # The queue forgets its beginning at this pace (Cohen 1982, "The Single Server Queue", section III.4).
    lead_in_s = 10 / (_SERVICE_PER_S * (1 - math.sqrt(load)) ** 2)
    expected = (lead_in_s + seconds) * arrivals_per_s
    number = round(expected + 6 * math.sqrt(expected)) + 10
    gaps = random.exponential(1 / arrivals_per_s, number)
    services = random.exponential(1 / _SERVICE_PER_S, number)
    # Lindley 1952: who comes waits for what was left when the one before came, and its service, less the gap.
    steps = np.cumsum(np.concatenate([[0.0], services[:-1] - gaps[1:]]))
    times = steps - np.minimum.accumulate(steps) + services
    ends = np.cumsum(gaps) + times - lead_in_s
    is_within = (ends >= 0) & (ends < seconds)
    return ends[is_within].astype(np.int64), (times[is_within] * NS_PER_S).astype(np.int64)


def seconds_of(random: np.random.Generator, load: float, seconds: int) -> list[SecondOfTimes]:
    """Return the seconds of a run."""
    ended_in, times_ns = queue(random, load, seconds)
    found = []
    for second in range(seconds):
        times = Histogram()
        times.record(_of(ended_in, times_ns, second))
        found.append(SecondOfTimes(times))
    return found


def _of(ended_in: NDArray[np.int64], times_ns: NDArray[np.int64], second: int) -> NDArray[np.int64]:
    first, last = np.searchsorted(ended_in, [second, second + 1])  # first in, first out: the ends ascend
    return times_ns[first:last]


def coverages(load: float, seconds: int, runs: int, seed: int) -> Iterator[tuple[str, Coverage]]:
    """Yield the coverage of each figure."""
    random = np.random.default_rng(seed)
    found = [Coverage() for _ in _FIGURES]
    mean_ns = NS_PER_S / (_SERVICE_PER_S * (1 - load))
    for _ in range(runs):
        times = SteadyTimes.of(seconds_of(random, load, seconds))
        for percent, coverage in zip(_FIGURES, found, strict=True):
            known = times.mean() if percent is None else times.percentile(percent)
            truth_ns = mean_ns if percent is None else -math.log1p(-percent / 100) * mean_ns
            coverage.add(known.interval, truth_ns)
    for percent, coverage in zip(_FIGURES, found, strict=True):
        yield "mean" if percent is None else f"p{percent:g}", coverage


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.interval_coverage", description=__doc__)
    parser.add_argument("--runs", type=int, default=400, help="runs of each setting (400)")
    runs = parser.parse_args().runs
    print("An end that is not known counts as covering.")
    print("load  seconds  figure  covers  with both ends  of these cover  half width")
    for load in _LOADS:
        for seconds in _SECONDS:
            for name, coverage in coverages(load, seconds, runs if seconds < 600 else max(1, runs // 2), seed=1):
                ended = coverage.with_both_ends
                of_these = f"{coverage.covering_with_both_ends / ended:16.1%}" if ended else f"{'-':>16}"
                width = f"{np.median(coverage.half_widths):12.1%}" if ended else f"{'-':>12}"
                print(
                    f"{load:4.0%}{seconds:9,}{name:>8}{coverage.covering / max(1, coverage.given):8.1%}"
                    f"{ended / coverage.runs:16.0%}{of_these}{width}",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
