"""By how much one side is slower than the other, how sure that is, and when enough has been measured.

Rules of this file: numbers in, frozen dataclasses out; no I/O, no clock, no drawing of random numbers. Every formula
names its source. Inside, effects are natural logarithms of ratios new / old (or B / A), so that swapping the sides only
turns the sign; what people see is the relative change, ratio - 1, and a positive one is slower.

**Unit.** One number for each restart of the servers. The bursts of a restart share its processes, so that more of them
make that number steadier but never count as more replicates.

**Interval.** Student's t over the restarts.

**Stopping.** At a precision that was asked for, whatever the effect: the rule sees the spread of the values, never
their mean. Stopping as soon as the interval is narrow (Anscombe 1953; Chow and Robbins 1965, Ann. Math. Statist. 36,
457-462) favours the moments at which the spread is underestimated, and the 95 % interval then covers 93.3 % at worst. A
fixed number of further observations repairs it (Simons 1968, "On the cost of not knowing the variance when making a
fixed-width confidence interval for the mean", Ann. Math. Statist. 39, 1946-1952); here 4 restarts, after which the
interval has to be narrow again. Looking less often, a larger first look and inflating the variance by 1/n were tried
and repair less. Simulated (40,000 runs a condition; spreads of 0.2 to 1.5 % a restart; normal, Student's t with 3
degrees of freedom, and normal with 5, 10 or 20 % outliers 10, 5 or 3 times as wide) the 95 % interval covers 93.9 to
96.8 %. The price is 4 to 9 restarts: 40 instead of 35 at a spread of 0.9 %.

This holds for restarts that are independent and spread alike to both sides. Where each restart resembles the one before
(correlation 0.2) the interval covers 88 %, and where effects are as skewed as an exponential distribution 90 %.

**Several benchmarks.** A change is claimed if the whole interval is beyond the threshold and it is a discovery by
Benjamini and Hochberg (1995) among all benchmarks compared, against "no change at all". See `verdicts` for the reason.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Verdict = Literal["slower", "faster", "same", "inconclusive"]

CONFIDENCE = 0.95
PRECISION = 0.003
THRESHOLD = 0.005
MIN_REPLICATES = 10
CONFIRMING_REPLICATES = 4
FALSE_DISCOVERY_RATE = 0.005

_FEWEST_FOR_A_SPREAD = 2
_NEARLY_NORMAL = 1e6  # degrees of freedom


@dataclass(frozen=True)
class Estimate:
    """A relative change, ratio - 1, and how sure it is.

    `low` and `high` bound it with `confidence`, and `half_width` is how far they reach: the ratio times or divided by 1
    + half_width. These, `standard_error` (of the mean logarithm) and `degrees_of_freedom` are None where there are too
    few replicates for a spread. `replicates` counts the units: restarts, or of two stored sides those of the smaller
    one.
    """

    effect: float
    low: float | None
    high: float | None
    half_width: float | None
    standard_error: float | None
    degrees_of_freedom: float | None
    replicates: int
    confidence: float = CONFIDENCE


# --- one restart ----------------------------------------------------------------------------------------------------


def burst_effect(a_ns: ArrayLike, b_ns: ArrayLike) -> float:
    """Logarithm of the ratio B / A of the median round trips of two adjacent bursts, from their round trips in ns.

    Raises ValueError if a burst is empty or its median not positive.
    """
    medians = [float(np.median(_finite(burst, f"round trips of {side}"))) for side, burst in (("A", a_ns), ("B", b_ns))]
    if min(medians) <= 0:
        raise ValueError(f"medians of {medians[0]} and {medians[1]} ns: a round trip takes longer than nothing")
    return math.log(medians[1] / medians[0])


def restart_effect(log_ratios: ArrayLike) -> float:
    """The one number of a restart: the median of the log ratios of its pairs of bursts.

    In the order ABBA the second burst of a pair is B's and A's in turn, so that a linear drift adds as much to every
    other log ratio as it takes from the rest, and the median of an even number of pairs is free of it. A disturbance
    that hits some bursts only moves the median little. Raises ValueError if there is none.
    """
    return float(np.median(_finite(log_ratios, "log ratios")))


# --- over restarts --------------------------------------------------------------------------------------------------


def estimate(values: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """The mean of log effects, one a restart, with Student's t interval, as a relative change.

    A single value has no interval. Raises ValueError if there is none, or one is not finite.
    """
    effects = _finite(values, "effects")
    count = effects.size
    if count < _FEWEST_FOR_A_SPREAD:
        return _estimate(float(effects.mean()), None, None, count, confidence)
    standard_error = float(effects.std(ddof=1)) / math.sqrt(count)
    return _estimate(float(effects.mean()), standard_error, count - 1, count, confidence)


def ratio_estimate(
    old: Sequence[ArrayLike], new: Sequence[ArrayLike], *, between_runs: float, confidence: float = CONFIDENCE
) -> Estimate:
    """The change from old to new, each a list of runs, each run the log ratios to the control of its server processes.

    The processes of a run share the state of the machine at that time, so that they are a cluster. From two runs a
    side, its unit is the run: the variance of its mean is that between its runs' means, over their number, which
    contains whatever varies within runs, and needs no `between_runs`. A side of a single run tells nothing of how runs
    differ: its variance is that of its processes over their number, plus the square of `between_runs`, the standard
    deviation of the log ratio from run to run that was measured elsewhere (0.009: 0.9 %). That is taken as known: give
    it rather too large than too small. The sides are joined by Welch's t (1947, Biometrika 34, 28-35) with
    Satterthwaite's degrees of freedom (1946, Biometrics Bulletin 2, 110-114), where a known variance has infinitely
    many. So a comparison of two single runs is never surer than ± 1.96 x sqrt(2) x `between_runs`, however many
    processes each had. Two runs a side are mostly less sure than that, as two barely show how they spread; from about
    three it pays. With two or three the interval covers more than it says (simulated: 97.7 and 96.6 %).

    A side that is one process has no spread: there is no interval then. Raises ValueError if a side has no run, a run
    no process, or `between_runs` is negative.
    """
    if not (math.isfinite(between_runs) and between_runs >= 0):
        raise ValueError(f"between_runs is {between_runs}: a standard deviation is not negative")
    sides = [_side(old, "old", between_runs), _side(new, "new", between_runs)]
    effect = sides[1].mean - sides[0].mean
    units = min(side.units for side in sides)
    if units < _FEWEST_FOR_A_SPREAD:
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
    processes = [_finite(run, f"log ratios of an {name} run") for run in runs]
    clustered = len(processes) >= _FEWEST_FOR_A_SPREAD
    units = np.array([run.mean() for run in processes]) if clustered else processes[0]
    count = units.size
    estimated = float(units.var(ddof=1)) / count if count >= _FEWEST_FOR_A_SPREAD else 0.0
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


# --- when to stop ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoppingRule:
    """Enough is measured when the interval is within ±`precision`, and still is some restarts after it first was.

    Nothing is enough before `min_replicates`; the first precise interval is looked for from there, and
    `confirming_replicates` more have to follow it (see the top of this file). Raises ValueError for a rule that could
    never be met or that would stop without a spread.
    """

    precision: float = PRECISION
    min_replicates: int = MIN_REPLICATES
    confirming_replicates: int = CONFIRMING_REPLICATES
    confidence: float = CONFIDENCE

    def __post_init__(self) -> None:
        if not (math.isfinite(self.precision) and self.precision > 0):
            raise ValueError(f"a precision of {self.precision}: it has to be above 0, such as 0.003 for 0.3 %")
        if self.min_replicates < _FEWEST_FOR_A_SPREAD:
            raise ValueError(
                f"{self.min_replicates} replicates have no spread: at least {_FEWEST_FOR_A_SPREAD} are needed"
            )
        if self.confirming_replicates < 0:
            raise ValueError(f"{self.confirming_replicates} confirming replicates: it has to be 0 or more")

    def is_satisfied(self, values: ArrayLike) -> bool:
        """Whether these log effects, one a restart and in the order measured, are enough."""
        effects = np.asarray(values, dtype=float)
        return bool(effects.size and self.satisfied_after(effects)[-1])

    def satisfied_after(self, values: ArrayLike) -> NDArray[np.bool_]:
        """For each value along the last axis, whether it and those before it are enough. Shape as `values`."""
        effects = _finite(values, "effects")
        precise = self._precise_after(effects)
        number = np.arange(effects.shape[-1])
        first = np.where(precise.any(axis=-1), precise.argmax(axis=-1), effects.shape[-1])
        confirmed: NDArray[np.bool_] = precise & (number >= first[..., None] + self.confirming_replicates)
        return confirmed

    def replicates_to_go(self, values: ArrayLike) -> int:
        """How many more it will probably take, judging by the spread so far: for a progress bar. 0 when satisfied.

        With fewer than two values it is the least that the rule takes.
        """
        effects = np.asarray(values, dtype=float)
        if self.is_satisfied(effects):
            return 0
        count, precise = effects.size, np.zeros(0, dtype=bool)
        needed = self.min_replicates
        if count >= _FEWEST_FOR_A_SPREAD:
            needed = max(needed, self._replicates_for(float(effects.std(ddof=1))))
            precise = self._precise_after(effects)
        first = int(precise.argmax()) + 1 if precise.any() else max(needed, count + 1)
        return max(first + self.confirming_replicates, needed, count + 1) - count

    def _precise_after(self, effects: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether the interval of the values so far is within the precision and there are `min_replicates` of them.

        In logarithms, where the width does not depend on the effect.
        """
        count = np.arange(1, effects.shape[-1] + 1)
        deviations = effects - effects.mean(axis=-1, keepdims=True)  # sums of squares of these lose no digits
        squares = np.cumsum(deviations**2, axis=-1) - np.cumsum(deviations, axis=-1) ** 2 / count
        quantiles = np.array(
            [math.inf if n < self.min_replicates else t_quantile(self.confidence, n - 1) for n in count]
        )
        enough = count >= self.min_replicates
        reach = np.zeros(effects.shape)
        reach[..., enough] = quantiles[enough] * np.sqrt(
            np.maximum(squares[..., enough], 0) / ((count[enough] - 1) * count[enough])
        )
        precise: NDArray[np.bool_] = enough & (reach <= math.log1p(self.precision))
        return precise

    def _replicates_for(self, spread: float) -> int:
        """The fewest replicates whose interval is within the precision at a standard deviation of `spread`."""

        def is_wide(count: int) -> bool:
            return t_quantile(self.confidence, count - 1) * spread / math.sqrt(count) > math.log1p(self.precision)

        low, high = _FEWEST_FOR_A_SPREAD - 1, _FEWEST_FOR_A_SPREAD
        while is_wide(high):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if is_wide(middle) else (low, middle)
        return high


# --- verdicts -------------------------------------------------------------------------------------------------------


def verdict(estimate: Estimate, threshold: float = THRESHOLD) -> Verdict:
    """Slower or faster if the whole interval lies beyond the threshold, same if inside ±threshold, else inconclusive.

    This is one benchmark's; where several are compared, or the time ran out before the precision, see `verdicts`.
    """
    if estimate.low is None or estimate.high is None:
        return "inconclusive"
    if estimate.low > threshold:
        return "slower"
    if estimate.high < -threshold:
        return "faster"
    return "same" if -threshold <= estimate.low and estimate.high <= threshold else "inconclusive"


def verdicts(
    estimates: Sequence[Estimate], threshold: float = THRESHOLD, rate: float = FALSE_DISCOVERY_RATE
) -> tuple[Verdict, ...]:
    """The verdicts of all benchmarks of one comparison, in order: as `verdict`, but a change has to be a discovery too.

    A discovery by Benjamini and Hochberg at `rate`, in the family of all `estimates`, of the hypothesis of no change at
    all; without it slower and faster become inconclusive. Where nothing changed, every discovery is a false one, and
    the procedure makes any with a probability of at most `rate`: it bounds the false alarms of a comparison as a whole
    (A/A), however many benchmarks there are and however short the time was. The default is half of the 1 % that is
    promised, to leave room for what stopping early adds.

    An interval of ±h that lies beyond a threshold d lies (1 + d / h) times its own half width from no change. At the
    default precision and threshold that is 2.7 times, and such an interval is a discovery among dozens of benchmarks:
    the condition then costs no power, and decides only where time ran out and the interval is wide. With |effect| <= d
    as the hypothesis the stricter level would hold at the threshold too: simulated, a true 1 % in one of six benchmarks
    was then found in 70 % of comparisons instead of 97. So that a change *exceeds the threshold* (not only: that there
    is one) is said with the confidence of the interval, for each benchmark by itself.
    """
    found = discoveries([p_value(one) for one in estimates], rate)
    alone = [verdict(one, threshold) for one in estimates]
    return tuple(
        "inconclusive" if one in ("slower", "faster") and not is_discovery else one
        for one, is_discovery in zip(alone, found, strict=True)
    )


def p_value(estimate: Estimate, threshold: float = 0.0) -> float:
    """Two-sided p-value of the hypothesis |effect| <= threshold, by Student's t against the nearer bound.

    It is below 1 - confidence exactly where the interval lies beyond the threshold. 1 where there is no interval.
    """
    if estimate.standard_error is None or estimate.degrees_of_freedom is None:
        return 1.0
    bound = math.log1p(threshold if estimate.effect > 0 else -threshold)
    distance = math.log1p(estimate.effect) - bound if estimate.effect > 0 else bound - math.log1p(estimate.effect)
    if distance <= 0:
        return 1.0
    if estimate.standard_error == 0:
        return 0.0
    return t_two_tails(distance / estimate.standard_error, estimate.degrees_of_freedom)


def discoveries(p_values: Sequence[float], rate: float) -> tuple[bool, ...]:
    """Which hypotheses are rejected so that at most `rate` of the rejected ones are expected to be true.

    Benjamini and Hochberg (1995), J. R. Statist. Soc. B 57, 289-300: with the p-values in ascending order, all up to
    the last that is at most rank / count * rate. Valid for independent and positively dependent ones (Benjamini and
    Yekutieli 2001, Ann. Statist. 29, 1165-1188), as those of benchmarks that ran on the same processes.
    """
    ascending = sorted(p_values)
    limit = max((p for rank, p in enumerate(ascending, 1) if p <= rank / len(ascending) * rate), default=-1.0)
    return tuple(p <= limit for p in p_values)


def power(
    effect: float, sd: float, replicates: int, threshold: float = THRESHOLD, confidence: float = CONFIDENCE
) -> float:
    """Probability of the verdict *slower* for a true relative change `effect`, normal log effects and a fixed number.

    `sd` is the standard deviation of the log effect from restart to restart. The interval's lower end exceeds the
    threshold where a noncentral t variable exceeds Student's quantile (Owen 1968, Technometrics 10, 445-478): the
    normal probability given the sample's standard deviation, integrated over that. Raises ValueError for an `sd` that
    is not positive or fewer than two replicates.
    """
    if not sd > 0 or replicates < _FEWEST_FOR_A_SPREAD:
        raise ValueError(
            f"a standard deviation of {sd} over {replicates} replicates: above 0 and at least 2 are needed"
        )
    degrees = replicates - 1
    distance = (math.log1p(effect) - math.log1p(threshold)) * math.sqrt(replicates) / sd
    quantile = t_quantile(confidence, degrees)
    # u = sample / true standard deviation has the density c u^(degrees - 1) exp(-degrees u^2 / 2)
    u = (np.arange(4000) + 0.5) * (1 + 12 / math.sqrt(2 * degrees)) / 4000
    logarithm = (degrees - 1) * np.log(u) - degrees * (u**2 - 1) / 2
    density = np.exp(logarithm - logarithm.max())
    normal = np.array([math.erfc((quantile * one - distance) / math.sqrt(2)) / 2 for one in u])
    return float((density * normal).sum() / density.sum())


# --- Student's t ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def t_quantile(confidence: float, degrees_of_freedom: float) -> float:
    """The t that Student's variable stays within, on both sides, with probability `confidence`.

    Newton's method on `t_two_tails` from 0: that falls convexly, so the steps climb to the root and never pass it.
    Raises ValueError for a confidence outside 0 to 1 or degrees of freedom that are not positive.
    """
    n = degrees_of_freedom
    if not (0 < confidence < 1 and n > 0):
        raise ValueError(f"confidence {confidence} with {n} degrees of freedom: there is no such quantile")
    if n > _NEARLY_NORMAL:
        return NormalDist().inv_cdf((1 + confidence) / 2)
    density_at_0 = math.exp(math.lgamma((n + 1) / 2) - math.lgamma(n / 2)) / math.sqrt(n * math.pi)
    t, step = 0.0, math.inf
    while step > 1e-9 * t:  # the digits double with each step: after this one they are all there
        density = density_at_0 * math.exp(-(n + 1) / 2 * math.log1p(t * t / n))
        step = (t_two_tails(t, n) - (1 - confidence)) / (2 * density)
        t += step
    return t


def t_two_tails(t: float, degrees_of_freedom: float) -> float:
    """Probability that Student's variable is at least |t| away from 0.

    I_x(n/2, 1/2) with x = n / (n + t^2) for n degrees of freedom (Abramowitz and Stegun 26.7.1 and 26.5.27). Above a
    million degrees of freedom, up to infinitely many, the normal distribution, which differs by a millionth there.
    """
    n = degrees_of_freedom
    if t == 0:
        return 1.0
    if n > _NEARLY_NORMAL:
        return math.erfc(abs(t) / math.sqrt(2))
    a, b = n / 2, 0.5
    x, y = n / (n + t * t), t * t / (n + t * t)  # y is 1 - x without cancellation
    if x < (a + 1) / (a + b + 2):
        return _incomplete_beta(x, y, a, b)
    return 1 - _incomplete_beta(y, x, b, a)  # DLMF 8.17.4


def _incomplete_beta(x: float, y: float, a: float, b: float) -> float:
    """The regularised I_x(a, b), y being 1 - x, by its continued fraction, DLMF 8.17.22 (https://dlmf.nist.gov/8.17.v).

    It converges rapidly for x < (a + 1) / (a + b + 2). Evaluated from the front by Lentz's method as modified by
    Thompson and Barnett (1986, J. Comput. Phys. 64, 490-509); for these x no denominator comes near 0.
    """
    if x == 0:
        return 0.0
    fraction = numerator = 1.0
    denominator = 0.0
    step, factor = 0, 0.0
    while abs(factor - 1) > 1e-15:
        step += 1
        m = step // 2
        if step % 2:
            coefficient = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            coefficient = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        denominator = 1 / (1 + coefficient * denominator)
        numerator = 1 + coefficient / numerator
        factor = numerator * denominator
        fraction *= factor
    log_x = math.log(x) if x < 0.5 else math.log1p(-y)  # exact also where x is nearly 1 and a large
    scale = a * log_x + b * math.log(y) - (math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))
    return math.exp(scale) / (a * fraction)


def _finite(values: ArrayLike, what: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=float)
    if array.size == 0:
        raise ValueError(f"no {what}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} that are not finite numbers")
    return array
