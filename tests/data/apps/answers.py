# mypy: disable-error-code="untyped-decorator"
"""A service of somebody else's: plain python-socketio, nothing of this project, and some habits that are not nice.

`ANSWERS_MARK` names a file that appears once the moment has come that `ANSWERS_MOMENT` names: `import`, after which the
import does not end, or `asked`, when it was asked often enough to be in the middle of a measurement. At that moment it
ends, where `ANSWERS_MOMENT` is `death`.
"""

import os
import time
from pathlib import Path
from typing import Any

import socketio

MOMENT = os.environ.get("ANSWERS_MOMENT")
IN_THE_MIDDLE = 100

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio)
asked = 0


def mark() -> None:
    Path(os.environ["ANSWERS_MARK"]).touch()


if MOMENT == "import":
    mark()
    time.sleep(60)


@sio.on("ASK")
async def ask(sid: str, question: dict[str, Any]) -> str:
    """Answer with the token, but elsewhere and in another text."""
    global asked
    asked += 1
    if MOMENT == "asked" and asked == IN_THE_MIDDLE:
        mark()
    if MOMENT == "death" and asked == IN_THE_MIDDLE:
        os._exit(3)
    await sio.emit("ANSWER", {"answers": [{"to": f"the question {question['id']}"}]}, to=sid)
    return "asked"


@sio.on("PLAIN")
async def plain(sid: str) -> None:
    """Answer without a token, and without a payload."""
    await sio.emit("REPLY", "ok", to=sid)


@sio.on("TWICE")
async def twice(sid: str) -> None:
    await sio.emit("REPLY", "ok", to=sid)
    await sio.emit("REPLY", "ok", to=sid)


@sio.on("PICKY")
async def picky(sid: str, data: Any) -> None:
    """Who polls hears something else."""
    await sio.emit("REPLY" if sio.transport(sid) == "websocket" else "COMPLAINT", data, to=sid)


@sio.on("PAINT")
async def paint(sid: str, token: str) -> None:
    """Another event than was asked for, to be obeyed by terminals."""
    await sio.emit("\x1b[31mEV\x07", {"of": token}, to=sid)


@sio.on("BREAK")
async def break_later(sid: str) -> None:
    global asked
    asked += 1
    if asked > IN_THE_MIDDLE:
        raise RuntimeError("boom after\x1b[31m a hundred")
    await sio.emit("BROKEN", "not yet", to=sid)
