"""What `bench accuracy` has locust.contrib.socketio do: a rate, by the pacing that Locust has for it.

The acknowledgement is awaited by `call`, the only thing that this user times.
"""

import os

from locust import constant_throughput, task
from locust.contrib.socketio import SocketIOUser

_TIMEOUT_S = float(os.environ["TIMEOUT_S"])


class EchoUser(SocketIOUser):
    """Emits FOO so many times a second, or as often as its acknowledgements come."""

    options = {"reconnection": False}  # noqa: RUF012 - Locust's
    wait_time = constant_throughput(float(os.environ["RATE_PER_USER"]))

    def on_start(self) -> None:
        """Connect."""
        self.sio.connect(self.host, transports=["websocket"])

    @task
    def foo(self) -> None:
        """One round trip."""
        self.sio.call("FOO", {"name": "locust", "to": "sender"}, timeout=_TIMEOUT_S)
