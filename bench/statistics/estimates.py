"""Estimates of a relative change, with their confidence intervals.

Rules of this file: numbers in, frozen dataclasses out; no I/O, no clock, no drawing of random numbers. Every formula
names its source. Inside, effects are natural logarithms of ratios new / old (or B / A), so that swapping the sides only
turns the sign. People see the relative change, ratio - 1; a positive change is slower.

**Unit.** Each restart of the servers gives one number. The bursts of a restart share its processes, so that more bursts
make that number steadier but never count as more replicates.

**Interval.** Student's t over the restarts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.statistics.distributions import t_quantile

#: The probability with which an interval contains the true change.
CONFIDENCE = 0.95

#: The fewest values that have a standard deviation.
FEWEST_FOR_A_SPREAD = 2


@dataclass(frozen=True)
class Estimate:
    """A relative change, ratio - 1, and its certainty.

    `low` and `high` bound it with `confidence`. `half_width` is the reach of the interval: the ratio times or divided
    by 1 + half_width. These, `standard_error` (of the mean logarithm) and `degrees_of_freedom` are None with too few
    replicates for a spread. `replicates` counts the units: restarts, or for two stored sides the units of the smaller
    side.
    """

    effect: float
    low: float | None
    high: float | None
    half_width: float | None
    standard_error: float | None
    degrees_of_freedom: float | None
    replicates: int
    confidence: float = CONFIDENCE


def burst_effect(a_ns: ArrayLike, b_ns: ArrayLike) -> float:
    """Return the logarithm of B / A, the ratio of the median round trips of two adjacent bursts, given in ns.

    Raises ValueError if a burst is empty or its median not positive.
    """
    medians = [float(np.median(finite(burst, f"round trips of {side}"))) for side, burst in (("A", a_ns), ("B", b_ns))]
    if min(medians) <= 0:
        raise ValueError(f"medians of {medians[0]} and {medians[1]} ns: a round trip takes longer than nothing")
    return math.log(medians[1] / medians[0])


def restart_effect(log_ratios: ArrayLike) -> float:
    """Return the effect of a restart: the median of the log ratios of its pairs of bursts.

    In the order ABBA the second burst of a pair is B's and A's in turn. So a linear drift adds as much to every other
    log ratio as it takes from the rest. The median of an even number of pairs is free of the drift. A disturbance that
    hits only some bursts moves the median little. Raises ValueError if there are no log ratios.
    """
    return float(np.median(finite(log_ratios, "log ratios")))


def estimate(values: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """Return the mean of log effects, one effect for each restart, as a relative change with Student's t interval.

    A single value has no interval. Raises ValueError if there is no value, or if a value is not finite.
    """
    effects = finite(values, "effects")
    count = effects.size
    if count < FEWEST_FOR_A_SPREAD:
        return _estimate(float(effects.mean()), None, None, count, confidence)
    standard_error = float(effects.std(ddof=1)) / math.sqrt(count)
    return _estimate(float(effects.mean()), standard_error, count - 1, count, confidence)


def ratio_estimate(
    baseline: Sequence[ArrayLike],
    candidate: Sequence[ArrayLike],
    *,
    between_runs: float,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Return the change from baseline to candidate: lists of runs, a run the log ratios of its processes.

    These are ratios to the control. The processes of a run share the state of the machine at that time, so that they
    are a cluster. From two runs a side, the unit is the run. The variance of the side's mean is then the variance
    between its runs' means, over their number. This contains whatever varies within runs, and needs no `between_runs`.

    A side of a single run does not show how much runs differ. Its variance is that of its processes over their number,
    plus the square of `between_runs`. That is the standard deviation of the log ratio from run to run, measured
    elsewhere (0.009: 0.9 %). It is taken as known, so rather give too large a value than too small a value.

    Welch's t joins the sides (1947, Biometrika 34, 28-35), with Satterthwaite's degrees of freedom (1946, Biometrics
    Bulletin 2, 110-114). A known variance has infinitely many degrees of freedom. So a comparison of two single runs is
    never surer than ± 1.96 x sqrt(2) x `between_runs`, however many processes each run had. Two runs a side are mostly
    less sure than that, because two runs barely show their spread; from about three runs it pays. With two or three
    runs the interval covers more than it says (docs/measurements.md).

    A side that is a single process has no spread, so there is no interval. Raises ValueError if a side has no run, if a
    run has no process, or if `between_runs` is negative.
    """
    if not (math.isfinite(between_runs) and between_runs >= 0):
        raise ValueError(f"between_runs is {between_runs}: a standard deviation is not negative")
    sides = [_side(baseline, "old", between_runs), _side(candidate, "new", between_runs)]
    effect = sides[1].mean - sides[0].mean
    units = min(side.units for side in sides)
    if units < FEWEST_FOR_A_SPREAD:
        return _estimate(effect, None, None, units, confidence)
    variance = sum(side.estimated + side.known for side in sides)
    weight = sum(side.estimated**2 / (side.units - 1) for side in sides)
    return _estimate(effect, math.sqrt(variance), variance**2 / weight if weight else math.inf, units, confidence)


@dataclass(frozen=True)
class _Side:
    """The mean of one stored side, and the variance of that mean: estimated from `units`, and known beforehand."""

    mean: float
    estimated: float
    known: float
    units: int


def _side(runs: Sequence[ArrayLike], name: str, between_runs: float) -> _Side:
    if not runs:
        raise ValueError(f"no {name} run to compare")
    processes = [finite(run, f"log ratios of an {name} run") for run in runs]
    clustered = len(processes) >= FEWEST_FOR_A_SPREAD
    units = np.array([run.mean() for run in processes]) if clustered else processes[0]
    count = units.size
    estimated = float(units.var(ddof=1)) / count if count >= FEWEST_FOR_A_SPREAD else 0.0
    return _Side(float(units.mean()), estimated, 0.0 if clustered else between_runs**2, count)


def _estimate(
    log_effect: float, standard_error: float | None, degrees: float | None, replicates: int, confidence: float
) -> Estimate:
    if standard_error is None or degrees is None:
        return Estimate(math.expm1(log_effect), None, None, None, None, None, replicates, confidence)
    reach = t_quantile(confidence, degrees) * standard_error
    return Estimate(
        effect=math.expm1(log_effect),
        low=math.expm1(log_effect - reach),
        high=math.expm1(log_effect + reach),
        half_width=math.expm1(reach),
        standard_error=standard_error,
        degrees_of_freedom=degrees,
        replicates=replicates,
        confidence=confidence,
    )


def finite(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Return the values as an array. Raises ValueError if there are no values, or if a value is not finite."""
    array = np.asarray(values, dtype=float)
    if array.size == 0:
        raise ValueError(f"no {what}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} that are not finite numbers")
    return array
