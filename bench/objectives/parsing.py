"""Objectives as people type them: `p99 < 50 ms`, `say: errors < 0.1 %`, `throughput >= 400/s`.

Rules of this file: texts in, objectives or an `ObjectiveError` of one line out. The form is
`[OPERATION: ]METRIC RELATION LIMIT`. An operation's name may contain anything, also a colon. Several objectives in a
text have a semicolon between them. Whoever takes an objective may refuse its figure. So an error proposes nothing that
would be refused in its turn.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from fractions import Fraction

from bench.objectives.metrics import (
    BY_A_LOAD,
    MetricError,
    Refusal,
    RefusedMetricError,
    checked_metric,
    is_time,
    nothing_refused,
)
from bench.objectives.model import Objective, ObjectiveUnit, Relation
from bench.printable import one_line
from bench.timing.durations import NUMBER, DurationError, exact, parse_duration

#: Examples of an objective for messages: of a time, and of a share.
_EXAMPLE, _OF_SHARE = "p99 < 50 ms", "say: errors < 0.1 %"

_RELATIONS: dict[str, Relation] = {"<": "<", "<=": "<=", "≤": "<=", ">": ">", ">=": ">=", "≥": ">="}

# The operation is all up to the last colon before the metric.
_FORM = re.compile(
    r"(?:(?P<operation>.*\S)\s*:\s*)?(?P<metric>[^\s:<>=≤≥]*)\s*(?P<relation><=|>=|[<>≤≥])(?P<limit>[^<>≤≥]*)"
)
_RELATION = re.compile("[<>=≤≥]")
# Others write =, ==, =< or =>.
_WITH_EQUALS = re.compile(r"(?P<figure>(?:.*:\s*)?(?P<metric>[^\s:<>=≤≥]*))\s*=[=<>]?\s*(?P<limit>.*)")
_NUMBER = re.compile(NUMBER)
_SHARE = re.compile(rf"({NUMBER})\s*%")
_RATE = re.compile(rf"({NUMBER})\s*/\s*s(?:ec|econd)?")


class ObjectiveError(ValueError):
    """An objective that makes no sense. One line: which text, what is wrong with it, and what is expected.

    `reason` is the line without the text.
    """

    def __init__(self, reason: str, text: str | None = None) -> None:
        super().__init__(reason if text is None else f"objective {one_line(text)!r}: {reason}")
        self.reason = reason


def parse_objectives(texts: str | Iterable[str], refused: Refusal = nothing_refused) -> tuple[Objective, ...]:
    """Return the objectives of these texts, each with one or several, in order and each once.

    `refused` says why a figure is not to be had here. Raises ObjectiveError.
    """
    found: dict[str, Objective] = {}
    for text in (texts,) if isinstance(texts, str) else texts:
        for part in text.split(";"):
            if part.strip():
                objective = parse_objective(part, refused)
                found.setdefault(objective.text, objective)
    return tuple(found.values())


def parse_objective(text: str, refused: Refusal = nothing_refused) -> Objective:
    """Return the objective of a text such as `say: p99 < 50 ms`.

    `refused` says why an operation does not have a figure here. Raises ObjectiveError.
    """
    text = " ".join(text.split())
    form = _FORM.fullmatch(text)
    if form is None:
        raise _error(text, _other_relation(text, refused) or _expected(text, refused))
    relation, limit, operation = _RELATIONS[form["relation"]], form["limit"].strip(), form["operation"]
    metric = _checked_metric(text, form["metric"], operation, refused)
    if metric == "connects" and operation not in (None, "connect"):
        raise _error(text, f"connects counts the attempts of all users: leave {one_line(operation)!r} out")
    value, unit = _limit(text, metric, limit)
    objective = Objective(text, metric, relation, value, unit, operation)
    _refuse_impossible(objective, limit)
    return objective


def _error(text: str, reason: str) -> ObjectiveError:
    return ObjectiveError(reason, text)


def _other_relation(text: str, refused: Refusal) -> str | None:
    """Return what is wrong with an objective that has `=` for a relation; None of another text."""
    form = _WITH_EQUALS.fullmatch(text)
    if form is None or _RELATION.search(form["limit"]):
        return None
    relation = ">=" if form["metric"] in ("throughput", "connects") else "<="
    try:
        parse_objective(f"{form['figure']} {relation} {form['limit']}", refused)
    except ObjectiveError as error:
        return error.reason
    return f"'=' is no relation: write {relation}"


def _expected(text: str, refused: Refusal) -> str:
    """Return what is expected in place of a text that is no objective at all."""
    examples = {"p99": _EXAMPLE, "errors": _OF_SHARE}
    as_in = " or ".join(f"'{example}'" for metric, example in examples.items() if refused(None, metric) is None)
    hint = ""
    if re.search(r"±|\+/?-", text):
        hint = " (how sure a figure of a load has to be is --until)"
    return f"expected METRIC < LIMIT, as in {as_in}{hint}"


def _checked_metric(text: str, metric: str, operation: str | None, refused: Refusal) -> str:
    """Return the metric in the form in which it is stored. Raises ObjectiveError."""
    if not metric:
        raise _error(text, f"it names no metric: {_expected(text, refused)}")
    try:
        return checked_metric(metric, operation, refused)
    except RefusedMetricError as error:
        raise _error(text, f"{error}{_other_fault(text) if str(error).endswith(BY_A_LOAD) else ''}") from None
    except MetricError as error:
        raise _error(text, str(error)) from None


def _other_fault(text: str) -> str:
    """Return what else is wrong with an objective that belongs to another command."""
    try:
        parse_objective(text)
    except ObjectiveError as error:
        return f"; also, {error.reason}"
    return ""


def _limit(text: str, metric: str, limit: str) -> tuple[float, ObjectiveUnit]:
    """Return the limit in its unit, and the unit. Raises ObjectiveError."""
    if metric == "throughput":
        if rate := _RATE.fullmatch(limit):
            return float(rate[1]), "per second"
        raise _error(text, f"{limit!r} is no rate: expected a number per second, as in {_rate_like(limit)}")
    if not is_time(metric):
        if share := _SHARE.fullmatch(limit):
            return float(Fraction(share[1]) / 100), "share"
        if limit.isdecimal():
            return float(limit), "count"
        is_share = _NUMBER.fullmatch(limit) and 0 < float(limit) < 100
        hint = f"; {limit} % is a share" if is_share else ""
        raise _error(text, f"{limit!r} is neither a share, as in 0.1 %, nor a whole number{hint}")
    try:
        seconds = parse_duration(limit)
    except DurationError:
        raise _error(text, f"{limit!r} is no time: expected one with its unit, as in 50 ms") from None
    if _NUMBER.fullmatch(limit):
        example = limit if float(limit) else "50"
        raise _error(text, f"the limit has no unit: expected a time such as {example} ms")
    if not math.isfinite(seconds):
        raise _error(text, f"{limit!r} is too long")
    return float(exact(seconds) * 10**6), "µs"


def _rate_like(limit: str) -> str:
    """Return the rate that a limit without its unit probably is."""
    number = re.match(NUMBER, limit)
    return f"{number[0]}/s" if number and float(number[0]) else "400/s"


def _refuse_impossible(objective: Objective, limit: str) -> None:
    """Raise ObjectiveError for an objective that no run could meet, or that every run would meet."""
    least, most = 0.0, 1.0 if objective.unit == "share" else math.inf
    best = least if objective.is_upper_limit else most
    if not objective.holds(best) and math.isfinite(best):
        is_extreme = objective.limit == best and not objective.is_of_times
        hint = f": write {objective.relation}= {limit}" if is_extreme else ""
        raise _error(objective.text, f"no run could meet it{hint}")
    worst = most if objective.is_upper_limit else least
    if math.isfinite(worst) and objective.holds(worst):
        raise _error(objective.text, "every run would meet it")
