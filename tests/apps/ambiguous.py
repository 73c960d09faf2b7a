"""A service whose replies carry no token, and one that takes only small messages.

`ask` is answered by `news` to everyone, `question` by `answer` to its sender, which some are sent unasked from time to
time, and `say` by `said`. `wish` is acknowledged with an error.
"""

import asyncio
import os
from contextlib import suppress
from typing import Any

import socketio

TAKES_S = 0.02
PUSHED_EVERY_S = float(os.environ.get("PUSHED_EVERY", "inf"))

sio = socketio.AsyncServer(async_mode="asgi", max_http_buffer_size=2_000)
pushing: set[asyncio.Task[None]] = set()


async def connect(sid: str, environ: dict[str, Any]) -> None:
    task = asyncio.create_task(push(sid))
    pushing.add(task)
    task.add_done_callback(pushing.discard)


async def push(sid: str) -> None:
    with suppress(OverflowError):  # never
        while True:
            await asyncio.sleep(PUSHED_EVERY_S)
            if not sio.manager.is_connected(sid, "/"):
                return
            await sio.emit("answer", {"pushed": 1}, to=sid)


async def ask(sid: str, data: Any = None) -> None:
    await asyncio.sleep(TAKES_S)
    await sio.emit("news", {"n": 1})


async def question(sid: str, data: Any = None) -> None:
    await asyncio.sleep(TAKES_S)
    await sio.emit("answer", data, to=sid)


async def say(sid: str, data: Any) -> None:
    await sio.emit("said", data, to=sid)


async def wish(sid: str, data: Any = None) -> dict[str, Any]:
    return {"ok": False, "error": "no such thing"}


for handler in (connect, ask, question, say, wish):
    sio.on(handler.__name__, handler)

app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)
