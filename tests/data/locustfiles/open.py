"""Users of an open load, for tests/system/load/test_open.py. The environment sets what they do."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from locust import constant, events
from locust.exception import StopUser

from bench.load import SocketIOUser, arrivals, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER
from bench.scenarios.model import round_trip_of

SHAPE = os.environ.get("SHAPE", "poisson")

if "REQUESTS_FOLDER" in os.environ:
    # Something else than Locust listens: what it hears goes into a file of this process's own.
    @events.request.add_listener  # type: ignore[untyped-decorator]
    def on_request(name: str, start_time: float, response_time: float | None, **_: Any) -> None:
        with (Path(os.environ["REQUESTS_FOLDER"]) / f"{os.getpid()}.jsonl").open("a") as requests:
            heard = {"name": name, "start_s": start_time, "response_ms": response_time}
            requests.write(json.dumps(heard) + "\n")


def note(what: str) -> None:
    # In one piece: the engine's thread and the gevent side both write, and sys.stdout is not made for that.
    os.write(sys.stdout.fileno(), (json.dumps({"what": what}) + "\n").encode())


class BaseUser(SocketIOUser):
    abstract = True
    pipelined = True
    reply_timeout = float(os.environ.get("REPLY_TIMEOUT", "10"))


class OpenUser(BaseUser):
    """A user at the rate of --rate; without that option it is a closed load."""

    @task
    async def foo_bar(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)


class PacedUser(OpenUser):
    """A user with arrivals of its own."""

    wait_time = arrivals(float(os.environ.get("RATE", "20")), SHAPE)  # type: ignore[arg-type]


class WaitingUser(OpenUser):
    """A user that waits for its reply, and then for its wait_time."""

    wait_time = constant(0.05)


class HastyUser(OpenUser):
    """A user whose wait_time is a number, although Locust calls it."""

    only_when_named = True
    wait_time = 0.5  # type: ignore[assignment]


class SingleUser(OpenUser):
    """A user that takes one arrival at a time."""

    pipelined = False


class GatheringUser(BaseUser):
    """A user whose arrivals each cause three emissions at once and then another: the schedule wanted the first."""

    @task
    async def foo_bar(self) -> None:
        await asyncio.gather(*(self.round_trip(FOO_BAR_TO_SENDER) for _ in range(3)))
        await self.round_trip(FOO_BAR_TO_SENDER)


class StoppingUser(BaseUser):
    """A user that stops by itself at its fifth arrival, after the round trip."""

    tasks_run = 0

    @task
    async def foo_bar(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)
        self.tasks_run += 1
        if self.tasks_run == 5:
            raise StopUser

    async def on_stop(self) -> None:
        note("on_stop")


class FailingUser(BaseUser):
    """A user whose own code is wrong: at every fifth arrival after the round trip, at every seventh before."""

    tasks_run = 0

    @task
    async def foo_bar(self) -> None:
        self.tasks_run += 1
        number = self.tasks_run
        if number % 7 == 0:
            raise ZeroDivisionError("before the round trip")
        await self.round_trip(FOO_BAR_TO_SENDER)
        if number % 5 == 0:
            raise ZeroDivisionError("after the round trip")


class StubbornUser(BaseUser):
    """A user that catches whatever its round trip raises."""

    @task
    async def foo_bar(self) -> None:
        try:
            await self.round_trip(FOO_BAR_TO_SENDER)
        except Exception:
            note("caught")


class SlowTaskUser(BaseUser):
    """A user whose task goes on long after its round trip."""

    @task
    async def foo_bar(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)
        await asyncio.sleep(0.5)
        note("task")


class InOrderUser(BaseUser):
    """A user whose service sends replies without a token."""

    definition = round_trip_of("FOO", "BAR", {"name": "always the same", "to": "sender"})

    @task
    async def foo_bar(self) -> None:
        await self.round_trip(self.definition)


class VisitingUser(BaseUser):
    """A user whose round trips belong together: see tests/data/apps/rooms.py."""

    pipelined = os.environ.get("PIPELINED") == "yes"
    definitions = tuple(
        round_trip_of(event, reply, {"visitor": "{token}"})
        for event, reply in (("enter", None), ("work", "worked"), ("leave", None))
    )

    @task
    async def visit(self) -> None:
        for definition in self.definitions:
            await self.round_trip(definition)


class LearningUser(BaseUser):
    """A user that fails before its first round trips; in a second worker always."""

    tasks_run = 0

    @task
    async def foo_bar(self) -> None:
        self.tasks_run += 1
        if self.tasks_run <= 5 or getattr(self.environment.runner, "worker_index", 0) > 0:
            raise ZeroDivisionError
        await self.round_trip(FOO_BAR_TO_SENDER)
