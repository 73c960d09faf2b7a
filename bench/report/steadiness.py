"""The certainty of the figures of a load, in a document: intervals, and what came of its tests and of `--until`.

Rules of this file: an interval has the unit of its times beside it, and an end that is not known is left open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bench.objectives.model import WidthUnit
from bench.report.document import Column, Note, Row, Table
from bench.report.formatting import UNKNOWN, DurationUnit, duration, duration_number, per_second, percent, unit_of
from bench.results.figure import Figure, figure
from bench.results.load import LoadResult, Operation
from bench.results.steadiness import KnownInterval, Precision, RunTest

_FIGURES = ("p50", "p90", "p99")

#: The words for a test that a run has failed, where there is room for few.
_FAILED = {
    "arrivals": "arrivals not as scheduled",
    "independence": "too short for its intervals",
    "stationarity": "not settled",
}


def interval_tables(result: LoadResult) -> Iterator[Table]:
    """Yield the table of the intervals of the operations' times, if any operation has intervals."""
    known = [
        operation
        for operation in result.operations
        if operation.intervals is not None and operation.intervals.p50 is not None
    ]
    if not known:
        return
    intervals = [_of_known_figure(operation, name) for operation in known for name in _FIGURES]
    unit = unit_of(Figure(end) for each in intervals if each for end in (each.low, each.high) if end is not None)
    confidence = next(operation.intervals.confidence for operation in known if operation.intervals is not None)
    yield Table(
        columns=(Column(f"{confidence:.0%} interval", "name"), *(Column(name, "range") for name in _FIGURES)),
        rows=tuple(
            Row((operation.label, *(_interval(_of_known_figure(operation, name), unit) for name in _FIGURES)))
            for operation in known
        ),
    )


def _of_known_figure(operation: Operation, name: str) -> KnownInterval | None:
    """Return the interval of a percentile; None where the percentile has no time and no limit, so no end is known."""
    times = operation.service_us if operation.response_us is None else operation.response_us
    found = figure(times, name)
    if found is not None and math.isinf(found.value):
        return None
    interval: KnownInterval | None = getattr(operation.intervals, name, None)
    return interval


def _interval(interval: KnownInterval | None, unit: DurationUnit) -> str:
    if interval is None:
        return UNKNOWN
    low, high = (None if end is None else duration_number(end, unit) for end in (interval.low, interval.high))
    if low is None or high is None:
        return f"> {low} {unit.name}" if low is not None else f"< {high} {unit.name}"
    return f"{low} to {high} {unit.name}"


def steadiness_notes(result: LoadResult) -> Iterator[Note]:
    """Yield the tests that the run has failed, and what came of the precisions that were asked for."""
    if result.service_loss is None:  # else the advice would be wrong
        for test in failed_tests(result.tests):
            yield Note(test.meaning, "warning")
    for precision in result.precisions:
        yield _precision(precision)


def failed_tests(tests: Sequence[RunTest]) -> list[RunTest]:
    """Return the tests that a run has failed."""
    return [test for test in tests if test.passed is False]


def said_of_tests(result: LoadResult) -> Iterator[str]:
    """Yield in few words what tests the run has failed."""
    if result.service_loss is None:
        yield from (_FAILED[test.name] for test in failed_tests(result.tests))


def _precision(precision: Precision) -> Note:
    if precision.is_reached:
        reached = "" if precision.reached is None else f": ± {width_text(precision.reached, precision.unit)}"
        return Note(f"as precise as asked, {precision.text}{reached}")
    # Of a figure that is not known, nobody can say that a longer run would know it.
    remedy = "" if precision.value is None else "; give a longer --run-time"
    reason = precision.reason or "nobody knows how precise it is"
    return Note(f"not as precise as asked, {precision.text}: {reason}{remedy}", "warning")


def asked_text(precision: Precision) -> str:
    """Return the half width that was asked for: 5 %, 2.000 ms, 5/s."""
    asked = precision.asked
    return percent(asked) if precision.unit == "share" else width_text(asked, precision.unit)


def width_text(width: float, unit: WidthUnit) -> str:
    """Return the half width of an interval: a share in per cent with two digits, as 4.8 %, 24 % or 560 %."""
    if unit == "µs":
        return duration(Figure(width))
    if unit == "per second":
        return f"{per_second(width)}/s"
    share = float(f"{width * 100:.2g}")
    return f"{share:,.1f} %" if share < 10 else f"{share:,.0f} %"
