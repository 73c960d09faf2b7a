"""The chat as one client sees it: it logs in, enters a room, and times how long what it says takes to come back."""

from typing import Any

from bench import Connection, RoundTrip

connection = Connection(namespaces=("/chat",))

ROOM = "lobby"

# Everybody in the room receives `said`. The token tells the sender which of them is the reply.
say = RoundTrip("say", emit="say", data={"id": "{token}", "room": ROOM, "text": "hello"}, reply="said")


async def before_connect(http: Any) -> dict[str, Any]:
    """Log in, and connect with the token."""
    async with http.post("/login", json={"name": "somebody"}, raise_for_status=True) as answer:
        return {"auth": await answer.json()}


async def setup(client: Any) -> None:
    """Enter the room."""
    await client.call("enter", {"room": ROOM})
