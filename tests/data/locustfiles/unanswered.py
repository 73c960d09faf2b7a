"""Users who await no answer: they only emit, only listen, or time whole blocks of what they do."""

import asyncio
import sys

from locust import constant
from locust.exception import RescheduleTask

from bench import Emission, RoundTrip, SocketIOUser, task

TYPING = Emission("typing", emit="typing", data={"id": "{token}"})
LARGE = Emission("paste", emit="typing", data={"text": 200_000 * "x"})
MUCH = Emission("much", emit="typing", data={"text": 50_000 * "x"})
SAY = RoundTrip("say", emit="say", data={"id": "{token}"}, reply="said")
ASK = RoundTrip("ask", emit="ask", data={"id": 7})
PICTURE = RoundTrip("picture", emit="ask", data={"picture": b"\x00" * 1000})


class TypingUser(SocketIOUser):
    wait_time = constant(0.01)

    @task
    async def type_something(self) -> None:
        await self.emit(TYPING)


class EndlessUser(SocketIOUser):
    """Never gives the loop a rest by itself."""

    reply_timeout = 1.0

    @task
    async def type_for_ever(self) -> None:
        while True:
            await self.emit(MUCH)


class PastingUser(SocketIOUser):
    wait_time = constant(0.05)

    @task
    async def paste(self) -> None:
        await self.emit(LARGE)


class MistakenUser(SocketIOUser):
    @task
    async def type_something(self) -> None:
        await self.emit("typing")  # type: ignore[arg-type]


class ListeningUser(SocketIOUser):
    """Has no task: it stays connected, and receives."""


class HandlingUser(SocketIOUser):
    async def on_start(self) -> None:  # type: ignore[override]
        self.client.on("said", lambda *_: None)


class TalkingUser(SocketIOUser):
    @task
    async def talk(self) -> None:
        async with self.transaction("talk"):
            await self.emit(TYPING)
            await self.round_trip(SAY)


class BlockUser(SocketIOUser):
    """Goes through every way in which a block can end, in the same order each time, and then waits inside a block."""

    @task
    async def go_through_all(self) -> None:
        async with self.transaction("outer"):
            for _ in range(3):
                async with self.transaction("inner"):
                    await self.round_trip(ASK)
        await asyncio.gather(*(self._concurrent() for _ in range(5)))
        try:
            async with self.transaction("raising"):
                raise ValueError("no such thing")
        except ValueError:
            pass
        try:
            async with asyncio.timeout(0.01), self.transaction("cancelled"):
                await asyncio.sleep(60)
        except TimeoutError:
            pass
        try:
            async with self.transaction("rescheduled"):
                raise RescheduleTask
        except RescheduleTask:
            pass
        async with self.transaction("ask"):
            await self.round_trip(PICTURE)
        sys.stdout.write("all done\n")
        sys.stdout.flush()
        async with self.transaction("cut off"):
            await asyncio.sleep(60)

    async def _concurrent(self) -> None:
        async with self.transaction("concurrent"):
            await self.round_trip(ASK)
