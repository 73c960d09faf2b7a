"""A service that says yes to whoever connects, and refuses a little later, as python-socketio does if it is told to."""

import asyncio
from typing import Any

import socketio

sio = socketio.AsyncServer(async_mode="asgi", always_connect=True)
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)


@sio.event  # type: ignore[untyped-decorator]
async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
    await asyncio.sleep(0.05)
    raise socketio.exceptions.ConnectionRefusedError("not authorised")
