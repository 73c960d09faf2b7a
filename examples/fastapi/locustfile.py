"""Traders: three quotes to an order, as fast as the service answers."""

from bench.load import SocketIOUser, task
from bench.roundtrip import round_trip_of

QUOTE = round_trip_of("quote", "price", {"id": "{token}", "symbol": "ACME"})
ORDER = round_trip_of("order", None, {"symbol": "ACME", "pieces": 10})


class Trader(SocketIOUser):
    """A client of the Socket.IO app that FastAPI has mounted."""

    socketio_path = "ws/socket.io"

    @task(3)
    async def quote(self) -> None:
        """Ask for a price, and wait for it."""
        await self.round_trip(QUOTE)

    @task
    async def order(self) -> None:
        """Place an order, and wait for its acknowledgement."""
        await self.round_trip(ORDER)
