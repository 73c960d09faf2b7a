"""An emission on its way, and the wait for its end: what a future is to asyncio, without its cost in each round trip.

asyncio's tasks, `wait`, `gather` and `wait_for` take an `InFlight` as they take a future. It differs in one thing. A
future has the loop call its waiters later, in a turn of their own. If the kernel tells when replies were received,
waiters go on at once: inside the callback that has read the reply, after the reply's handlers. The next emission then
leaves with all that it needs still in the processor's caches, and no reply's time suffers. Otherwise waiters go on
later, because a reply that lies unread meanwhile would be read, and so timed, too late.

Rule: no task ever goes on inside another's step.
"""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, InvalidStateError, current_task
from collections.abc import Callable, Generator
from contextvars import Context, copy_context
from typing import Any

from bench.exchange.outcomes import RoundTripFailed
from bench.scenarios.model import RoundTrip
from bench.wire.client import Waiter

_AWAITED = 0
_ENDED = 1
_CANCELLED = 2

_Callback = Callable[[Any], object]


class Taker:
    """The base of what takes emissions in flight at their end, in place of a task that awaits them."""

    __slots__ = ()

    def take(self, emission: InFlight) -> None:
        """Go on after the end of an emission."""


class InFlight(Waiter):
    """An emission on its way. To await it is to await its end: nothing, or RoundTripFailed; then it has its reply."""

    __slots__ = (
        *("_asyncio_future_blocking", "_callback", "_context", "_error", "_loop", "_others", "_state", "_taker"),
        *("error_ns", "read_ns", "received_ns", "reply", "reply_bytes", "round_trip", "sent_ns", "token"),
    )

    _loop: asyncio.AbstractEventLoop
    _state: int
    _error: RoundTripFailed | None
    _callback: _Callback | None
    _context: Context
    _others: list[tuple[_Callback, Context]] | None
    _taker: Taker | None
    _asyncio_future_blocking: bool
    #: The reply's arguments, once it has come: when it was received, and the size of its message; 0: not known.
    reply: tuple[Any, ...]
    received_ns: int
    reply_bytes: int
    #: What is known of the reply's time: see `bench.wire.transport.Listener`.
    read_ns: int
    error_ns: int

    token: str
    round_trip: RoundTrip
    #: When it was sent; 0: not yet.
    sent_ns: int

    def give_to(self, taker: Taker) -> None:
        """Have this taker take it at its end."""
        self._taker = taker

    # ------------------------------------------------------------------ its end, of which the exchange tells

    def resolve(self, received_ns: int, reply: tuple[Any, ...], reply_bytes: int, read_ns: int, error_ns: int) -> bool:
        """End with a reply; return whether anybody still awaits it. The caller then has those that wait go on."""
        if self._state != _AWAITED:
            return False
        self._state = _ENDED
        self.received_ns = received_ns
        self.reply = reply
        self.reply_bytes = reply_bytes
        self.read_ns = read_ns
        self.error_ns = error_ns
        return True

    def fail(self, error: RoundTripFailed) -> None:
        """End without a reply that counts. Those that wait go on in the loop's next turn."""
        if self._state == _AWAITED:
            self._state = _ENDED
            self._error = error
            self.wake_soon()

    def wake_soon(self) -> None:
        """Have those that wait go on in the loop's next turn."""
        if self._taker is not None:
            self._loop.call_soon(self._taker.take, self)
            self._taker = None
        if self._callback is not None:
            self._loop.call_soon(self._callback, self, context=self._context)
            self._callback = None
        if self._others is not None:
            for callback, context in self._others:
                self._loop.call_soon(callback, self, context=context)
            self._others = None

    def wake(self) -> None:
        """Have the only one that waits go on now. Inside the step of a task, or if there are more, they wait on."""
        taker = self._taker
        if taker is not None and self._callback is None:
            self._taker = None
            taker.take(self)
            return
        callback = self._callback
        if callback is None:
            return
        if taker is not None or self._others is not None or current_task(self._loop) is not None:
            self.wake_soon()
            return
        self._callback = None
        try:
            self._context.run(callback, self)
        except (KeyboardInterrupt, SystemExit) as error:  # it ends the loop, and no handler of events takes it
            self._loop.call_soon(_raise, error)

    # ------------------------------------------------------------------ a future, as asyncio sees it

    def __await__(self) -> Generator[Any, Any, None]:
        return self  # type: ignore[return-value]  # tasks need no more of it than an iterator

    def __iter__(self) -> InFlight:
        return self

    def __next__(self) -> InFlight:
        if self._state == _AWAITED:
            if self._asyncio_future_blocking:
                raise RuntimeError("await was not used with an emission in flight")
            self._asyncio_future_blocking = True
            return self
        if self._state == _CANCELLED:
            raise CancelledError
        if self._error is not None:
            raise self._error
        raise StopIteration

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop in which it is awaited."""
        return self._loop

    def done(self) -> bool:
        """Return whether it has ended, or nobody awaits it any more."""
        return self._state != _AWAITED

    def failed(self) -> bool:
        """Return whether it has ended without a reply that counts."""
        return self._state == _CANCELLED or self._error is not None

    def cancelled(self) -> bool:
        """Return whether nobody awaits it any more."""
        return self._state == _CANCELLED

    def result(self) -> None:
        """Return nothing, or raise what it ended with, CancelledError, or InvalidStateError before its end."""
        if self._state == _ENDED:
            if self._error is not None:
                raise self._error
        elif self._state == _CANCELLED:
            raise CancelledError
        else:
            raise InvalidStateError("the emission is still in flight")

    def exception(self) -> RoundTripFailed | None:
        """Return what it ended with; None: a reply. Raises CancelledError, or InvalidStateError before its end."""
        if self._state == _ENDED:
            return self._error
        if self._state == _CANCELLED:
            raise CancelledError
        raise InvalidStateError("the emission is still in flight")

    def cancel(self, msg: object = None) -> bool:
        """Have it awaited no more; return False if it has ended. Its reply is none of it."""
        if self._state != _AWAITED:
            return False
        self._state = _CANCELLED
        self.wake_soon()
        return True

    def add_done_callback(self, callback: _Callback, *, context: Context | None = None) -> None:
        """Have a function called at the end, with this emission in flight; in the loop's next turn if it has ended."""
        if context is None:
            context = copy_context()
        if self._state != _AWAITED:
            self._loop.call_soon(callback, self, context=context)
        elif self._callback is None:
            self._callback = callback
            self._context = context
        elif self._others is None:
            self._others = [(callback, context)]
        else:
            self._others.append((callback, context))

    def remove_done_callback(self, callback: _Callback) -> int:
        """Have a function not called; return how many times it would have been."""
        known = [] if self._callback is None else [(self._callback, self._context)]
        known += self._others or ()
        kept = [(other, context) for other, context in known if other != callback]
        self._callback = None
        self._others = kept[1:] or None
        if kept:
            self._callback, self._context = kept[0]
        return len(known) - len(kept)


def begun(token: str, round_trip: RoundTrip, sent_ns: int, loop: asyncio.AbstractEventLoop) -> InFlight:
    """Return an emission in flight. A function, because compiled, a constructor costs more.

    `sent_ns` is when it was sent; 0: not yet.
    """
    emission = InFlight.__new__(InFlight)
    emission.token = token
    emission.round_trip = round_trip
    emission.sent_ns = sent_ns
    emission._loop = loop
    emission._state = _AWAITED
    emission._error = None
    # The first of those that wait, and the others, if there are any.
    emission._callback = None
    emission._others = None
    emission._taker = None
    # What asyncio's tasks ask of everything that is awaited in them.
    emission._asyncio_future_blocking = False
    return emission


def _raise(error: BaseException) -> None:
    raise error
