"""Locust's task sets with coroutines for tasks: they do what `TaskSet.run` does, and await where it blocks.

Locust's own methods pick the next task, so weights, sequences, Markov chains and tags are Locust's. The control flow
(StopUser, InterruptTaskSet, RescheduleTask) and `user._state` are what `TaskSet.run` makes of them in Locust 2.47.

Whatever else a task raises is an exception of the task, also SystemExit and similar ones. It is counted, and the user
goes on. Locust waits for `wait_time` after an exception, which is not at all where there is none. A task that raises at
once would then take the loop for itself, so here the user pauses for `PAUSE_AFTER_EXCEPTION_S` in that case.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from locust import TaskSet, User
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)
from locust.user.task import DefaultTaskSet

from bench.exchange.outcomes import RoundTripFailed
from bench.load.engine.interface import TaskHost
from bench.places import place_of
from bench.scenarios.model import RoundTrip
from bench.wire.errors import ClientError

#: The pause of a user without a `wait_time` after an exception in a task, in seconds.
PAUSE_AFTER_EXCEPTION_S = 1.0


class TaskRunner:
    """The loop that runs a session's task sets. The session says when tasks may run and how they wait."""

    __slots__ = ("_host", "has_awaited", "may_go_on")

    def __init__(self, host: TaskHost) -> None:
        self._host = host
        #: True if the next task may run at once. If not, the session's `before_task` returns when it may.
        self.may_go_on = False
        #: True if a task has let others run since this was last set to False.
        self.has_awaited = False

    async def run_task_set(self, task_set: TaskSet) -> None:
        """Run a task set until it is interrupted (raises RescheduleTask…) or the user stops (raises StopUser).

        This loop is part of every round trip's cost: it creates a coroutine only where something has to be awaited.
        """
        try:
            await call(task_set.on_start)
        except InterruptTaskSet as interrupt:
            raise _rescheduled(interrupt) from interrupt
        queue = task_set._task_queue
        is_default = type(task_set) is DefaultTaskSet
        holder = task_set.user if is_default else task_set
        # DefaultTaskSet's asks the user's, if the user has any.
        wait_time = getattr(task_set.user, "wait_time", None) if is_default else None
        if wait_time is None:
            wait_time = task_set.wait_time
        only: Any = None
        performed: RoundTrip | None = None  # by the only task, if it does nothing else
        while True:
            try:
                is_only = False
                if queue:
                    task = queue.popleft()
                elif is_default and len(tasks := holder.tasks) == 1:
                    task = tasks[0]  # what a random choice among one would be, for a tenth of its cost
                    is_only = True
                    if task is not only:
                        only, performed = task, self._host.performed_by(task)
                else:
                    task = task_set.get_next_task()
                seconds: float | None = None
                try:
                    if not self.may_go_on:
                        await self._host.before_task()
                    if is_only and performed is not None:
                        seconds = await self._host.repeat(task, performed, wait_time)
                    elif type(task) is FunctionType:
                        await task(holder)
                    else:
                        await self._execute(task_set, holder, task)
                except RescheduleTaskImmediately:
                    if not self.has_awaited:
                        await self._host.wait(0)
                    self.has_awaited = False
                    continue
                except (RescheduleTask, ClientError, RoundTripFailed):
                    pass  # a failed round trip is in the statistics already; to the task it is a return
                if seconds is None:
                    seconds = wait_time()
                if seconds > 0 or not self.has_awaited:
                    await self._host.wait(seconds)
                self.has_awaited = False
            except InterruptTaskSet as interrupt:
                await self._stop(task_set)
                raise _rescheduled(interrupt) from interrupt
            except (StopUser, StopTest):
                await self._stop(task_set)
                raise
            except GeneratorExit:
                raise
            except BaseException as error:
                if isinstance(error, asyncio.CancelledError) and self._host.is_cancelled():
                    await self._stop(task_set)
                    raise
                self._host.task_raised(task_set, error)
                await self._pause(task_set, wait_time, error)

    async def _execute(self, task_set: TaskSet, holder: User | TaskSet, task: Any) -> None:
        """Do what `TaskSet.execute_task` and `DefaultTaskSet.execute_task` do."""
        if inspect.isclass(task) and issubclass(task, TaskSet):
            await self.run_task_set(task(holder))  # type: ignore[arg-type]  # Locust: a TaskSet is a parent as well
        elif getattr(task, "__self__", None) is task_set:
            await task()
        else:
            await task(holder)

    async def _pause(self, task_set: TaskSet, wait_time: Callable[[], float], error: BaseException) -> None:
        """Wait after an exception, which may be of `wait_time` itself."""
        seconds = 0.0
        try:
            seconds = float(wait_time())
        except Exception as another:
            if place_of(another) != place_of(error):
                self._host.task_raised(task_set, another)
        await self._host.wait(seconds if 0 < seconds < math.inf else PAUSE_AFTER_EXCEPTION_S)
        self.has_awaited = False

    async def _stop(self, task_set: TaskSet) -> None:
        try:
            await call(task_set.on_stop)
        except (StopUser, StopTest):
            raise
        except (ClientError, RoundTripFailed):
            pass
        except GeneratorExit:
            raise
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and self._host.is_cancelled():
                raise
            self._host.task_raised(task_set, error)


async def call(function: Callable[[], Any]) -> None:
    """Call an `on_start` or `on_stop`, which may be a coroutine function or a plain function."""
    result = function()
    if inspect.isawaitable(result):
        await result


def tasks_that_do_not_await(holder: type[User] | type[TaskSet], seen: set[Any] | None = None) -> Iterator[str]:
    """Yield the names of tasks, nested ones included, that are not `async def`."""
    seen = set() if seen is None else seen
    own = list(getattr(holder, "tasks", None) or ())
    if hasattr(holder, "current"):  # a Markov chain keeps its tasks as attributes
        own += [value for value in vars(holder).values() if hasattr(value, "transitions")]
    for task in own:
        if id(task) in seen:
            continue
        seen.add(id(task))
        if inspect.isclass(task) and issubclass(task, TaskSet):
            yield from tasks_that_do_not_await(task, seen)
        elif not inspect.iscoroutinefunction(task):
            yield f"{holder.__name__}.{getattr(task, '__name__', task)}"


def _rescheduled(interrupt: InterruptTaskSet) -> Exception:
    return RescheduleTaskImmediately() if interrupt.reschedule else RescheduleTask()
