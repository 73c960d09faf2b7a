"""The locustfile that `bench accuracy --wire` runs with locust.contrib.socketio: a user that calls without a pause.

With PERIOD_US, it calls no earlier than so many microseconds after its last call, by Locust's own pacing.
"""

import os
from itertools import count
from typing import Any

from locust import constant, constant_pacing, task
from locust.contrib.socketio import SocketIOUser

_TIMEOUT_S = 10.0
_PERIOD_S = float(os.environ.get("PERIOD_US", "0")) / 1e6
_numbers = count()


class EchoUser(SocketIOUser):
    """A user that emits FOO with a token of its own, and awaits the acknowledgement that carries it."""

    options = {"reconnection": False}  # noqa: RUF012 - Locust's
    wait_time = constant_pacing(_PERIOD_S) if _PERIOD_S else constant(0)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
        self._tokens = (f"rt-lc-{next(_numbers)}-{number}" for number in count())

    def on_start(self) -> None:
        """Connect."""
        self.sio.connect(self.host, transports=["websocket"])

    @task
    def foo(self) -> None:
        """Do a round trip."""
        self.sio.call("FOO", {"name": next(self._tokens), "to": "sender"}, timeout=_TIMEOUT_S)
