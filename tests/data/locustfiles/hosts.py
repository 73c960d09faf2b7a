"""Users whose class has a host, from the environment: with all that a URL can have."""

import os

from bench.load import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER


class HostedUser(SocketIOUser):
    host = os.environ["TEST_HOST"]

    @task
    async def foo_bar(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)
