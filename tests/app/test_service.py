"""The service's events: who hears which, and the consequence of a mistake.

That somebody does *not* hear something is shown by a fence, not by waiting: what a client hears comes in the order in
which the service sent it, so what has not come before a later message to everyone was never sent.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio
import socketio

from app.events import MAX_LENGTH
from bench.server import UvicornTestServer
from bench.wire.reference import ReferenceClient
from tests.app.conftest import service

pytestmark = pytest.mark.asyncio(loop_scope="session")

TIMEOUT_S = 60

Heard = tuple[Any, ...]


class Participant:
    """A client that notes everything that it hears: each event's name and arguments, in order."""

    def __init__(self) -> None:
        self.client = ReferenceClient()
        self.client.on("*", self._note)
        self._heard: asyncio.Queue[Heard] = asyncio.Queue()

    def _note(self, event: str, *arguments: Any) -> None:
        self._heard.put_nowait((event, *arguments))

    async def emit(self, event: str, data: Any = None) -> None:
        await self.client.emit(event, data)

    async def call(self, event: str, data: Any = None) -> Any:
        return await self.client.call(event, data, timeout=TIMEOUT_S)

    async def hears(self) -> Heard:
        async with asyncio.timeout(TIMEOUT_S):
            return await self._heard.get()

    async def hears_before(self, fence: Heard) -> list[Heard]:
        heard = []
        while (event := await self.hears()) != fence:
            heard.append(event)
        return heard


Connect = Callable[[], Awaitable[Participant]]


@pytest_asyncio.fixture(params=["websocket", "polling"], loop_scope="session")
async def connect(server: UvicornTestServer, request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    participants: list[Participant] = []

    async def connect_one() -> Participant:
        participant = Participant()
        await participant.client.connect(server.url, transports=[request.param], wait_timeout=TIMEOUT_S)
        participants.append(participant)
        return participant

    yield connect_one
    for participant in participants:
        await participant.client.disconnect()


async def all_that_was_heard(*participants: Participant) -> list[list[Heard]]:
    """Return what each client has heard up to now, including the answers to what it sent."""
    name = f"fence {uuid.uuid4()}"
    await participants[0].emit("FOO", {"name": name})
    return [await participant.hears_before(("BAR", {"foo": name})) for participant in participants]


def sids() -> set[str]:
    """Return the ids that the service has given to the connected clients."""
    return {sid for sid, _ in service.engineio_server.manager.get_participants("/", None)}


async def health(server: UvicornTestServer) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.get("/health", timeout=TIMEOUT_S)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


# --- who hears what


async def test_everyone_hears_bar(connect: Connect) -> None:
    sender, one, other = await connect(), await connect(), await connect()
    await sender.emit("FOO", {"name": "haseeb"})
    for participant in (sender, one, other):
        assert await participant.hears() == ("BAR", {"foo": "haseeb"})


async def test_only_the_sender_hears_bar_to_the_sender(connect: Connect) -> None:
    sender, other = await connect(), await connect()
    await sender.call("FOO", {"name": "haseeb", "to": "sender"})
    assert await all_that_was_heard(sender, other) == [[("BAR", {"foo": "haseeb"})], []]


async def test_a_room_hears_bar_whether_or_not_the_sender_is_in_it(connect: Connect) -> None:
    member, neighbour, outsider = await connect(), await connect(), await connect()
    await member.call("JOIN", {"room": "kitchen"})
    await neighbour.call("JOIN", {"room": "cellar"})
    await member.call("FOO", {"name": "inside", "to": "room:kitchen"})
    await outsider.call("FOO", {"name": "outside", "to": "room:kitchen"})
    heard = await all_that_was_heard(outsider, member, neighbour)
    assert heard == [[], [("BAR", {"foo": "inside"}), ("BAR", {"foo": "outside"})], []]


async def test_who_has_left_a_room_hears_it_no_longer(connect: Connect) -> None:
    gone, member = await connect(), await connect()
    for participant in (gone, member):
        await participant.call("JOIN", {"room": "kitchen"})
    await gone.call("LEAVE", {"room": "kitchen"})
    await gone.call("FOO", {"name": "haseeb", "to": "room:kitchen"})
    assert await all_that_was_heard(gone, member) == [[], [("BAR", {"foo": "haseeb"})]]


async def test_who_joins_twice_hears_once_and_leaves_once(connect: Connect) -> None:
    member = await connect()
    for _ in range(2):
        await member.call("JOIN", {"room": "kitchen"})
    await member.call("FOO", {"name": "inside", "to": "room:kitchen"})
    await member.call("LEAVE", {"room": "kitchen"})
    await member.call("FOO", {"name": "outside", "to": "room:kitchen"})
    assert await all_that_was_heard(member) == [[("BAR", {"foo": "inside"})]]


async def test_a_room_that_nobody_is_in_hears_nothing(connect: Connect) -> None:
    sender = await connect()
    assert await sender.call("FOO", {"name": "haseeb", "to": "room:attic"}) == {"foo": "haseeb"}
    assert await all_that_was_heard(sender) == [[]]


async def test_a_room_called_like_a_client_is_just_a_room(connect: Connect) -> None:
    """In python-socketio each client's sid is the room that its own messages go to."""
    spy = await connect()
    others = sids()
    victim = await connect()
    [sid] = sids() - others
    await spy.call("FOO", {"name": "private", "to": f"room:{sid}"})
    assert await spy.call("JOIN", {"room": sid}) == {"room": sid}
    assert await victim.call("LEAVE", {"room": sid}) == {"room": sid}
    await victim.call("FOO", {"name": "secret", "to": "sender"})
    assert await all_that_was_heard(spy, victim) == [[], [("BAR", {"foo": "secret"})]]


async def test_answers_come_in_the_order_of_the_questions(connect: Connect) -> None:
    sender = await connect()
    names = [str(number) for number in range(50)]
    for name in names:
        await sender.emit("FOO", {"name": name, "to": "sender"})
    assert [await sender.hears() for _ in names] == [("BAR", {"foo": name}) for name in names]


# --- acknowledgements


@pytest.mark.parametrize("to", [{}, {"to": "sender"}, {"to": "room:kitchen"}], ids=["everyone", "sender", "room"])
async def test_foo_is_acknowledged_with_what_bar_says(connect: Connect, to: dict[str, str]) -> None:
    sender = await connect()
    assert await sender.call("FOO", {"name": "haseeb", **to}) == {"foo": "haseeb"}


@pytest.mark.parametrize("event", ["JOIN", "LEAVE"])
async def test_join_and_leave_are_acknowledged_with_the_room(connect: Connect, event: str) -> None:
    member = await connect()
    assert await member.call(event, {"room": "never entered before"}) == {"room": "never entered before"}
    assert await all_that_was_heard(member) == [[]]


async def test_bar_comes_before_the_acknowledgement(connect: Connect) -> None:
    sender = await connect()
    order: list[str] = []
    sender.client.on("BAR", lambda data: order.append("BAR"))
    await sender.call("FOO", {"name": "haseeb", "to": "sender"})
    order.append("acknowledgement")
    assert order == ["BAR", "acknowledgement"]


# --- what is valid, just


@pytest.mark.parametrize("name", ["x", "x" * MAX_LENGTH, "Ünïcödé ✓ 🙂", " ", '"\\\n\x00', "room:kitchen"])
async def test_any_name_within_the_limits_comes_back_unchanged(connect: Connect, name: str) -> None:
    sender = await connect()
    assert await sender.call("FOO", {"name": name, "to": "sender"}) == {"foo": name}
    assert await sender.hears() == ("BAR", {"foo": name})


async def test_a_field_that_the_service_does_not_know_is_ignored(connect: Connect) -> None:
    sender = await connect()
    assert await sender.call("FOO", {"name": "haseeb", "padding": "x" * 1000}) == {"foo": "haseeb"}


# --- mistakes

NAME_TOO_SHORT = ("name", "String should have at least 1 character")
NAME_TOO_LONG = ("name", "String should have at most 256 characters")
NAME_NO_STRING = ("name", "Input should be a valid string")
ROOM_NO_STRING = ("room", "Input should be a valid string")
TO_UNKNOWN = ("to", 'Should be "sender" or "room:<room>", the room having 1 to 256 characters')
TO_NO_STRING = ("to", "Input should be a valid string")
NO_OBJECT = ("payload", "Should be an object")
NO_ARGUMENT = ("payload", "Should be exactly one argument, not none")
TWO_ARGUMENTS = ("payload", "Should be exactly one argument, not 2")
UNKNOWN_EVENT = ("event", "Should be FOO, JOIN or LEAVE")

MISTAKES: list[tuple[str, str, Any, list[tuple[str, str]]]] = [
    ("no argument", "FOO", None, [NO_ARGUMENT]),
    ("two arguments", "FOO", ({"name": "haseeb"}, {"name": "again"}), [TWO_ARGUMENTS]),
    ("a string", "FOO", "haseeb", [NO_OBJECT]),
    ("a number", "FOO", 7, [NO_OBJECT]),
    ("null", "FOO", (None,), [NO_OBJECT]),
    ("a list", "FOO", [["name", "haseeb"]], [NO_OBJECT]),
    ("binary", "FOO", b"haseeb", [NO_OBJECT]),
    ("no name", "FOO", {}, [("name", "Field required")]),
    ("name in the wrong case", "FOO", {"Name": "haseeb"}, [("name", "Field required")]),
    ("empty name", "FOO", {"name": ""}, [NAME_TOO_SHORT]),
    ("name too long", "FOO", {"name": "x" * (MAX_LENGTH + 1)}, [NAME_TOO_LONG]),
    ("name a number", "FOO", {"name": 1}, [NAME_NO_STRING]),
    ("name null", "FOO", {"name": None}, [NAME_NO_STRING]),
    ("name true", "FOO", {"name": True}, [NAME_NO_STRING]),
    ("name not a number", "FOO", {"name": float("nan")}, [NAME_NO_STRING]),
    ("name an object", "FOO", {"name": {"name": "haseeb"}}, [NAME_NO_STRING]),
    ("name binary", "FOO", {"name": b"haseeb"}, [NAME_NO_STRING]),
    (
        "name half a character",
        "FOO",
        {"name": "\ud83d"},
        [("name", "Input should be a valid string, unable to parse raw data as a unicode string")],
    ),
    ("to somebody", "FOO", {"name": "haseeb", "to": "somebody"}, [TO_UNKNOWN]),
    ("to everyone", "FOO", {"name": "haseeb", "to": "everyone"}, [TO_UNKNOWN]),
    ("to nothing", "FOO", {"name": "haseeb", "to": ""}, [TO_UNKNOWN]),
    ("to null", "FOO", {"name": "haseeb", "to": None}, [TO_NO_STRING]),
    ("to a list", "FOO", {"name": "haseeb", "to": ["sender"]}, [TO_NO_STRING]),
    ("to no room", "FOO", {"name": "haseeb", "to": "room:"}, [TO_UNKNOWN]),
    ("to a room too long", "FOO", {"name": "haseeb", "to": "room:" + "x" * (MAX_LENGTH + 1)}, [TO_UNKNOWN]),
    ("two mistakes", "FOO", {"name": 1, "to": 2}, [NAME_NO_STRING, TO_NO_STRING]),
    ("join nothing", "JOIN", None, [NO_ARGUMENT]),
    ("join no room", "JOIN", {"name": "kitchen"}, [("room", "Field required")]),
    ("join a number", "JOIN", {"room": 1}, [ROOM_NO_STRING]),
    ("join a string", "JOIN", "kitchen", [NO_OBJECT]),
    ("join an empty room", "JOIN", {"room": ""}, [("room", "String should have at least 1 character")]),
    ("leave a room too long", "LEAVE", {"room": "x" * 257}, [("room", "String should have at most 256 characters")]),
    ("leave two rooms", "LEAVE", ({"room": "kitchen"}, {"room": "cellar"}), [TWO_ARGUMENTS]),
    ("unknown event", "BAZ", {"name": "haseeb"}, [UNKNOWN_EVENT]),
    ("event in the wrong case", "foo", {"name": "haseeb"}, [UNKNOWN_EVENT]),
    ("event that only the service sends", "BAR", {"foo": "haseeb"}, [UNKNOWN_EVENT]),
]


@pytest.mark.parametrize(
    ("event", "data", "errors"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
async def test_a_mistake_is_told_to_its_sender_alone(
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    event: str,
    data: Any,
    errors: list[tuple[str, str]],
) -> None:
    sender, other = await connect(), await connect()
    rejected = {"event": event, "errors": [{"field": field, "message": message} for field, message in errors]}
    with caplog.at_level(logging.WARNING):
        await sender.emit(event, data)
        assert await sender.hears() == ("REJECTED", rejected)
        acknowledgement = await sender.call(event, data)

    assert acknowledgement == rejected
    assert await all_that_was_heard(sender, other) == [[("REJECTED", rejected)], []]
    assert len(caplog.records) == 2  # one for each time
    for record in caplog.records:
        assert (record.name, record.levelname, record.exc_info) == ("app.service", "WARNING", None)
        line = record.getMessage()
        assert "\n" not in line
        assert event in line
        assert all(field in line and message in line for field, message in errors)


async def test_an_endless_event_name_is_shortened_and_stays_on_its_line(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    sender = await connect()
    await sender.emit("two\nlines" * 1000)
    event, rejected = await sender.hears()
    assert event == "REJECTED"
    assert rejected["event"] == ("two\nlines" * 1000)[:MAX_LENGTH]
    [record] = caplog.records
    assert "\n" not in record.getMessage()


async def test_half_a_character_in_an_event_name_is_rejected_too(connect: Connect) -> None:
    sender = await connect()
    await sender.emit("FOO\ud83d", {"name": "haseeb"})
    assert await sender.hears() == ("REJECTED", {"event": "FOO?", "errors": [_error(*UNKNOWN_EVENT)]})


async def test_another_namespace_is_refused(server: UvicornTestServer) -> None:
    elsewhere = socketio.AsyncClient(reconnection=False, handle_sigint=False)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await elsewhere.connect(server.url, namespaces=["/elsewhere"], transports=["websocket"], wait_timeout=TIMEOUT_S)
    await elsewhere.disconnect()


def _error(field: str, message: str) -> dict[str, str]:
    return {"field": field, "message": message}


# --- health


async def test_health_counts_each_valid_foo_once_and_nothing_else(connect: Connect, server: UvicornTestServer) -> None:
    before = await health(server)
    sender, other = await connect(), await connect()
    for to in ({}, {"to": "sender"}, {"to": "room:kitchen"}):
        await sender.call("FOO", {"name": "acknowledged", **to})
    await other.emit("FOO", {"name": "not acknowledged", "to": "sender"})
    assert ("BAR", {"foo": "not acknowledged"}) in [await other.hears(), await other.hears()]
    for event, data in [("FOO", {"name": ""}), ("JOIN", {"room": "kitchen"}), ("BAZ", {})]:
        await sender.call(event, data)
    after = await health(server)

    assert after["answered"] - before["answered"] == 4
    assert after["clients"] - before["clients"] == 2
    assert after["status"] == "ok"
    assert after["version"]


async def test_health_no_longer_counts_who_has_disconnected(connect: Connect, server: UvicornTestServer) -> None:
    before = await health(server)
    sender = await connect()
    assert (await health(server))["clients"] == before["clients"] + 1
    await sender.client.disconnect()
    async with asyncio.timeout(TIMEOUT_S):
        while (await health(server))["clients"] != before["clients"]:
            pass  # asks again


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/healthy"), ("GET", "/health/"), ("POST", "/health")]
)
async def test_there_is_nothing_else(server: UvicornTestServer, method: str, path: str) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        assert (await http.request(method, path, timeout=TIMEOUT_S)).status_code == 404
