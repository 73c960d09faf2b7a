"""What the sessions of one process note down while they run: two numbers per success, a tuple per failure.

This is the hot path. Nothing is computed here: at each flush the numbers collected so far are handed over whole, as a
`Batch`, and the thread that takes them does the counting. Belongs to the engine's thread.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

CONNECT = "connect"
"""The operation that every session performs before any round trip."""


class Failure(NamedTuple):
    """An operation that did not succeed. Times in nanoseconds of `time.perf_counter_ns`.

    `kind` is the word that it is counted under; `timeout` is apart from the errors.
    """

    sent_ns: int
    ended_ns: int
    kind: str


TIMEOUT = "timeout"


class Batch(NamedTuple):
    """What happened to one operation between two flushes; `completed` holds sent and received alternately."""

    operation: str
    completed: array[int]
    failures: list[Failure]


class OperationLog:
    """Collects what happens to one operation until the next flush."""

    __slots__ = ("completed", "failures", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.completed: array[int] = array("q")
        self.failures: list[Failure] = []

    def succeeded(self, sent_ns: int, received_ns: int) -> None:
        """Note a success."""
        self.completed.append(sent_ns)
        self.completed.append(received_ns)

    def failed(self, sent_ns: int, ended_ns: int, kind: str) -> None:
        """Note a failure."""
        self.failures.append(Failure(sent_ns, ended_ns, kind))

    def flush(self) -> Batch | None:
        """Everything since the last flush, or None where there was nothing."""
        if not self.completed and not self.failures:
            return None
        batch = Batch(self.name, self.completed, self.failures)
        self.completed = array("q")
        self.failures = []
        return batch
