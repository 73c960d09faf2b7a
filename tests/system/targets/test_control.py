"""The control on the same stack: it answers, under the same server as the service, and it never changes."""

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest

from bench.exchange.requests import Exchange
from bench.scenarios.catalogue import FOO_ACKNOWLEDGED, FOO_BAR_TO_SENDER
from bench.scenarios.tokens import tokens
from bench.server import ServerProcess
from bench.wire.client import FastClient
from bench.wire.reference import ReferenceClient

TIMEOUT_NS = 5_000_000_000

connections = count()


@pytest.fixture(scope="module")
def control() -> Iterator[ServerProcess]:
    with ServerProcess("bench.targets.control:app", core=None) as running:
        yield running
    assert running.log == "", "it neither complains nor reports"


@pytest.mark.parametrize("kind", [FastClient, ReferenceClient])
async def test_round_trips(control: ServerProcess, kind: type[FastClient] | type[ReferenceClient]) -> None:
    client, bystander = kind(), FastClient()
    heard: list[object] = []
    bystander.on("BAR", heard.append)
    await bystander.connect(control.url)
    await client.connect(control.url)
    exchange = Exchange(client, tokens("control", next(connections)), TIMEOUT_NS)
    done = await asyncio.gather(*(exchange(FOO_BAR_TO_SENDER) for _ in range(50)))
    assert len({completed.reply[0]["foo"] for completed in done}) == 50
    acknowledged = await exchange(FOO_ACKNOWLEDGED)
    assert list(acknowledged.reply[0]) == ["foo"]
    assert await bystander.call("FOO", {"name": "a"}, timeout=60) == {"foo": "a"}
    assert heard == [{"foo": "a"}], "others' replies are not for everyone"
    exchange.close()
    await client.disconnect()
    await bystander.disconnect()


async def test_it_ends_in_order_while_clients_are_connected() -> None:
    client, closed = FastClient(), asyncio.Event()
    client.when_closed(lambda _: closed.set())
    with ServerProcess("bench.targets.control:app", core=None) as control:
        await client.connect(control.url)
        await asyncio.to_thread(control.stop)
        assert control.log == ""
    async with asyncio.timeout(60):
        await closed.wait()
