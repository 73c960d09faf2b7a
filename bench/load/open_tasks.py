"""A session's tasks in an open load: each arrival begins one as a coroutine of its own, whatever the others do.

What `Performer.run_task_set` is to a closed load. The intended time of an arrival belongs to the first emission in its
task; what the task emits after that is caused by the reply before it, and is intended when it is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locust.exception import InterruptTaskSet, RescheduleTask, StopTest, StopUser
from locust.user.task import LOCUST_STATE_WAITING, DefaultTaskSet

from bench.load.pacing import Stream
from bench.load.recording import UNSCHEDULED
from bench.roundtrip import RoundTripFailed
from bench.wire.interface import ClientError

if TYPE_CHECKING:
    from bench.load.session import Session

_CANCELLING_TIMEOUT_S = 1.0

_NOT_CONNECTED = "no user was connected"
_PREVENTED = "its task ended before it was sent"

Task = Callable[[Any], Any]


@dataclass
class Arrival:
    """What a schedule wanted: one emission, the first in a task that runs because of it."""

    intended_ns: int
    """UNSCHEDULED once that emission is there."""
    task: Task
    operations: dict[Task, str]
    is_refused: bool = False
    """Whether the emission was tried and could not be sent."""


_ARRIVAL: ContextVar[Arrival] = ContextVar("_ARRIVAL")
"""Because of which the present task runs; inherited by the tasks that it starts."""


def intended_ns(operation: str, is_sent: bool) -> int:
    """When the schedule wanted the emission that the present task is about to perform; UNSCHEDULED if it did not.

    Where it will not be sent, the arrival keeps its time, and is dropped in the end.
    """
    arrival = _ARRIVAL.get(None)
    if arrival is None or not arrival.intended_ns:
        return UNSCHEDULED
    arrival.operations.setdefault(arrival.task, operation)
    if not is_sent:
        arrival.is_refused = True
        return UNSCHEDULED
    intended_ns, arrival.intended_ns = arrival.intended_ns, UNSCHEDULED
    return intended_ns


class OpenTasks:
    """Takes arrivals for one session; a `pacing.Taker`."""

    def __init__(self, session: Session, stream: Stream) -> None:
        self.uncaught: Exception | None = None
        """What a task raised, where that ends the user."""
        self._session = session
        self._user = session.user
        self._stream = stream
        self._task_set = DefaultTaskSet(session.user)
        self._running: dict[asyncio.Task[None], Arrival] = {}
        self._lost = asyncio.Event()
        self._is_finishing = False

    async def serve(self) -> None:
        """Take arrivals until the session stops; connect again where the connection is lost. Raises StopUser."""
        session, stream = self._session, self._stream
        self._user._state = LOCUST_STATE_WAITING
        stream.join(self)
        try:
            while True:
                await session.before_task()
                if session.stopping:  # since it began to connect
                    raise StopUser
                self._lost.clear()
                if self._has_room():
                    stream.ready(self)
                session.idle = True
                try:
                    await self._lost.wait()
                finally:
                    session.idle = False
                    stream.unready(self)
        finally:
            stream.leave(self)

    def connection_lost(self) -> None:
        """There is nothing to send over any more."""
        self._lost.set()

    def retire(self) -> None:
        """Take no more: others can have what is to come."""
        self._stream.leave(self)

    def finish(self) -> bool:
        """Stop the session once what has been begun has ended; False if nothing has been."""
        self._is_finishing = bool(self._running)
        return self._is_finishing

    async def cancel(self) -> None:
        """End what still runs; a task that will not end is left alone after a while."""
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_CANCELLING_TIMEOUT_S)

    # ------------------------------------------------------------------ pacing.Taker

    def take(self, intended_ns: int) -> bool:
        """Begin a task for the arrival that was due then; returns whether another one could be taken."""
        arrival = self._arrival(intended_ns)
        task = asyncio.get_running_loop().create_task(self._run(arrival))
        self._running[task] = arrival
        task.add_done_callback(self._ended)
        return self._has_room()

    def drop(self, intended_ns: int) -> None:
        """Note that an arrival, which might have been this one's, was not begun."""
        is_connected = self._session.client.connected
        reason = f"every user has {self._user.max_in_flight} tasks on their way" if is_connected else _NOT_CONNECTED
        self._drop(self._arrival(intended_ns), reason)

    # ------------------------------------------------------------------ one arrival

    async def _run(self, arrival: Arrival) -> None:
        """Run its task. An arrival is dropped where its emission was prevented; that a task emits nothing is its own
        business, and no arrival of the account."""
        _ARRIVAL.set(arrival)
        is_prevented = False
        try:
            await arrival.task(self._user)
        except (RescheduleTask, InterruptTaskSet):
            pass
        except (ClientError, RoundTripFailed, asyncio.CancelledError):
            is_prevented = True
        except (StopUser, StopTest):
            self._session.request_stop()
        except Exception as error:
            is_prevented = True
            try:
                self._session.task_raised(self._user, error)
            except Exception:
                self.uncaught = error
                self._session.request_stop()
        if arrival.intended_ns and (is_prevented or arrival.is_refused):
            self._drop(arrival, _PREVENTED)

    def _ended(self, task: asyncio.Task[None]) -> None:
        arrival = self._running.pop(task)
        if task.cancelled() and arrival.intended_ns:  # before it had begun
            self._drop(arrival, _PREVENTED)
        session = self._session
        if self._is_finishing:
            if not self._running:
                session.request_stop()
        elif session.idle and session.client.connected and not session.stopping:
            self._stream.ready(self)

    def _has_room(self) -> bool:
        return len(self._running) < self._user.max_in_flight

    def _arrival(self, intended_ns: int) -> Arrival:
        tasks = self._user.tasks
        task: Any
        if self._task_set._task_queue:
            task = self._task_set._task_queue.popleft()
        else:
            task = tasks[0] if len(tasks) == 1 else self._task_set.get_next_task()
        return Arrival(intended_ns, task, self._session.shared.operations)

    def _drop(self, arrival: Arrival, reason: str) -> None:
        """Under the name of the operation that its task began with before, or else of the task."""
        name = arrival.operations.get(arrival.task) or str(getattr(arrival.task, "__name__", arrival.task))
        self._session.engine.log(name).drop(arrival.intended_ns, reason)
