"""A round trip of a test: which reply is taken for its own, what it returns, and how it fails."""

import asyncio

import pytest

from bench.testing import (
    Answer,
    ConnectionLost,
    OpenClient,
    OpenServer,
    ReplyTimeout,
    RoundTrip,
    WrongReply,
    round_trip,
)
from tests.testing.conftest import Service

pytestmark = pytest.mark.unhurried

SAY = RoundTrip("say", emit="say", data={"id": "{token}", "text": "hello"}, reply="said")


async def test_the_fixture_is_the_function(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    async with socketio_server() as server, socketio_client(server) as client:
        assert await round_trip(client, "say", {"text": "hi"}, reply="said") == {"text": "HI"}
        assert await round_trip(client, "add", (1, 2)) == (2, 3)
        reply = await round_trip(client, SAY)
        assert reply["text"] == "HELLO"
        assert "{" not in reply["id"]


async def test_a_reply_is_not_received_again_and_what_others_caused_is(
    socketio_server: OpenServer, socketio_client: OpenClient
) -> None:
    async with socketio_server() as server, socketio_client(server) as ada, socketio_client(server) as grace:
        assert await round_trip(ada, "shout", "hi", reply="said") == {"text": "you shouted"}
        assert ada.received == []
        assert await grace.receive("said") == {"text": "hi"}
        await grace.emit("shout", "and you")
        assert await ada.receive("said") == {"text": "and you"}


async def test_the_token_tells_the_reply_from_other_events_of_that_name(
    socketio_server: OpenServer, socketio_client: OpenClient, service: Service
) -> None:
    async with socketio_server() as server, socketio_client(server) as client:
        replies, _ = await asyncio.gather(
            asyncio.gather(*(round_trip(client, SAY) for _ in range(20))),
            service.sio.emit("said", {"text": "pushed"}),
        )
        assert len({reply["id"] for reply in replies}) == 20
        assert await client.receive("said") == {"text": "pushed"}
        assert client.received == []


async def test_without_a_token_in_order(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    async with socketio_server() as server, socketio_client(server) as client:
        texts = [f"Text {number}" for number in range(5)]
        said = await asyncio.gather(*(round_trip(client, "say", {"text": text}, reply="said") for text in texts))
        assert said == [{"text": text.upper()} for text in texts]


async def test_an_event_may_answer_one_emission_after_the_other(
    socketio_server: OpenServer, socketio_client: OpenClient
) -> None:
    async with socketio_server() as server, socketio_client(server) as client:
        assert await round_trip(client, "say", {"text": "a"}, reply="said") == {"text": "A"}
        assert await round_trip(client, "shout", "b", reply="said") == {"text": "you shouted"}
        assert (await round_trip(client, SAY))["text"] == "HELLO"


async def test_several_events_may_answer(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    async with socketio_server() as server, socketio_client(server) as client:
        answer = await round_trip(client, "say", {"text": "a"}, reply=["said", "refused"])
        assert answer == Answer("said", {"text": "A"})


async def test_in_the_namespace_of_the_client(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    connecting = {"namespace": "/staff", "auth": {"token": "secret"}}
    async with socketio_server() as server, socketio_client(server, **connecting) as client:
        assert await round_trip(client, "say", "hi", reply="said") == "staff: hi"


async def test_a_timeout_says_what_was_awaited_and_what_came_instead_and_what_the_service_raised(
    socketio_server: OpenServer, socketio_client: OpenClient, service: Service
) -> None:
    async def fail(sid: str) -> None:
        await service.sio.emit("sad", 1)
        raise LookupError("no such room")

    service.sio.on("fail", fail)

    async with socketio_server() as server, socketio_client(server) as client:
        with pytest.raises(ReplyTimeout) as error:
            await round_trip(client, "fail", reply="said", timeout=1)
        assert "sent fail None, no said within 1 s; arrived: sad 1; meanwhile: LookupError: no such room" in str(
            error.value
        )
        assert await client.receive("sad") == 1


async def test_a_late_reply_is_received_and_is_no_reply_of_the_next(
    socketio_server: OpenServer, socketio_client: OpenClient, service: Service
) -> None:
    may_answer = asyncio.Event()

    async def slow(sid: str) -> None:
        await may_answer.wait()
        await service.sio.emit("said", "late", to=sid)

    service.sio.on("slow", slow)

    async with socketio_server() as server, socketio_client(server) as client:
        with pytest.raises(ReplyTimeout):
            await round_trip(client, "slow", reply="said", timeout=0.05)
        may_answer.set()
        assert await client.receive("said") == "late"
        assert await round_trip(client, "say", {"text": "a"}, reply="said") == {"text": "A"}


async def test_a_check_and_a_lost_connection(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    strict = RoundTrip("say", emit="say", data={"text": "a"}, reply="said", check=lambda reply: "not whispered")
    async with socketio_server() as server, socketio_client(server) as client:
        with pytest.raises(WrongReply, match="not whispered"):
            await round_trip(client, strict)
        with pytest.raises(ConnectionLost):
            await round_trip(client, "leave")


async def test_misuse_is_one_clear_line(socketio_server: OpenServer, socketio_client: OpenClient) -> None:
    async with socketio_server() as server, socketio_client(server) as client:
        with pytest.raises(TypeError, match="an event's name, not 7"):
            await round_trip(client, 7)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="has its data and reply already"):
            await round_trip(client, SAY, reply="said")
        with pytest.raises(TypeError, match="takes a client of socketio_client first"):
            await round_trip(server, SAY)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"Socket\.IO reserves it"):
            await round_trip(client, "say", reply="disconnect")
