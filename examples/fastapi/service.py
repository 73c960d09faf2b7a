"""A FastAPI app with Socket.IO mounted under /ws: clients connect to /ws/socket.io, and all else is FastAPI's.

quote {"id": …, "symbol": …}       price {"id", "symbol", "price"} to the sender
order {"symbol": …, "pieces": …}   acknowledged with {"number": …}
GET /counts                        the number of quotes and orders since the service started
"""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import socketio
from fastapi import FastAPI

sio = socketio.AsyncServer(async_mode="asgi")
counts: Counter[str] = Counter()


@sio.on("quote")
async def quote(sid: str, data: dict[str, str]) -> None:
    """Tell the sender a price."""
    counts["quotes"] += 1
    await sio.emit("price", {**data, "price": 100 + len(data["symbol"])}, to=sid)


@sio.on("order")
async def order(_sid: str, _data: dict[str, Any]) -> dict[str, int]:
    """Number an order."""
    counts["orders"] += 1
    return {"number": counts["orders"]}


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
    """End python-socketio's background tasks with the app. A mounted app is not told when that is."""
    yield
    await sio.shutdown()


app = FastAPI(lifespan=lifespan)
# The mounted app sees the whole path of a request, so it needs the whole path as well.
app.mount("/ws", socketio.ASGIApp(sio, socketio_path="/ws/socket.io"))


@app.get("/counts")
async def count() -> dict[str, int]:
    """Return the number of quotes and orders."""
    return dict(counts)
