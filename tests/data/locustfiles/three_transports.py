"""A user class for each way to connect, with short timeouts, for the chaos test."""

import os

from locust import constant

from bench.load import SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER


class BaseUser(SocketIOUser):
    abstract = True
    reply_timeout = float(os.environ.get("REPLY_TIMEOUT", "2"))
    connect_timeout = float(os.environ.get("CONNECT_TIMEOUT", "2"))
    wait_time = constant(float(os.environ.get("WAIT", "0")))

    @task
    async def foo_bar(self) -> None:
        await self.round_trip(FOO_BAR_TO_SENDER)


class WebSocketUser(BaseUser):
    pass


class PollingUser(BaseUser):
    transports = ("polling",)


class UpgradeUser(BaseUser):
    transports = ("polling", "websocket")
