"""The operations of a load that have lines of their own in its charts: the most frequent and the slowest."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.formatting import count
from bench.report.load_charts.limits import MOST_OPERATIONS_DRAWN
from bench.results.load import REPLIED_KINDS, Distribution, LoadResult, Operation


@dataclass(frozen=True)
class Drawn:
    """The operations that are drawn, in the order of the tables, and what a caption says of the others."""

    operations: tuple[Operation, ...]
    remark: str


def drawn_operations(result: LoadResult, most: int = MOST_OPERATIONS_DRAWN) -> Drawn:
    """Return the operations with replies, at most `most`: half of them the most frequent, half the slowest.

    The slowest are those with the greatest p99; a p99 that falls among failures is greater than any other.
    """
    replied = [operation for operation in result.operations if operation.kind in REPLIED_KINDS and operation.sent]
    if len(replied) <= most:
        return Drawn(tuple(replied), "")
    frequent = sorted(replied, key=lambda operation: -operation.sent)[: (most + 1) // 2]
    slow = sorted((row for row in replied if row not in frequent), key=_p99_us, reverse=True)[: most // 2]
    operations = tuple(row for row in replied if row in frequent or row in slow)
    remark = (
        f"Of {count(len(replied))} operations it shows the {_number(frequent)} most frequent and the {_number(slow)} "
        f"with the greatest p99 of the rest. The tables have all."
    )
    return Drawn(operations, remark)


def times_of(operation: Operation) -> Distribution | None:
    """Return the response times if the load was open, else the service times."""
    return operation.service_us if operation.response_us is None else operation.response_us


def time_kind(result: LoadResult) -> str:
    """Return the name of the times that the charts of a load show."""
    return "service time" if result.scenario.model == "closed" else "response time"


def _p99_us(operation: Operation) -> float:
    times = times_of(operation)
    if times is None:
        return 0.0
    return math.inf if times.p99 is None else times.p99


def _number(operations: Sequence[Operation]) -> str:
    return count(len(operations))
