"""When those that await a reply go on, over real connections.

Messages have a time of the kernel's, or of the process, whatever the machine can do: the test's client says so.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from time import perf_counter_ns

import pytest

from bench.exchange.outcomes import ReplyTimeout
from bench.exchange.requests import Exchange
from bench.scenarios.catalogue import FOO_ACKNOWLEDGED, FOO_BAR_TO_SENDER
from bench.scenarios.model import RoundTrip
from bench.scenarios.tokens import tokens
from bench.targets.process import EchoProcess
from bench.wire.client import FastClient
from bench.wire.protocol import Message

LONG_NS = 10_000_000_000

FOO = RoundTrip("FOO", "FOO", {"name": "{token}", "to": "sender"}, "BAR")


class Said(FastClient):
    """A client whose messages have the times that the test says."""

    error_of_all_ns = 0
    late_ns = 0

    def receive(self, message: Message, received_ns: int) -> None:
        self.error_ns = self.error_of_all_ns
        self.read_ns = received_ns + 5
        super().receive(message, received_ns - self.late_ns)


class Stamped(Said):
    pass


class Unstamped(Said):
    error_of_all_ns = -1


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoProcess]:
    with EchoProcess() as process:
        yield process


@asynccontextmanager
async def connected(client: FastClient, url: str, timeout_ns: int = LONG_NS) -> AsyncIterator[Exchange]:
    await client.connect(url)
    exchange = Exchange(client, tokens("test", 0), timeout_ns)
    yield exchange
    exchange.close()
    await client.disconnect()


@pytest.mark.parametrize(("kind", "goes_on_at_once"), [(Stamped, True), (Unstamped, False)])
async def test_the_next_emission_leaves_in_the_callback_that_read_the_reply(
    kind: type[Said], goes_on_at_once: bool, echo: EchoProcess
) -> None:
    """With a time of the kernel's. With the process's own, all that waits is read first. The handlers come before."""
    order: list[str] = []

    class Noting(kind):  # type: ignore[misc, valid-type]
        def receive(self, message: Message, received_ns: int) -> None:
            super().receive(message, received_ns)
            order.append("read")

    client = Noting()
    client.listen("BAR", lambda _: order.append("handled"))
    async with connected(client, echo.url) as exchange:
        order.clear()
        for definition in (FOO_BAR_TO_SENDER, FOO, FOO_ACKNOWLEDGED):
            done = await exchange(definition)
            order.append("goes on")
            assert (done.read_ns - done.received_ns, done.error_ns) == (5, kind.error_of_all_ns)
            await asyncio.sleep(0)
    once = ["goes on", "read"] if goes_on_at_once else ["read", "goes on"]
    assert order[: 3 * 2 + 2] == ["handled", *once, "handled", *once, *once]


@pytest.mark.parametrize("kind", [Stamped, Unstamped])
async def test_many_in_flight(kind: type[Said], echo: EchoProcess) -> None:
    async with connected(kind(), echo.url) as exchange:
        replies = await asyncio.gather(*(exchange(definition) for definition in (FOO, FOO_ACKNOWLEDGED) * 50))
        assert len({done.reply[0]["foo"] for done in replies}) == 100
        assert exchange.in_flight == exchange.late.total() == 0
        await exchange.quiet()


async def test_a_reply_that_the_machine_had_in_time_is_no_timeout(echo: EchoProcess) -> None:
    """The loop was busy when it came, and until its deadline had passed."""

    client = FastClient()
    async with connected(client, echo.url, timeout_ns=50_000_000) as exchange:
        if client.received_clock != "kernel":
            pytest.skip("the system gives no receive times")
        await exchange(FOO)
        trip = asyncio.create_task(exchange(FOO))
        await asyncio.sleep(0)
        until_ns = perf_counter_ns() + 100_000_000
        while perf_counter_ns() < until_ns:
            pass
        # The timer goes first: it is due, and the loop has not looked at the socket yet.
        exchange._expire()
        done = await trip
        assert done.service_ns < 50_000_000
        assert exchange.late.total() == 0


async def test_a_reply_that_came_after_its_deadline_is_late_whenever_it_is_read(echo: EchoProcess) -> None:
    client = Stamped()
    async with connected(client, echo.url) as exchange:
        client.late_ns = -2 * LONG_NS  # by the clock, twice the timeout has gone by
        with pytest.raises(ReplyTimeout):
            await exchange(FOO)
        assert exchange.late == {"FOO": 1}
