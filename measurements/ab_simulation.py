"""The statistics of `bench ab` and `bench compare`, simulated: coverage of the interval, false alarms, power."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from bench.statistics.distributions import t_quantile
from bench.statistics.estimates import estimate, ratio_estimate
from bench.statistics.stopping import StoppingRule
from bench.statistics.verdicts import FALSE_DISCOVERY_RATE, THRESHOLD, discoveries, p_value, verdict, verdicts

Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Values]

_RESTARTS = 120
_SPREADS = (0.002, 0.005, 0.008, 0.011, 0.015)
_TRUTH = math.log1p(0.01)


def normal(random: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """Draw from a normal distribution of standard deviation 1."""
    return random.standard_normal(shape)


def heavy(random: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """Draw from Student's distribution with 3 degrees of freedom, of standard deviation 1."""
    return random.standard_t(3, shape) / math.sqrt(3)


def skewed(random: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """Draw from an exponential distribution of mean 0 and standard deviation 1."""
    return random.exponential(1, shape) - 1


def correlated(random: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """Draw series in which each value resembles the value before, with a correlation of 0.2."""
    values = random.standard_normal(shape)
    for place in range(1, shape[-1]):
        values[..., place] = 0.2 * values[..., place - 1] + math.sqrt(1 - 0.2**2) * values[..., place]
    return values


def outliers(share: float, width: float) -> Draw:
    """Return a draw of standard deviation 1: normal distributions mixed, a share of them `width` times as wide."""

    def draw(random: np.random.Generator, shape: tuple[int, ...]) -> Values:
        wide = np.where(random.random(shape) < share, width, 1.0)
        drawn: Values = random.standard_normal(shape) * wide / math.sqrt(1 - share + share * width**2)
        return drawn

    return draw


DRAWS: dict[str, Draw] = {
    "normal": normal,
    "Student's t, 3 degrees of freedom": heavy,
    "5 % outliers, 10 times as wide": outliers(0.05, 10),
    "10 % outliers, 5 times as wide": outliers(0.10, 5),
    "20 % outliers, 3 times as wide": outliers(0.20, 3),
}


def stopped_at(rule: StoppingRule, values: Values) -> NDArray[np.intp]:
    """Return how many restarts of each row the rule takes: all where it is never satisfied."""
    satisfied = rule.satisfied_after(values)
    satisfied[:, -1] = True
    counts: NDArray[np.intp] = satisfied.argmax(axis=1) + 1
    return counts


def coverage(draw: Draw, spread: float, runs: int, rule: StoppingRule) -> tuple[float, float]:
    """Return which share of the intervals has the truth in it, and the mean number of restarts."""
    values = spread * draw(np.random.default_rng(7), (runs, _RESTARTS))
    counts = stopped_at(rule, values)
    at = (np.arange(runs), counts - 1)
    sums, squares = values.cumsum(axis=1)[at], (values**2).cumsum(axis=1)[at]
    quantiles = np.array([math.inf, math.inf, *(t_quantile(0.95, count - 1) for count in range(2, _RESTARTS + 1))])
    reach = quantiles[counts] * np.sqrt((squares - sums**2 / counts) / (counts - 1) / counts)
    return float(np.mean(np.abs(sums / counts) <= reach)), float(counts.mean())


def false_alarms(benchmarks: int, spread: float, restarts: int, runs: int, draw: Draw = normal) -> float:
    """Return which share of comparisons of equal code calls any benchmark slower or faster.

    Half of the variance of their effects is that of the processes that they share.
    """
    random = np.random.default_rng(13)
    values = spread * math.sqrt(0.5) * (draw(random, (runs, 1, restarts)) + draw(random, (runs, benchmarks, restarts)))
    satisfied = np.all(StoppingRule().satisfied_after(values), axis=1)
    satisfied[:, -1] = True
    raised = 0
    for comparison, last in zip(values, satisfied.argmax(axis=1), strict=True):
        found = verdicts([estimate(benchmark[: last + 1]) for benchmark in comparison])
        raised += any(said in ("slower", "faster") for said in found)
    return raised / runs


def power(spread: float, runs: int) -> float:
    """Return which share of comparisons finds a true change of 1 %."""
    values = _TRUTH + spread * normal(np.random.default_rng(15), (runs, 2 * _RESTARTS))
    counts = stopped_at(StoppingRule(), values)
    found = [verdicts([estimate(row[:count])]) for row, count in zip(values, counts, strict=True)]
    return sum(said == ("slower",) for said in found) / runs


def power_in_six(spread: float, threshold: float, runs: int) -> float:
    """Return the share of comparisons of six benchmarks that find a true change of 1 % in one of them.

    A discovery is against the hypothesis of a change of at most `threshold`.
    """
    random = np.random.default_rng(17)
    found = 0
    for _ in range(runs):
        values = spread * normal(random, (6, 2 * _RESTARTS)) + _TRUTH * np.array([[1], [0], [0], [0], [0], [0]])
        satisfied = np.all(StoppingRule().satisfied_after(values), axis=0)
        count = int(satisfied.argmax()) + 1 if satisfied.any() else values.shape[1]
        estimates = [estimate(row[:count]) for row in values]
        is_discovery = discoveries([p_value(row, threshold) for row in estimates], FALSE_DISCOVERY_RATE)[0]
        found += is_discovery and verdict(estimates[0]) == "slower"
    return found / runs


def stored_coverage(runs_a_side: int, runs: int) -> float:
    """Return which share of the intervals between stored results has the truth in it."""
    random = np.random.default_rng(16)
    covered = 0
    for _ in range(runs):
        sides = [
            [random.normal(0, 0.009) + random.normal(0, 0.004, 5) for _ in range(runs_a_side)] for _ in ("old", "new")
        ]
        found = ratio_estimate(*sides, between_runs=0.009)
        covered += found.low is not None and found.high is not None and found.low <= 0 <= found.high
    return covered / runs


def _lines(runs: int) -> Iterable[str]:
    rule = StoppingRule()
    found = {(name, spread): coverage(draw, spread, runs, rule) for name, draw in DRAWS.items() for spread in _SPREADS}
    for name in DRAWS:
        cells = "  ".join(f"{found[name, spread][0]:.1%}" for spread in _SPREADS)
        yield f"coverage, {name} (spreads {', '.join(f'{spread:.1%}' for spread in _SPREADS)}): {cells}"
    shares = [share for share, _ in found.values()]
    yield f"coverage over all of these: {min(shares):.1%} to {max(shares):.1%}"
    plain = StoppingRule(confirming_replicates=0)
    worst = min(coverage(normal, spread, runs, plain)[0] for spread in _SPREADS)
    yield f"coverage if it stops as soon as the interval is narrow, at worst: {worst:.1%}"
    for name, one_rule in (("with", rule), ("without", plain)):
        yield f"restarts at a spread of 0.9 %, {name} confirmation: {coverage(normal, 0.009, runs, one_rule)[1]:.0f}"
    for name, draw in (("each restart like the one before, correlation 0.2", correlated), ("exponential", skewed)):
        yield f"coverage, {name}: {coverage(draw, 0.009, runs, rule)[0]:.1%}"
    few = max(200, runs // 10)
    yield f"equal code said to differ, 6 benchmarks, precise: {false_alarms(6, 0.009, _RESTARTS, few // 4):.2%}"
    for benchmarks in (1, 6):
        share = false_alarms(benchmarks, 0.05, 10, few)
        yield f"equal code said to differ, {benchmarks} benchmarks, time ran out after 10 restarts: {share:.2%}"
    for spread in (0.004, 0.009, 0.014):
        yield f"a true 1 % found, spread {spread:.1%}: {power(spread, few):.1%}"
    for threshold, words in ((0.0, "no change"), (THRESHOLD, "at most the threshold")):
        share = power_in_six(0.009, threshold, few)
        yield f"a true 1 % found in one of six benchmarks, against the hypothesis of {words}: {share:.1%}"
    for runs_a_side in (2, 3, 5):
        yield f"coverage of stored results, {runs_a_side} runs a side: {stored_coverage(runs_a_side, few):.1%}"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.ab_simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=40_000, help="comparisons for each condition (40000)")
    for line in _lines(parser.parse_args().runs):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
