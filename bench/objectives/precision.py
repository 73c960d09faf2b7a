"""Precisions as people type them for `--until`: `p99 ± 5 %`, `say: mean +- 2 %`.

Rules of this file: texts in, precisions or a `PrecisionError` of one line out. The form is
`[OPERATION: ]METRIC ± SHARE %`. Only figures that are estimated have an interval that gets narrower.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from bench.objectives.metrics import MetricError, checked_metric
from bench.objectives.model import Objective
from bench.printable import one_line
from bench.timing.durations import NUMBER

_EXAMPLE = "p99 ± 5 %"

#: The narrowest interval that can be asked for, as a share: times are stored with three digits.
NARROWEST = 0.001

# The operation is all up to the last colon before the metric.
_FORM = re.compile(r"(?:(?P<operation>.*\S)\s*:\s*)?(?P<metric>[^\s:±+]*)\s*(?:±|\+/?-)(?P<width>[^±]*)")
_SHARE = re.compile(rf"({NUMBER})\s*%")

#: The metrics that are estimated, beside the percentiles.
_ESTIMATED = ("mean", "throughput")


class PrecisionError(ValueError):
    """A precision that makes no sense. One line: which text, what is wrong with it, and what is expected."""


@dataclass(frozen=True)
class AskedPrecision:
    """A precision as it was asked for. `operation` is None if it names none.

    `share` is the half width of the figure's interval, as a share of the figure.
    """

    text: str
    metric: str
    share: float
    operation: str | None = None

    @property
    def figure(self) -> Objective:
        """The figure of which it speaks, as an objective has it; its limit means nothing."""
        unit = "per second" if self.metric == "throughput" else "µs"
        return Objective(self.text, self.metric, ">=", 0.0, unit, self.operation)  # type: ignore[arg-type]


def parse_precisions(texts: str | Iterable[str]) -> tuple[AskedPrecision, ...]:
    """Return the precisions of these texts, each with one or several, in order and each once. Raises PrecisionError."""
    found: dict[str, AskedPrecision] = {}
    for text in (texts,) if isinstance(texts, str) else texts:
        for part in text.split(";"):
            if part.strip():
                precision = parse_precision(part)
                found.setdefault(precision.text, precision)
    return tuple(found.values())


def parse_precision(text: str) -> AskedPrecision:
    """Return the precision of a text such as `say: p99 ± 5 %`. Raises PrecisionError."""
    text = " ".join(text.split())
    form = _FORM.fullmatch(text)
    if form is None:
        hint = " (a limit that has to hold is --slo)" if re.search("[<>≤≥]", text) else ""
        raise _error(text, f"expected METRIC ± SHARE %, as in '{_EXAMPLE}' or 'say: mean +- 2 %'{hint}")
    metric, width = form["metric"], form["width"].strip()
    if not metric:
        raise _error(text, f"it names no metric: expected one before the ±, as in '{_EXAMPLE}'")
    try:
        metric = checked_metric(metric)
    except MetricError as error:
        raise _error(text, str(error)) from None
    if metric not in _ESTIMATED and not metric[1:2].isdigit():
        raise _error(
            text, f"{metric} is counted, and gets no surer by a longer run: expected a percentile, mean or throughput"
        )
    share = _SHARE.fullmatch(width)
    if share is None:
        hint = f"{width} %" if re.fullmatch(NUMBER, width) else "5 %"
        raise _error(text, f"{width!r} is no share of the figure: expected one such as {hint}")
    value = float(Fraction(share[1]) / 100)
    if not NARROWEST <= value < 1:
        raise _error(text, f"{width} is out of range: expected from {NARROWEST:.1%} to less than 100 %")
    operation = form["operation"]
    return AskedPrecision(text, metric, value, operation)


def _error(text: str, reason: str) -> PrecisionError:
    return PrecisionError(f"precision {one_line(text)!r}: {reason}")
