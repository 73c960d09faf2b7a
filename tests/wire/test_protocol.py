"""The codec against byte strings, against python-socketio's own in both directions, and against rubbish."""

import contextlib
import json
import math
from typing import Any

import pytest
from engineio.packet import MESSAGE, PONG
from engineio.packet import Packet as EnginePacket
from engineio.payload import Payload
from hypothesis import example, given
from hypothesis import strategies as st
from socketio.packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT, Packet

from bench.wire import protocol
from bench.wire.protocol import (
    MAX_ATTACHMENTS,
    Ack,
    Assembly,
    BinaryHeader,
    Close,
    Connected,
    ConnectError,
    Disconnect,
    Event,
    Noop,
    Open,
    Ping,
    Pong,
    ProtocolError,
    decode,
    decode_payload,
    encode_binary_packet,
    encode_payload,
)

HANDSHAKE = b'0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
PLACE = b'{"_placeholder":true,"num":%d}'
DEEP = b"[" * 1000 + b"]" * 1000


def places(*numbers: int) -> bytes:
    return b",".join(PLACE % number for number in numbers)


@pytest.mark.parametrize(
    ("message", "packet"),
    [
        (HANDSHAKE, Open("abc", 25000, 20000, 1000000, ("websocket",))),
        (b'0{"sid":"abc","pingInterval":1,"pingTimeout":2}', Open("abc", 1, 2, 0, ())),
        (b"1", Close()),
        (b"2", Ping()),
        (b"3", Pong(False)),
        (b"3probe", Pong(True)),
        (b"6", Noop()),
        (b'40{"sid":"xyz"}', Connected("/", "xyz")),
        (b'40/admin,{"sid":"xyz"}', Connected("/admin", "xyz")),
        (b'40{"sid":"xyz","pid":"abc"}', Connected("/", "xyz", recoverable=True)),
        (b'44{"message":"no token"}', ConnectError("/", "no token")),
        (b'44{"message":"no token","data":{"code":7}}', ConnectError("/", "no token", {"code": 7})),
        (b'44/admin,"no token"', ConnectError("/admin", "no token")),
        (b'44{"message":["no","token"]}', ConnectError("/", '{"message":["no","token"]}')),
        (b"44", ConnectError("/", "")),
        (b"41", Disconnect("/")),
        (b"41/admin,", Disconnect("/admin")),
        (b"41/admin", Disconnect("/admin")),
        (b'42["BAR",{"foo":"x"}]', Event("BAR", ({"foo": "x"},), None, "/")),
        (b'42["BAR"]', Event("BAR", (), None, "/")),
        (b'42["BAR",1,"two",[3]]', Event("BAR", (1, "two", [3]), None, "/")),
        (b'4217["BAR",1]', Event("BAR", (1,), 17, "/")),
        (b'42/admin,["BAR",1]', Event("BAR", (1,), None, "/admin")),
        (b'42/admin,5["BAR",1]', Event("BAR", (1,), 5, "/admin")),
        (b'42["BAR",%b]' % places(0), Event("BAR", ({"_placeholder": True, "num": 0},), None, "/")),
        (b'435[{"foo":"x"}]', Ack(5, ({"foo": "x"},), "/")),
        (b"430[]", Ack(0, (), "/")),
        (b"43/admin,12[1,2]", Ack(12, (1, 2), "/admin")),
        (b'450-["BAR",1]', Event("BAR", (1,), None, "/")),
        (b"460-7[1]", Ack(7, (1,), "/")),
        (b'451-["BAR",1]', BinaryHeader("BAR", [1], None, "/", 1)),
        (b'4512-/admin,3["BAR",1]', BinaryHeader("BAR", [1], 3, "/admin", 12)),
        (b"461-/admin,3[1]", BinaryHeader(None, [1], 3, "/admin", 1)),
        ('42["BÄR",{"föö":"→"}]'.encode(), Event("BÄR", ({"föö": "→"},), None, "/")),
        # JavaScript cuts texts in the middle of a character, and Python writes what is no number.
        (
            rb'42["BAR","\ud83d \ud83d\ude00 \ude00","\\ud83d \ud83d\ud83d\ude00"]',
            Event(
                "BAR",
                ("\N{REPLACEMENT CHARACTER} 😀 \N{REPLACEMENT CHARACTER}", "\\ud83d \N{REPLACEMENT CHARACTER}😀"),
                None,
                "/",
            ),
        ),
        (rb'431[Infinity,{"\udfff":-Infinity}]', Ack(1, (math.inf, {"\N{REPLACEMENT CHARACTER}": -math.inf}), "/")),
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
        (b"2probe", "an unknown Engine.IO packet"),
        (b"5", "an unknown Engine.IO packet"),
        (b"hello", "an unknown Engine.IO packet: 'hello'"),
        (b"0", "a packet that is not JSON"),
        (b"0{}", "a handshake without 'sid'"),
        (b"0[]", "a handshake that is no object"),
        (b'0{"sid":3,"pingInterval":1,"pingTimeout":2}', "a handshake with a wrong value"),
        (b'0{"sid":"","pingInterval":1,"pingTimeout":2}', "a handshake with a wrong value"),
        (b'0{"sid":"\\r\\n","pingInterval":1,"pingTimeout":2}', "a handshake with a wrong value"),
        (b'0{"sid":"a","pingInterval":1e99,"pingTimeout":2}', "a handshake with a wrong value"),
        (b'0{"sid":"a","pingInterval":-1,"pingTimeout":2}', "a handshake with a wrong value"),
        (b'0{"sid":"a","pingInterval":true,"pingTimeout":2}', "a handshake with a wrong value"),
        (b'0{"sid":"a","pingInterval":1,"pingTimeout":2,"upgrades":7}', "a handshake with a wrong value"),
        (b'0{"sid":"a","pingInterval":1,"pingTimeout":2,"upgrades":[7]}', "a handshake with a wrong value"),
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
        (b"40", "the server speaks the protocol of Socket.IO 2"),
        (b"40[]", "a connection without a session id"),
        (b'401{"sid":"a"}', "an id where none belongs"),
        (b"41{", "a packet that is not JSON"),
        (b"42/\xff,[1]", "a namespace that is not UTF-8"),
        (b'42["\xff"]', "a packet that is not JSON"),
        (rb'42["BAR","\ud8"]', "a packet that is not JSON"),
        (rb'42["BAR",\ud83d]', "a packet that is not JSON"),
        (b'42["BAR",%b]' % (b"9" * 5000), "a packet that is not JSON"),
        (b'42["BAR",%b]' % (b"[" * 5000 + b"]" * 5000), "a packet that is not JSON"),
        (b'45["BAR"]', "a binary packet without a number of attachments"),
        (b'45-["BAR"]', "a binary packet without a number of attachments"),
        (b'45x-["BAR"]', "a binary packet without a number of attachments"),
        (b"45" + b"9" * 5000 + b'-["BAR"]', "a binary packet without a number of attachments"),
        (b"451-[]", "an event without a name"),
        (b"461-[]", "an acknowledgement without an id"),
    ],
)
def test_refuses(message: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason.replace("[", r"\[")) as raised:
        decode(message)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200


# --- attachments


def assembled(message: bytes, *attachments: bytes) -> Any:
    header = decode(message)
    assert isinstance(header, BinaryHeader)
    assembly = Assembly(header)
    for attachment in attachments[:-1]:
        assert assembly.add(attachment) is None
    return assembly.add(attachments[-1])


def test_attachments_are_put_where_their_placeholders_are() -> None:
    message = b'452-/admin,4["BAR",{"a":[%b]},%b,1]' % (places(1), places(0))
    assert assembled(message, b"zero", b"one") == Event("BAR", ({"a": [b"one"]}, b"zero", 1), 4, "/admin")
    assert assembled(b"461-4[%b]" % places(0), b"") == Ack(4, (b"",), "/")
    assert assembled(b'451-["BAR",%b]' % places(0, 0), b"twice") == Event("BAR", (b"twice", b"twice"), None, "/")
    deep = assembled(b'451-["BAR",%b,%b]' % (DEEP, places(0)), b"x")
    assert deep.arguments[1] == b"x"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b'451-["BAR"]', "1 attachments, but placeholders for 0"),
        (b'452-["BAR",%b]' % places(0), "2 attachments, but placeholders for 1"),
        (b'451-["BAR",%b]' % places(1), "a placeholder out of range: 1 of 1"),
        (b'451-["BAR",{"_placeholder":true,"num":-1}]', "a placeholder out of range: -1 of 1"),
        (b'451-["BAR",{"_placeholder":true,"num":"0"}]', "a placeholder without a number"),
        (b'451-["BAR",{"_placeholder":true,"num":false}]', "a placeholder without a number"),
        (b'451-["BAR",{"_placeholder":true}]', "a placeholder without a number"),
        (b'45%d-["BAR"]' % (MAX_ATTACHMENTS + 1), f"more than {MAX_ATTACHMENTS}"),
        (b'451-["BAR",{"_placeholder":true,"num":%b}]' % DEEP, "a placeholder without a number"),
    ],
)
def test_refuses_a_header_whose_attachments_cannot_be_right(message: bytes, reason: str) -> None:
    header = decode(message)
    assert isinstance(header, BinaryHeader)
    with pytest.raises(ProtocolError, match=reason):
        Assembly(header)


def test_bytes_of_every_kind_are_attachments() -> None:
    header, *attachments = protocol.encode_binary_event("FOO", (b"a", bytearray(b"b"), {"c": [memoryview(b"cc")[1:]]}))
    assert header == b'453-["FOO",%b,%b,{"c":[%b]}]' % (places(0), places(1), places(2))
    assert attachments == [b"a", b"b", b"c"]
    assert {type(attachment) for attachment in attachments} == {bytes}
    assert protocol.encode_binary_ack(7, (b"a",), "/admin") == [b"461-/admin,7[%b]" % places(0), b"a"]


@pytest.mark.parametrize("argument", [b"bytes", {1, 2}, object(), 1 << 70, "\ud800", {"x": b"bytes"}])
def test_what_json_cannot_hold(argument: Any) -> None:
    with pytest.raises(TypeError):
        protocol.encode_event("FOO", (argument,))
    with pytest.raises(TypeError):
        protocol.encode_ack(1, (argument,))


@pytest.mark.parametrize("argument", [{1, 2}, object(), 1 << 70, "\ud800", {"x": b"bytes", "y": object()}])
def test_what_neither_json_nor_attachments_can_hold(argument: Any) -> None:
    with pytest.raises(TypeError):
        protocol.encode_binary_event("FOO", (argument,))
    with pytest.raises(TypeError):
        protocol.encode_binary_ack(1, (argument,))


# --- payloads of polling


def test_payloads() -> None:
    body = encode_payload([b'42["FOO"]', encode_binary_packet(b"\x01\x02\x03"), b"3"])
    assert body == b'42["FOO"]\x1ebAQID\x1e3'
    assert decode_payload(body) == [(False, b'42["FOO"]'), (True, b"\x01\x02\x03"), (False, b"3")]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "an empty packet"),
        (b"2\x1e", "an empty packet"),
        (b"\x1e2", "an empty packet"),
        (b"bA", "not base64"),
        (b"b~~~~", "not base64"),
        (b"b\xff\xff\xff\xff", "not base64"),
    ],
)
def test_refuses_payloads(body: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        decode_payload(body)


# --- rubbish


@given(st.binary(max_size=200))
def test_rubbish_raises_nothing_else(message: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        decode(message)
    with contextlib.suppress(ProtocolError):
        decode_payload(message)


HEADS = [b"0", b"40", b"42", b"43", b"44", b"4217", b"42/a,", b"451-", b"462-7", b"451-/a,"]


@given(st.sampled_from(HEADS), st.text(max_size=50))
@example(b"44", DEEP.decode())
@example(b"0", DEEP.decode())
@example(b"421", DEEP.decode())
def test_nearly_right_raises_nothing_else(head: bytes, body: str) -> None:
    with contextlib.suppress(ProtocolError):
        received(head + body.encode(errors="replace"), b"attachment", b"another")


placeholders = st.fixed_dictionaries(
    {"_placeholder": st.booleans() | st.just(1)},
    optional={"num": st.integers(-3, 3) | st.none() | st.floats(allow_nan=False) | st.text(max_size=2)},
)
nearly_values = st.recursive(
    placeholders | st.none() | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(HEADS), nearly_values, st.lists(st.binary(max_size=3), max_size=4))
def test_headers_nearly_right_raise_nothing_else(head: bytes, body: Any, attachments: list[bytes]) -> None:
    with contextlib.suppress(ProtocolError):
        received(head + json.dumps(["BAR", body]).encode(), *attachments)


# --- python-socketio's own codec


def received(message: bytes, *attachments: bytes) -> Any:
    """Return what a client makes of a text message and the binary messages after it."""
    packet: Any = decode(message)
    if isinstance(packet, BinaryHeader):
        assembly = Assembly(packet)
        packet = None
        for attachment in attachments:
            assert packet is None, "there is one more than was announced"
            packet = assembly.add(attachment)
            if packet is not None:
                break
    return packet


names = st.text(min_size=1, max_size=20)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | numbers | st.text(max_size=20)


def nested(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaf,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )


values = nested(leaves)
arguments = st.lists(values, max_size=4).map(tuple)
binary_arguments = st.tuples(st.lists(nested(leaves | st.binary(max_size=20)), max_size=3), st.binary(max_size=20)).map(
    lambda parts: (*parts[0], parts[1])
)
ack_ids = st.none() | st.integers(0, 10**9)
namespaces = st.sampled_from(["/", "/admin", "/a/b", "/häß"])


def theirs(message: bytes, *attachments: bytes) -> Any:
    """Return python-socketio's reading of our messages, without Engine.IO's type digit."""
    packet = Packet(encoded_packet=message[1:].decode())
    assert packet.attachment_count == len(attachments)
    for attachment in attachments:
        packet.add_attachment(attachment)
    return packet


def from_theirs(packet: Any) -> Any:
    """Our reading of python-socketio's messages."""
    encoded = packet.encode()
    message, *attachments = encoded if isinstance(encoded, list) else [encoded]
    return received(b"4" + message.encode(), *attachments)


@given(names, arguments, ack_ids, namespaces)
def test_python_socketio_reads_our_events(
    name: str, values: tuple[Any, ...], ack_id: int | None, namespace: str
) -> None:
    packet = theirs(protocol.encode_event(name, values, ack_id, namespace))
    assert (packet.packet_type, packet.id, packet.namespace or "/") == (EVENT, ack_id, namespace)
    assert packet.data == [name, *values]


@given(names, binary_arguments, ack_ids, namespaces)
def test_python_socketio_reads_our_binary_events(
    name: str, values: tuple[Any, ...], ack_id: int | None, namespace: str
) -> None:
    packet = theirs(*protocol.encode_binary_event(name, values, ack_id, namespace))
    assert (packet.packet_type, packet.id, packet.namespace or "/") == (BINARY_EVENT, ack_id, namespace)
    assert packet.data == [name, *values]


@given(st.integers(0, 10**9), arguments, namespaces)
def test_python_socketio_reads_our_acknowledgements(ack_id: int, values: tuple[Any, ...], namespace: str) -> None:
    packet = theirs(protocol.encode_ack(ack_id, values, namespace))
    assert (packet.packet_type, packet.id, packet.data) == (ACK, ack_id, list(values))
    assert (packet.namespace or "/") == namespace


@given(st.integers(0, 10**9), binary_arguments, namespaces)
def test_python_socketio_reads_our_binary_acknowledgements(
    ack_id: int, values: tuple[Any, ...], namespace: str
) -> None:
    packet = theirs(*protocol.encode_binary_ack(ack_id, values, namespace))
    assert (packet.packet_type, packet.id, packet.data) == (BINARY_ACK, ack_id, list(values))
    assert (packet.namespace or "/") == namespace


@given(st.none() | st.dictionaries(st.text(max_size=5), values, max_size=3), namespaces)
def test_python_socketio_reads_our_requests_to_connect_and_disconnect(
    auth: dict[str, Any] | None, namespace: str
) -> None:
    packet = theirs(protocol.encode_connect(auth, namespace))
    assert (packet.packet_type, packet.data, packet.namespace or "/") == (CONNECT, auth, namespace)
    packet = theirs(protocol.encode_disconnect(namespace))
    assert (packet.packet_type, packet.data, packet.namespace or "/") == (DISCONNECT, None, namespace)


@given(names, arguments | binary_arguments, ack_ids, namespaces)
def test_we_read_python_socketios_events(
    name: str, values: tuple[Any, ...], ack_id: int | None, namespace: str
) -> None:
    packet = Packet(EVENT, data=[name, *values], namespace=namespace, id=ack_id)
    assert from_theirs(packet) == Event(name, values, ack_id, namespace)


@given(st.integers(0, 10**9), arguments | binary_arguments, namespaces)
def test_we_read_python_socketios_acknowledgements(ack_id: int, values: tuple[Any, ...], namespace: str) -> None:
    packet = Packet(ACK, data=list(values), namespace=namespace, id=ack_id)
    assert from_theirs(packet) == Ack(ack_id, values, namespace)


@given(namespaces, st.text(max_size=20), values)
def test_we_read_python_socketios_other_packets(namespace: str, text: str, data: Any) -> None:
    def read(kind: int, content: Any) -> object:
        return from_theirs(Packet(kind, data=content, namespace=namespace))

    assert read(CONNECT, {"sid": text}) == Connected(namespace, text)
    assert read(CONNECT_ERROR, {"message": text, "data": data}) == ConnectError(namespace, text, data)
    assert read(DISCONNECT, None) == Disconnect(namespace)


texts = st.text(min_size=1, max_size=20).filter(lambda text: "\x1e" not in text)
messages = st.lists(texts | st.binary(max_size=30), min_size=1, max_size=16)


@given(messages)
def test_python_engineio_reads_our_payloads(sent: list[str | bytes]) -> None:
    parts = [encode_binary_packet(part) if isinstance(part, bytes) else b"4" + part.encode() for part in sent]
    packets = Payload(encoded_payload=encode_payload(parts).decode()).packets
    assert [packet.packet_type for packet in packets] == [MESSAGE] * len(sent)
    assert [packet.binary for packet in packets] == [isinstance(part, bytes) for part in sent]
    assert [packet.data for packet in packets if packet.binary] == [part for part in sent if isinstance(part, bytes)]


@given(messages)
def test_we_read_python_engineios_payloads(sent: list[str | bytes]) -> None:
    body = Payload(packets=[EnginePacket(MESSAGE, part) for part in sent] + [EnginePacket(PONG, "probe")]).encode()
    expected = [(True, part) if isinstance(part, bytes) else (False, b"4" + part.encode()) for part in sent]
    assert decode_payload(body.encode()) == [*expected, (False, b"3probe")]
