"""The reader of a HAR, and the connections in it: what a browser recorded, and what is said of a damaged file."""

from pathlib import Path

import pytest

from bench.starting.har import HarError, parse_har, read_har
from bench.starting.packets import RecordedConnection, connections_in
from bench.wire.protocol import Ack, Disconnect, Event
from bench.wire.protocol.packed import pack_ack, pack_connect, pack_event
from bench.wire.protocol.recorded import Join
from tests.support.hars import HANDSHAKE, JOINED, SESSION, begun, har, http, received, sent, socket


def connections(content: bytes) -> tuple[list[RecordedConnection], list[str]]:
    notes: list[str] = []
    return connections_in(parse_har(content), notes), notes


def packets(content: bytes) -> list[object]:
    (connection,), notes = connections(content)
    assert notes == []
    return [item.packet for item in connection.items]


def test_a_session_that_a_browser_recorded() -> None:
    notes: list[str] = []
    (connection,) = connections_in(read_har(SESSION), notes)
    assert notes == []
    assert connection.transports == ("polling", "websocket")
    assert (connection.path, dict(connection.query), connection.serializer) == ("socket.io", {}, "json")
    assert list(connection.cookies) == ["visitor"]
    items = connection.items
    assert [item.time_s for item in items] == sorted(item.time_s for item in items)
    joins = [item.packet.namespace for item in items if isinstance(item.packet, Join)]
    assert joins == ["/", "/news"]
    emitted = [item.packet.name for item in items if item.is_sent and isinstance(item.packet, Event)]
    assert emitted == ["enter", "typing", "say", "typing", "say", "find", "upload", "change", "ready", "read"]
    (upload,) = (item.packet for item in items if isinstance(item.packet, Event) and item.packet.name == "upload")
    assert upload.arguments == ({"name": "picture.png", "content": b"\x89PNG\r\n"},)
    assert sum(isinstance(item.packet, Disconnect) for item in items) == 2


def test_binary_packets_have_their_attachments() -> None:
    found = packets(
        har(
            socket(
                *begun(),
                sent('451-7["up",{"_placeholder":true,"num":0}]', 1),
                sent(b"abc", 1),
                received('461-7[{"_placeholder":true,"num":0}]', 2),
                received(b"xyz", 2),
            )
        )
    )
    assert found[3:] == [Event("up", (b"abc",), 7, "/"), Ack(7, (b"xyz",), "/")]


def test_messagepack_is_recognised() -> None:
    content = har(
        socket(
            received(HANDSHAKE, 0),
            sent(pack_connect({"token": "t"}), 0.1),
            sent(pack_event("say", ("hello",), 1), 1),
            received(pack_ack(1, ("ok",)), 2),
        )
    )
    (connection,), notes = connections(content)
    assert (connection.serializer, notes) == ("msgpack", [])
    assert [item.packet for item in connection.items][1:] == [
        Join("/", {"token": "t"}), Event("say", ("hello",), 1, "/"), Ack(1, ("ok",), "/"),
    ]  # fmt: skip


def test_polling_alone_is_a_connection() -> None:
    url = "/socket.io/?EIO=4&transport=polling"
    content = har(
        http("GET", url, at_s=0, answer=HANDSHAKE),
        http("POST", f"{url}&sid=abc", at_s=1, body="40", answer="ok"),
        http("GET", f"{url}&sid=abc", at_s=1, answer=JOINED),
        http("POST", f"{url}&sid=abc", at_s=2, body='42["one"]\x1e42["two"]', answer="ok"),
        http("GET", f"{url}&sid=abc", at_s=2, answer='2\x1e42["pushed",1]'),
    )
    (connection,), _ = connections(content)
    assert connection.transports == ("polling",)
    assert connection.origin == "https://chat.example"
    events = [item.packet.name for item in connection.items if isinstance(item.packet, Event)]
    assert events == ["one", "two", "pushed"]


def test_connections_with_ids_of_their_own_are_apart() -> None:
    found, _ = connections(har(socket(*begun()), socket(*begun())))
    assert len(found) == 2


def test_what_cannot_be_read_is_told_and_the_rest_stays() -> None:
    content = har(
        socket(
            *begun(), sent("42[broken", 1), sent('42["whole"]', 2), {"type": "send", "time": "never"}, sent(b"x", 3)
        ),
        {"request": None},
    )
    (connection,), notes = connections(content)
    assert Event("whole", (), None, "/") in [item.packet for item in connection.items]
    assert [note.partition(":")[0] for note in notes] == [
        "2 entries or messages of the file are damaged",
        "a message that was sent could not be read",
        "a message that was sent could not be read",
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is no HAR, or its end is missing"),
        (b'{"log": {"entries": [', "it is no HAR, or its end is missing"),
        (b"<html>", "it is no HAR"),
        (b"[]", "it has no log with entries"),
        (b'{"log": {"entries": {}}}', "it has no log with entries"),
        (har(), "there is no Socket.IO connection in it: open the network panel before the page connects"),
        (har(http("GET", "/page")), "there is no Socket.IO connection in it"),
        (har(socket(sent("hello", 0), url="wss://chat.example/ws")), "there is no Socket.IO connection in it"),
        (har(socket(query="EIO=3&transport=websocket")), "Socket.IO 2"),
        (
            har({**socket(), "_webSocketMessages": None}),
            "its WebSockets have no messages (_webSocketMessages): record the session with Chrome or Edge",
        ),
    ],
)
def test_what_is_no_recording_is_one_line(content: bytes, reason: str) -> None:
    with pytest.raises(HarError) as raised:
        connections(content)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HarError, match="it cannot be read: no such file or directory"):
        read_har(tmp_path / "none.har")
    with pytest.raises(HarError, match="it cannot be read: is a directory"):
        read_har(tmp_path)


def test_a_byte_order_mark_is_no_fault() -> None:
    found, _ = connections(b"\xef\xbb\xbf" + har(socket(*begun())))
    assert len(found) == 1
