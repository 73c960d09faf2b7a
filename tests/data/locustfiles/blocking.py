"""A user as one would write it for Locust's own clients: its task is no coroutine."""

from bench.load import SocketIOUser, task


class BlockingUser(SocketIOUser):
    @task
    def foo_bar(self) -> None:
        pass
