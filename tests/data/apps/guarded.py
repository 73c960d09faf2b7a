"""The FOO→BAR service behind a door: it lets in who has the right user and password, and the key in the query."""

import base64
import os
from typing import Any
from urllib.parse import parse_qs

from app.main import app as service

BASIC = b"Basic " + base64.b64encode(os.environ["DOOR_USERINFO"].encode())
KEY = os.environ["DOOR_KEY"]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Refuse with 401 and the request's own URL, as error pages do."""
    if scope["type"] != "lifespan" and not (
        dict(scope["headers"]).get(b"authorization") == BASIC
        and parse_qs(scope["query_string"].decode()).get("apikey") == [KEY]
    ):
        prefix = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
        if scope["type"] == "websocket":
            await receive()
        await send({"type": f"{prefix}.start", "status": 401, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": f"{prefix}.body", "body": b"not with " + scope["query_string"]})
        return
    await service(scope, receive, send)
