"""A Socket.IO app that sends 200 events with each reply."""

from typing import Any

import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio)


async def on_foo(sid: str, data: dict[str, Any]) -> None:
    for number in range(200):
        await sio.emit("NEWS", number, to=sid)
    await sio.emit("BAR", {"foo": data["name"]}, to=sid)


sio.on("FOO", on_foo)
