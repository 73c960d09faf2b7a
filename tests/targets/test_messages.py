"""The messages of the test servers: answers, frames, and the key of the WebSocket standard."""

import pytest

from bench.targets.messages import accept_key, answer, framed


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b'42["FOO",{"name":"a","to":"sender"}]', b'42["BAR",{"foo":"a","to":"sender"}]'),
        (b'42["FOO",{"name":"\xc3\xa4"}]', b'42["BAR",{"foo":"\xc3\xa4"}]'),
        (b'4217["FOO",{"name":"a"}]', b'4317[{"foo":"a"}]'),
        (b'42["OTHER",{"name":"a"}]', None),
        (b"3", None),
        (b"", None),
    ],
)
def test_answer(message: bytes, expected: bytes | None) -> None:
    assert answer(message) == expected


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65535, b"\x81\x7e\xff\xff"),
        (65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_frames(length: int, head: bytes) -> None:
    assert framed(b"x" * length) == head + b"x" * length


def test_the_key_of_the_websocket_standard() -> None:
    assert accept_key(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
