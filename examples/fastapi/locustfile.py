"""Traders: three quotes to an order, as fast as the service answers."""

import scenarios

from bench import SocketIOUser, task


class Trader(SocketIOUser):
    """A client of the Socket.IO app that FastAPI has mounted."""

    connection = scenarios.connection

    @task(3)
    async def quote(self) -> None:
        """Ask for a price, and wait for it."""
        await self.round_trip(scenarios.quote)

    @task
    async def order(self) -> None:
        """Place an order, and wait for its acknowledgement."""
        await self.round_trip(scenarios.order)
