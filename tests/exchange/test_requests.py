# mypy: disable-error-code="import-untyped"
"""The round trip's definitions, and the exchange that performs them.

What depends on the order in which things happen is driven by a connection that is no connection: the test says what
arrives, and when. What depends on clients and servers runs with both clients against a real server.
"""

import asyncio
import gc
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from time import perf_counter_ns
from typing import Any

import pytest
import socketio
from hypothesis import given
from hypothesis import strategies as st

from app.main import create_app
from app.settings import read_settings
from bench.exchange.outcomes import AmbiguousReplies, Completed, ConnectionLost, ReplyTimeout, WrongReply
from bench.exchange.requests import Exchange
from bench.scenarios.catalogue import FOO_ACKNOWLEDGED, FOO_BAR, FOO_BAR_TO_SENDER
from bench.scenarios.model import RoundTrip, round_trip_of
from bench.scenarios.tokens import tokens
from bench.server import UvicornTestServer
from bench.wire.client import FastClient
from bench.wire.connection import TransportName
from bench.wire.errors import Disconnected
from bench.wire.interface import Client, Handler
from bench.wire.reference import ReferenceClient
from bench.wire.stamps import ReceivedClock

pytestmark = pytest.mark.unhurried

LONG_NS = 10_000_000_000
SHORT_NS = 100_000_000
LIMIT_S = 60

NEWS = round_trip_of("NEWS", "PUBLISHED", {"id": "{token}"})
PLAIN = round_trip_of("PLAIN", "DONE", None)


# --- what arrives when ----------------------------------------------------------------------------------------------


class Wire:
    """A client whose server is the test."""

    emits_now = False
    received_clock: ReceivedClock = "process"

    def __init__(self) -> None:
        self.received_ns = 0
        self.not_upgraded = ""
        self.emitted: list[tuple[str, Any, Handler | None]] = []
        self.handlers: dict[str, Handler] = {}
        self.closed: list[Callable[[str], None]] = []
        self.connected = True

    async def connect(self, url: str, connection: Any = None, **keywords: Any) -> None: ...

    def on(self, event: str, handler: Handler, namespace: str | None = None) -> None:
        self.handlers[event] = handler

    def off(self, event: str, namespace: str | None = None) -> None:
        self.handlers.pop(event, None)

    def when_closed(self, callback: Callable[[str], None], namespace: str | None = None) -> None:
        self.closed.append(callback)

    async def emit(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        if not self.connected:
            raise Disconnected("gone")
        self.emitted.append((event, data, callback))
        return perf_counter_ns()

    def emit_now(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        raise NotImplementedError

    async def call(
        self, event: str, data: Any = None, *, namespace: str | None = None, timeout: float = 60.0
    ) -> Any: ...

    async def disconnect(self) -> None: ...

    def arrive(self, event: str, *values: Any, received_ns: int | None = None) -> None:
        self.received_ns = perf_counter_ns() if received_ns is None else received_ns
        handler = self.handlers.get(event)
        if handler is not None:
            handler(*values)
        else:
            self.handlers["*"](event, *values)

    def acknowledge(self, number: int, *values: Any) -> None:
        self.received_ns = perf_counter_ns()
        callback = self.emitted[number][2]
        assert callback is not None
        callback(*values)

    def close(self, reason: str) -> None:
        self.connected = False
        for callback in self.closed:
            callback(reason)


class PromptWire(Wire):
    """The same, for a client that emits without waiting."""

    emits_now = True

    def emit_now(
        self, event: str, data: Any = None, *, namespace: str | None = None, callback: Handler | None = None
    ) -> int:
        self.emitted.append((event, data, callback))
        return perf_counter_ns()


def exchange_over(client: Client, timeout_ns: int = LONG_NS) -> Exchange:
    return Exchange(client, tokens("test", 0), timeout_ns)


async def emitted(exchange: Exchange, *definitions: RoundTrip) -> list[asyncio.Task[Completed]]:
    """Return tasks that await the reply of what they have emitted."""
    tasks = [asyncio.create_task(exchange(definition)) for definition in definitions]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


@given(st.data())
def test_each_reply_ends_its_own_emission_in_whatever_order_they_come(data: st.DataObject) -> None:
    """The replies come shuffled, some doubled, with foreign replies between them."""
    kinds = data.draw(st.lists(st.sampled_from([FOO_BAR, FOO_BAR_TO_SENDER, NEWS, FOO_ACKNOWLEDGED]), max_size=12))
    numbers = list(range(len(kinds)))
    doubled = data.draw(st.lists(st.sampled_from(numbers), max_size=5)) if numbers else []
    order = data.draw(st.permutations([*numbers, *doubled]))

    async def scenario() -> None:
        wire = Wire()
        exchange = exchange_over(wire)
        tasks = await emitted(exchange, *kinds)
        assert exchange.in_flight == len(kinds)
        replies: dict[int, tuple[Any, int]] = {}
        for number in order:
            event, payload, _ = wire.emitted[number]
            wire.arrive("BAR", {"foo": "somebody else's"})
            if event == "NEWS":
                replies[number] = ([payload["id"]], number)
                wire.arrive("PUBLISHED", *replies[number])
                continue
            replies[number] = ({"foo": payload["name"]}, number)
            if kinds[number] is FOO_ACKNOWLEDGED:
                wire.arrive("BAR", {"foo": payload["name"]}, "no acknowledgement")
                wire.acknowledge(number, *replies[number])
            else:
                wire.arrive("BAR", *replies[number])
        for number, done in enumerate(await asyncio.gather(*tasks)):
            assert done.reply == replies[number]
            assert done.service_ns == done.received_ns - done.sent_ns >= 0
        assert exchange.in_flight == exchange.unexpected == exchange.late.total() == 0
        exchange.close()

    asyncio.run(asyncio.wait_for(scenario(), LIMIT_S))


@given(st.lists(st.sampled_from([FOO_BAR_TO_SENDER, NEWS, PLAIN, FOO_ACKNOWLEDGED]), max_size=8))
def test_each_emission_is_of_its_own_definition(kinds: list[RoundTrip]) -> None:
    """Whichever was performed before: what the exchange remembers of the last one is not taken for this one's."""

    async def scenario() -> None:
        wire = PromptWire()
        exchange = exchange_over(wire)
        drawn = tokens("test", 0)
        for number, kind in enumerate(kinds):
            token = next(drawn)
            emission = exchange.begin(kind)
            event, payload, callback = wire.emitted[number]
            assert (event, payload) == (kind.event, kind.request(token))
            assert (callback is not None) == (kind.reply is None)
            exchange.end(emission, asyncio.CancelledError())
            exchange.broken = False  # as after a reconnect
        exchange.close()

    asyncio.run(asyncio.wait_for(scenario(), LIMIT_S))


async def test_received_is_when_the_reply_arrived_and_not_when_it_was_looked_at() -> None:
    wire = Wire()
    exchange = exchange_over(wire)
    (task,) = await emitted(exchange, FOO_BAR)
    arrived_ns = perf_counter_ns()
    wire.arrive("BAR", {"foo": wire.emitted[0][1]["name"]}, received_ns=arrived_ns)
    await asyncio.sleep(0.01)
    assert (await task).received_ns == arrived_ns
    exchange.close()


async def test_a_timeout_says_what_was_sent_and_what_arrived() -> None:
    wire = Wire()
    exchange = exchange_over(wire, SHORT_NS)
    (task,) = await emitted(exchange, NEWS)
    wire.arrive("PUBLISHED", {"id": "other"})
    wire.arrive("HELLO")
    with pytest.raises(ReplyTimeout) as raised:
        await task
    token = wire.emitted[0][1]["id"]
    assert str(raised.value) == (
        f"sent NEWS {{'id': '{token}'}}, no PUBLISHED with its token within 0.1 s; "
        "arrived: PUBLISHED {'id': 'other'}, HELLO"
    )
    assert raised.value.kind == "timeout"


async def test_what_others_say_is_printable_and_short_in_an_error() -> None:
    wire = Wire()
    exchange = exchange_over(wire, SHORT_NS)
    timed_out, acknowledged = await emitted(exchange, NEWS, FOO_ACKNOWLEDGED)
    wire.arrive("\x1b[31mEV\x07\n\u202e", "x" * 1_000_000)
    wire.acknowledge(1, {"foo": "\x1b" + "x" * 1_000_000})
    for task in (timed_out, acknowledged):
        with pytest.raises((ReplyTimeout, WrongReply)) as raised:
            await task
        assert str(raised.value).isprintable()
        assert len(str(raised.value)) < 1000


async def test_a_late_reply_is_counted_and_ends_nothing() -> None:
    wire = Wire()
    exchange = exchange_over(wire, SHORT_NS)
    late, acknowledged_late = await emitted(exchange, FOO_BAR, FOO_ACKNOWLEDGED)
    for task in (late, acknowledged_late):
        with pytest.raises(ReplyTimeout):
            await task
    (next_one,) = await emitted(exchange, FOO_BAR)
    names = [payload["name"] for _, payload, _ in wire.emitted]
    wire.arrive("BAR", {"foo": names[0]})
    wire.arrive("BAR", {"foo": names[1]})  # caused by what awaits an acknowledgement: not that one
    wire.acknowledge(1, {"foo": names[1]})
    assert exchange.late == Counter({"FOO→BAR": 1, "FOO acknowledged": 1})
    assert not next_one.done()
    wire.arrive("BAR", {"foo": names[2]})
    assert (await next_one).reply == ({"foo": names[2]},)
    assert exchange.late.total() == 2
    assert not exchange.broken
    exchange.close()


async def test_a_reply_after_the_timeout_is_late_even_if_the_loop_was_too_busy_to_notice() -> None:
    wire = Wire()
    exchange = exchange_over(wire, LONG_NS)
    (task,) = await emitted(exchange, FOO_BAR)
    wire.arrive("BAR", {"foo": wire.emitted[0][1]["name"]}, received_ns=perf_counter_ns() + LONG_NS)
    with pytest.raises(ReplyTimeout):
        await task
    assert exchange.late == Counter({"FOO→BAR": 1})
    exchange.close()


async def test_every_emission_times_out_by_its_own_clock() -> None:
    wire = Wire()
    exchange = exchange_over(wire, SHORT_NS)
    (first,) = await emitted(exchange, FOO_BAR)
    await asyncio.sleep(SHORT_NS / 2e9)
    (second,) = await emitted(exchange, FOO_BAR)
    with pytest.raises(ReplyTimeout):
        await first
    assert not second.done()
    with pytest.raises(ReplyTimeout):
        await second


async def test_without_tokens_the_first_reply_is_the_first_emissions() -> None:
    wire = Wire()
    exchange = exchange_over(wire)
    for number in range(3):
        (task,) = await emitted(exchange, PLAIN)
        wire.arrive("DONE", number)
        assert (await task).reply == (number,)
    assert (exchange.unexpected, exchange.broken) == (0, False)
    wire.arrive("DONE", "nobody asked")
    assert exchange.unexpected == 1
    exchange.close()


async def test_without_tokens_a_timeout_breaks_the_connection() -> None:
    wire = Wire()
    exchange = exchange_over(wire, SHORT_NS)
    (task,) = await emitted(exchange, PLAIN)
    with pytest.raises(ReplyTimeout, match=r"sent PLAIN None, no DONE within 0\.1 s; arrived: nothing"):
        await task
    assert exchange.broken
    with pytest.raises(Disconnected, match="replace the connection"):  # its reply could be the overdue one
        await exchange(PLAIN)
    assert len(wire.emitted) == 1
    (other,) = await emitted(exchange, FOO_BAR)  # tokens do not care
    wire.arrive("BAR", {"foo": wire.emitted[1][1]["name"]})
    await other
    exchange.close()


async def test_a_late_reply_without_a_token_is_late_and_not_unexpected() -> None:
    wire = Wire()
    exchange = exchange_over(wire, SHORT_NS)
    (late,) = await emitted(exchange, PLAIN)
    with pytest.raises(ReplyTimeout):
        await late
    wire.arrive("DONE", "late")
    assert (exchange.late, exchange.unexpected) == (Counter({"PLAIN→DONE": 1}), 0)
    wire.arrive("DONE", "nobody asked")
    assert (exchange.late.total(), exchange.unexpected) == (1, 1)


async def test_what_comes_unasked_is_the_reply_of_nothing_here() -> None:
    wire = Wire()
    exchange = exchange_over(wire, SHORT_NS)
    unasked: list[str] = []
    exchange.when_unasked(unasked.append)
    in_order, by_token = await emitted(exchange, PLAIN, FOO_BAR)
    wire.arrive("hello", 1)
    wire.arrive("BAR", {"foo": "somebody else's"})
    wire.arrive("BAR", {"foo": wire.emitted[1][1]["name"]})
    await by_token
    with pytest.raises(ReplyTimeout):
        await in_order
    wire.arrive("DONE", "late")
    assert (unasked, exchange.late.total()) == (["hello", "BAR"], 1)
    wire.arrive("DONE", "nobody asked")
    assert unasked == ["hello", "BAR", "DONE"]
    exchange.close()


async def test_without_tokens_only_one_is_in_flight() -> None:
    wire = Wire()
    exchange = exchange_over(wire)
    (task,) = await emitted(exchange, PLAIN)
    with pytest.raises(AmbiguousReplies, match="PLAIN→DONE is matched in order and one is in flight"):
        await exchange(PLAIN)
    assert (len(wire.emitted), exchange.in_flight) == (1, 1)
    wire.arrive("DONE", 1)
    assert (await task).reply == (1,)
    (task,) = await emitted(exchange, PLAIN)
    wire.arrive("DONE", 2)
    assert (await task).reply == (2,)
    exchange.close()


async def test_a_push_that_was_taken_for_the_reply_shows_once_the_reply_is_left_over() -> None:
    wire = Wire()
    exchange = exchange_over(wire)
    told: list[RoundTrip] = []
    exchange.when_unexpected = told.append
    for number in range(3):
        (task,) = await emitted(exchange, PLAIN)
        wire.arrive("DONE", "pushed" if number == 0 else number - 1)  # from now on each gets the one before
        await task
    assert (exchange.unexpected, told) == (0, [])
    settling = asyncio.create_task(exchange.settle())
    await asyncio.sleep(0)
    assert not settling.done(), "what is left over may still come"
    wire.arrive("DONE", 2)
    await settling
    assert (exchange.unexpected, told) == (1, [PLAIN])
    exchange.close()


async def test_nothing_is_left_over_where_there_are_tokens() -> None:
    wire = Wire()
    exchange = exchange_over(wire)
    (task,) = await emitted(exchange, NEWS)
    wire.arrive("PUBLISHED", wire.emitted[0][1])
    await task
    settling = exchange.settle()
    with pytest.raises(StopIteration):  # it waits for nothing
        settling.send(None)
    exchange.close()


@pytest.mark.parametrize("has_token", [True, False])
async def test_a_definition_that_is_made_anew_each_time_is_not_kept(has_token: bool) -> None:
    wire = PromptWire()
    exchange = exchange_over(wire)
    made: list[weakref.ref[RoundTrip]] = []
    for number in range(500):
        data = {"id": "{token}" if has_token else "none", "text": str(number)}
        definition = round_trip_of("NEWS", "PUBLISHED", data)
        made.append(weakref.ref(definition))
        emission = exchange.begin(definition)
        wire.arrive("PUBLISHED", wire.emitted[number][1])
        await emission
        assert emission.reply == (wire.emitted[number][1],)
        exchange.in_flight -= 1
    del definition, emission
    gc.collect()
    assert sum(reference() is not None for reference in made) < 50
    assert exchange.unexpected == 0
    exchange.close()


def anew(searched: list[int], number: int) -> RoundTrip:
    def token_of(reply: Any) -> str | None:
        searched.append(number)
        return str(reply) if reply.endswith(f"/{number}") else None

    return RoundTrip(f"{number}", "NEWS", lambda token: f"{token}/{number}", "PUBLISHED", token_of)


async def test_a_reply_is_not_searched_by_all_that_ever_searched_one() -> None:
    wire = PromptWire()
    exchange = exchange_over(wire)
    searched: list[int] = []
    for number in range(300):
        definition = anew(searched, number)
        emission = exchange.begin(definition)
        exchange.end(emission, RuntimeError("no matter what"))
        wire.close("it was replaced")
    searched.clear()
    wire.arrive("PUBLISHED", "of nobody")
    assert len(searched) < 50
    exchange.close()


@given(st.permutations(range(100)))
def test_what_is_in_flight_is_found_however_many_definitions_there_are(order: list[int]) -> None:
    async def scenario() -> None:
        wire = PromptWire()
        # Each of these tokens is found by its own definition.
        exchange = Exchange(wire, (f"any/{number}" for number in count()), LONG_NS)
        emissions = [exchange.begin(anew([], number)) for number in range(100)]
        for number in order:
            wire.arrive("PUBLISHED", f"any/{number}")
            assert emissions[number].done()
        exchange.close()

    asyncio.run(asyncio.wait_for(scenario(), LIMIT_S))


def test_functions_of_the_same_code_that_keep_something_of_their_own_differ() -> None:
    async def scenario() -> None:
        wire = PromptWire()
        exchange = exchange_over(wire)
        found = [RoundTrip(key, "NEWS", str, "PUBLISHED", lambda reply, key=key: reply.get(key)) for key in ("a", "b")]
        emissions = [exchange.begin(definition) for definition in found]
        wire.arrive("PUBLISHED", {"b": "rt-test-0-1"})
        wire.arrive("PUBLISHED", {"a": "rt-test-0-0"})
        assert [emission.done() for emission in emissions] == [True, True]
        exchange.close()

    asyncio.run(asyncio.wait_for(scenario(), LIMIT_S))


async def test_an_acknowledgement_with_another_token_is_wrong() -> None:
    wire = Wire()
    exchange = exchange_over(wire)
    wrong, empty = await emitted(exchange, FOO_ACKNOWLEDGED, FOO_ACKNOWLEDGED)
    wire.acknowledge(0, {"foo": wire.emitted[1][1]["name"]})
    wire.acknowledge(1)
    with pytest.raises(WrongReply, match=r"sent FOO .*, acknowledged with \{'foo': 'rt-test-0-1'\}"):
        await wrong
    with pytest.raises(WrongReply):
        await empty
    exchange.close()


async def test_a_user_defined_acknowledgement_is_matched_by_its_id() -> None:
    wire = Wire()
    exchange = exchange_over(wire)
    definition = round_trip_of("NEWS", None, {"id": "{token}"})
    one, other = await emitted(exchange, definition, definition)
    wire.acknowledge(1, "b", 2)
    wire.acknowledge(0)
    assert ((await one).reply, (await other).reply) == ((), ("b", 2))
    exchange.close()


async def test_the_loss_of_the_connection_ends_what_is_in_flight() -> None:
    wire = Wire()
    exchange = exchange_over(wire)
    tasks = await emitted(exchange, FOO_BAR, FOO_ACKNOWLEDGED)
    wire.close("the cable was cut")
    for task in tasks:
        with pytest.raises(ConnectionLost, match=r"sent FOO .* connection was lost: the cable was cut"):
            await task
    assert exchange.in_flight == 0
    with pytest.raises(Disconnected, match="gone"):
        await exchange(FOO_BAR)
    assert exchange.in_flight == 0


async def test_a_cancelled_caller_leaves_its_emission_abandoned() -> None:
    wire = Wire()
    exchange = exchange_over(wire)
    (task,) = await emitted(exchange, FOO_BAR)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert exchange.abandoned == Counter({"FOO→BAR": 1})
    assert exchange.in_flight == 0
    wire.arrive("BAR", {"foo": wire.emitted[0][1]["name"]})
    assert exchange.late == Counter({"FOO→BAR": 1})
    exchange.close()


async def test_quiet_once_all_are_told() -> None:
    wire = Wire()
    exchange = exchange_over(wire, SHORT_NS)
    tasks = await emitted(exchange, FOO_BAR, FOO_BAR)
    wire.arrive("BAR", {"foo": wire.emitted[0][1]["name"]})
    await asyncio.wait_for(exchange.quiet(), LIMIT_S)
    assert [task.done() for task in tasks] == [True, True]
    assert isinstance(tasks[1].exception(), ReplyTimeout)


@pytest.mark.parametrize("definitions", [(NEWS, "PUBLISHED"), ("PUBLISHED", NEWS), ("PUBLISHED", "PUBLISHED")])
async def test_one_reply_of_two_definitions_needs_tokens(definitions: tuple[RoundTrip | str, ...]) -> None:
    wire = Wire()
    exchange = exchange_over(wire, SHORT_NS)
    first, second = (
        round_trip_of("OTHER", definition, None) if isinstance(definition, str) else definition
        for definition in definitions
    )
    (task,) = await emitted(exchange, first)
    with pytest.raises(ValueError, match="PUBLISHED is the reply of another definition, so it needs a token"):
        await exchange(second)
    with pytest.raises(ReplyTimeout):
        await task


# --- clients and servers --------------------------------------------------------------------------------------------

CLIENTS: list[tuple[type[FastClient | ReferenceClient], TransportName]] = [
    (FastClient, "websocket"),
    (ReferenceClient, "websocket"),
    (ReferenceClient, "polling"),
]
each_client = pytest.mark.parametrize(
    ("kind", "transport"), CLIENTS, ids=[f"{kind.__name__}-{transport}" for kind, transport in CLIENTS]
)
connections = count()


@pytest.fixture
async def service() -> AsyncIterator[UvicornTestServer]:
    async with UvicornTestServer(create_app(read_settings()), timeout_graceful_shutdown=0) as server:
        yield server


@pytest.fixture
def sio() -> socketio.AsyncServer:
    return socketio.AsyncServer(async_mode="asgi")


@pytest.fixture
async def misbehaving(sio: socketio.AsyncServer) -> AsyncIterator[UvicornTestServer]:
    """A server with whatever handlers the test gives it."""
    app = socketio.ASGIApp(sio, on_shutdown=sio.shutdown)
    async with UvicornTestServer(app, timeout_graceful_shutdown=0) as server:
        yield server


@asynccontextmanager
async def connected(
    kind: type[FastClient | ReferenceClient],
    transport: TransportName,
    url: str,
    timeout_ns: int = LONG_NS,
    namespaces: Sequence[str] = ("/",),
) -> AsyncIterator[Exchange]:
    """Connect, and perform in the last of the namespaces."""
    client = kind()
    exchange = Exchange(client, tokens("test", next(connections)), timeout_ns, namespaces[-1])
    await client.connect(url, transports=(transport,), namespaces=namespaces)
    try:
        async with asyncio.timeout(LIMIT_S):
            yield exchange
    finally:
        exchange.close()
        await client.disconnect()


@each_client
async def test_the_service_answers(
    kind: type[FastClient | ReferenceClient], transport: TransportName, service: UvicornTestServer
) -> None:
    async with connected(kind, transport, service.url) as exchange:
        for definition in (FOO_BAR, FOO_BAR_TO_SENDER, FOO_ACKNOWLEDGED, FOO_BAR):
            before_ns = perf_counter_ns()
            done = await exchange(definition)
            assert before_ns <= done.sent_ns < done.received_ns <= perf_counter_ns()
            assert done.reply[0].keys() == {"foo"}


@each_client
async def test_many_in_flight_of_several_definitions_on_several_connections(
    kind: type[FastClient | ReferenceClient], transport: TransportName, service: UvicornTestServer
) -> None:
    """Everybody hears every BAR of FOO_BAR, and takes only its own."""
    async with connected(kind, transport, service.url) as one, connected(kind, transport, service.url) as other:
        trips = [exchange(definition) for definition in (FOO_BAR, FOO_ACKNOWLEDGED) * 20 for exchange in (one, other)]
        replies = [done.reply[0]["foo"] for done in await asyncio.gather(*trips)]
    assert len(set(replies)) == len(trips)
    for exchange in (one, other):
        assert exchange.late.total() == exchange.unexpected == exchange.in_flight == 0


@each_client
async def test_a_namespace(
    kind: type[FastClient | ReferenceClient],
    transport: TransportName,
    sio: socketio.AsyncServer,
    misbehaving: UvicornTestServer,
) -> None:
    """A reply that comes in another namespace does not count, whichever token it carries."""
    heard: list[str] = []

    async def news(sid: str, data: dict[str, str]) -> str:
        heard.append(data["id"])
        if len(heard) > 1:
            await sio.emit("PUBLISHED", data, to=sid, namespace="/press")
        else:  # the client has the same id in no other namespace, so everybody hears it
            await sio.emit("PUBLISHED", data)
        return data["id"]

    sio.on("NEWS", news, namespace="/press")
    sio.on("NEWS", lambda sid, data: heard.append("in the wrong namespace"))
    acknowledged = round_trip_of("NEWS", None, {"id": "{token}"})
    async with connected(kind, transport, misbehaving.url, 10 * SHORT_NS, ("/", "/press")) as exchange:
        with pytest.raises(ReplyTimeout, match="arrived: nothing"):
            await exchange(NEWS)
        assert (await exchange(NEWS)).reply == ({"id": heard[1]},)
        assert (await exchange(acknowledged)).reply == (heard[2],)
    assert len(heard) == 3


@each_client
async def test_a_server_that_answers_late(
    kind: type[FastClient | ReferenceClient],
    transport: TransportName,
    sio: socketio.AsyncServer,
    misbehaving: UvicornTestServer,
) -> None:
    held: list[tuple[str, Any]] = []

    async def news(sid: str, data: Any) -> None:
        held.append((sid, data))
        if len(held) == 2:
            for sid, each in held:
                await sio.emit("PUBLISHED", each, to=sid)

    sio.on("NEWS", news)
    async with connected(kind, transport, misbehaving.url, timeout_ns=300_000_000) as exchange:
        with pytest.raises(ReplyTimeout):
            await exchange(NEWS)
        done = await exchange(NEWS)
        assert done.reply == (held[1][1],)
        assert exchange.late == Counter({"NEWS→PUBLISHED": 1})


async def test_acknowledgements_that_never_come_are_forgotten(
    sio: socketio.AsyncServer, misbehaving: UvicornTestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.exchange.requests._MOST_GIVEN_UP", 10)
    may_answer = asyncio.Event()

    async def hold(sid: str, *data: Any) -> None:
        await may_answer.wait()

    sio.on("NEWS", hold)
    awaited: list[Any] = []
    own: list[Any] = []

    def note(callback: Any) -> bool:
        awaited.append(callback)
        return False

    async with connected(FastClient, "websocket", misbehaving.url, SHORT_NS) as exchange:
        await exchange.client.emit("NEWS", callback=partial(own.append, "the user's own"))
        trips = [exchange(round_trip_of("NEWS", None, {"id": "{token}"})) for _ in range(100)]
        ends = await asyncio.gather(*trips, return_exceptions=True)
        assert {type(end) for end in ends} == {ReplyTimeout}
        assert isinstance(exchange.client, FastClient)
        exchange.client.withdraw_first("/", note)
        assert len(awaited) == 11, "the ten last, and the user's own"
        may_answer.set()
        assert await exchange.client.call("NEWS", timeout=LIMIT_S) is None
        assert own == ["the user's own"]
        assert exchange.late.total() == len(awaited) - 1


@each_client
async def test_a_server_that_goes_away(
    kind: type[FastClient | ReferenceClient],
    transport: TransportName,
    sio: socketio.AsyncServer,
    misbehaving: UvicornTestServer,
) -> None:
    async def news(sid: str, data: Any) -> None:
        await sio.disconnect(sid)

    sio.on("NEWS", news)
    async with connected(kind, transport, misbehaving.url) as exchange:
        with pytest.raises(ConnectionLost, match="sent NEWS"):
            await exchange(NEWS)
        with pytest.raises(Disconnected):
            await exchange(NEWS)


@each_client
async def test_a_server_that_ends_the_namespace_alone(
    kind: type[FastClient | ReferenceClient],
    transport: TransportName,
    sio: socketio.AsyncServer,
    misbehaving: UvicornTestServer,
) -> None:
    async def news(sid: str, data: Any) -> None:
        await sio.disconnect(sid, namespace="/press")

    sio.on("NEWS", news, namespace="/press")
    sio.on("ECHO", lambda sid, data: data)
    async with connected(kind, transport, misbehaving.url, namespaces=("/", "/press")) as exchange:
        with pytest.raises(ConnectionLost, match="sent NEWS"):
            await exchange(NEWS)
        with pytest.raises(Disconnected):
            await exchange(NEWS)
        assert await exchange.client.call("ECHO", 1, timeout=LIMIT_S) == 1, "the other namespace goes on"


@each_client
async def test_a_server_that_stops(
    kind: type[FastClient | ReferenceClient],
    transport: TransportName,
    sio: socketio.AsyncServer,
    misbehaving: UvicornTestServer,
) -> None:
    asked = asyncio.Event()

    async def news(sid: str, data: Any) -> None:
        asked.set()

    sio.on("NEWS", news)
    async with connected(kind, transport, misbehaving.url) as exchange:
        (task,) = await emitted(exchange, NEWS)
        await asked.wait()
        await misbehaving.tear_down()
        with pytest.raises(ConnectionLost, match="sent NEWS"):
            await task


@each_client
async def test_replies_without_tokens_come_in_order(
    kind: type[FastClient | ReferenceClient],
    transport: TransportName,
    sio: socketio.AsyncServer,
    misbehaving: UvicornTestServer,
) -> None:
    numbers: Iterator[int] = count()

    async def plain(sid: str) -> None:
        await sio.emit("DONE", next(numbers), to=sid)

    sio.on("PLAIN", plain)
    async with connected(kind, transport, misbehaving.url) as exchange:
        assert [(await exchange(PLAIN)).reply for _ in range(5)] == [(number,) for number in range(5)]
        assert (exchange.unexpected, exchange.broken) == (0, False)


@each_client
async def test_an_acknowledgement_of_another_request_is_refused(
    kind: type[FastClient | ReferenceClient],
    transport: TransportName,
    sio: socketio.AsyncServer,
    misbehaving: UvicornTestServer,
) -> None:
    async def foo(sid: str, data: Any) -> Any:
        return {"foo": "something else"}

    sio.on("FOO", foo)
    async with connected(kind, transport, misbehaving.url) as exchange:
        with pytest.raises(WrongReply, match=r"acknowledged with \{'foo': 'something else'\}"):
            await exchange(FOO_ACKNOWLEDGED)
