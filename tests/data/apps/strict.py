"""A service under a path and in a namespace, in MessagePack, that lets in who has all of its secrets.

It repeats in its refusals what it was given, as some do.
"""

from typing import Any

import socketio

sio = socketio.AsyncServer(async_mode="asgi", serializer="msgpack")
app = socketio.ASGIApp(sio, socketio_path="/ws/socket.io", on_shutdown=sio.shutdown)


@sio.on("connect", namespace="/chat")  # type: ignore[untyped-decorator]
async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
    came = (
        auth,
        environ.get("HTTP_X_KEY"),
        environ.get("HTTP_COOKIE"),
        environ["QUERY_STRING"].partition("&")[0],
    )
    if came != ({"token": "hush-hush"}, "key-1234", "session=abc-1234", "tenant=acme-1234"):
        raise socketio.exceptions.ConnectionRefusedError(f"not with {came}")


@sio.on("say", namespace="/chat")  # type: ignore[untyped-decorator]
async def say(sid: str, data: Any) -> None:
    await sio.emit("said", data, to=sid, namespace="/chat")
