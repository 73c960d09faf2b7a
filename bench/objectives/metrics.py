"""The names of the figures that people ask about: in an objective, and in a precision.

Rules of this file: texts in, names out. Percentiles have their number in the name, and each has a single form. Whoever
asks may refuse a figure that is not to be had there. No advice names such a figure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bench.mistyped import nearest
from bench.objectives.model import FAILURE_METRICS
from bench.timing.durations import NUMBER, exact, plain_decimal

#: The metrics that have a name; the others are percentiles.
NAMED_METRICS = ("mean", "max", *FAILURE_METRICS, "throughput", "connects")

#: The reason why a figure, of an operation or of none, is not to be had; None if it is.
Refusal = Callable[[str | None, str], str | None]

_PERCENTILE = re.compile(rf"p({NUMBER})")

#: The end of a refusal that sends to another command, in which the rest of the objective counts as well.
BY_A_LOAD = "judge it by `bench load`"

#: The percentiles that people mostly ask for: names that a mistyped one may stand for.
_USUAL = ("p50", "p90", "p99", "p99.9")

#: The names that others have for a figure.
_OTHER_NAMES = {"median": "p50", "average": "mean", "avg": "mean", "rps": "throughput", "rate": "throughput"}


class MetricError(ValueError):
    """A name of which there is no metric. One line: what is wrong with it, and what is expected."""


class RefusedMetricError(MetricError):
    """The name of a figure that is not to be had there. One line."""


def nothing_refused(_operation: str | None, _metric: str) -> str | None:
    """Refuse no figure."""
    return None


def is_time(metric: str) -> bool:
    """Return true of a metric that is a time: a percentile, mean or max."""
    return metric not in (*FAILURE_METRICS, "throughput", "connects")


def checked_metric(metric: str, operation: str | None = None, refused: Refusal = nothing_refused) -> str:
    """Return the metric in the form in which it is stored. Raises MetricError for a name that is not empty.

    Raises RefusedMetricError for a metric that `refused` does not let this operation have.
    """
    had = [name for name in (*NAMED_METRICS, *_USUAL) if refused(operation, name) is None]
    try:
        checked = _known(metric, had)
    except MetricError:
        is_percentile = _PERCENTILE.fullmatch(metric) is not None
        if had and (not is_percentile or any(name in had for name in _USUAL)):
            raise
        # Nobody can have such a figure of this operation, however it is spelt. So that comes first.
        elsewhere = [name for name in (*NAMED_METRICS, *_USUAL) if refused(None, name) is None]
        meant = ("p99" if is_percentile else _meant(metric, elsewhere), *elsewhere, *_USUAL)
        reasons = (refused(operation, name) for name in meant if name is not None)
        raise RefusedMetricError(next(filter(None, reasons))) from None
    if (reason := refused(operation, checked)) is not None:
        raise RefusedMetricError(reason)
    return checked


def _known(metric: str, had: Sequence[str]) -> str:
    """Return the metric in its single form. Raises MetricError, whose advice names only metrics that are `had`."""
    if metric in NAMED_METRICS:
        return metric
    some = ["a percentile such as p99"] if "p90" in had else [name for name in _USUAL if name in had]
    if percentile := _PERCENTILE.fullmatch(metric):
        number = exact(float(percentile[1]))
        if not 0 < number < 100:
            # Others write p999 for p99.9.
            meant = f"p{metric[1:3]}.{metric[3:]}" if re.fullmatch(r"p99\d+", metric) else ""
            if meant and ("p99.9" in had):
                raise MetricError(f"{metric} is no percentile: did you mean {meant}?")
            between = "one between p0 and p100" if "p90" in had else _or(some)
            longest = "; the longest time is max" if "max" in had else ""
            raise MetricError(f"{metric} is no percentile{': expected ' if between else ''}{between}{longest}")
        return f"p{plain_decimal(float(number))}"
    if metric == "delivered":
        raise MetricError("delivered is the share of a fan-out's deliveries, and no operation of this version has any")
    if (near := _meant(metric, had)) is not None:
        raise MetricError(f"there is no metric {metric!r}: did you mean {near}?")
    raise MetricError(
        f"there is no metric {metric!r}: expected {_or([*some, *(name for name in NAMED_METRICS if name in had)])}"
    )


def _meant(metric: str, known: Sequence[str]) -> str | None:
    """Return the metric that a name may stand for; None if there is none."""
    other = _OTHER_NAMES.get(metric.lower())
    return other if other in known else nearest(metric, known)


def _or(names: Sequence[str]) -> str:
    """Return names as a list in words: a, b, or c."""
    return ", or ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)
