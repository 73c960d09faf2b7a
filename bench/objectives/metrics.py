"""The names of the figures that people ask about: in an objective, and in a precision.

Rules of this file: texts in, names out. Percentiles have their number in the name, and each has a single form.
"""

from __future__ import annotations

import re

from bench.mistyped import nearest
from bench.objectives.model import FAILURE_METRICS
from bench.timing.durations import NUMBER, exact, plain_decimal

#: The metrics that have a name; the others are percentiles.
NAMED_METRICS = ("mean", "max", *FAILURE_METRICS, "throughput", "connects")

_PERCENTILE = re.compile(rf"p({NUMBER})")


class MetricError(ValueError):
    """A name of which there is no metric. One line: what is wrong with it, and what is expected."""


def checked_metric(metric: str) -> str:
    """Return the metric in the form in which it is stored. Raises MetricError for a name that is not empty."""
    if metric in NAMED_METRICS:
        return metric
    if percentile := _PERCENTILE.fullmatch(metric):
        number = exact(float(percentile[1]))
        if not 0 < number < 100:
            # Others write p999 for p99.9.
            hint = f"did you mean p{metric[1:3]}.{metric[3:]}?" if re.fullmatch(r"p99\d+", metric) else ""
            expected = hint or "expected one between p0 and p100; the longest time is max"
            raise MetricError(f"{metric} is no percentile: {expected}")
        return f"p{plain_decimal(float(number))}"
    if metric == "delivered":
        raise MetricError("delivered is the share of a fan-out's deliveries, and no operation of this version has any")
    near = nearest(metric, {*NAMED_METRICS, "p50", "p90", "p99", "p99.9"})
    hint = f"did you mean {near}?" if near else f"expected a percentile such as p99, or {', '.join(NAMED_METRICS)}"
    raise MetricError(f"there is no metric {metric!r}: {hint}")
