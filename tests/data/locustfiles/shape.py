"""The number of users changes during the run, and another class of Locust's users runs beside ours."""

import os

from locust import HttpUser, LoadTestShape, constant
from locust import task as http_task

from bench.load import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER

_STEPS = ((2.0, 2), (4.0, 5), (6.0, 3))


class EchoUser(SocketIOUser):
    wait_time = constant(0.05)

    @task
    async def foo_bar(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)


if "WITH_HTTP" in os.environ:

    class PageUser(HttpUser):
        wait_time = constant(0.2)

        @http_task
        def health(self) -> None:
            self.client.get("/health")

else:

    class Steps(LoadTestShape):
        def tick(self) -> tuple[int, float] | None:
            elapsed_s = float(self.get_run_time())  # type: ignore[no-untyped-call]
            return next(((users, 100.0) for until_s, users in _STEPS if elapsed_s < until_s), None)
