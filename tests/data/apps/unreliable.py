"""A FOO→BAR service with a truth of its own: every 10th reply never comes, every 7th comes late, the rest at once."""

import asyncio
from itertools import count
from typing import Any

import socketio

LATE_S = 2.0

sio = socketio.AsyncServer(async_mode="asgi")
numbers = count(1)
lost: list[str] = []
late: list[str] = []


async def foo(sid: str, data: dict[str, Any]) -> None:
    number = next(numbers)
    if number % 10 == 0:
        lost.append(data["name"])
    elif number % 7 == 0:
        late.append(data["name"])
        await asyncio.sleep(LATE_S)
        await sio.emit("BAR", {"foo": data["name"]}, to=sid)
    else:
        await sio.emit("BAR", {"foo": data["name"]}, to=sid)


sio.on("FOO", foo)


async def counts(scope: Any, receive: Any, send: Any) -> None:
    """Answer `/counts`: the number of lost and of late replies."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f'{{"lost": {len(lost)}, "late": {len(late)}}}'.encode()})


app = socketio.ASGIApp(sio, other_asgi_app=counts, on_shutdown=sio.shutdown)
