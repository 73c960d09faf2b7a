"""The counts that all sessions of a process share in one test. The engine's thread writes, the gevent side reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.load.metrics.recorder import NamedCounts
from bench.results.load import OperationKey


@dataclass
class ProcessCounters:
    """The counts and reasons that the sessions of a process have in common."""

    #: The number of sessions whose first attempt to connect has ended, either way.
    arrived: int = 0
    late: Counter[str] = field(default_factory=NamedCounts)
    #: Emissions whose wait for a reply was cut off: the unfinished round trips.
    abandoned: Counter[str] = field(default_factory=NamedCounts)
    #: The operations of the other kinds that have begun and not ended. Those that were cut off stay here.
    ongoing: Counter[OperationKey] = field(default_factory=Counter)
    #: The replies that came while none was awaited, where they are matched in order.
    unexpected: Counter[str] = field(default_factory=NamedCounts)
    #: The reason for which the first message of a size was refused, by operation and by the size's order of magnitude.
    #:
    #: The order of magnitude is the first digit and how many follow. Sizes may differ each time.
    too_large: dict[tuple[str, str], str] = field(default_factory=dict)
    #: The operations of which the log says that their replies carry no token.
    without_token: set[str] = field(default_factory=set)
    #: True if the log says that connections were not upgraded.
    tells_not_upgraded: bool = False
    #: The time at which a connection was lost last, if no other has come up since; None else.
    #:
    #: A connection that its user ended is not lost.
    lost_ns: int | None = None
    #: The number of attempts to connect that have failed since a connection came up last, and the last one's error.
    failed_attempts: int = 0
    failed_because: str = ""
    #: True if the gevent side knows that the figures are wrong.
    is_invalid: bool = False
    #: The operation that each task begins with, by the task's key. A dropped arrival would have been that operation.
    operations: dict[str, OperationKey] = field(default_factory=dict)
    #: The keys of the tasks, by user class.
    task_keys: dict[type, dict[Callable[[Any], Any], str]] = field(default_factory=dict)

    def note_connected(self) -> None:
        """Take note that a connection came up: the service is there."""
        self.lost_ns, self.failed_attempts = None, 0

    def note_failed_attempt(self, reason: str) -> None:
        """Take note that an attempt to connect has failed."""
        self.failed_attempts += 1
        self.failed_because = reason
