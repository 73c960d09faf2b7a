"""A FOO→BAR service that ends the connection instead of answering, at every 20th FOO.

`members` ends the namespace /members alone, and acknowledges the others.
"""

from itertools import count
from typing import Any

import socketio

sio = socketio.AsyncServer(async_mode="asgi")
numbers = count(1)


async def foo(sid: str, data: dict[str, Any]) -> None:
    if next(numbers) % 20 == 0:
        await sio.disconnect(sid)
    else:
        await sio.emit("BAR", {"foo": data["name"]}, to=sid)


async def foo_of_members(sid: str) -> None:
    if next(numbers) % 20 == 0:
        await sio.disconnect(sid, namespace="/members")


sio.on("FOO", foo)
sio.on("FOO", foo_of_members, namespace="/members")
app = members = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)
