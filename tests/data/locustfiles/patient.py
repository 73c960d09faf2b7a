"""Users with a short reply timeout, for servers that keep them waiting."""

import os

from bench.load import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER


class PatientUser(SocketIOUser):
    reply_timeout = float(os.environ.get("REPLY_TIMEOUT", "0.3"))

    @task
    async def foo_bar(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)
