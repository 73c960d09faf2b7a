"""Users whose own code is wrong, for tests/system/load/test_failures.py."""

import asyncio
import os
import sys
import time
from itertools import count
from typing import Any

# mypy: disable-error-code="type-var,override,no-untyped-call,untyped-decorator,arg-type"
from gevent import GreenletExit
from locust import constant, events
from locust.exception import RescheduleTaskImmediately

from bench.load import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER

numbers = count(1_000_000)

if os.environ.get("LISTEN"):

    @events.request.add_listener
    def on_request(**_: Any) -> None:
        until_s = time.perf_counter() + 0.05  # not a sleep, which would be gevent's
        while time.perf_counter() < until_s:
            pass
        raise LookupError(f"in a listener, {next(numbers)}")


class AtOnceUser(SocketIOUser):
    """A user that raises before it sends anything, and has no wait_time."""

    @task
    async def wrong(self) -> None:
        raise ZeroDivisionError(f"of the user's own making,\nid {next(numbers)}")


class AfterReplyUser(SocketIOUser):
    @task
    async def wrong(self) -> None:
        reply: Any = await self.round_trip(FOO_BAR_TO_SENDER)
        assert not reply, "a reply"


class MistypedUser(SocketIOUser):
    @task
    async def wrong(self) -> None:
        await self.round_trip("say")


class ForgetfulUser(SocketIOUser):
    """A user with a task that is right, and two in which an `await` is missing."""

    @task
    async def right(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)

    @task
    async def wrong(self) -> None:
        self.round_trip(FOO_BAR_TO_SENDER)  # type: ignore[unused-coroutine]

    @task
    async def wrong_as_well(self) -> None:
        self.right()  # type: ignore[unused-coroutine]


class RightUser(SocketIOUser):
    @task
    async def right(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)


class RescheduledUser(SocketIOUser):
    @task
    async def again(self) -> None:
        raise RescheduleTaskImmediately


class NoFinalError(BaseException):
    """An exception that nothing but `except BaseException` catches."""


class ExitingUser(SocketIOUser):
    """A user that raises, in turn, all that ends a program or a coroutine elsewhere, and goes on."""

    wait_time = constant(0.05)

    async def on_start(self) -> None:
        self.kinds = iter((KeyboardInterrupt, GreenletExit, asyncio.CancelledError, NoFinalError, asyncio.TimeoutError))

    @task
    async def leave(self) -> None:
        kind = next(self.kinds, None)
        if kind is not None:
            raise kind("on purpose")
        if kind is None and not hasattr(self, "has_exited"):
            self.has_exited = True
            sys.exit(5)
        if not hasattr(self, "has_cancelled_itself"):
            self.has_cancelled_itself = True
            current = asyncio.current_task()
            assert current is not None
            current.cancel()
            await asyncio.sleep(1)
        if not hasattr(self, "has_exited_beside"):
            self.has_exited_beside = True
            self.beside = asyncio.create_task(self.exit())
            await asyncio.sleep(0.05)
        await self.round_trip(FOO_BAR_TO_SENDER)

    async def exit(self) -> None:
        raise SystemExit("beside")


class LifeUser(SocketIOUser):
    """A user that raises wherever Locust calls it."""

    @task
    async def right(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)

    def wait_time(self) -> float:
        raise LookupError("in wait_time")

    async def on_stop(self) -> None:
        raise SystemExit("in on_stop")


class NoStartUser(SocketIOUser):
    async def on_start(self) -> None:
        raise KeyboardInterrupt("in on_start")

    @task
    async def never(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)


class EndlessUser(SocketIOUser):
    """A user that never gives control back, once it has had a reply."""

    @task
    async def spin(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)
        if os.environ.get("SLEEP"):
            time.sleep(float(os.environ["SLEEP"]))  # noqa: ASYNC251
        while not os.environ.get("SLEEP"):
            pass


class HearingUser(SocketIOUser):
    """A user whose event handler is wrong, and that has many events."""

    async def on_start(self) -> None:
        self.client.on("NEWS", self.on_news)

    def on_news(self, number: int) -> None:
        if number % 2:
            raise LookupError(f"no news in {number + 1_000_000}")
        sys.exit("in a handler")

    @task
    async def right(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)


class UncancellableUser(SocketIOUser):
    reply_timeout = 0.5

    @task
    async def cling(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)
        while True:
            try:
                await asyncio.sleep(3600)
            except BaseException:
                continue
