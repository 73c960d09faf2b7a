"""The locustfile that `bench accuracy --wire` runs with locust.contrib.socketio: a user that calls without a pause."""

from itertools import count
from typing import Any

from locust import task
from locust.contrib.socketio import SocketIOUser

_TIMEOUT_S = 10.0
_numbers = count()


class EchoUser(SocketIOUser):
    """A user that emits FOO with a token of its own, and awaits the acknowledgement that carries it."""

    options = {"reconnection": False}  # noqa: RUF012 - Locust's

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
