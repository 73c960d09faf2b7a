"""A worker that is slow to initialise after it connected to the master, for tests/system/load/test_workers.py."""

import os
import time
from typing import Any

from locust import events


@events.init.add_listener  # type: ignore[untyped-decorator]
def linger(**_: Any) -> None:
    # Before the project's own listener, which is registered by the import below. Locust has made this gevent's sleep.
    time.sleep(float(os.environ.get("LINGER_S", "0")))


import bench.load.plugin.messages as messages  # noqa: E402
from bench.load import SocketIOUser, task  # noqa: E402
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER  # noqa: E402

if "OTHER_VERSION" in os.environ:
    setattr(messages, "version", lambda _package: os.environ["OTHER_VERSION"])  # noqa: B010  # the package's


class EchoUser(SocketIOUser):
    @task
    async def foo_bar(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)
