"""The change points of `bench trend`, simulated: false alarms, steps that are found, and where."""

from __future__ import annotations

import argparse
import math
import sys

import numpy as np
from numpy.typing import NDArray

from bench.statistics.change_points import change_points, level_changes, levels_between

_NOISE = 0.01
_STEP = math.log(1.05)
_ROWS = ((8, 4), (12, 9), (20, 10), (20, 18), (40, 20), (40, 38))


def noise(random: np.random.Generator, count: int, outliers: float, correlation: float = 0.0) -> NDArray[np.float64]:
    """Return deviations of 1 %, a share of them eight times as wide, with this correlation to the value before."""
    values = random.normal(0, _NOISE, count) * np.where(random.random(count) < outliers, 8, 1)
    for place in range(1, count):
        values[place] = correlation * values[place - 1] + math.sqrt(1 - correlation**2) * values[place]
    return values


def found_steps(count: int, place: int, outliers: float, series: int) -> tuple[float, float, float]:
    """Return the shares of series whose step is found, of these in the right place, and of these covered."""
    random = np.random.default_rng(count + place)
    found = right = covered = 0
    for _ in range(series):
        logs = noise(random, count, outliers) + np.where(np.arange(count) >= place, _STEP, 0)
        points = change_points(100 * np.exp(logs))
        found += bool(points)
        near = [number for number, point in enumerate(points) if abs(point.index - place) <= 1]
        if near:
            right += 1
            change = level_changes(levels_between(logs, points))[near[0]]
            covered += change.low is not None and change.high is not None and change.low <= 0.05 <= change.high
    return found / series, right / max(1, found), covered / max(1, right)


def false_alarms(count: int, series: int, correlation: float = 0.0) -> float:
    """Return the share of series without a step in which a step is found."""
    random = np.random.default_rng(count)
    return sum(bool(change_points(np.exp(noise(random, count, 0, correlation)))) for _ in range(series)) / series


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.trend_simulation", description=__doc__)
    parser.add_argument("--series", type=int, default=200, help="series of each row (200)")
    series = parser.parse_args().series
    print("results  step after  false alarms  found  right place  coverage   with outliers: found  right place")
    for count, place in _ROWS:
        found, right, covered = found_steps(count, place, 0, series)
        found_wild, right_wild, _ = found_steps(count, place, 0.1, series)
        print(
            f"{count:7}{place:12}{false_alarms(count, series):14.0%}{found:7.0%}{right:13.0%}{covered:10.0%}"
            f"{found_wild:24.0%}{right_wild:13.0%}",
            flush=True,
        )
    for correlation in (0.2, 0.4):
        share = false_alarms(25, series, correlation)
        print(f"25 results without a step, correlation {correlation}: {share:.0%} of the series get one", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
