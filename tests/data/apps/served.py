"""ASGI apps that tests run in a process of their own: one that tells about its process, and some that go wrong."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

not_an_app = 3
spawned: list[subprocess.Popen[bytes]] = []


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """HTTP tells about the process, or does to it what the path says; a WebSocket echoes."""
    if scope["type"] == "lifespan":
        await well(receive, send)
    elif scope["type"] == "websocket":
        await echo(receive, send)
    else:
        answer = act(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


async def echo(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message.get("text")})


def act(path: str) -> dict[str, Any]:
    if path == "/print":
        print("printed by the app")  # noqa: T201
    elif path == "/work":
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
    elif path == "/die":
        print("a last word", file=sys.stderr)  # noqa: T201
        os._exit(7)
    elif path == "/spawn":
        spawned.append(subprocess.Popen(["sleep", "60"]))
    return {
        "file": __file__,
        "cwd": os.getcwd(),  # noqa: PTH109 - as the process sees it
        "loop": type(asyncio.get_running_loop()).__module__.partition(".")[0],
        "environment": dict(os.environ),
        "session": os.getsid(0),
        "spawned": [process.pid for process in spawned],
    }


async def well(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def failing(scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    raise RuntimeError("no database at db.example")


async def dying(scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    print("out of memory, say", file=sys.stderr)  # noqa: T201
    os.kill(os.getpid(), 9)


async def hanging(scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    print("waiting for a database", file=sys.stderr)  # noqa: T201
    await asyncio.sleep(60)


async def stubborn(scope: Message, receive: Receive, send: Send) -> None:
    """Block the loop when asked to shut down, or to answer."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
    time.sleep(60)  # noqa: ASYNC251 - that is its fault


async def ill_at_the_end(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise RuntimeError("could not say goodbye")
