"""Users of members.py: each logs in before it connects, enters the room when it has, and is asked by the service."""

import json
import sys
from typing import Any

from locust import constant

from bench import Connection, RoundTrip, SocketIOUser, on, task

ENTER = RoundTrip("enter", emit="enter")
SAY = RoundTrip("say", emit="say", data={"id": "{token}"}, reply="said")
QUIZ = RoundTrip("quiz", emit="quiz", data={"id": "{token}", "n": 3}, reply="said")


class LoggedIn(SocketIOUser):
    """A user that logs in and enters the room."""

    abstract = True
    wait_time = constant(0.03)
    connection = Connection(namespaces=("/members",))

    async def before_connect(self) -> None:
        async with self.http.post("/login") as response:
            self.auth = await response.json()

    async def on_connect(self) -> None:
        await self.round_trip(ENTER)

    async def on_stop(self) -> None:
        async with self.http.get("/counts", name="counts") as response:
            sys.stderr.write(json.dumps(await response.json()) + "\n")


class Member(LoggedIn):
    """A member that answers questions, is dropped now and then, and disconnects now and then."""

    heard = 0

    @on("add")
    def add(self, number: int) -> int:
        return number + 1

    @on("pair")
    async def pair(self, number: int) -> tuple[int, str]:
        async with self.http.get("/nothing") as response:
            return number, str(response.status)

    @on("fail")
    async def fail(self, number: int) -> int:
        raise LookupError(number)

    @on("said")
    def hear(self, _said: Any) -> None:
        self.heard += 1

    @task(3)
    async def say(self) -> None:
        heard = self.heard
        await self.round_trip(SAY)
        assert self.heard == heard + 1

    @task(2)
    async def quiz(self) -> None:
        answers = (await self.round_trip(QUIZ))["answers"]
        assert answers == [4, [3, "404"], None], answers

    @task
    async def leave(self) -> None:
        await self.disconnect()
        await self.disconnect()
        await self.connect()
        await self.connect()

    @task
    async def be_dropped(self) -> None:
        await self.client.emit("drop")


class Unprepared(LoggedIn):
    """A user whose first attempts fail for reasons of its own."""

    attempts = 0
    beginnings = 0

    def before_connect(self) -> Any:  # it may be a plain function
        self.attempts += 1
        if self.attempts == 1:
            raise KeyError("no such name")
        return super().before_connect()

    async def on_connect(self) -> None:
        self.beginnings += 1
        if self.beginnings == 1:
            await self.round_trip(ENTER)
            raise KeyError("no such room")
        await super().on_connect()

    @task
    async def say(self) -> None:
        await self.round_trip(SAY)


class Locked(LoggedIn):
    """A user that is refused by the service's HTTP side."""

    async def before_connect(self) -> None:
        async with self.http.post("/nowhere", raise_for_status=True):
            pass

    @task
    async def say(self) -> None:
        await self.round_trip(SAY)


class Away(LoggedIn):
    """A user that disconnects at once, and does not come back until its end."""

    async def on_start(self) -> None:  # type: ignore[override]
        await self.disconnect()

    @task
    async def say(self) -> None:
        await self.round_trip(SAY)
