"""The tests of a load's steadiness on simulated runs: false alarms on healthy ones, and what is found in others.

And the stopping rule of `--until`: how often the interval of a run that it has ended contains the true figure.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.load.metrics.steadiness import PrecisionRule
from bench.results.steadiness import Precision
from bench.statistics.intervals import SteadyTimes
from bench.statistics.steadiness import (
    CHANGE_MARGIN,
    DISPERSION_MARGIN,
    FALSE_ALARMS,
    dispersion,
    independence,
    parts_of,
    trend,
)
from measurements.interval_coverage import queue, seconds_of

_LOADS = (0.5, 0.8, 0.95)
_SECONDS = (20, 60, 300)
_BINS_PER_S = 50

Moments = NDArray[np.float64]

#: The loads, figures and precisions with which runs are ended, and the longest time of a run in seconds.
_UNTIL = ((0.5, 90.0, 0.05, 150), (0.8, 50.0, 0.1, 150), (0.8, 99.0, 0.2, 300), (0.95, 50.0, 0.25, 300))


def times_alarms(load: float, seconds: int, runs: int, rises_by: float = 0.0) -> tuple[float, float]:
    """Return the shares of runs that fail for independence and for stationarity; the times may rise during a run."""
    random = np.random.default_rng(seconds + round(100 * load))
    dependent, unsteady = 0, 0
    for _ in range(runs):
        ended_in, times_ns = queue(random, load, seconds)
        times_ns = (times_ns * (1 + rises_by * ended_in / seconds)).astype(np.int64)
        number = np.bincount(ended_in, minlength=seconds)
        below = np.bincount(ended_in[times_ns <= np.median(times_ns)], minlength=seconds)
        parts = parts_of((below - below.sum() / number.sum() * number).tolist())
        assert parts is not None, "the runs are long enough"
        dependent += (independence(parts).p or 0.0) < FALSE_ALARMS
        quarter = seconds // 4
        change = np.median(times_ns[ended_in >= seconds - quarter]) / np.median(times_ns[ended_in < quarter]) - 1
        unsteady += bool((trend(parts).p or 0.0) < FALSE_ALARMS and abs(change) >= CHANGE_MARGIN)
    return dependent / runs, unsteady / runs


def arrivals_alarms(rate_per_s: float, seconds: int, runs: int, hold: Callable[[Moments], Moments]) -> float:
    """Return the share of runs whose random arrivals fail, as they are sent: `hold` makes the moments of sending."""
    random = np.random.default_rng(seconds + round(rate_per_s))
    expected = np.full(seconds * _BINS_PER_S, rate_per_s / _BINS_PER_S)
    failed = 0
    for _ in range(runs):
        sent_s = hold(np.sort(random.uniform(0, seconds, random.poisson(rate_per_s * seconds))))
        counts = np.bincount((sent_s * _BINS_PER_S).astype(np.int64), minlength=len(expected))[: len(expected)]
        found = dispersion(counts, expected, is_random=True)
        assert found is not None, "there are enough arrivals"
        assert found.p is not None, "random arrivals have a probability"
        failed += bool(found.p < FALSE_ALARMS and abs(found.statistic - 1) >= DISPERSION_MARGIN)
    return failed / runs


def stall(sent_s: Moments) -> Moments:
    """Return moments of a generator that stands still for 40 ms in each 200 ms, and then sends what waited."""
    begins = np.floor(sent_s * 5) / 5
    return np.where(sent_s - begins < 0.04, begins + 0.04, sent_s)


def ended_runs(load: float, percent: float, asked: float, longest_s: int, runs: int) -> tuple[float, float, float]:
    """Return the share of runs that `--until` ends, their median seconds, and the share whose interval covers."""
    random = np.random.default_rng(1)
    truth_ns = -math.log1p(-percent / 100) * 1e6 / (1 - load)
    lengths, covering = [], 0
    for _ in range(runs):
        seconds = seconds_of(random, load, longest_s)
        rule, length = PrecisionRule(), 10
        while length <= longest_s:
            times = SteadyTimes.of(seconds[:length])
            interval = times.percentile(percent).interval
            low, high = (None, None) if interval is None else (interval.low, interval.high)
            reached = math.inf if low is None or high is None else (high - low) / (high + low)
            found = Precision(text="t", metric="p", asked=asked, is_reached=reached <= asked)
            if rule.is_satisfied(length, [found]) and low is not None and high is not None:
                lengths.append(length)
                covering += low <= truth_ns <= high
                break
            length += max(2, length // 60)
    return len(lengths) / runs, float(np.median(lengths or [0])), covering / max(1, len(lengths))


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.steadiness", description=__doc__)
    parser.add_argument("--runs", type=int, default=400, help="runs of each setting (400)")
    runs = parser.parse_args().runs
    print("load  seconds  dependent  not settled  not settled, if times rise by 30 %")
    for load in _LOADS:
        for seconds in _SECONDS:
            dependent, unsteady = times_alarms(load, seconds, runs)
            _, rising = times_alarms(load, seconds, runs // 4, rises_by=0.3)
            print(f"{load:4.0%}{seconds:9}{dependent:11.1%}{unsteady:13.1%}{rising:14.0%}", flush=True)
    print("arrivals/s  seconds  not as scheduled  if the generator stands still for 40 ms in 200")
    for rate_per_s in (50, 500, 5_000):
        for seconds in (10, 60):
            healthy = arrivals_alarms(rate_per_s, seconds, runs, lambda sent_s: sent_s)
            stalling = arrivals_alarms(rate_per_s, seconds, runs // 4, stall)
            print(f"{rate_per_s:10,}{seconds:9}{healthy:18.1%}{stalling:14.0%}", flush=True)
    print("load  until        ended within  median  covers")
    for load, percent, asked, longest_s in _UNTIL:
        ended, length, covers = ended_runs(load, percent, asked, longest_s, runs // 4)
        print(
            f"{load:4.0%}  p{percent:g} ± {asked:.0%}{ended:9.0%} in{longest_s:4} s{length:6.0f} s{covers:8.0%}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
