"""Transactions: the time of a whole block of a task, `async with self.transaction("checkout")`.

A transaction has succeeded when its block has ended, also by the user's own control flow: StopUser, RescheduleTask and
InterruptTaskSet are no failures. An exception that leaves the block is an error of its kind, and goes on to the task. A
block that the end of the run cuts off is unfinished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from bench.exchange.outcomes import ReplyTimeout, RoundTripFailed
from bench.load.engine.http import counted_as
from bench.load.engine.notes import NOT_CONNECTED, NOT_READ
from bench.load.engine.ongoing import OngoingOperation
from bench.load.metrics.exceptions import exception_kind
from bench.load.metrics.recorder import TIMEOUT
from bench.wire.errors import ClientError, Disconnected, MessageTooLarge, NotRead

#: The exceptions by which a user's own code says how it goes on.
_CONTROL_FLOW = (StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet)

#: The words under which a block is counted that ended because something could not be sent.
_NOT_SENT: tuple[tuple[type[ClientError], str], ...] = (
    (MessageTooLarge, "too large"),
    (NotRead, NOT_READ),
    (Disconnected, NOT_CONNECTED),
)


class Transaction:
    """A block of a task whose time is noted. `begin` makes its operation, `is_cut_off` says if the run is ending."""

    __slots__ = ("_begin", "_is_cut_off", "_operation")

    def __init__(self, begin: Callable[[], OngoingOperation], is_cut_off: Callable[[], bool]) -> None:
        self._begin = begin
        self._is_cut_off = is_cut_off
        self._operation: OngoingOperation | None = None

    async def __aenter__(self) -> Self:
        """Begin the block. Raises RuntimeError for a block that is entered within itself."""
        if self._operation is not None:
            raise RuntimeError("a transaction is under way already: call self.transaction(…) for each block")
        self._operation = self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Note how the block has ended."""
        operation, self._operation = self._operation, None
        assert operation is not None, "the block has begun"
        if error is None:
            operation.succeeded()
        elif isinstance(error, GeneratorExit):
            pass  # the task is thrown away
        elif isinstance(error, (*_CONTROL_FLOW, asyncio.CancelledError)) and self._is_cut_off():
            pass  # it stays unfinished
        elif isinstance(error, _CONTROL_FLOW):
            operation.succeeded()
        else:
            operation.failed(failure_kind(error))


def failure_kind(error: BaseException) -> str:
    """Return the word under which a block is counted that this exception has ended."""
    if isinstance(error, ReplyTimeout):
        return TIMEOUT
    if isinstance(error, RoundTripFailed):
        return error.kind
    if kind := counted_as(error):  # an HTTP request; the text of its exception has the whole URL
        return kind
    for not_sent, word in _NOT_SENT:
        if isinstance(error, not_sent):
            return word
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return exception_kind(error)
