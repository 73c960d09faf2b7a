"""Packets in MessagePack: against those of python-socketio, and what is no packet."""

from __future__ import annotations

import contextlib
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from socketio.msgpack_packet import MsgPackPacket

from bench.wire.protocol import (
    Ack,
    Connected,
    ConnectError,
    Disconnect,
    Event,
    ProtocolError,
    pack_ack,
    pack_connect,
    pack_disconnect,
    pack_event,
    unpack,
)

DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def theirs(packed: bytes) -> tuple[int, Any, int | None, str]:
    packet = MsgPackPacket(encoded_packet=packed)
    return packet.packet_type, packet.data, packet.id, packet.namespace


@given(st.lists(DATA, max_size=3), st.none() | st.integers(0, 2**40), st.sampled_from(["/", "/chat"]))
def test_what_we_pack_they_read_and_the_other_way_round(data: list[Any], ack_id: int | None, namespace: str) -> None:
    assert theirs(pack_event("say", tuple(data), ack_id, namespace)) == (2, ["say", *data], ack_id, namespace)
    packet = MsgPackPacket(2, data=["say", *data], namespace=namespace, id=ack_id).encode()
    assert unpack(packet) == Event("say", tuple(data), ack_id, namespace)
    if ack_id is not None:
        assert theirs(pack_ack(ack_id, tuple(data), namespace)) == (3, data, ack_id, namespace)
        packet = MsgPackPacket(3, data=data, namespace=namespace, id=ack_id).encode()
        assert unpack(packet) == Ack(ack_id, tuple(data), namespace)


def test_joining_and_leaving() -> None:
    assert theirs(pack_connect({"token": "x"}, "/chat")) == (0, {"token": "x"}, None, "/chat")
    assert msgpack.unpackb(pack_connect()) == {"type": 0, "nsp": "/"}, "the official parser takes no null there"
    assert theirs(pack_disconnect("/chat")) == (1, None, None, "/chat")


@pytest.mark.parametrize(
    ("fields", "packet"),
    [
        ({"type": 0, "data": {"sid": "s"}, "nsp": "/chat"}, Connected("/chat", "s")),
        ({"type": 0, "data": {"sid": "s", "pid": "p"}, "nsp": "/"}, Connected("/", "s", recoverable=True)),
        ({"type": 1, "data": None, "nsp": "/"}, Disconnect("/")),
        ({"type": 1, "data": {"message": "out"}, "nsp": "/"}, Disconnect("/", "out")),
        ({"type": 4, "data": {"message": "no", "data": {"a": 1}}, "nsp": "/"}, ConnectError("/", "no", {"a": 1})),
        ({"type": 4, "data": "no", "nsp": "/"}, ConnectError("/", "no")),
        ({"type": 4, "nsp": "/"}, ConnectError("/", "")),
        ({"type": 5, "data": ["a", b"x"], "nsp": "/"}, Event("a", (b"x",), None, "/")),
        ({"type": 2, "data": ["a"], "nsp": "/", "id": msgpack.ExtType(0, b"\0")}, Event("a", (), None, "/")),
    ],
)
def test_what_servers_send(fields: dict[str, Any], packet: Any) -> None:
    assert unpack(msgpack.packb(fields)) == packet


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "no MessagePack|not MessagePack"),
        (b"\xc1", "not MessagePack"),
        (b"\x93\x01", "not MessagePack"),
        (b"\x91" * 5000, "not MessagePack"),
        (msgpack.packb([1]), "without type or namespace"),
        (msgpack.packb({"type": True, "nsp": "/"}), "without type or namespace"),
        (msgpack.packb({"type": 2, "nsp": 1}), "without type or namespace"),
        (msgpack.packb({"type": 9, "nsp": "/"}), "an unknown Socket.IO packet"),
        (msgpack.packb({"type": 2, "nsp": "/", "data": []}), "an event without a name"),
        (msgpack.packb({"type": 2, "nsp": "/", "data": [1]}), "an event without a name"),
        (msgpack.packb({"type": 2, "nsp": "/", "data": ["a"], "id": -1}), "an acknowledgement id out of range"),
        (msgpack.packb({"type": 3, "nsp": "/", "data": ["a"]}), "an acknowledgement without id"),
        (msgpack.packb({"type": 3, "nsp": "/", "data": {}, "id": 1}), "an acknowledgement without id"),
        (msgpack.packb({"type": 0, "nsp": "/", "data": {"sid": 1}}), "a connection without a session id"),
    ],
)
def test_what_is_no_packet(message: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason) as raised:
        unpack(message)
    assert str(raised.value).isprintable()


@given(st.binary(max_size=60))
def test_whatever_comes_nothing_else_is_raised(message: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        unpack(message)


@pytest.mark.parametrize("data", [{1, 2}, 2**80, object(), [[]]])
def test_what_cannot_be_sent(data: Any) -> None:
    if data == [[]]:
        for _ in range(2000):
            data = [data]
    with pytest.raises(TypeError):
        pack_event("say", (data,))
