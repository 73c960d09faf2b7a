"""A service whose events belong together: work is done only for who is inside, and nobody enters twice."""

import asyncio
import os
from typing import Any

import socketio

sio = socketio.AsyncServer(async_mode="asgi")
inside: set[str] = set()

WORK_S = float(os.environ.get("WORK_S", "0.02"))


async def enter(sid: str, _data: dict[str, Any]) -> None:
    inside.add(sid)


async def work(sid: str, data: dict[str, Any]) -> None:
    await asyncio.sleep(WORK_S)
    if sid in inside:
        await sio.emit("worked", data, to=sid)


async def leave(sid: str, _data: dict[str, Any]) -> None:
    inside.discard(sid)


for handler in (enter, work, leave):
    sio.on(handler.__name__, handler)
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)
