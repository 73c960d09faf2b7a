"""A user with a task set, which no open load can run."""

from locust import TaskSet

from bench.load import SocketIOUser, arrivals, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER


class Browsing(TaskSet):
    @task
    async def foo_bar(self) -> None:
        await self.user.round_trip(FOO_BAR_TO_SENDER)  # type: ignore[attr-defined]


class SetUser(SocketIOUser):
    tasks = [Browsing]  # noqa: RUF012  # as Locust has it


class PacedSetUser(SetUser):
    wait_time = arrivals(5)
