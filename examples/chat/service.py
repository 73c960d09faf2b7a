"""A chat: log in over HTTP, connect to the namespace /chat with the token, enter a room, talk.

POST /login {"name": …}             {"token": …}
connect to /chat                    auth {"token": …}; refused without a token of ours
enter {"room": …}                   acknowledged with {"room": …}
say {"id": …, "room": …, "text": …} said {"id", "room", "text", "name"} to everybody in the room
GET /counts                         the number of clients connected, refused, and so on since the service started
"""

import json
import secrets
from collections import Counter
from typing import Any

import socketio

sio = socketio.AsyncServer(async_mode="asgi")
counts: Counter[str] = Counter()

#: The name of everybody who has logged in, by token.
names: dict[str, str] = {}


class Chat(socketio.AsyncNamespace):
    """The events of the namespace."""

    async def on_connect(self, sid: str, _environ: dict[str, Any], auth: Any = None) -> None:
        """Let in whoever has logged in."""
        token = auth.get("token") if isinstance(auth, dict) else None
        if token not in names:
            counts["refused"] += 1
            raise socketio.exceptions.ConnectionRefusedError("log in first")
        counts["connected"] += 1
        await self.save_session(sid, {"name": names[token]})

    async def on_enter(self, sid: str, data: dict[str, str]) -> dict[str, str]:
        """Put the client into a room."""
        counts["entered"] += 1
        await self.enter_room(sid, data["room"])
        return {"room": data["room"]}

    async def on_say(self, sid: str, data: dict[str, str]) -> None:
        """Pass a message on to everybody in the room, the sender among them."""
        if data["room"] not in self.rooms(sid):
            counts["not in the room"] += 1
            return
        counts["said"] += 1
        session = await self.get_session(sid)
        await self.emit("said", {**data, "name": session["name"]}, room=data["room"])


async def http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer the requests that are not Socket.IO's."""
    answer: dict[str, Any] | None = None
    if (scope["method"], scope["path"]) == ("POST", "/login"):
        answer = {"token": log_in(json.loads(await body_of(receive))["name"])}
    elif scope["path"] == "/counts":
        answer = dict(counts)
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 404 if answer is None else 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


def log_in(name: str) -> str:
    """Return a new token for that name."""
    counts["logged in"] += 1
    token = secrets.token_urlsafe()
    names[token] = name
    return token


async def body_of(receive: Any) -> bytes:
    """Return the whole body of a request."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


sio.register_namespace(Chat("/chat"))
app = socketio.ASGIApp(sio, other_asgi_app=http, on_shutdown=sio.shutdown)
