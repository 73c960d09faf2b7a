"""The users of `bench connections`: many are connected, and some of them work once all are connected."""

import asyncio
import os
from pathlib import Path

from locust import runners

from bench.load import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER

#: The time between two looks for the file that says that all users are connected, in seconds: of all users together.
_LOOK_S = 0.2

# While tens of thousands of users arrive on a core or two, a worker may get no turn within the 3 s after which Locust's
# master takes it for lost.
runners.HEARTBEAT_LIVENESS = 60

#: The time that an attempt to connect may take, in seconds: all users of a process arrive together.
_CONNECT_TIMEOUT_S = 120.0

_ALL_THERE = Path(os.environ["ALL_THERE"])
_are_all_there = asyncio.Event()
_looking: list[asyncio.Task[None]] = []


async def _look() -> None:
    while not _ALL_THERE.exists():  # noqa: ASYNC110, ASYNC240 - another process makes it; to look takes microseconds
        await asyncio.sleep(_LOOK_S)
    _are_all_there.set()


async def _all_there() -> None:
    """Return once all users of the run are connected. Thousands wait: one task looks for all of them."""
    if not _looking:
        _looking.append(asyncio.get_running_loop().create_task(_look()))
    await _are_all_there.wait()


class WorkingUser(SocketIOUser):
    """A user that sends, waits for the reply, and sends again at once, from when all users are connected."""

    connect_timeout = _CONNECT_TIMEOUT_S
    fixed_count = int(os.environ["WORKING"])

    @task
    async def foo_bar(self) -> None:
        """Do a round trip, once all users are there."""
        if not _are_all_there.is_set():
            await _all_there()
        await self.round_trip(FOO_BAR_TO_SENDER)


class IdleUser(SocketIOUser):
    """A user that answers heartbeats and does nothing else."""

    connect_timeout = _CONNECT_TIMEOUT_S
