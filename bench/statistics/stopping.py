"""The rule that says when enough has been measured.

Rules of this file: numbers in, numbers out. A measurement stops at a given precision, whatever the effect: the rule
sees the spread of the values, never their mean. A rule may stop as soon as the interval is narrow (Anscombe 1953; Chow
and Robbins 1965, Ann. Math. Statist. 36, 457-462). That favours the moments at which the spread is underestimated, and
the interval then covers less than it says. A fixed number of further observations repairs it (Simons 1968, "On the cost
of not knowing the variance when making a fixed-width confidence interval for the mean", Ann. Math. Statist. 39,
1946-1952). Here these are 4 restarts, after which the interval has to be narrow again. Looking less often, a larger
first look and inflating the variance by 1/n were tried and repair less.

The rule assumes restarts that are independent and spread alike to both sides. docs/measurements.md has simulations of
its coverage, also for restarts that are not.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.statistics.distributions import t_quantile
from bench.statistics.estimates import CONFIDENCE, FEWEST_FOR_A_SPREAD, finite

#: The half width at which an interval is narrow enough, as a share: 0.3 %.
PRECISION = 0.003

#: The number of restarts before which nothing is enough.
MIN_REPLICATES = 10
#: The number of restarts that follow the first narrow interval.
CONFIRMING_REPLICATES = 4


@dataclass(frozen=True)
class StoppingRule:
    """The rule for enough: the interval is within ±`precision`, and still is some restarts after it first was.

    Nothing is enough before `min_replicates`, and the rule looks for the first precise interval from there. It needs
    `confirming_replicates` more after that interval (see the top of this file). Raises ValueError for a rule that could
    never be met or that would stop without a spread.
    """

    precision: float = PRECISION
    min_replicates: int = MIN_REPLICATES
    confirming_replicates: int = CONFIRMING_REPLICATES
    confidence: float = CONFIDENCE

    def __post_init__(self) -> None:
        if not (math.isfinite(self.precision) and self.precision > 0):
            raise ValueError(f"a precision of {self.precision}: it has to be above 0, such as 0.003 for 0.3 %")
        if self.min_replicates < FEWEST_FOR_A_SPREAD:
            raise ValueError(
                f"{self.min_replicates} replicates have no spread: at least {FEWEST_FOR_A_SPREAD} are needed"
            )
        if self.confirming_replicates < 0:
            raise ValueError(f"{self.confirming_replicates} confirming replicates: it has to be 0 or more")

    def is_satisfied(self, values: ArrayLike) -> bool:
        """Return True if these log effects, one for each restart and in the order measured, are enough."""
        effects = np.asarray(values, dtype=float)
        return bool(effects.size and self.satisfied_after(effects)[-1])

    def satisfied_after(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Return for each value along the last axis if it and the values before it are enough. Shape as `values`."""
        effects = finite(values, "effects")
        precise = self._precise_after(effects)
        number = np.arange(effects.shape[-1])
        first = np.where(precise.any(axis=-1), precise.argmax(axis=-1), effects.shape[-1])
        confirmed: NDArray[np.bool_] = precise & (number >= first[..., None] + self.confirming_replicates)
        return confirmed

    def replicates_to_go(self, values: ArrayLike) -> int:
        """Return the number of further replicates that the rule will probably need; 0 if it is satisfied.

        The number follows from the spread so far, and is meant for a progress bar. With fewer than two values it is the
        least that the rule needs.
        """
        effects = np.asarray(values, dtype=float)
        if self.is_satisfied(effects):
            return 0
        count, precise = effects.size, np.zeros(0, dtype=bool)
        needed = self.min_replicates
        if count >= FEWEST_FOR_A_SPREAD:
            needed = max(needed, self._replicates_for(float(effects.std(ddof=1))))
            precise = self._precise_after(effects)
        first = int(precise.argmax()) + 1 if precise.any() else max(needed, count + 1)
        return max(first + self.confirming_replicates, needed, count + 1) - count

    def _precise_after(self, effects: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return for each number of values if their interval is within the precision and they are enough for a look.

        Enough are `min_replicates`. The function compares logarithms, because their width does not depend on the
        effect.
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
        """Return the fewest replicates whose interval is within the precision, for a standard deviation of `spread`."""

        def is_wide(count: int) -> bool:
            return t_quantile(self.confidence, count - 1) * spread / math.sqrt(count) > math.log1p(self.precision)

        low, high = FEWEST_FOR_A_SPREAD - 1, FEWEST_FOR_A_SPREAD
        while is_wide(high):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if is_wide(middle) else (low, middle)
        return high
