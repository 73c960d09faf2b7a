"""Users that write down what happens to them, one JSON object a line, for tests/system/load/test_users.py."""

import asyncio
import json
import os
import sys
from typing import Any

# Locust's typing knows no coroutines.
# mypy: disable-error-code="type-var,override,no-untyped-call,untyped-decorator,arg-type"
from locust import MarkovTaskSet, SequentialTaskSet, TaskSet, constant, events, tag, transition
from locust.exception import RescheduleTask, StopUser

from bench.load import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER

STOP_AFTER = 6


def note(what: str, **more: Any) -> None:
    # In one piece: the engine's thread and the gevent side both write, and sys.stdout is not made for that.
    os.write(sys.stdout.fileno(), (json.dumps({"what": what, **more}) + "\n").encode())


if os.environ.get("LISTEN"):
    # Something else than Locust listens to requests.
    @events.request.add_listener
    def on_request(name: str, exception: Exception | None, **_: Any) -> None:
        note("request", name=name, failed=exception is not None)


@events.user_error.add_listener
def on_user_error(exception: Exception, **_: Any) -> None:
    note("user_error", error=repr(exception))


class LivingUser(SocketIOUser):
    """A user with on_start, weights and on_stop that stops by itself."""

    wait_time = constant(0.01)
    tasks_run = 0

    async def on_start(self) -> None:
        note("on_start", connected=self.client.connected, state=self._state)

    @task(3)
    async def often(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)
        self.count("often")

    @task
    async def seldom(self) -> None:
        reply = await self.round_trip(FOO_BAR_TO_SENDER)
        self.count("seldom", reply=reply)

    def count(self, name: str, **more: Any) -> None:
        note("task", name=name, state=self._state, **more)
        self.tasks_run += 1
        if self.tasks_run == STOP_AFTER:
            raise StopUser

    async def on_stop(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)
        note("on_stop", connected=self.client.connected)


class TaggedUser(SocketIOUser):
    """A user with tagged tasks: `--tags` says which of them run."""

    wait_time = constant(0.01)

    @tag("wanted")
    @task
    async def wanted(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)
        note("task", name="wanted")

    @tag("other")
    @task
    async def other(self) -> None:
        note("task", name="other")


class Inner(TaskSet):
    """A nested task set: it runs one task and goes back."""

    async def on_start(self) -> None:
        note("inner on_start", parent=type(self.parent).__name__)

    @task
    async def inside(self) -> None:
        await self.user.round_trip(FOO_BAR_TO_SENDER)  # type: ignore[attr-defined]
        note("task", name="inside")
        self.interrupt()

    def on_stop(self) -> None:  # on_start and on_stop may be plain functions
        note("inner on_stop")


class InOrder(SequentialTaskSet):
    """Tasks that run one after the other, a nested set among them."""

    @task
    async def first(self) -> None:
        note("task", name="first")

    tasks = [Inner]  # noqa: RUF012

    @task
    async def second(self) -> None:
        note("task", name="second")
        raise RescheduleTask

    @task
    async def third(self) -> None:
        note("task", name="third")
        raise StopUser


class SequentialUser(SocketIOUser):
    wait_time = constant(0.01)
    tasks = [InOrder]  # noqa: RUF012


class Chain(MarkovTaskSet):
    """ping → pong → ping …"""

    steps = 0

    @transition("pong")
    async def ping(self) -> None:
        note("task", name="ping")

    @transition("ping")
    async def pong(self) -> None:
        note("task", name="pong")
        self.steps += 1
        if self.steps == 3:
            raise StopUser


class MarkovUser(SocketIOUser):
    wait_time = constant(0.01)
    tasks = [Chain]  # noqa: RUF012


class FailingUser(SocketIOUser):
    """A user whose own code is wrong, once, and that goes on."""

    wait_time = constant(0.01)
    tasks_run = 0

    @task
    async def wrong(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)
        self.tasks_run += 1
        if self.tasks_run == 3:
            raise StopUser
        if self.tasks_run == 1:
            raise ZeroDivisionError("of the user's own making")
        note("task", name="right")


class FailingToStartUser(SocketIOUser):
    async def on_start(self) -> None:
        raise ZeroDivisionError("at the start")

    @task
    async def never(self) -> None:
        note("task", name="never")


class SleepingUser(SocketIOUser):
    """A user that waits for an hour after each task."""

    wait_time = constant(3600)

    @task
    async def once(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)
        note("task", name="once", state=self._state)

    async def on_stop(self) -> None:
        note("on_stop", connected=self.client.connected)


class StubbornUser(SocketIOUser):
    """A user that catches everything that a task can catch, and never stops by itself."""

    @task
    async def forever(self) -> None:
        while True:
            try:
                await self.round_trip(FOO_BAR_TO_SENDER)
            except Exception:
                note("caught")


class ManyAtOnceUser(SocketIOUser):
    """A user with several round trips in flight on one connection."""

    @task
    async def several(self) -> None:
        await asyncio.gather(*(self.round_trip(FOO_BAR_TO_SENDER) for _ in range(10)))


class BusyUser(SocketIOUser):
    """A task that takes longer than one round trip."""

    @task
    async def three(self) -> None:
        for number in range(3):
            await self.round_trip(FOO_BAR_TO_SENDER)
            await asyncio.sleep(0.3)
            note("step", number=number)
        note("task", name="three")


class HandlingUser(SocketIOUser):
    """A user that hears events that it did not ask for, with a wrong handler."""

    wait_time = constant(0.2)

    async def on_start(self) -> None:
        self.client.on("BAR", self.heard)
        await self.client.emit("FOO", {"name": "not timed", "to": "sender"})

    def heard(self, data: dict[str, str]) -> None:
        note("heard", data=data)
        raise ZeroDivisionError("in a handler")

    @task
    async def call(self) -> None:
        note("task", name="call", answer=await self.client.call("FOO", {"name": "called", "to": "sender"}))


class UpgradingUser(SocketIOUser):
    """A user that connects as browsers do."""

    transports = ("polling", "websocket")
    wait_time = constant(0.01)

    @task
    async def foo_bar(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)
        note("task", name="foo_bar")
