"""A service whose handlers behave in many ways, made anew for each test."""

from typing import Any

import pytest
import socketio


class Service:
    """A chat with a namespace that asks for a token. `sio` is its server, `app` what serves it."""

    def __init__(self) -> None:
        self.sio = socketio.AsyncServer(async_mode="asgi")
        self.app = socketio.ASGIApp(self.sio, on_shutdown=self.sio.shutdown)
        self.sio.on("say", self.say)
        self.sio.on("shout", self.shout)
        self.sio.on("add", self.add)
        self.sio.on("leave", self.leave)
        self.sio.on("connect", self.connect, namespace="/staff")
        self.sio.on("say", self.say_in_staff, namespace="/staff")

    async def say(self, sid: str, data: dict[str, Any]) -> None:
        await self.sio.emit("said", {**data, "text": data["text"].upper()}, to=sid)

    async def shout(self, sid: str, text: str) -> None:
        await self.sio.emit("said", {"text": text}, skip_sid=sid)
        await self.sio.emit("said", {"text": "you shouted"}, to=sid)

    async def add(self, sid: str, *numbers: int) -> tuple[int, int]:
        return len(numbers), sum(numbers)

    async def leave(self, sid: str) -> None:
        await self.sio.disconnect(sid)

    async def connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        if auth != {"token": "secret"}:
            raise socketio.exceptions.ConnectionRefusedError("log in first", {"code": 401})

    async def say_in_staff(self, sid: str, text: str) -> None:
        await self.sio.emit("said", f"staff: {text}", to=sid, namespace="/staff")


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def socketio_app(service: Service) -> socketio.ASGIApp:
    return service.app
