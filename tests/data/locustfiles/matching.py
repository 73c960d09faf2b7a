"""Users of tests/data/apps/ambiguous.py, for tests/system/load/test_matching.py."""

import asyncio
import contextlib
import os
import secrets

from locust import constant

from bench.load import SocketIOUser, task
from bench.results.load import MOST_OPERATIONS
from bench.scenarios.model import RoundTrip, round_trip_of
from bench.wire.errors import ClientError

ASK = round_trip_of("ask", "news", None)
QUESTION = round_trip_of("question", "answer", {"text": "?"})
SAY = round_trip_of("say", "said", {"id": "{token}"})
SAY_MUCH = RoundTrip("much", "say", lambda token: {"id": token, "text": "x" * 5_000}, "said", SAY.token_of)
SAY_A_SET = RoundTrip("set", "say", lambda token: {"id": token, "text": {1, 2}}, "said", SAY.token_of)
WISH = round_trip_of("wish", None, None)


class BaseUser(SocketIOUser):
    abstract = True
    reply_timeout = float(os.environ.get("REPLY_TIMEOUT", "10"))
    transports = (os.environ.get("TRANSPORT", "websocket"),)  # type: ignore[assignment]


class AskUser(BaseUser):
    """A user whose reply goes to everyone."""

    @task
    async def ask(self) -> None:
        await self.round_trip(ASK)


class QuestionUser(BaseUser):
    """A user whose reply goes to itself alone."""

    @task
    async def question(self) -> None:
        await self.round_trip(QUESTION)


class LeavingUser(BaseUser):
    """A user that leaves as soon as it has a reply."""

    @task
    async def question(self) -> None:
        await self.round_trip(QUESTION)
        await self.disconnect()
        await self.connect()


class TwoAtOnceUser(BaseUser):
    """A user with two round trips in flight; nothing says which reply is whose."""

    @task
    async def question(self) -> None:
        await asyncio.gather(self.round_trip(QUESTION), self.round_trip(QUESTION))


class LargeUser(BaseUser):
    """A user whose every other message is larger than the server takes."""

    @task
    async def small(self) -> None:
        await self.round_trip(SAY)

    @task
    async def large(self) -> None:
        await self.round_trip(SAY_MUCH)


class StubbornUser(BaseUser):
    """A user that goes on whatever becomes of its messages, and never waits."""

    @task
    async def large(self) -> None:
        while True:
            with contextlib.suppress(ClientError):
                await self.round_trip(SAY_MUCH)


class SetUser(BaseUser):
    """A user that sends what fits into no message, then what fits."""

    wait_time = constant(0.05)

    @task
    async def say(self) -> None:
        await self.round_trip(SAY_A_SET)

    @task
    async def say_right(self) -> None:
        await self.round_trip(SAY)


class WishUser(BaseUser):
    """A user that hears each time that there is no such thing."""

    wait_time = constant(0.01)

    @task
    async def wish(self) -> None:
        await self.round_trip(WISH)


class AnewUser(BaseUser):
    """A user that makes each of its definitions anew, with another text and another name.

    It begins later than the others: once it has used up the operations that have rows, theirs would get none.
    """

    async def on_start(self) -> None:  # type: ignore[override]  # as Locust has it
        await asyncio.sleep(1.0)

    @task
    async def say(self) -> None:
        made = round_trip_of("say", "said", {"id": "{token}", "text": secrets.token_hex(50)})
        await self.round_trip(made)
        for _ in range(MOST_OPERATIONS + 50):
            name = f"say {secrets.token_hex(4)}"
            await self.round_trip(RoundTrip(name, "say", lambda token: {"id": token}, "said", lambda said: said["id"]))


class EnteringUser(BaseUser):
    """A user that asks once, when it begins, and then for something else."""

    async def on_start(self) -> None:  # type: ignore[override]  # as Locust has it
        await self.round_trip(QUESTION)

    @task
    async def say(self) -> None:
        await self.round_trip(SAY)
