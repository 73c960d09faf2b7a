"""The program of the peer `aiolocust`: a user that waits for each reply, over aiolocust's WebSocket user.

aiolocust has no Socket.IO, so its framing is written by hand. If RECORDS names a file, it gets a line for each round
trip: the token, and when it was sent and received in nanoseconds. With PERIOD_US, a connection sends no earlier than so
many microseconds after it sent last.
"""

import asyncio
import atexit
import json
import os
from itertools import count
from pathlib import Path
from time import perf_counter_ns

from aiolocust import WebsocketUser, tracer

_URL = os.environ["URL"] + "/socket.io/?EIO=4&transport=websocket"
_PERIOD_NS = round(float(os.environ.get("PERIOD_US", "0")) * 1000)
_RECORDS = os.environ.get("RECORDS")

_numbers = count()
_records: list[str] = []


@atexit.register
def _write() -> None:
    if _RECORDS is not None:
        Path(_RECORDS).write_text("".join(_records))


class EchoUser(WebsocketUser):  # type: ignore[misc]  # it is in another environment
    """A user that emits FOO with a token of its own, waits for the BAR with that token, and goes on at once."""

    async def on_start(self) -> None:
        """Connect, and join the default namespace."""
        await self.connect(_URL)
        await self._message("0")
        await self.websocket.send("40")
        await self._message("40")

    async def receive(self) -> None:
        """Do one round trip after the other."""
        number = next(_numbers)
        for emission in count():
            token = f"rt-al-{number}-{emission}"
            with tracer.start_as_current_span("FOO"):
                sent_ns = perf_counter_ns()
                await self.websocket.send(f'42["FOO",{{"name":"{token}","to":"sender"}}]')
                event, reply = json.loads((await self._message("42"))[2:])
                received_ns = perf_counter_ns()
            if event != "BAR" or reply["foo"] != token:
                raise ValueError(f"sent {token}, received {reply}")
            if _RECORDS is not None:
                _records.append(f"{token} {sent_ns} {received_ns}\n")
            if (early_ns := sent_ns + _PERIOD_NS - received_ns) > 0:
                await asyncio.sleep(early_ns / 1e9)

    async def send(self) -> None:
        """Wait until the end: everything is sent where the replies are received."""
        await asyncio.Event().wait()

    async def _message(self, beginning: str) -> str:
        """Return the next message that begins so. A ping before it is answered."""
        while True:
            message = str(await self.websocket.recv())
            if message == "2":
                await self.websocket.send("3")
            elif message.startswith(beginning):
                return message
