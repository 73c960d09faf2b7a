"""Precisions as people type them for `--until`: `p99 ± 5 %`, `p99 ± 2 ms`, `say: mean +- 2 %`.

Rules of this file: texts in, precisions or a `PrecisionError` of one line out. The form is
`[OPERATION: ]METRIC ± WIDTH`. A width is a share of the figure, or has the figure's own unit. Only figures that are
estimated have an interval that gets narrower. An error proposes nothing that would be refused in its turn.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from bench.objectives.metrics import MetricError, Refusal, checked_metric, is_time, nothing_refused
from bench.objectives.model import Objective, WidthUnit
from bench.printable import one_line
from bench.timing.durations import NUMBER, DurationError, exact, parse_duration

#: The narrowest interval that can be asked for, as a share: times are stored with three digits.
NARROWEST = 0.001

# The operation is all up to the last colon before the metric.
_FORM = re.compile(r"(?:(?P<operation>.*\S)\s*:\s*)?(?P<metric>[^\s:±+]*)\s*(?:±|\+/?-)(?P<width>[^±]*)")
_SHARE = re.compile(rf"({NUMBER})\s*%")
_RATE = re.compile(rf"({NUMBER})\s*/\s*s(?:ec|econd)?")

#: The metrics that are estimated, beside the percentiles.
_ESTIMATED = ("mean", "throughput")


class PrecisionError(ValueError):
    """A precision that makes no sense. One line: which text, what is wrong with it, and what is expected."""


@dataclass(frozen=True)
class AskedPrecision:
    """A precision as it was asked for. `operation` is None if it names none.

    `width` is the half width of the figure's interval: as a share of the figure, or in microseconds or per second.
    """

    text: str
    metric: str
    width: float
    operation: str | None = None
    unit: WidthUnit = "share"

    @property
    def figure(self) -> Objective:
        """The figure of which it speaks, as an objective has it; its limit means nothing."""
        unit = "per second" if self.metric == "throughput" else "µs"
        return Objective(self.text, self.metric, ">=", 0.0, unit, self.operation)  # type: ignore[arg-type]


def parse_precisions(texts: str | Iterable[str], refused: Refusal = nothing_refused) -> tuple[AskedPrecision, ...]:
    """Return the precisions of these texts, each with one or several, in order and each once.

    `refused` says why a figure gets no surer here. Raises PrecisionError.
    """
    found: dict[str, AskedPrecision] = {}
    for text in (texts,) if isinstance(texts, str) else texts:
        for part in text.split(";"):
            if part.strip():
                precision = parse_precision(part, refused)
                found.setdefault(precision.text, precision)
    return tuple(found.values())


def parse_precision(text: str, refused: Refusal = nothing_refused) -> AskedPrecision:
    """Return the precision of a text such as `say: p99 ± 5 %`.

    `refused` says why the figure of an operation gets no surer here. Raises PrecisionError.
    """
    text = " ".join(text.split())
    form = _FORM.fullmatch(text)
    if form is None:
        hint = " (a limit that has to hold is --slo)" if re.search("[<>≤≥]", text) else ""
        raise _error(text, f"{_expected(refused)}{hint}")
    metric, width, operation = form["metric"], form["width"].strip(), form["operation"]
    if not metric:
        raise _error(text, f"it names no metric: {_expected(refused)}")

    def why_not(operation: str | None, metric: str) -> str | None:
        if metric not in _ESTIMATED and not metric[1:2].isdigit():
            return (
                f"{metric} is counted, and gets no surer by a longer run: expected a percentile, mean or throughput"
                if refused(operation, "p99") is None
                else f"{metric} is counted, and gets no surer by a longer run"
            )
        return refused(operation, metric)

    try:
        metric = checked_metric(metric, operation, why_not)
    except MetricError as error:
        raise _error(text, str(error)) from None
    value, unit = _width(text, metric, width)
    return AskedPrecision(text, metric, value, operation, unit)


def _expected(refused: Refusal) -> str:
    has_times = refused(None, "p99") is None
    examples = "'p99 ± 5 %', 'p99 ± 2 ms' or 'say: mean +- 2 %'" if has_times else "'throughput ± 5 %'"
    return f"expected METRIC ± WIDTH, as in {examples}"


def _width(text: str, metric: str, width: str) -> tuple[float, WidthUnit]:
    """Return a half width in its unit, and the unit. Raises PrecisionError."""
    if share := _SHARE.fullmatch(width):
        value = float(Fraction(share[1]) / 100)
        if not NARROWEST <= value < 1:
            raise _error(text, f"{width} is out of range: expected from {NARROWEST:.1%} to less than 100 %, as in 5 %")
        return value, "share"
    found, unit, example = _absolute(metric, width)
    if found is None:
        typed = float(width) / 100 if re.fullmatch(NUMBER, width) else 0.0
        hint = f"{width} %" if NARROWEST <= typed < 1 else "5 %"
        raise _error(text, f"{width!r} is no width of it: expected a share such as {hint}, or {example}")
    if not 0 < found < math.inf:
        raise _error(text, f"{width} is out of range: expected a width such as {example.split(' such as ')[1]}")
    return found, unit


def _absolute(metric: str, width: str) -> tuple[float | None, WidthUnit, str]:
    """Return a half width in the unit of the metric, that unit, and an example; None if the text is none."""
    if not is_time(metric):
        rate = _RATE.fullmatch(width)
        return float(rate[1]) if rate else None, "per second", "a rate such as 5/s"
    example = "a time such as 2 ms"
    if re.fullmatch(NUMBER, width):
        return None, "µs", example
    try:
        return float(exact(parse_duration(width)) * 10**6), "µs", example
    except (DurationError, OverflowError, ValueError):
        return None, "µs", example


def _error(text: str, reason: str) -> PrecisionError:
    return PrecisionError(f"precision {one_line(text)!r}: {reason}")
