"""People in a chat: each logs in over HTTP, connects with its token, enters a room out of five, and talks."""

import random
from typing import Any

import requests
from locust import between

from bench import Connection, RoundTrip, SocketIOUser, task

ROOMS = ("lobby", "music", "news", "sports", "travel")

# No token in it: the acknowledgement of an event is known by its number.
ENTER = {room: RoundTrip("enter", emit="enter", data={"room": room}) for room in ROOMS}
# Everybody in the room receives `said`. The token tells the sender which of them is the reply.
SAY = {
    room: RoundTrip("say", emit="say", data={"id": "{token}", "room": room, "text": "hello"}, reply="said")
    for room in ROOMS
}


class ChatUser(SocketIOUser):
    """A user who says something now and then."""

    connection = Connection(namespaces=("/chat",))
    wait_time = between(0.5, 1.5)
    room = ""

    def __init__(self, environment: Any) -> None:
        """Log in. Locust's side calls this, before the connection is made, so it may block."""
        super().__init__(environment)
        answer = requests.post(f"{self.host}/login", json={"name": "somebody"}, timeout=5)
        answer.raise_for_status()
        self.auth = answer.json()

    async def on_start(self) -> None:
        """Enter a room before the first task."""
        self.client.on("disconnect", self.leave, "/chat")
        await self.enter()

    async def enter(self) -> None:
        """Enter a room."""
        room = random.choice(ROOMS)
        await self.round_trip(ENTER[room])
        self.room = room

    def leave(self, *_reason: str) -> None:
        """Note that whoever connects again is in no room."""
        self.room = ""

    @task
    async def say(self) -> None:
        """Say something, and wait until it comes back from the room."""
        if not self.room:
            await self.enter()
        await self.round_trip(SAY[self.room])
