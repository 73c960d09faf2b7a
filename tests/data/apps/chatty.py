"""A service that takes what needs no answer, and tells what nobody asked for. `counts` acknowledges how often."""

from collections import Counter
from typing import Any

import socketio

sio = socketio.AsyncServer(async_mode="asgi", max_http_buffer_size=100_000)
seen: Counter[str] = Counter()


async def connect(sid: str, environ: dict[str, Any], auth: Any = None) -> None:
    await sio.emit("welcome", {"text": "hello"}, to=sid)


async def typing(sid: str, data: Any) -> None:
    seen["typing"] += 1


async def say(sid: str, data: Any) -> None:
    seen["say"] += 1
    await sio.emit("said", data)


async def ask(sid: str, data: Any) -> Any:
    return data


async def counts(sid: str) -> dict[str, int]:
    return dict(seen)


for handler in (connect, typing, say, ask, counts):
    sio.on(handler.__name__, handler)

app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)
