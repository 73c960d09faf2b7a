"""People in a chat: each logs in over HTTP, connects with its token, enters a room out of five, and talks."""

import random

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

    async def before_connect(self) -> None:
        """Log in. This runs before each attempt to connect, so a token may expire."""
        async with self.http.post("/login", json={"name": "somebody"}, raise_for_status=True) as answer:
            self.auth = await answer.json()

    async def on_connect(self) -> None:
        """Enter a room. This runs after each connection: whoever connects again is in no room."""
        self.room = random.choice(ROOMS)
        await self.round_trip(ENTER[self.room])

    @task
    async def say(self) -> None:
        """Say something, and wait until it comes back from the room."""
        await self.round_trip(SAY[self.room])
