"""The FOO→BAR service of the chaos test: it counts into the file that `CHAOS_COUNTS` names."""

import os
from pathlib import Path
from typing import Any

import socketio

from tests.chaos.counts import Counts

counts = Counts.open(Path(os.environ["CHAOS_COUNTS"]))
tokens: set[str] = set()

sio = socketio.AsyncServer(async_mode="asgi")


async def foo(sid: str, data: dict[str, Any]) -> None:
    token = data["name"]
    counts.add(handled=1, repeated=token in tokens)
    tokens.add(token)
    counts.add(replied=1)
    await sio.emit("BAR", {"foo": token}, to=sid)


sio.on("FOO", foo)
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)
