"""A shop that a browser's session is recorded from: everything that a recording may have is in it once.

POST /login {"user", "password"}      a cookie, and {"token": …}
connect to /                          auth {"token": …, "client": "web"}; refused without a token of ours
enter {"room": …}                     acknowledged with {"room": …, "visit": …}
say {"id": …, "room": …, "text": …}   said {"id", "text", "name"} to everybody in the room
find 7                                found {"number": 7, "title": …} to the sender
typing {"room": …}                    is typing to everybody else
upload {"name": …, "content": bytes}  acknowledged with the size and the first bytes
change {"password": …}                acknowledged with "changed"
ready                                 the server asks `confirm`, and waits for the answer
/news: read 7                         acknowledged with {"number": 7, "headline": …}; `tick` comes unasked
"""

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import socketio

sio = socketio.AsyncServer(async_mode="asgi")
tokens: set[str] = set()
ticking: set[asyncio.Task[None]] = set()

CLIENT = Path(__file__).parents[1] / "node/node_modules/socket.io-client/dist/socket.io.min.js"
PAGE = Path(__file__).parents[1] / "har/page.html"


async def connect(sid: str, _environ: dict[str, Any], auth: Any = None) -> None:
    if not isinstance(auth, dict) or auth.get("token") not in tokens:
        raise socketio.exceptions.ConnectionRefusedError("log in first")


async def enter(sid: str, data: dict[str, str]) -> dict[str, str]:
    await sio.enter_room(sid, data["room"])
    return {"room": data["room"], "visit": secrets.token_hex(8)}


async def say(sid: str, data: dict[str, str]) -> None:
    if data["room"] in sio.rooms(sid):
        await sio.emit("said", {"id": data["id"], "text": data["text"].upper(), "name": "Ada"}, room=data["room"])


async def find(sid: str, number: int) -> None:
    await sio.emit("found", {"number": number, "title": "a thing"}, to=sid)


async def typing(sid: str, data: dict[str, str]) -> None:
    await sio.emit("is typing", data, skip_sid=sid)


async def upload(_sid: str, data: dict[str, Any]) -> tuple[int, bytes]:
    return len(data["content"]), data["content"][:4]


async def change(_sid: str, data: dict[str, str]) -> str:
    return "changed" if data["password"] else "refused"


async def ready(sid: str) -> None:
    await sio.emit("confirm", {"question": "are you there?"}, to=sid, callback=lambda *_: None)


async def begin(sid: str, _environ: dict[str, Any], _auth: Any = None) -> None:
    ticking.add(asyncio.create_task(tick(sid)))


async def tick(sid: str) -> None:
    for number in range(3):
        await asyncio.sleep(0.3)
        await sio.emit("tick", {"n": number}, to=sid, namespace="/news")


async def read(_sid: str, number: int) -> dict[str, Any]:
    return {"number": number, "headline": "Nothing new"}


async def http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer the requests that are not Socket.IO's: the login, the page and the client's script."""
    path, status, headers, body = scope["path"], 200, [], b""
    if path == "/login":
        given = json.loads(await body_of(receive))
        if given["password"]:
            tokens.add(token := secrets.token_urlsafe(24))
            cookie = f"visitor={secrets.token_hex(16)}".encode()
            headers = [(b"content-type", b"application/json"), (b"set-cookie", cookie)]
            body = json.dumps({"user": {"name": given["user"]}, "token": token}).encode()
    elif path == "/page":
        headers, body = [(b"content-type", b"text/html")], PAGE.read_bytes()
    elif path == "/client.js":
        headers, body = [(b"content-type", b"text/javascript")], CLIENT.read_bytes()
    else:
        status = 404
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def body_of(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


for handler in (connect, enter, say, find, typing, upload, change, ready):
    sio.on(handler.__name__, handler)
sio.on("connect", begin, namespace="/news")
sio.on("read", read, namespace="/news")
app = socketio.ASGIApp(sio, other_asgi_app=http, on_shutdown=sio.shutdown)
