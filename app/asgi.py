"""The service as an ASGI app: Socket.IO under `/socket.io/`, `GET /health`, 404 for the rest.

Rules: here the parts are put together and nothing starts. No environment is read, and the module has no state, so that
apps with different settings can live in one process.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import socketio
from pydantic import BaseModel

from app import socketio_server
from app.service import FooBar
from app.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Message, Receive, Send], Awaitable[None]]


class Health(BaseModel):
    """The answer to `GET /health`; `answered` is the number of valid FOOs since the start."""

    status: str = "ok"
    version: str
    clients: int
    answered: int


def create_app(settings: Settings) -> socketio.ASGIApp:
    """Return the service as an ASGI app; its Socket.IO server is the app's `engineio_server`."""
    sio = socketio_server.SocketServer(
        async_mode="asgi",
        # A client's events are handled in the order in which it sent them, without a task for each.
        async_handlers=False,
        max_http_buffer_size=settings.max_message_bytes,
        # Pages of any origin may measure it; what protects it is the token, which no browser sends by itself.
        cors_allowed_origins="*",
        cors_credentials=False,
        logger=socketio_server.logger,
        engineio_logger=socketio_server.logger,
    )
    service = FooBar(token=settings.token.get_secret_value() if settings.token else None, stamps=settings.stamps)
    sio.register_namespace(service)
    return socketio.ASGIApp(sio, other_asgi_app=_pages(service), on_shutdown=sio.shutdown)


def _pages(service: FooBar) -> ASGIApp:
    """Return the app that answers every request that is not Socket.IO."""
    service_version = _version()

    async def pages(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif scope["path"] == "/health" and scope["method"] in ("GET", "HEAD"):
            health = Health(version=service_version, clients=service.clients(), answered=service.answered)
            await _respond(send, 200, health.model_dump_json().encode())
        else:
            await _respond(send, 404, b'{"detail":"Not Found"}')

    return pages


async def _respond(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _version() -> str:
    try:
        return version("socketio-bench")
    except PackageNotFoundError:  # run from a tree that is not installed
        return "unknown"
