"""Quantiles and tails of probability distributions.

scipy has them too, but would add 100 MB to every installation; the tests compare these functions with scipy's.
"""

import math
from functools import lru_cache
from statistics import NormalDist

_NEARLY_NORMAL = 1e6  # degrees of freedom


@lru_cache(maxsize=4096)
def t_quantile(confidence: float, degrees_of_freedom: float) -> float:
    """Return the t that Student's variable stays within, on both sides, with probability `confidence`.

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
    """Return the probability that Student's variable is at least |t| away from 0.

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
    """Return the regularised I_x(a, b), y being 1 - x, by its continued fraction.

    The fraction is DLMF 8.17.22 (https://dlmf.nist.gov/8.17.v). It converges rapidly for x < (a + 1) / (a + b + 2). The
    function evaluates it from the front by Lentz's method as modified by Thompson and Barnett (1986, J. Comput. Phys.
    64, 490-509). For these x no denominator comes near 0.
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


def binomial_at_least(successes: float, trials: float, chance: float) -> float:
    """Return the probability of at least so many successes of independent trials, each with that chance.

    I_x(k, n - k + 1) (DLMF 8.17.5), which says it between whole numbers, too. Raises ValueError for a chance outside 0
    to 1.
    """
    if not 0 <= chance <= 1:
        raise ValueError(f"chance {chance}: expected a number from 0 to 1")
    if successes <= 0 or chance == 1:
        return 1.0
    if successes > trials or chance == 0:
        return 0.0
    a, b = successes, trials - successes + 1
    if chance < (a + 1) / (a + b + 2):
        return _incomplete_beta(chance, 1 - chance, a, b)
    return 1 - _incomplete_beta(1 - chance, chance, b, a)  # DLMF 8.17.4


def binomial_quantile(probability: float, trials: int, chance: float) -> int:
    """Return the smallest number of successes that is not exceeded with at least this probability.

    The successes are of `trials` independent trials that each succeed with `chance`. The distribution function is
    summed term by term, which is exact enough for hundreds of trials. Raises ValueError for a probability or chance
    outside 0 to 1.
    """
    if not (0 <= probability <= 1 and 0 <= chance <= 1):
        raise ValueError(f"probability {probability}, chance {chance}: expected numbers from 0 to 1")
    total = 0.0
    for successes in range(trials + 1):
        total += math.comb(trials, successes) * chance**successes * (1 - chance) ** (trials - successes)
        if total >= probability:
            return successes
    return trials
