"""The locustfile of the peer `locust-contrib`: a user of locust.contrib.socketio that waits for each reply."""

from itertools import count
from typing import Any

from gevent.event import Event
from locust import task
from locust.contrib.socketio import SocketIOUser

_numbers = count()


class EchoUser(SocketIOUser):
    """A user that emits FOO with a token of its own, waits for the BAR with that token, and goes on at once."""

    options = {"reconnection": False}  # noqa: RUF012 - Locust's

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
        self._tokens = (f"rt-lc-{next(_numbers)}-{number}" for number in count())
        self._token = ""
        self._replied = Event()

    def on_start(self) -> None:
        """Connect."""
        self.sio.on("BAR", self._bar)
        self.sio.connect(self.host, transports=["websocket"])

    @task
    def foo_bar(self) -> None:
        """Do a round trip."""
        self._token = next(self._tokens)
        self._replied.clear()
        self.sio.emit("FOO", {"name": self._token, "to": "sender"})
        self._replied.wait()

    def _bar(self, reply: dict[str, Any]) -> None:
        if reply["foo"] != self._token:
            raise ValueError(f"sent {self._token}, received {reply['foo']}")
        self._replied.set()
