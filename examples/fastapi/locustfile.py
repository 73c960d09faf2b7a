"""Traders: three quotes to an order, as fast as the service answers."""

from bench import Connection, RoundTrip, SocketIOUser, task

QUOTE = RoundTrip("quote", emit="quote", data={"id": "{token}", "symbol": "ACME"}, reply="price")
ORDER = RoundTrip("order", emit="order", data={"symbol": "ACME", "pieces": 10})


class Trader(SocketIOUser):
    """A client of the Socket.IO app that FastAPI has mounted."""

    connection = Connection(socketio_path="ws/socket.io")

    @task(3)
    async def quote(self) -> None:
        """Ask for a price, and wait for it."""
        await self.round_trip(QUOTE)

    @task
    async def order(self) -> None:
        """Place an order, and wait for its acknowledgement."""
        await self.round_trip(ORDER)
