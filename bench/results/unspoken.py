"""The failures of a load of which no objective speaks: any of them fails a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.objectives.model import FailureMetric, JudgedObjective
from bench.results.load import CONNECT, SCHEDULED_KINDS, LoadResult, Operation


def unspoken_failures(result: LoadResult) -> Iterator[str]:
    """Yield what failed, or was dropped, of which no objective of the result speaks: a text for each operation."""
    for operation in result.operations:
        if unspoken := unspoken_of(operation, result.objectives):
            yield f"{operation.label}: {', '.join(unspoken)}"


def unspoken_of(operation: Operation, objectives: Sequence[JudgedObjective]) -> list[str]:
    """Return how an operation failed of which none of the objectives speaks. A transaction fails with what is in it."""
    if operation.kind == "transaction":
        return []
    counts: dict[FailureMetric, int] = {
        "errors": operation.error_count,
        "timeouts": operation.timeouts,
        "dropped": operation.dropped,
    }
    return [
        f"{number:,} {metric.removesuffix('s') if number == 1 else metric}"
        for metric, number in counts.items()
        if number and not any(_speaks_of(objective, operation, metric) for objective in objectives)
    ]


def _speaks_of(objective: JudgedObjective, operation: Operation, metric: FailureMetric) -> bool:
    if objective.metric == "connects":
        return operation.kind == CONNECT
    if objective.metric != metric:
        return False
    return operation.label == objective.operation if objective.operation else operation.kind in SCHEDULED_KINDS
