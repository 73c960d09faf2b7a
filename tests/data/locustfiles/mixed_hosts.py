"""Users of ours and of Locust's own, which share a host."""

from locust import HttpUser, task

from bench.load import SocketIOUser
from bench.load import task as ours
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER


class EchoUser(SocketIOUser):
    @ours
    async def foo_bar(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)


class PageUser(HttpUser):
    @task
    def page(self) -> None:
        self.client.get("/health")
