"""The users of `bench connections`: many are connected, and some of them work once all are connected."""

import asyncio
import os
import time
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
_are_all_there = False
_looked_at_s = 0.0


def _may_work() -> bool:
    global _are_all_there, _looked_at_s
    now_s = time.monotonic()
    if not _are_all_there and now_s - _looked_at_s > _LOOK_S:
        _looked_at_s = now_s
        _are_all_there = _ALL_THERE.exists()
    return _are_all_there


class WorkingUser(SocketIOUser):
    """A user that sends, waits for the reply, and sends again at once, from when all users are connected."""

    connect_timeout = _CONNECT_TIMEOUT_S
    fixed_count = int(os.environ["WORKING"])

    @task
    async def foo_bar(self) -> None:
        """Do a round trip, or wait for the other users."""
        if _are_all_there or _may_work():
            await self.round_trip(FOO_BAR_TO_SENDER)
        else:
            await asyncio.sleep(0.5)


class IdleUser(SocketIOUser):
    """A user that answers heartbeats and does nothing else."""

    connect_timeout = _CONNECT_TIMEOUT_S
