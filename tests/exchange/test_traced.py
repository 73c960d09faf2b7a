"""Trace contexts in what an exchange emits, whichever client it has, and whatever answers."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bench.exchange.in_flight import InFlight
from bench.exchange.requests import Exchange
from bench.scenarios.model import Emission, RoundTrip
from bench.scenarios.tokens import tokens
from bench.scenarios.tracing import NoPlaceForContext, traceparent
from tests.exchange.test_requests import LONG_NS, PromptWire, Wire, emitted

pytestmark = pytest.mark.unhurried

SAY = RoundTrip("say", emit="say", data={"id": "{token}"}, reply="said")
JOIN = RoundTrip("join", emit="join", data=("lobby", {}))
ENTER = RoundTrip("enter", emit="enter", data="lobby")


def in_a_loop(scenario: Callable[[PromptWire, Exchange], Any]) -> PromptWire:
    """Run a scenario that awaits nothing, over a wire of its own, with a trace context."""
    wire = PromptWire()

    async def run() -> None:
        exchange = Exchange(wire, tokens("test", 0), LONG_NS)
        exchange.trace_field = "trace"
        scenario(wire, exchange)
        exchange.close()

    asyncio.run(run())
    return wire


def test_each_emission_has_the_context_of_its_token() -> None:
    begun: list[InFlight] = []

    def emit(wire: PromptWire, exchange: Exchange) -> None:
        begun.extend(map(exchange.begin, (SAY, SAY, JOIN, SAY, SAY)))  # prepared, and prepared before
        exchange.emit(Emission("typing", emit="typing", data={}))

    wire = in_a_loop(emit)
    sent = [data for _, data, _ in wire.emitted]
    contexts = [traceparent(emission.token) for emission in begun]
    assert sent[0] == {"id": begun[0].token, "trace": contexts[0]}
    assert sent[2] == ("lobby", {"trace": contexts[2]})
    assert [data["trace"] for data in (*sent[:2], *sent[3:5])] == [*contexts[:2], *contexts[3:]]
    assert len(sent[5]["trace"]) == len(contexts[0])


def test_a_reply_still_ends_its_emission() -> None:
    def replied(wire: PromptWire, exchange: Exchange) -> None:
        first, second = exchange.begin(SAY), exchange.begin(SAY)
        wire.arrive("said", {"id": second.token})
        assert (first.done(), second.done()) == (False, True)

    in_a_loop(replied)


def test_what_has_no_place_for_it_is_refused_and_the_rest_goes_on() -> None:
    def refused(wire: PromptWire, exchange: Exchange) -> None:
        exchange.begin(SAY)
        with pytest.raises(NoPlaceForContext, match="enter sends no object"):
            exchange.begin(ENTER)
        begun = exchange.begin(SAY)
        assert wire.emitted[-1][:2] == ("say", {"id": begun.token, "trace": traceparent(begun.token)})
        assert exchange.in_flight == 2

    in_a_loop(refused)


async def test_a_client_that_waits_when_it_emits() -> None:
    wire = Wire()
    exchange = Exchange(wire, tokens("test", 0), LONG_NS)
    exchange.trace_field = "trace"
    (performed,) = await emitted(exchange, SAY)
    data = wire.emitted[0][1]
    assert data == {"id": data["id"], "trace": traceparent(data["id"])}
    wire.arrive("said", {"id": data["id"]})
    await performed
    with pytest.raises(NoPlaceForContext):
        await exchange(ENTER)
    exchange.close()


def test_without_it_data_is_as_it_was_given() -> None:
    wire = PromptWire()

    async def run() -> None:
        exchange = Exchange(wire, tokens("test", 0), LONG_NS)
        begun = exchange.begin(SAY)
        assert wire.emitted[0][1] == {"id": begun.token}
        exchange.close()

    asyncio.run(run())
