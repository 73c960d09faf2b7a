"""Socket.IO apps that refuse everybody: `refusing:by_id` with an id, `refusing:by_word` with a word, both made anew."""

import itertools
import uuid
from typing import Any

import socketio

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_words = itertools.cycle(itertools.product(_LETTERS, repeat=3))


def _app(reason: Any) -> socketio.ASGIApp:
    sio = socketio.AsyncServer(async_mode="asgi")

    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        raise socketio.exceptions.ConnectionRefusedError(reason())

    sio.on("connect", connect)
    return socketio.ASGIApp(sio)


by_id = _app(lambda: f"no place for\n{uuid.uuid4()}, HTTP 503")
by_word = _app(lambda: "no place for " + "".join(next(_words)))
