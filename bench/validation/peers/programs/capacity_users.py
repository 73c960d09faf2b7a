"""The users of `bench connections`: many are connected, and some of them work once all are connected."""

import asyncio
import os
from itertools import cycle
from typing import Any

from locust import constant, events

from bench.load import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER

# A client address has some 28,000 ports for each address of the server, so beyond that it needs several.
_hosts = cycle(os.environ["HOSTS"].split(","))
_all_there = False


@events.spawning_complete.add_listener  # type: ignore[untyped-decorator]
def _begin(**_: Any) -> None:
    global _all_there
    _all_there = True


class _Spread(SocketIOUser):
    abstract = True
    connect_timeout = 30.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.host = next(_hosts)


class WorkingUser(_Spread):
    """A user that sends, waits for the reply, and sends again at once, from when all users are connected."""

    fixed_count = int(os.environ["WORKING"])

    @task
    async def foo_bar(self) -> None:
        """Do a round trip, or wait for the other users."""
        if _all_there:
            await self.round_trip(FOO_BAR_TO_SENDER)
        else:
            await asyncio.sleep(0.5)


class IdleUser(_Spread):
    """A user that answers heartbeats and does nothing else."""

    wait_time = constant(3600)

    @task
    async def nothing(self) -> None:
        """Sleep until the end."""
