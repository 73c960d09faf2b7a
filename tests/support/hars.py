"""HARs of sessions that a test makes up: the fields that Chrome's network panel exports, and nothing else."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from tests.support.folders import DATA

#: Recorded from a real Chromium, see tests/support/record_har.py.
FOLDER = DATA / "har"
SESSION = FOLDER / "session.har"
SANITIZED = FOLDER / "sanitized.har"

#: The moment at which all sessions begin, in seconds since 1970.
BEGIN_S = 1_700_000_000.0

HANDSHAKE = '0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
JOINED = '40{"sid":"def"}'

Json = dict[str, Any]


def sent(data: str | bytes, at_s: float) -> Json:
    """Return a message of a WebSocket from the client, so many seconds after the beginning."""
    return _message("send", data, at_s)


def received(data: str | bytes, at_s: float) -> Json:
    """Return a message of a WebSocket from the server."""
    return _message("receive", data, at_s)


def _message(kind: str, data: str | bytes, at_s: float) -> Json:
    is_text = isinstance(data, str)
    text = data if isinstance(data, str) else base64.b64encode(data).decode()
    return {"type": kind, "time": BEGIN_S + at_s, "opcode": 1 if is_text else 2, "data": text}


def begun(auth: Any = None, namespace: str = "/") -> list[Json]:
    """Return the messages with which a connection begins."""
    name = "" if namespace == "/" else f"{namespace},"
    join = f"40{name}{'' if auth is None else json.dumps(auth)}"
    return [received(HANDSHAKE, 0), sent(join, 0.01), received(f'40{name}{{"sid":"def"}}', 0.02)]


def socket(*messages: Json, query: str = "EIO=4&transport=websocket", url: str = "", **headers: str) -> Json:
    """Return the entry of a WebSocket with these messages."""
    made = http("GET", url or f"wss://chat.example/socket.io/?{query}", at_s=0, headers=headers)
    return made | {"_resourceType": "websocket", "_webSocketMessages": list(messages)}


def http(
    method: str,
    url: str,
    *,
    at_s: float = -1.0,
    body: Any = None,
    answer: Any = None,
    headers: dict[str, str] | None = None,
    set_cookie: str | None = None,
) -> Json:
    """Return the entry of an HTTP request. A body, or an answer, that is no text is JSON."""
    request: Json = {
        "method": method,
        "url": url if "://" in url else f"https://chat.example{url}",
        "headers": [{"name": name.replace("_", "-"), "value": value} for name, value in (headers or {}).items()],
        "cookies": [],
    }
    if body is not None:
        kind = "application/x-www-form-urlencoded" if isinstance(body, str) else "application/json"
        request["postData"] = {"mimeType": kind, "text": body if isinstance(body, str) else json.dumps(body)}
    response: Json = {"status": 200, "headers": [], "cookies": [], "content": {}}
    if set_cookie is not None:
        response["headers"] = [{"name": "Set-Cookie", "value": set_cookie}]
    if answer is not None:
        response["content"] = {"text": answer if isinstance(answer, str) else json.dumps(answer)}
    moment = datetime.fromtimestamp(BEGIN_S + at_s, UTC).isoformat()
    return {"startedDateTime": moment, "time": 5, "request": request, "response": response}


def har(*entries: Json) -> bytes:
    """Return the file."""
    return json.dumps({"log": {"version": "1.2", "entries": list(entries)}}).encode()
