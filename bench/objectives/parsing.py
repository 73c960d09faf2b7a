"""Objectives as people type them: `p99 < 50 ms`, `say: errors < 0.1 %`, `throughput >= 400/s`.

Rules of this file: texts in, objectives or an `ObjectiveError` of one line out. The form is
`[OPERATION: ]METRIC RELATION LIMIT`. An operation's name may contain anything, also a colon. Several objectives in a
text have a semicolon between them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from fractions import Fraction

from bench.objectives.metrics import MetricError, checked_metric
from bench.objectives.model import FAILURE_METRICS, Objective, ObjectiveUnit, Relation
from bench.printable import one_line
from bench.timing.durations import NUMBER, DurationError, exact, parse_duration

#: An example of a percentile for messages, and of a whole objective.
_EXAMPLE = "p99 < 50 ms"

_RELATIONS: dict[str, Relation] = {"<": "<", "<=": "<=", "≤": "<=", ">": ">", ">=": ">=", "≥": ">="}

# The operation is all up to the last colon before the metric.
_FORM = re.compile(
    r"(?:(?P<operation>.*\S)\s*:\s*)?(?P<metric>[^\s:<>=≤≥]*)\s*(?P<relation><=|>=|[<>≤≥])(?P<limit>[^<>≤≥]*)"
)
_NUMBER = re.compile(NUMBER)
_SHARE = re.compile(rf"({NUMBER})\s*%")
_RATE = re.compile(rf"({NUMBER})\s*/\s*s(?:ec|econd)?")


class ObjectiveError(ValueError):
    """An objective that makes no sense. One line: which text, what is wrong with it, and what is expected."""


def parse_objectives(texts: str | Iterable[str]) -> tuple[Objective, ...]:
    """Return the objectives of these texts, each with one or several, in order and each once. Raises ObjectiveError."""
    found: dict[str, Objective] = {}
    for text in (texts,) if isinstance(texts, str) else texts:
        for part in text.split(";"):
            if part.strip():
                objective = parse_objective(part)
                found.setdefault(objective.text, objective)
    return tuple(found.values())


def parse_objective(text: str) -> Objective:
    """Return the objective of a text such as `say: p99 < 50 ms`. Raises ObjectiveError."""
    text = " ".join(text.split())
    form = _FORM.fullmatch(text)
    if form is None:
        equals = " ('=' is no relation: write <, <=, > or >=)" if "=" in text else ""
        raise _error(text, f"expected METRIC < LIMIT, as in '{_EXAMPLE}' or 'say: errors < 0.1 %'{equals}")
    metric, relation, limit = form["metric"], _RELATIONS[form["relation"]], form["limit"].strip()
    metric = _checked_metric(text, metric)
    value, unit = _limit(text, metric, limit)
    operation = form["operation"]
    if metric == "connects" and operation not in (None, "connect"):
        raise _error(text, f"connects counts the attempts of all users: leave {one_line(operation)!r} out")
    objective = Objective(text, metric, relation, value, unit, operation)
    _refuse_impossible(objective)
    return objective


def _error(text: str, reason: str) -> ObjectiveError:
    return ObjectiveError(f"objective {one_line(text)!r}: {reason}")


def _checked_metric(text: str, metric: str) -> str:
    """Return the metric in the form in which it is stored. Raises ObjectiveError."""
    if not metric:
        raise _error(text, f"it names no metric: expected one before the limit, as in '{_EXAMPLE}'")
    try:
        return checked_metric(metric)
    except MetricError as error:
        raise _error(text, str(error)) from None


def _limit(text: str, metric: str, limit: str) -> tuple[float, ObjectiveUnit]:
    """Return the limit in its unit, and the unit. Raises ObjectiveError."""
    if metric == "throughput":
        if rate := _RATE.fullmatch(limit):
            return float(rate[1]), "per second"
        raise _error(text, f"{limit!r} is no rate: expected a number per second, as in 400/s")
    if metric in (*FAILURE_METRICS, "connects"):
        if share := _SHARE.fullmatch(limit):
            return float(Fraction(share[1]) / 100), "share"
        if limit.isdecimal():
            return float(limit), "count"
        hint = f"; {limit} % is a share" if _NUMBER.fullmatch(limit) else ""
        raise _error(text, f"{limit!r} is neither a share, as in 0.1 %, nor a whole number{hint}")
    try:
        seconds = parse_duration(limit)
    except DurationError:
        raise _error(text, f"{limit!r} is no time: expected one with its unit, as in 50 ms") from None
    if _NUMBER.fullmatch(limit):
        raise _error(text, f"the limit has no unit: expected a time such as {limit} ms")
    if not math.isfinite(seconds):
        raise _error(text, f"{limit!r} is too long")
    return float(exact(seconds) * 10**6), "µs"


def _refuse_impossible(objective: Objective) -> None:
    """Raise ObjectiveError for an objective that no run could meet."""
    least, most = 0.0, 1.0 if objective.unit == "share" else math.inf
    best = least if objective.is_upper_limit else most
    if not objective.holds(best) and math.isfinite(best):
        raise _error(objective.text, "no run could meet it")
    worst = most if objective.is_upper_limit else least
    if math.isfinite(worst) and objective.holds(worst):
        raise _error(objective.text, "every run would meet it")
