"""A server on python-socketio for the conformance tests; tests/data/node/conformance.js is the same on socket.io.

In `/` and `/admin`: ECHO comes back as event and as acknowledgement, ASK makes the server ask QUESTION and tell the
ANSWER, KICK ends the namespace, WHO acknowledges how the client came, LEFT whether a client of that name has gone.
`/` refuses a wrong token, `/private` everybody.
"""

from typing import Any

import socketio
from socketio.exceptions import ConnectionRefusedError as Refused

sio = socketio.AsyncServer(async_mode="asgi", ping_interval=0.3, ping_timeout=1.5, max_http_buffer_size=4_000_000)
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)
came: dict[str, dict[str, Any]] = {}
left: set[str] = set()


async def refuse(sid: str, environ: dict[str, Any], auth: Any) -> None:
    raise Refused("not yours", {"code": 7})


def serve(namespace: str) -> None:
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        auth = auth or {}
        if auth.get("token") == "wrong":
            raise Refused("no such token", {"asked": "wrong"})
        came[sid] = {
            "auth": auth,
            "cookie": environ.get("HTTP_COOKIE"),
            "header": environ.get("HTTP_X_TEST"),
            "query": environ["QUERY_STRING"],
        }

    async def disconnect(sid: str, reason: str) -> None:
        left.add(came.pop(sid)["auth"].get("name", ""))

    async def echo(sid: str, *values: Any) -> Any:
        await sio.emit("ECHO", values, to=sid, namespace=namespace)
        return values

    async def ask(sid: str, *values: Any) -> None:
        answer = await sio.call("QUESTION", values, to=sid, namespace=namespace)
        await sio.emit("ANSWER", answer, to=sid, namespace=namespace)

    async def kick(sid: str) -> None:
        await sio.disconnect(sid, namespace=namespace)

    async def who(sid: str) -> Any:
        return came[sid] | {"transport": sio.transport(sid, namespace)}

    async def has_left(sid: str, name: str) -> bool:
        return name in left

    handlers = {"connect": connect, "disconnect": disconnect, "ECHO": echo, "ASK": ask, "KICK": kick, "WHO": who}
    for event, handler in handlers.items():
        sio.on(event, handler, namespace=namespace)
    sio.on("LEFT", has_left, namespace=namespace)


serve("/")
serve("/admin")
sio.on("connect", refuse, namespace="/private")
