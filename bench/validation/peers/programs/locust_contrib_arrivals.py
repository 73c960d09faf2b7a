"""The locustfile that `bench accuracy` runs with locust.contrib.socketio: a rate, by Locust's own pacing.

`call` awaits the acknowledgement; nothing else of this user is timed.
"""

import os

from locust import constant_throughput, task
from locust.contrib.socketio import SocketIOUser

_TIMEOUT_S = float(os.environ["TIMEOUT_S"])


class EchoUser(SocketIOUser):
    """A user that emits FOO so many times a second, or as often as its acknowledgements come."""

    options = {"reconnection": False}  # noqa: RUF012 - Locust's
    wait_time = constant_throughput(float(os.environ["RATE_PER_USER"]))

    def on_start(self) -> None:
        """Connect."""
        self.sio.connect(self.host, transports=["websocket"])

    @task
    def foo(self) -> None:
        """Do a round trip."""
        self.sio.call("FOO", {"name": "locust", "to": "sender"}, timeout=_TIMEOUT_S)
