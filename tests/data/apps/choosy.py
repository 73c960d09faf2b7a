# mypy: disable-error-code="untyped-decorator"
"""A service that says no, and whose replies are of several forms.

`list` is answered by `listed` with the last five ids that anybody gave. `order` takes two arguments, and acknowledges
that it has them or that they are wrong. `find` takes a UUID or an integer, and answers by `found`. It answers by
`refused` if that is no such id, and every third time. `counts` acknowledges how often each was called.
"""

from collections import Counter, deque
from typing import Any
from uuid import UUID

import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)

last: deque[Any] = deque(maxlen=5)
called: Counter[str] = Counter()


@sio.on("list")
async def list_last(sid: str, data: dict[str, Any]) -> None:
    called["list"] += 1
    last.append(data["id"])
    await sio.emit("listed", {"last": [{"id": each} for each in last]}, to=sid)


@sio.on("order")
async def order(sid: str, item: str, number: int) -> dict[str, Any]:
    called["order"] += 1
    if type(item) is str and type(number) is int and number < 10:
        return {"ok": True}
    called["no such item"] += 1
    return {"ok": False, "error": f"{item} is out of stock"}


@sio.on("find")
async def find(sid: str, data: dict[str, Any]) -> None:
    called["find"] += 1
    wanted = data["id"]
    is_right = 2**52 <= wanted < 2**53 if type(wanted) is int else str(UUID(wanted)) == wanted
    if is_right and called["find"] % 3:
        called["found"] += 1
        await sio.emit("found", {"of": wanted}, to=sid)
    else:
        await sio.emit("refused", (wanted, "closed"), to=sid)


@sio.on("counts")
async def counts(sid: str) -> dict[str, int]:
    return dict(called)
