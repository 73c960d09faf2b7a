"""Objectives in a document: a table of them, notes on those that are not met, and the answer in a sentence.

Rules of this file: a figure has the unit of its limit beside it. What was counted, and not estimated, has no interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bench.objectives.model import JudgedObjective, ObjectiveVerdict
from bench.objectives.outcome import worst
from bench.report.document import Column, Note, Row, Style, Table
from bench.report.formatting import FAILED, UNKNOWN, count, duration, duration_number, per_second, unit_of
from bench.results.figure import Figure

#: The style of a verdict, by which a format colours it.
STYLES: dict[ObjectiveVerdict, Style] = {
    "met": "better",
    "missed": "worse",
    "undecided": "inconclusive",
    "not judged": "wrong",
}

#: The words for a figure that was counted.
_COUNTED = "counted"


def objective_tables(judged: Sequence[JudgedObjective], *, by_operation: bool = False) -> Iterator[Table]:
    """Yield the table of the objectives, if there are any.

    With `by_operation` an objective has a row for each operation that it was judged on.
    """
    if not judged:
        return
    confidences = {f"{objective.confidence:.0%}" for objective in judged}
    interval = f"{confidences.pop()} interval" if len(confidences) == 1 else "interval"
    columns = (Column("objective", "name"), Column("figure"), Column(interval, "range"), Column("verdict", "verdict"))
    texts = list(dict.fromkeys(objective.text for objective in judged))
    ordered = sorted(judged, key=lambda objective: texts.index(objective.text))
    yield Table(columns, tuple(_row(objective, by_operation) for objective in ordered), leads=True)


def _row(objective: JudgedObjective, by_operation: bool) -> Row:
    name, group = objective.text, ""
    if by_operation and objective.operation and not name.startswith(f"{objective.operation}:"):
        name, group = objective.operation, objective.text
    cells = (name, figure_text(objective), interval_text(objective), objective.verdict)
    return Row(cells, STYLES[objective.verdict], group, reason=objective.reason or "")


def objective_notes(judged: Sequence[JudgedObjective]) -> Iterator[Note]:
    """Yield why objectives were not judged, or are undecided: once for all that have the same reason."""
    said: dict[tuple[str, ObjectiveVerdict, str], list[str]] = {}
    for objective in judged:
        if objective.reason is not None:
            key = objective.text, objective.verdict, objective.reason
            said.setdefault(key, []).append(objective.operation or "")
    for (text, verdict, reason), operations in said.items():
        several = f" for {len(operations)} benchmarks" if len(operations) > 1 else ""
        style: Style = "wrong" if verdict in ("missed", "not judged") else "warning"
        yield Note(f"objective {text}: {verdict}{several}: {reason}", style)


def answer(judged: Sequence[JudgedObjective], at: str = "") -> str:
    """Return what the objectives say of a run, in a sentence, with the figure that a reader has to know first.

    `at` says under which load the figure was measured.
    """
    first = worst(judged)
    assert first is not None, "there are objectives"
    figure, of = figure_text(first), f" of {first.operation}" if first.operation else ""
    known = f"{first.metric}{of} {figure}{at}" if figure != UNKNOWN else f"{first.metric}{of} unknown{at}"
    return f"{known}: {_verdicts(judged, first)}"


def _verdicts(judged: Sequence[JudgedObjective], first: JudgedObjective) -> str:
    """Return the verdicts in words, the worst before the others."""
    number = len(judged)
    if first.verdict == "met":
        return (
            "objective met" if number == 1 else "both objectives met" if number == 2 else f"all {number} objectives met"
        )
    alike = sum(objective.verdict == first.verdict for objective in judged)
    of = f" ({alike} of {number})" if number > 1 else ""
    missed = sum(objective.verdict == "missed" for objective in judged) if first.verdict == "not judged" else 0
    return f"objective {first.text!r} {first.verdict}{of}" + (f", {missed} missed" if missed else "")


def said_in_a_line(objective: JudgedObjective) -> str:
    """Return an objective and its verdict in a line, for a log: `p99 < 50 ms missed: p99 80.1 ms (79.0 to 81.2 ms)`."""
    of = f" of {objective.operation}" if objective.operation else ""
    interval = interval_text(objective)
    shown = "" if interval in (UNKNOWN, _COUNTED) else f" ({interval})"
    reason = f"; {objective.reason}" if objective.reason else ""
    figure = f"{objective.metric}{of} {figure_text(objective)}{shown}"
    return f"objective {objective.text!r} {objective.verdict}: {figure}{reason}"


def figure_text(objective: JudgedObjective) -> str:
    """Return the figure with its unit; > 10 s if only a bound is known.

    An undecided figure that falls among failures has no bound: the low end of its interval is of what did not fail.
    """
    if objective.value is not None:
        return _amount(objective, objective.value)
    if objective.unit != "µs" or objective.verdict == "not judged":
        return UNKNOWN
    is_bound = objective.high is None and objective.verdict != "undecided"
    return duration(Figure(objective.low, "above")) if objective.low is not None and is_bound else FAILED


def interval_text(objective: JudgedObjective) -> str:
    """Return the interval with its unit: 20.1 to 25.0 ms."""
    low, high = objective.low, objective.high
    if low is None and high is None:
        return UNKNOWN
    if low is None or high is None:
        if objective.value is None:
            return UNKNOWN
        return f"below {_amount(objective, high)}" if high is not None else f"above {_amount(objective, low or 0.0)}"
    if low == high:
        return _COUNTED
    if objective.unit == "µs":
        unit = unit_of([Figure(low), Figure(high)])
        return f"{duration_number(low, unit)} to {duration_number(high, unit)} {unit.name}"
    if objective.unit == "share":
        return f"{_percent(low).removesuffix(' %')} to {_percent(high)}"
    return f"{per_second(low)} to {per_second(high)}/s"


def _amount(objective: JudgedObjective, value: float) -> str:
    match objective.unit:
        case "µs":
            return duration(Figure(value))
        case "share":
            return _percent(value)
        case "per second":
            return f"{per_second(value)}/s"
        case "count":
            return count(round(value))


def _percent(share: float) -> str:
    """Return a share in per cent with three significant digits; those of 99.9 % are the digits that it lacks to 100."""
    percent = share * 100
    if percent in (0, 100) or not math.isfinite(percent):
        return f"{percent:g} %"
    lacking = min(percent, 100 - percent)
    digits = max(0, 1 - math.floor(math.log10(lacking)))
    return f"{percent:.{digits}f} %"
