"""Users of tests/data/apps/choosy.py, for tests/system/load/test_replies.py."""

import asyncio
from typing import Any

from locust import constant

from bench import RoundTrip, SocketIOUser, task


def is_ok(answer: dict[str, Any]) -> str | None:
    return None if answer["ok"] else answer["error"]


def is_found(event: str, carried: Any, *_: Any) -> str | None:
    return None if event == "found" else "it is refused"


LISTED = RoundTrip("list", emit="list", data={"id": "{token}"}, reply="listed")
ORDER = RoundTrip("order", emit="order", data=("chair {uuid}", 7), check=is_ok)
TOO_MANY = RoundTrip("too many", emit="order", data=("chair {uuid}", 70), check=is_ok)
FIND = RoundTrip("find", emit="find", data={"id": "{uuid}"}, reply=("found", "refused"), check=is_found)
FIND_ANY = RoundTrip("find any", emit="find", data={"id": "{int}"}, reply=("found", "refused"))
MISTAKEN = RoundTrip("mistaken", emit="order", data=("chair", 7), check=lambda answer: answer["ok"])
RAISING = RoundTrip("raising", emit="order", data=("chair", 7), check=lambda answer: answer["okay"])


class Listing(SocketIOUser):
    """A user with ten in flight: each reply has the tokens of five, and not all of this user."""

    wait_time = constant(0.02)

    @task
    async def list(self) -> None:
        await asyncio.gather(*(self.round_trip(LISTED) for _ in range(10)))


class Ordering(SocketIOUser):
    """A user whose every second order is refused."""

    wait_time = constant(0.01)

    @task
    async def order(self) -> None:
        assert await self.round_trip(ORDER) == {"ok": True}
        await self.round_trip(TOO_MANY)


class Finding(SocketIOUser):
    """A user that takes either answer, once with a check."""

    wait_time = constant(0.01)

    @task
    async def find(self) -> None:
        event, carried = await self.round_trip(FIND_ANY)
        assert event == "found" or (event == "refused" and carried[1] == "closed")
        event, _ = await self.round_trip(FIND)
        assert event == "found"


class Mistaking(SocketIOUser):
    """A user whose checks are wrong themselves."""

    wait_time = constant(0.05)

    @task
    async def returning(self) -> None:
        await self.round_trip(MISTAKEN)

    @task
    async def raising(self) -> None:
        await self.round_trip(RAISING)
