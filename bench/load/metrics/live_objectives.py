"""The objectives of a load that goes on: their figures so far, without intervals. Pure.

An interval takes seconds to compute, which the generator does not have while it loads. So nothing is decided here: a
figure holds so far, or it does not. The result has the verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.load.metrics.live import LiveOperation
from bench.objectives.model import JudgedObjective, JudgedTimes, Objective
from bench.report.objectives import figure_text
from bench.results.load import CONNECT, SCHEDULED_KINDS, OperationKey

_NS_PER_US = 1e3

_UNDECIDED = "the result has the verdict"

LiveVerdict = Literal["holds so far", "does not hold so far", "no figure so far"]


@dataclass(frozen=True)
class LiveObjective:
    """An objective, whether it holds so far, and its figure with its unit."""

    text: str
    verdict: LiveVerdict
    figure: str
    reason: str = ""


def so_far(
    objectives: Sequence[Objective], operations: Mapping[OperationKey, LiveOperation], timeout_us: float
) -> list[LiveObjective]:
    """Return the objectives with their figures so far. `timeout_us` is the time that replies are awaited."""
    return [_so_far(objective, operations, timeout_us) for objective in objectives]


def _so_far(objective: Objective, operations: Mapping[OperationKey, LiveOperation], timeout_us: float) -> LiveObjective:
    work = LiveOperation()
    for operation in _chosen(objective, operations):
        work.add(operation)
    if objective.metric == "throughput":
        return LiveObjective(objective.text, "no figure so far", "", "the result has that of the whole window")
    if not (work.ok or work.failed or work.dropped):
        return LiveObjective(objective.text, "no figure so far", "")
    value = _time_us(objective, work, timeout_us) if objective.is_of_times else _number(objective, work)
    if value is None and not work.censored:
        return LiveObjective(objective.text, "no figure so far", "")
    # A time that falls among the failures is longer than any limit.
    holds = objective.holds(value) if value is not None else not objective.is_upper_limit
    verdict: LiveVerdict = "holds so far" if holds else "does not hold so far"
    return LiveObjective(objective.text, verdict, _figure(objective, work, value))


def _chosen(objective: Objective, operations: Mapping[OperationKey, LiveOperation]) -> Iterable[LiveOperation]:
    """Return the operations that an objective speaks of."""
    name = CONNECT if objective.metric == "connects" else objective.operation
    if name is None:
        return [operation for key, operation in operations.items() if key.kind in SCHEDULED_KINDS]
    labelled = [operation for key, operation in operations.items() if key.label == name]
    named = [operation for key, operation in operations.items() if key.name == name]
    return labelled or (named if len(named) == 1 else [])


def _time_us(objective: Objective, work: LiveOperation, timeout_us: float) -> float | None:
    times = work.shown
    if objective.percent is not None:
        value_ns: float | None = times.percentile_ns(objective.percent, work.censored)
    elif work.censored:
        return None
    else:
        value_ns = times.max_ns if objective.metric == "max" else times.mean_ns
    if value_ns is None or (work.censored and work.timeouts and value_ns / _NS_PER_US > timeout_us):
        return None
    return value_ns / _NS_PER_US


def _number(objective: Objective, work: LiveOperation) -> float | None:
    """Return a count, or the share that it is of what was sent, or was wanted."""
    counts = {"errors": work.errors, "timeouts": work.timeouts, "dropped": work.dropped, "connects": work.ok}
    if objective.metric not in counts:
        return None
    number = counts[objective.metric]
    if objective.unit == "count":
        return number
    of = work.ok + work.failed + (work.dropped if objective.metric == "dropped" else 0)
    return number / of if of else None


def _figure(objective: Objective, work: LiveOperation, value: float | None) -> str:
    times: JudgedTimes | None = None
    if objective.is_of_times:
        times = "response" if work.has_response else "service"
    judged = JudgedObjective(
        text=objective.text,
        operation=objective.operation,
        metric=objective.metric,
        relation=objective.relation,
        limit=objective.limit,
        unit=objective.unit,
        times=times,
        value=value,
        verdict="undecided",
        reason=_UNDECIDED,
    )
    return f"{objective.metric} {figure_text(judged)}"
