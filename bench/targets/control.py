"""The control on the same stack: a trivial FOO→BAR service on python-socketio, with the transport options of `app`.

Frozen: stored results hold ratios to it, which a change of this file would make void (`CONTROL_SHA256`).
"""

from typing import Any

import socketio

sio = socketio.AsyncServer(
    async_mode="asgi",
    async_handlers=False,
    max_http_buffer_size=1_000_000,
    cors_allowed_origins="*",
    cors_credentials=False,
)


async def foo(sid: str, request: dict[str, Any]) -> dict[str, Any]:
    """Answer with BAR to the sender, and with the same as acknowledgement where one was asked for."""
    bar = {"foo": request["name"]}
    await sio.emit("BAR", bar, to=sid)
    return bar


sio.on("FOO", foo)
app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)
