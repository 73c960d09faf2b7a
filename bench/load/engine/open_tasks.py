"""A session's tasks in an open load: each arrival begins a task as a coroutine of its own, whatever the others do.

This is to an open load what `TaskRunner.run_task_set` is to a closed load. The intended time of an arrival belongs to
the first emission in its task. The reply before it causes each further emission of the task, which is intended when it
is sent.

A dropped arrival would have been the operation that its task begins with. As long as no emission has shown which
operation that is, the drop is booked to the task. The result adds it to the operation's row: see merge.py.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

from locust import User
from locust.exception import InterruptTaskSet, RescheduleTask, StopTest, StopUser
from locust.user.task import LOCUST_STATE_WAITING, DefaultTaskSet

from bench.exchange.outcomes import RoundTripFailed
from bench.load.engine.interface import OpenTaskHost
from bench.load.engine.pacing import NOT_CONNECTED, Dispatcher
from bench.load.metrics.recorder import UNSCHEDULED
from bench.results.load import ROUND_TRIP, OperationKey, OperationKind
from bench.wire.errors import ClientError

_CANCELLING_TIMEOUT_S = 1.0

#: The reason of a dropped arrival that had a user, and a connection then.
LOST = "the connection was lost before it was sent"

_CUT_OFF = "its task was cut off before it was sent"

Task = Callable[[Any], Any]


@dataclass
class Arrival:
    """An emission that a schedule wanted: the first in a task that runs because of it."""

    #: The moment for which the arrival is scheduled (`perf_counter_ns`); UNSCHEDULED after its emission.
    intended_ns: int
    task: Task
    #: The task's key, which is the same in all processes: see `task_keys`.
    key: str
    operations: dict[str, OperationKey]
    #: The time in which no user was free for it.
    waited_ns: int = 0
    #: The reason why the emission, which was tried, could not be sent.
    refusal: str = ""


#: The arrival that caused the present task; the tasks that it starts inherit it.
_ARRIVAL: ContextVar[Arrival | None] = ContextVar("_ARRIVAL")


def wanted(name: str, refusal: str = "", kind: OperationKind = ROUND_TRIP) -> tuple[int, int]:
    """Return when the schedule wanted the emission that comes next, and how long no user was free for it.

    The time is UNSCHEDULED if no schedule wanted the emission. With a `refusal`, a reason why it will not be sent, the
    arrival keeps its time, and is dropped in the end.
    """
    arrival = _ARRIVAL.get(None)
    if arrival is None or not arrival.intended_ns:
        return UNSCHEDULED, 0
    if arrival.key not in arrival.operations:
        arrival.operations[arrival.key] = OperationKey(name, kind)
    if refusal:
        arrival.refusal = refusal
        return UNSCHEDULED, 0
    intended_ns, arrival.intended_ns = arrival.intended_ns, UNSCHEDULED
    return intended_ns, arrival.waited_ns


def begin_otherwise() -> None:
    """Take note that the present task has begun with what no schedule can want: what it sends later is unscheduled.

    Otherwise a pause of the user's own, between disconnecting and connecting, would be lateness of the generator.
    """
    arrival = _ARRIVAL.get(None)
    if arrival is not None:
        arrival.intended_ns = UNSCHEDULED


def task_keys(tasks: Iterable[Any]) -> dict[Task, str]:
    """Return a key for each task of a user class, which is the same in all processes of a run.

    Tasks that a function has made have the same name; their order tells them apart.
    """
    keys: dict[Task, str] = {}
    seen: Counter[str] = Counter()
    for task in tasks:
        if task not in keys:
            name = _full_name(task)
            keys[task] = f"{name} {seen[name]}"
            seen[name] += 1
    return keys


def _full_name(task: Task) -> str:
    return f"{getattr(task, '__module__', '')}.{getattr(task, '__qualname__', task)}"


def leave_arrival() -> None:
    """Have the present task run for a reason of its own, though the task of an arrival may have started it."""
    _ARRIVAL.set(None)


def is_scheduled() -> bool:
    """Return whether the present task runs because of an arrival."""
    return _ARRIVAL.get(None) is not None


def is_wanted() -> bool:
    """Return whether the schedule still wants an emission of the present task, which is dropped if none is sent."""
    arrival = _ARRIVAL.get(None)
    return arrival is not None and arrival.intended_ns != UNSCHEDULED


class OpenTasks:
    """The taker of arrivals for one session; a `pacing.ArrivalSink`."""

    def __init__(self, session: OpenTaskHost, dispatcher: Dispatcher) -> None:
        #: True if a task raised what ends the user.
        self.uncaught = False
        self._session = session
        self._user = session.user
        self._limits = session.open_load.limits_of(session.user)
        self._dispatcher = dispatcher
        user_class, known = type(session.user), session.counters.task_keys
        if user_class not in known:
            known[user_class] = task_keys(session.user.tasks)
        self._keys = known[user_class]
        self._task_set = DefaultTaskSet(cast(User, session.user))
        self._running: dict[asyncio.Task[None], Arrival] = {}
        self._lost = asyncio.Event()
        self._is_finishing = False

    async def serve(self) -> None:
        """Take arrivals until the session stops; connect again where the connection is lost. Raises StopUser."""
        session, dispatcher = self._session, self._dispatcher
        self._user._state = LOCUST_STATE_WAITING
        self._limits = session.open_load.limits_of(self._user)  # its on_start may have set others
        dispatcher.join(self)
        try:
            while True:
                await session.before_task()
                if session.stopping:  # since it began to connect
                    raise StopUser
                self._lost.clear()
                if self._has_room():
                    dispatcher.make_available(self)
                session.idle = True
                try:
                    await self._lost.wait()
                finally:
                    session.idle = False
                    dispatcher.make_unavailable(self)
        finally:
            dispatcher.leave(self)

    def enter(self) -> None:
        """Take part in a schedule that is shared by all users, before there is a connection.

        If nobody is connected yet, its arrivals are dropped, or wait. Without any member they would be forgotten.
        """
        if self._dispatcher.is_of_all_users:
            self._dispatcher.join(self)

    def connection_lost(self) -> None:
        """Take note that there is no connection to send over any more."""
        self._lost.set()

    def retire(self) -> None:
        """Take no more arrivals: other sessions can have those to come."""
        self._dispatcher.leave(self)

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

    # ------------------------------------------------------------------ pacing.ArrivalSink

    @property
    def most_at_once(self) -> int:
        """Return the number of the user's tasks that may be on their way at the same time."""
        return self._limits.most_at_once

    @property
    def max_wait_ns(self) -> int | None:
        """Return the longest time that an arrival may wait for this user, in nanoseconds; None for a pipelined user."""
        return None if self._limits.max_wait_s is None else round(self._limits.max_wait_s * 1e9)

    def start_task(self, intended_ns: int, waited_ns: int | None) -> bool:
        """Begin a task for the arrival that was due then; return whether another arrival could be taken."""
        self._note_wait(intended_ns, waited_ns)
        arrival = self._arrival(intended_ns)
        arrival.waited_ns = waited_ns or 0
        task = asyncio.get_running_loop().create_task(self._run(arrival))
        self._running[task] = arrival
        task.add_done_callback(self._ended)
        return self._has_room()

    def drop(self, intended_ns: int, reason: str, waited_ns: int | None) -> None:
        """Note that an arrival, which might have been this session's, was not begun."""
        self._note_wait(intended_ns, waited_ns)
        if reason == NOT_CONNECTED and self._session.client.connected:
            reason = "no user had ended its on_start"
        self._drop(self._arrival(intended_ns), reason)

    def _note_wait(self, intended_ns: int, waited_ns: int | None) -> None:
        if waited_ns is not None:
            self._session.engine.waits.append(intended_ns)
            self._session.engine.waits.append(waited_ns)

    # ------------------------------------------------------------------ one arrival

    async def _run(self, arrival: Arrival) -> None:
        """Run the arrival's task, and count the arrival as dropped if its emission could not be sent.

        A task that chooses to send nothing is not counted.
        """
        _ARRIVAL.set(arrival)
        reason = ""
        try:
            await arrival.task(self._user)
        except (RescheduleTask, InterruptTaskSet):
            pass
        except (ClientError, RoundTripFailed) as error:
            reason = _raised(error)
        except (StopUser, StopTest):
            self._session.request_stop()
        except GeneratorExit:
            raise
        except BaseException as error:
            reason = _CUT_OFF if isinstance(error, asyncio.CancelledError) else _raised(error)
            if not (isinstance(error, asyncio.CancelledError) and self._session.is_cancelled()):
                try:
                    self._session.task_raised(self._user, error)
                except BaseException:
                    self.uncaught = True
                    self._session.request_stop()
        if arrival.intended_ns and (reason := arrival.refusal or reason):
            self._drop(arrival, reason)

    def _ended(self, task: asyncio.Task[None]) -> None:
        arrival = self._running.pop(task)
        if task.cancelled() and arrival.intended_ns:  # before it had begun
            self._drop(arrival, _CUT_OFF)
        session = self._session
        if self._is_finishing:
            if not self._running:
                session.request_stop()
        elif session.idle and session.is_ready and not session.stopping:
            self._dispatcher.make_available(self)

    def _has_room(self) -> bool:
        return len(self._running) < self._limits.most_at_once

    def _arrival(self, intended_ns: int) -> Arrival:
        tasks = self._user.tasks
        task: Any
        if self._task_set._task_queue:
            task = self._task_set._task_queue.popleft()
        else:
            task = tasks[0] if len(tasks) == 1 else self._task_set.get_next_task()
        key = self._keys.get(task) or _full_name(task)
        return Arrival(intended_ns, task, key, self._session.counters.operations)

    def _drop(self, arrival: Arrival, reason: str) -> None:
        """Book the drop to the operation that the arrival's task begins with; to the task while nobody knows that."""
        operation, engine = arrival.operations.get(arrival.key), self._session.engine
        if operation is not None:
            recorder = engine.recorder(*operation)
        else:
            recorder = engine.task_recorder(arrival.key, str(getattr(arrival.task, "__name__", arrival.task)))
        recorder.drop(arrival.intended_ns, reason)


def _raised(error: BaseException) -> str:
    return f"its task raised {type(error).__name__} before it was sent"
