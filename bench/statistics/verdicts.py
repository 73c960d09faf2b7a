"""Verdicts: the changes that are claimed, among all benchmarks that were compared.

Rules of this file: numbers in, words out. A claimed change meets two conditions: the whole interval is beyond the
threshold, and the change is a discovery. Discoveries are those of Benjamini and Hochberg (1995) among all benchmarks
compared, against "no change at all". See `verdicts` for the reason.
"""

import math
from collections.abc import Sequence
from typing import Literal

from bench.statistics.distributions import t_two_tails
from bench.statistics.estimates import Estimate

Verdict = Literal["slower", "faster", "same", "inconclusive"]

#: The smallest change that counts, as a share: 0.5 %.
THRESHOLD = 0.005

#: The expected share of false discoveries: half of the 1 % that is promised, see `verdicts`.
FALSE_DISCOVERY_RATE = 0.005


def verdict(estimate: Estimate, threshold: float = THRESHOLD) -> Verdict:
    """Return the verdict of a single benchmark.

    It is slower or faster if the whole interval lies beyond the threshold, and same if it lies inside ±threshold. Else
    it is inconclusive. For several benchmarks, or if the time ran out before the precision, see `verdicts`.
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
    """Return the verdicts of all benchmarks of a comparison, in order. A change also has to be a discovery.

    A discovery is one by Benjamini and Hochberg at `rate`, in the family of all `estimates`, against no change at all.
    Without it, slower and faster become inconclusive. If nothing changed, every discovery is a false one, and the
    procedure makes any with a probability of at most `rate`. So it bounds the false alarms of a comparison as a whole
    (A/A), for any number of benchmarks and any time. The default is half of the promised 1 %, to leave room for what
    stopping early adds.

    An interval of ±h that lies beyond a threshold d lies (1 + d / h) times its own half width from no change. At the
    default precision and threshold that is 2.7 times, and such an interval is a discovery among dozens of benchmarks.
    The condition then costs no power, and decides only if time ran out and the interval is wide. The hypothesis could
    be |effect| <= d instead. Then the stricter level would apply at the threshold too, and many true changes would not
    be found (simulated in docs/measurements.md). So the verdict says that there is a change with the level of the
    family. That the change *exceeds the threshold* it says with the confidence of the interval, for each benchmark by
    itself.
    """
    found = discoveries([p_value(estimate) for estimate in estimates], rate)
    alone = [verdict(estimate, threshold) for estimate in estimates]
    return tuple(
        "inconclusive" if by_itself in ("slower", "faster") and not is_discovery else by_itself
        for by_itself, is_discovery in zip(alone, found, strict=True)
    )


def p_value(estimate: Estimate, threshold: float = 0.0) -> float:
    """Return the two-sided p-value of |effect| <= threshold, by Student's t against the nearer bound.

    It is below 1 - confidence exactly if the interval lies beyond the threshold. It is 1 if there is no interval.
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
    """Return for each hypothesis if it is rejected. A share of at most `rate` of these is expected to be true.

    Benjamini and Hochberg (1995), J. R. Statist. Soc. B 57, 289-300: with the p-values in ascending order, the
    procedure rejects all up to the last p-value that is at most rank / count * rate. It is valid for independent and
    positively dependent p-values (Benjamini and Yekutieli 2001, Ann. Statist. 29, 1165-1188). Benchmarks that ran on
    the same processes give such p-values.
    """
    ascending = sorted(p_values)
    limit = max((p for rank, p in enumerate(ascending, 1) if p <= rank / len(ascending) * rate), default=-1.0)
    return tuple(p <= limit for p in p_values)
