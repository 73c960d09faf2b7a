"""Shoppers behind wss: each adds things to its basket, and checks out now and then."""

from pathlib import Path

from bench.load import SocketIOUser, task
from bench.roundtrip import round_trip_of
from bench.wire.tls import Tls

ADD = round_trip_of("add", "added", {"id": "{token}", "item": "apple"})
CHECK_OUT = round_trip_of("checkout", None, None)


class Shopper(SocketIOUser):
    """A client that trusts the server's own authority."""

    host = "https://localhost:8443"
    tls = Tls(ca_file=str(Path(__file__).with_name("certificates") / "ca.pem"))

    @task(5)
    async def add(self) -> None:
        """Add an item, and wait until the server has it."""
        await self.round_trip(ADD)

    @task
    async def check_out(self) -> None:
        """Check out, and wait for the number of the order."""
        await self.round_trip(CHECK_OUT)
