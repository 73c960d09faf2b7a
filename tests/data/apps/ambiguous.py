"""A service whose replies carry no token, and one that takes only small messages.

`ask` is answered by `news` to everyone, `question` by `answer` to its sender, and `say` by `said`. `wish` is
acknowledged with an error. From time to time an `answer` is sent unasked: `UNASKED` says at which question of a client.
"""

import asyncio
import os
from collections import Counter
from typing import Any

import socketio

TAKES_S = 0.02
UNASKED = int(os.environ.get("UNASKED", "0"))

sio = socketio.AsyncServer(async_mode="asgi", max_http_buffer_size=2_000)
asked: Counter[str] = Counter()


async def ask(sid: str, data: Any = None) -> None:
    await asyncio.sleep(TAKES_S)
    await sio.emit("news", {"n": 1})


async def question(sid: str, data: Any = None) -> None:
    asked[sid] += 1
    if asked[sid] == UNASKED:
        await sio.emit("answer", {"pushed": 1}, to=sid)
    await asyncio.sleep(TAKES_S)
    await sio.emit("answer", data, to=sid)


async def say(sid: str, data: Any) -> None:
    await sio.emit("said", data, to=sid)


async def wish(sid: str, data: Any = None) -> dict[str, Any]:
    return {"ok": False, "error": "no such thing"}


for handler in (ask, question, say, wish):
    sio.on(handler.__name__, handler)

app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)
