"""The counts that services of tests/data/apps keep of themselves, and tell by the event `counts`."""

import asyncio

from bench.wire.client import FastClient


def service_counts(url: str) -> dict[str, int]:
    """Return how often the service at `url` says that each of its events came."""

    async def asked() -> dict[str, int]:
        client = FastClient()
        await client.connect(url)
        try:
            return dict(await client.call("counts"))
        finally:
            await client.disconnect()

    return asyncio.run(asked())
