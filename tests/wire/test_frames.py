"""Frames: what a server sends, found in a buffer; what a client sends, made."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, TextMessage

from bench.wire.errors import IMPOSSIBLE_FRAME
from bench.wire.frames import LAST, FrameHead, ImpossibleFrame, closing
from bench.wire.masking import Masker
from tests.support import frames
from tests.support.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame

MOST_BYTES = 100_000
PONG = 10


@pytest.mark.parametrize("kind", [TEXT, BINARY, CONTINUATION, PING, PONG, CLOSE])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65535, 65536, MOST_BYTES])
@pytest.mark.parametrize("is_last", [True, False])
def test_a_frame_is_found_when_its_head_is_there(kind: int, size: int, is_last: bool) -> None:
    if kind >= CLOSE and (size > 125 or not is_last):
        return
    before = b"other"
    data = bytearray(before + frame(bytes(size), kind, is_last=is_last) + b"more")
    head_bytes = 2 if size < 126 else 4 if size < 65536 else 10
    head = FrameHead()
    for there in range(head_bytes):
        assert not head.find(data, len(before), len(before) + there, MOST_BYTES)
    for there in (head_bytes, len(data) - len(before)):
        assert head.find(data, len(before), len(before) + there, MOST_BYTES)
        assert (head.kind, head.is_last) == (kind, is_last)
        assert head.begin == len(before) + head_bytes
        assert head.end == head.begin + size


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x83\x00", "Received frame with invalid opcode=0x3"),
        (b"\x87\x00", "Received frame with invalid opcode=0x7"),
        (b"\x8b\x00", "Received frame with invalid opcode=0xb"),
        (b"\xc1\x00", "Received frame with reserved bits set"),
        (b"\x91\x00", "Received frame with reserved bits set"),
        (b"\x09\x00", "Received fragmented control frame"),
        (b"\x81\x80", "Received masked frame from server, RFC 6455 section 5.1 forbids this"),
        (b"\x81\xfe", "Received masked frame from server, RFC 6455 section 5.1 forbids this"),
        (b"\x89\x7e\x00\x7e", "Received control frame with payload size > 125 bytes, opcode=0x9"),
        (b"\x88\x7f", "Received control frame with payload size > 125 bytes, opcode=0x8"),
        (b"\x81\x7e\x00\x7d", "Received frame with invalid 16-bit payload len"),
        (b"\x81\x7f" + (65535).to_bytes(8), "Received frame with invalid 64-bit payload length"),
        (b"\x81\x7f" + (1 << 63).to_bytes(8), "Received frame with invalid 64-bit payload length"),
    ],
)
def test_a_frame_that_cannot_be_is_refused_at_its_head(data: bytes, words: str) -> None:
    with pytest.raises(ImpossibleFrame, match=re.escape(words)) as raised:
        FrameHead().find(bytearray(data), 0, len(data), MOST_BYTES)
    assert raised.value.reason.kind == IMPOSSIBLE_FRAME
    assert raised.value.code == 1002


@pytest.mark.parametrize(("size", "most"), [(11, 10), (125, 124), (126, 125), (65536, 65535), ((1 << 63) - 1, 1 << 40)])
@pytest.mark.parametrize("kind", [TEXT, BINARY, CONTINUATION])
def test_a_frame_that_is_too_large_is_refused_at_its_head(kind: int, size: int, most: int) -> None:
    data = bytearray(frames.frame(b"", kind)[:1])
    data += bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 65536 else b"\x7f" + size.to_bytes(8)
    with pytest.raises(
        ImpossibleFrame, match=f"a message of {size} bytes, more than .*max_message_bytes, {most}$"
    ) as it:
        FrameHead().find(data, 0, len(data), most)
    assert it.value.code == 1009
    assert (
        it.value.reason.kind == f"the server sent a message of more than {most} bytes, the client's max_message_bytes"
    )


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (b"", (1005, "")),
        (b"\x03\xe8", (1000, "")),
        (b"\x03\xf3too", (1011, "too")),
        (b"\x0b\xb8\xc3\xbc", (3000, "ü")),
        (b"\xff\xff", (65535, "")),
    ],
)
def test_a_close_frame(payload: bytes, found: tuple[int, str]) -> None:
    assert closing(payload) == found


@pytest.mark.parametrize("payload", [b"\x03", b"\x03\xed", b"\x00\x00", b"\x03\xee", b"\x07\xd0", b"\x03\xe8\xff"])
def test_a_close_frame_that_cannot_be(payload: bytes) -> None:
    with pytest.raises(ImpossibleFrame, match=r"^the server sent an impossible frame: Received CLOSE with invalid "):
        closing(payload)


@given(st.binary(max_size=70_000), st.booleans(), st.integers(1, (1 << 32) - 1))
def test_what_a_client_sends_another_implementation_reads(payload: bytes, is_text: bool, seed: int) -> None:
    payload = payload.hex().encode() if is_text else payload
    server = Connection(ConnectionType.SERVER)
    masker = Masker(seed)
    made = [masker.frame(LAST | (TEXT if is_text else BINARY), payload) for _ in range(2)]
    assert made[0] != made[1], "each has a mask of its own"
    for data in made:
        server.receive_data(data)
        got: list[str | bytes] = []
        for event in server.events():
            assert isinstance(event, TextMessage if is_text else BytesMessage)
            got.append(event.data if isinstance(event, TextMessage) else bytes(event.data))
        whole = "".join(map(str, got)) if is_text else b"".join(part for part in got if isinstance(part, bytes))
        assert whole == (payload.decode() if is_text else payload)


@pytest.mark.parametrize("size", [0, 1, 3, 4, 7, 8, 9, 125, 126, 65535, 65536])
def test_a_frame_is_as_long_as_it_must_be(size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    made = Masker(7).frame(LAST | BINARY, payload[:size])
    mask_at = 2 if size < 126 else 4 if size < 65536 else 10
    assert made == frame(payload[:size], BINARY, mask=made[mask_at : mask_at + 4])
