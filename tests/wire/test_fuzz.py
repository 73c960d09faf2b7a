"""Generated conversations: whatever a server says, the fast client ends with one reason or goes on; it never breaks.

For a long run by hand: `WIRE_FUZZ_EXAMPLES=20000 pytest tests/wire/test_fuzz.py`. What it finds becomes a test of its
own, in test_protocol.py or test_hostile.py.
"""

import asyncio
import os
from typing import Any

import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.wire.client import FastClient
from bench.wire.errors import ConnectFailed, Disconnected
from tests.support.frames import BINARY, CLOSE, CONTINUATION, TEXT, frame
from tests.support.hostile_server import (
    HANDSHAKE,
    JOINED,
    Connection,
    placeholders,
    serving,
)

LIMIT_S = 60
EXAMPLES = int(os.environ.get("WIRE_FUZZ_EXAMPLES", "150"))

messages = st.sampled_from(
    [
        HANDSHAKE,
        JOINED,
        b'40/admin,{"sid":"a"}',
        b"2",
        b"3",
        b"3probe",
        b"6",
        b'42["BAR"]',
        b'42["BAR",{"foo":1}]',
        b'421["BAR",1]',
        b'42/admin,["BAR"]',
        b"431[1]",
        b"43/admin,1[]",
        b'450-["BAR"]',
        b'451-["BAR",%b]' % placeholders(0),
        b'452-7["BAR",%b]' % placeholders(1, 0),
        b"461-1[%b]" % placeholders(0),
    ]
)
ends = st.sampled_from([b"1", b"41", b"41/admin,", b'44{"message":"no"}'])
kinds = st.sampled_from([TEXT, TEXT, TEXT, BINARY, BINARY, CONTINUATION, CLOSE, 9, 10, 3])


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a message with something cut out, put in or replaced."""
    message = draw(messages)
    start = draw(st.integers(0, len(message)))
    end = draw(st.integers(start, len(message)))
    return message[:start] + draw(st.binary(max_size=3)) + message[end:]


frames = st.one_of(
    messages.map(frame),
    messages.map(frame),
    st.builds(frame, st.binary(max_size=5), st.just(BINARY)),
    damaged().map(frame),
    ends.map(frame),
    st.builds(lambda message, kind, is_last: frame(message, kind, is_last=is_last), messages, kinds, st.booleans()),
    st.binary(max_size=20),
)


async def converse(said: list[bytes], *, is_joined: bool, in_pieces: bool) -> None:
    async def way(connection: Connection) -> None:
        if is_joined:
            await connection.join()
            await connection.message()
        else:
            await connection.request()
            await connection.accept()
        for piece in said if in_pieces else [b"".join(said)]:
            await connection.send(piece)
            await asyncio.sleep(0)

    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    client = FastClient()
    reasons: list[str] = []
    client.when_closed(reasons.append)
    client.on("*", lambda *values: values[1:])
    async with asyncio.timeout(LIMIT_S), serving(way) as port:
        try:
            await client.connect(f"http://127.0.0.1:{port}", wait_timeout=LIMIT_S)
            while True:
                await client.call("ASK", timeout=LIMIT_S)
        except ConnectFailed as failure:
            reasons.append(str(failure))
        except Disconnected as failure:
            told = str(failure)
            assert reasons == [told]
        assert reasons[0].isprintable()
        assert not client.connected
        await client.disconnect()
    assert len(reasons) == 1
    assert complaints == []


@settings(max_examples=EXAMPLES)
@given(st.lists(frames, max_size=6), st.booleans(), st.booleans(), st.booleans())
def test_whatever_a_server_says(said: list[bytes], is_joined: bool, in_pieces: bool, on_uvloop: bool) -> None:
    conversation = converse(said, is_joined=is_joined, in_pieces=in_pieces)
    (uvloop.run if on_uvloop else asyncio.run)(conversation)
