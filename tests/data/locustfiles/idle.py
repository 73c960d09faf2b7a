"""A user that connects and does nothing."""

from locust import constant

from bench.load import SocketIOUser, task


class IdleUser(SocketIOUser):
    wait_time = constant(1)

    @task
    async def nothing(self) -> None:
        pass
