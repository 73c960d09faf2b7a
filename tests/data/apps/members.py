"""A service that knows its members: POST /login gives a token for a connection, GET /counts tells what it saw."""

import json
import secrets
from collections import Counter
from typing import Any

import socketio

sio = socketio.AsyncServer(async_mode="asgi", namespaces="*")
counts: Counter[str] = Counter()
tokens: set[str] = set()


class Members(socketio.AsyncNamespace):  # type: ignore[misc]  # python-socketio is not typed
    """The namespace /members: it takes a token once, and serves only who has entered the room."""

    async def on_connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        if auth not in tokens or "mark=a7" not in environ.get("HTTP_COOKIE", ""):
            counts["refused"] += 1
            raise socketio.exceptions.ConnectionRefusedError("log in first")
        tokens.discard(auth)
        counts["connected"] += 1

    async def on_enter(self, sid: str) -> None:
        counts["entered"] += 1
        await self.enter_room(sid, "room")

    async def on_say(self, sid: str, data: Any) -> None:
        if "room" in self.rooms(sid):
            counts["said"] += 1
            await self.emit("said", data, to=sid)

    async def on_quiz(self, sid: str, data: Any) -> None:
        """Ask the client three questions, and tell it what it said."""
        said = [await self.call(question, data["n"], to=sid, timeout=5) for question in ("add", "pair", "fail")]
        counts["asked"] += len(said)
        await self.emit("said", {"id": data["id"], "answers": said}, to=sid)

    async def on_drop(self, sid: str) -> None:
        counts["dropped"] += 1
        await self.disconnect(sid)


async def http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer the requests that are not Socket.IO's."""
    status: int = 404
    answer: Any = None
    headers = [(b"content-type", b"application/json")]
    if scope["path"] == "/login":
        counts["logged in"] += 1
        status, answer = 200, secrets.token_urlsafe()
        tokens.add(answer)
        headers.append((b"set-cookie", b"mark=a7; Path=/socket.io; HttpOnly"))
    elif scope["path"] == "/counts":
        status, answer = 200, dict(counts)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


sio.register_namespace(Members("/members"))
app = socketio.ASGIApp(sio, other_asgi_app=http, on_shutdown=sio.shutdown)
