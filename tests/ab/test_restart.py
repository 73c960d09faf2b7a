# mypy: disable-error-code="import-untyped"
"""Replies in a restart of `bench ab`: those that nobody awaits and wrong ones fail it, and the error names the side."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from time import process_time_ns
from typing import Any

import pytest
import socketio

from bench.ab.restart import BurstPlan, DifferentClocksError, Side, SideError, compare
from bench.exchange.outcomes import Completed
from bench.exchange.requests import Exchange
from bench.scenarios.catalogue import Benchmark
from bench.scenarios.model import RoundTrip, round_trip_of
from bench.scenarios.tokens import tokens
from bench.server import UvicornTestServer
from bench.timing.receive_times import UNSTAMPED
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


@asynccontextmanager
async def both(apps: Sequence[socketio.ASGIApp]) -> AsyncIterator[tuple[Side, Side]]:
    """Serve two apps and connect to them."""
    async with AsyncExitStack() as stack:
        connections = []
        for number, app in enumerate(apps):
            server = await stack.enter_async_context(UvicornTestServer(app, timeout_graceful_shutdown=0))
            client = FastClient()
            exchange = Exchange(client, tokens("bursts", number), 10_000_000_000)
            await client.connect(server.url)
            stack.push_async_callback(client.disconnect)
            stack.callback(exchange.close)
            connections.append(Side(exchange, process_time_ns))
        yield connections[0], connections[1]


@pytest.mark.parametrize("side", [0, 1])
async def test_a_reply_that_nobody_awaits_fails_the_restart(side: int) -> None:
    async with both([service(unasked_at=3 if number == side else 0) for number in range(2)]) as sides:
        with pytest.raises(SideError, match="DONE came while none was awaited") as raised:
            await compare(sides, (PLAIN,), SMALL, first=0)
    assert raised.value.side == side


@pytest.mark.parametrize("side", [0, 1])
async def test_a_reply_that_two_events_may_be_and_nobody_awaits_fails_the_restart(side: int) -> None:
    either = Benchmark("either", RoundTrip("either", emit="PLAIN", reply=("DONE", "FAILED")))
    async with both([service(unasked_at=3 if number == side else 0) for number in range(2)]) as sides:
        with pytest.raises(SideError, match="DONE or FAILED came while none was awaited") as raised:
            await compare(sides, (either,), SMALL, first=0)
    assert raised.value.side == side


@pytest.mark.parametrize("side", [0, 1])
async def test_a_wrong_reply_fails_the_restart_with_its_reason(side: int) -> None:
    wrong = RoundTrip("plain", emit="PLAIN", reply="DONE", check=lambda done: "unasked" if done == "unasked" else None)
    async with both([service(unasked_at=3 if number == side else 0) for number in range(2)]) as sides:
        with pytest.raises(SideError) as raised:
            await compare(sides, (Benchmark("plain", wrong),), SMALL, first=0)
    assert raised.value.side == side
    assert str(raised.value) == "sent PLAIN None, answered by DONE 'unasked': wrong reply: unasked"


@pytest.mark.parametrize("errors_ns", [(0, UNSTAMPED), (UNSTAMPED, 0)])
async def test_sides_with_different_clocks_cannot_be_compared(errors_ns: tuple[int, int]) -> None:
    sides = (Side(answering(errors_ns[0]), process_time_ns), Side(answering(errors_ns[1]), process_time_ns))
    with pytest.raises(DifferentClocksError, match="plain"):
        await compare(sides, (PLAIN,), SMALL, first=0)


async def test_a_few_times_of_the_process_are_no_other_clock() -> None:
    sides = (Side(answering(0), process_time_ns), Side(answering(0, 0, 7000, UNSTAMPED, 0), process_time_ns))
    figures = await compare(sides, (PLAIN,), SMALL, first=0)
    assert ("plain", "p50") in figures
    a, b = (side.received["plain"].times() for side in sides)
    assert (a.exact, a.unstamped) == (4, 0), "without the warm-up"
    assert (b.exact + b.bounded, b.unstamped) == (3, 1)
    assert [side.times["plain"].count for side in sides] == [4, 4]


def answering(*errors_ns: int) -> Any:
    """Return an exchange that is answered after some time, with receive times of these errors in turn."""

    class Answered:
        unexpected = 0

        def __init__(self) -> None:
            self._errors = cycle(errors_ns)

        async def __call__(self, _: RoundTrip) -> Completed:
            until_ns = process_time_ns() + 100_000
            while process_time_ns() < until_ns:
                pass
            return Completed(0, 100_000, (), 105_000, next(self._errors))

        async def settle(self) -> None:
            pass

    return Answered()


async def test_replies_that_list_others_ids_are_each_emissions_own_with_many_in_flight() -> None:
    """The service lists the ids of the last five requests, whoever made them, and not always in the same form."""
    listed = Benchmark("list", RoundTrip("list", emit="LIST", data={"id": "{int}"}, reply=("LISTED", "SHORT")))

    def lists() -> socketio.ASGIApp:
        sio, last = socketio.AsyncServer(async_mode="asgi"), deque[int](maxlen=5)

        async def list_last(sid: str, data: dict[str, int]) -> None:
            last.append(data["id"])
            if data["id"] % 3:
                await sio.emit("LISTED", [{"id": number} for number in last], to=sid)
            else:
                await sio.emit("SHORT", {"last": ",".join(map(str, last))}, to=sid)

        sio.on("LIST", list_last)
        return socketio.ASGIApp(sio, on_shutdown=sio.shutdown)

    plan = BurstPlan(burst=2, pairs=2, block=1, saturated_pairs=2, saturated_burst=64, warm_up=2)
    async with both([lists(), lists()]) as sides:
        figures = await compare(sides, (listed,), plan, first=0)
        assert [side.exchange.in_flight for side in sides] == [0, 0]
    assert {metric for _, metric in figures} == {"p50", "cpu", "saturated"}, "a p99 of so few is their maximum"
