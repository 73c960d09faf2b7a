# mypy: disable-error-code="import-untyped"
"""Replies that nobody awaits: they fail a restart of `bench ab`, and the error names the side."""

from contextlib import AsyncExitStack
from time import process_time_ns

import pytest
import socketio

from bench.ab.restart import BurstPlan, Side, SideError, compare
from bench.exchange.requests import Exchange
from bench.scenarios.catalogue import Benchmark
from bench.scenarios.model import round_trip_of
from bench.scenarios.tokens import tokens
from bench.server import UvicornTestServer
from bench.wire.client import FastClient

pytestmark = pytest.mark.unhurried

SMALL = BurstPlan(burst=2, pairs=2, block=1, saturated_pairs=0, warm_up=2)
PLAIN = Benchmark("plain", round_trip_of("PLAIN", "DONE", None))


def service(unasked_at: int) -> socketio.ASGIApp:
    """Answer each PLAIN with a DONE, and send another DONE before the reply that has this number."""
    sio = socketio.AsyncServer(async_mode="asgi")
    asked = 0

    async def plain(sid: str) -> None:
        nonlocal asked
        asked += 1
        if asked == unasked_at:
            await sio.emit("DONE", "unasked", to=sid)
        await sio.sleep(0.005)
        await sio.emit("DONE", asked, to=sid)

    sio.on("PLAIN", plain)
    return socketio.ASGIApp(sio, on_shutdown=sio.shutdown)


@pytest.mark.parametrize("side", [0, 1])
async def test_a_reply_that_nobody_awaits_fails_the_restart(side: int) -> None:
    async with AsyncExitStack() as stack:
        connections = []
        for number in range(2):
            app = service(unasked_at=3 if number == side else 0)
            server = await stack.enter_async_context(UvicornTestServer(app, timeout_graceful_shutdown=0))
            client = FastClient()
            exchange = Exchange(client, tokens("bursts", number), 10_000_000_000)
            await client.connect(server.url)
            stack.push_async_callback(client.disconnect)
            stack.callback(exchange.close)
            connections.append(Side(exchange, process_time_ns))
        with pytest.raises(SideError, match="DONE came while none was awaited") as raised:
            await compare((connections[0], connections[1]), (PLAIN,), SMALL, first=0)
    assert raised.value.side == side
