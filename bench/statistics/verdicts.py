"""Verdicts: whether a change is claimed, among all benchmarks that were compared.

Rules of this file: numbers in, words out. A change is claimed if the whole interval is beyond the threshold and it is a
discovery by Benjamini and Hochberg (1995) among all benchmarks compared, against "no change at all". See `verdicts` for
the reason.
"""

import math
from collections.abc import Sequence
from typing import Literal

from bench.statistics.distributions import t_two_tails
from bench.statistics.estimates import Estimate

Verdict = Literal["slower", "faster", "same", "inconclusive"]

THRESHOLD = 0.005

FALSE_DISCOVERY_RATE = 0.005


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
    as the hypothesis the stricter level would hold at the threshold too, and many true changes would not be found
    (simulated in docs/measurements.md). So that a change *exceeds the threshold* (not only: that there
    is one) is said with the confidence of the interval, for each benchmark by itself.
    """
    found = discoveries([p_value(estimate) for estimate in estimates], rate)
    alone = [verdict(estimate, threshold) for estimate in estimates]
    return tuple(
        "inconclusive" if by_itself in ("slower", "faster") and not is_discovery else by_itself
        for by_itself, is_discovery in zip(alone, found, strict=True)
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
