"""Shoppers behind wss: each adds things to its basket, and checks out now and then."""

import scenarios

from bench import SocketIOUser, task


class Shopper(SocketIOUser):
    """A client that trusts the server's own authority."""

    host = "https://localhost:8443"
    connection = scenarios.connection

    @task(5)
    async def add(self) -> None:
        """Add an item, and wait until the server has it."""
        await self.round_trip(scenarios.add)

    @task
    async def check_out(self) -> None:
        """Check out, and wait for the number of the order."""
        await self.round_trip(scenarios.checkout)
