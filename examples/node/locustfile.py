"""Shoppers behind wss: each adds things to its basket, and checks out now and then."""

from pathlib import Path

from bench import Connection, RoundTrip, SocketIOUser, task
from bench.wire.tls import Tls

ADD = RoundTrip("add", emit="add", data={"id": "{token}", "item": "apple"}, reply="added")
CHECK_OUT = RoundTrip("checkout", emit="checkout")


class Shopper(SocketIOUser):
    """A client that trusts the server's own authority."""

    host = "https://localhost:8443"
    connection = Connection(tls=Tls(ca_file=str(Path(__file__).with_name("certificates") / "ca.pem")))

    @task(5)
    async def add(self) -> None:
        """Add an item, and wait until the server has it."""
        await self.round_trip(ADD)

    @task
    async def check_out(self) -> None:
        """Check out, and wait for the number of the order."""
        await self.round_trip(CHECK_OUT)
