"""The codec against byte strings, against python-socketio's own, and against rubbish."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from socketio.packet import ACK, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT, Packet

from bench.wire import protocol
from bench.wire.protocol import (
    Ack,
    Close,
    Connected,
    ConnectError,
    Disconnect,
    Event,
    Noop,
    Open,
    Ping,
    ProtocolError,
    decode,
)

HANDSHAKE = b'0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'


@pytest.mark.parametrize(
    ("message", "packet"),
    [
        (HANDSHAKE, Open("abc", 25000, 20000, 1000000, ("websocket",))),
        (b"1", Close()),
        (b"2", Ping()),
        (b"3", Noop()),
        (b"6", Noop()),
        (b'40{"sid":"xyz"}', Connected("/", "xyz")),
        (b'40/admin,{"sid":"xyz"}', Connected("/admin", "xyz")),
        (b'44{"message":"no token"}', ConnectError("/", "no token")),
        (b'44/admin,"no token"', ConnectError("/admin", "no token")),
        (b"41", Disconnect("/")),
        (b"41/admin,", Disconnect("/admin")),
        (b'42["BAR",{"foo":"x"}]', Event("BAR", ({"foo": "x"},), None, "/")),
        (b'42["BAR"]', Event("BAR", (), None, "/")),
        (b'42["BAR",1,"two",[3]]', Event("BAR", (1, "two", [3]), None, "/")),
        (b'4217["BAR",1]', Event("BAR", (1,), 17, "/")),
        (b'42/admin,["BAR",1]', Event("BAR", (1,), None, "/admin")),
        (b'42/admin,5["BAR",1]', Event("BAR", (1,), 5, "/admin")),
        (b'435[{"foo":"x"}]', Ack(5, ({"foo": "x"},), "/")),
        (b"430[]", Ack(0, (), "/")),
        (b"43/admin,12[1,2]", Ack(12, (1, 2), "/admin")),
        ('42["BÄR",{"föö":"→"}]'.encode(), Event("BÄR", ({"föö": "→"},), None, "/")),
    ],
)
def test_decodes(message: bytes, packet: object) -> None:
    decoded = decode(message)
    assert decoded == packet
    assert type(decoded) is type(packet)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "an unknown Engine.IO packet: ''"),
        (b"9", "an unknown Engine.IO packet"),
        (b"hello", "an unknown Engine.IO packet: 'hello'"),
        (b"0", "a packet that is not JSON"),
        (b"0{}", "a handshake without 'sid'"),
        (b"0[]", "a handshake that is no object"),
        (b"4", "an unknown Socket.IO packet"),
        (b"47", "an unknown Socket.IO packet"),
        (b"42", "a packet that is not JSON"),
        (b"42{}", "no array"),
        (b"42[]", "an event without a name"),
        (b"42[1]", "an event without a name"),
        (b'42["BAR"', "a packet that is not JSON"),
        (b"421[]", "an event without a name"),
        (b'421{"a":1}', "no array"),
        (b"43[]", "an acknowledgement without an id"),
        (b"43" + b"9" * 40 + b"[]", "an acknowledgement id out of range"),
        (b"40", "a connection without a session id"),
        (b"40[]", "a connection without a session id"),
        (b"42/\xff,[1]", "a namespace that is not UTF-8"),
        (b'42["\xff"]', "a packet that is not JSON"),
        (b'451-["BAR",{"_placeholder":true,"num":0}]', "binary events are not supported yet"),
    ],
)
def test_refuses(message: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason.replace("[", r"\[")) as raised:
        decode(message)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200


@given(st.binary(max_size=200))
def test_rubbish_raises_nothing_else(message: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        decode(message)


@given(st.sampled_from([b"0", b"40", b"42", b"43", b"44", b"4217", b"42/a,"]), st.text(max_size=50))
def test_nearly_right_raises_nothing_else(head: bytes, body: str) -> None:
    with contextlib.suppress(ProtocolError):
        decode(head + body.encode(errors="replace"))


names = st.text(min_size=1, max_size=20)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
arguments = st.lists(values, max_size=4).map(tuple)
ack_ids = st.none() | st.integers(0, 10**9)
namespaces = st.sampled_from(["/", "/admin", "/a/b"])


def theirs(message: bytes) -> Any:
    """python-socketio's reading of our message, without Engine.IO's type digit."""
    return Packet(encoded_packet=message[1:].decode())


@given(names, arguments, ack_ids)
def test_python_socketio_reads_our_events(name: str, values: tuple[Any, ...], ack_id: int | None) -> None:
    packet = theirs(protocol.encode_event(name, values, ack_id))
    assert (packet.packet_type, packet.id) == (EVENT, ack_id)
    assert packet.data == [name, *values]


@given(st.integers(0, 10**9), arguments)
def test_python_socketio_reads_our_acknowledgements(ack_id: int, values: tuple[Any, ...]) -> None:
    packet = theirs(protocol.encode_ack(ack_id, values))
    assert (packet.packet_type, packet.id, packet.data) == (ACK, ack_id, list(values))


@given(st.none() | st.dictionaries(st.text(max_size=5), values, max_size=3))
def test_python_socketio_reads_our_requests_to_connect(auth: dict[str, Any] | None) -> None:
    packet = theirs(protocol.encode_connect(auth))
    assert (packet.packet_type, packet.data) == (CONNECT, auth)


@given(names, arguments, ack_ids, namespaces)
def test_we_read_python_socketios_events(
    name: str, values: tuple[Any, ...], ack_id: int | None, namespace: str
) -> None:
    message = Packet(EVENT, data=[name, *values], namespace=namespace, id=ack_id).encode()
    assert decode(b"4" + message.encode()) == Event(name, values, ack_id, namespace)


@given(st.integers(0, 10**9), arguments, namespaces)
def test_we_read_python_socketios_acknowledgements(ack_id: int, values: tuple[Any, ...], namespace: str) -> None:
    message = Packet(ACK, data=list(values), namespace=namespace, id=ack_id).encode()
    assert decode(b"4" + message.encode()) == Ack(ack_id, values, namespace)


@given(namespaces, st.text(max_size=20))
def test_we_read_python_socketios_other_packets(namespace: str, text: str) -> None:
    def read(kind: int, data: Any) -> object:
        return decode(b"4" + Packet(kind, data=data, namespace=namespace).encode().encode())

    assert read(CONNECT, {"sid": text}) == Connected(namespace, text)
    assert read(CONNECT_ERROR, {"message": text}) == ConnectError(namespace, text)
    assert read(DISCONNECT, None) == Disconnect(namespace)
