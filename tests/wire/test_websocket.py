"""The WebSocket over real connections: bytes in every cut, the times of messages, what waits to be sent, the end."""

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.wire import poller, stamps
from bench.wire.errors import CLOSED, RESET
from bench.wire.poller import BUFFER_BYTES, Poller
from bench.wire.protocol import Binary, Message
from tests.support.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame
from tests.support.wires import LIMIT_S, Wire, wired

pytestmark = [pytest.mark.unhurried, pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")]

needs_stamps = pytest.mark.skipif(not stamps.is_kernel_clock(), reason=stamps.process_clock_reason())

#: More than a conversion can be wrong, and far less than the pauses here.
SLACK_NS = 20_000


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> Any:
    return request.param()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert not [loop for loop in poller._pollers if not loop.is_closed()]


@pytest.fixture
def with_process_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "_process", stamps._Process())
    stamps.use_process_clock()


@pytest.fixture
def without_epoll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "_ready_set", lambda: None)


async def until(is_true: Callable[[], Any]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not is_true():  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.001)


# --- bytes in every cut


@st.composite
def conversations(draw: st.DrawFn) -> tuple[bytes, list[Message], list[int]]:
    """Draw what a server sends, the messages in it, and where the network cuts it."""
    sizes = st.one_of(st.integers(0, 200), st.sampled_from([65535, 65536, BUFFER_BYTES - 2, 70_000, 140_000]))
    sent, messages = b"", []
    for _ in range(draw(st.integers(1, 5))):
        is_text = draw(st.booleans())
        payload = draw(st.binary(max_size=4)) * (draw(sizes) // 4 + 1)
        parts = draw(st.integers(1, 3))
        length = len(payload) // parts + 1
        for number in range(parts):
            kind = CONTINUATION if number else TEXT if is_text else BINARY
            sent += frame(payload[number * length : (number + 1) * length], kind, is_last=number == parts - 1)
            if draw(st.booleans()):
                sent += frame(b"there?", PING)
        messages.append(payload if is_text else Binary(payload))
    cuts = draw(st.lists(st.integers(0, len(sent)), max_size=8).map(sorted))
    return sent, messages, cuts


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(conversations())
def test_messages_do_not_depend_on_how_their_bytes_come(conversation: tuple[bytes, list[Message], list[int]]) -> None:
    sent, messages, cuts = conversation

    async def talk() -> None:
        async with wired() as wire:
            for begin, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
                for at in range(begin, end, BUFFER_BYTES):
                    wire.send(sent[at : min(end, at + BUFFER_BYTES)])
                    wire.websocket.read_now()
            await until(lambda: len(wire.ear.heard) == len(messages) or wire.ear.reasons)
            assert wire.ear.messages == messages
            assert wire.ear.reasons == []

    asyncio.run(talk())


async def test_bytes_one_by_one() -> None:
    sent = (
        frame(b"2") + frame(b"x" * 300, BINARY) + frame(b"4", is_last=False) + frame(b"2[]", CONTINUATION) + frame(b"")
    )
    async with wired() as wire:
        for byte in sent:
            wire.send(bytes([byte]))
            wire.websocket.read_now()
        assert wire.ear.messages == [b"2", Binary(b"x" * 300), b"42[]", b""]


@pytest.mark.parametrize("cut", range(1, 17))
async def test_a_message_in_two_segments(cut: int) -> None:
    sent = frame(b"first") + frame(b"second")
    assert len(sent) == 15
    async with wired() as wire:
        wire.send(sent[:cut])
        wire.websocket.read_now()
        wire.send(sent[cut:])
        await until(lambda: len(wire.ear.heard) == 2)
        assert wire.ear.messages == [b"first", b"second"]


async def test_what_came_with_the_answer_to_the_handshake() -> None:
    many = [b"%d" % number for number in range(5000)]
    sent = b"".join(map(frame, many))
    async with wired(rest=sent[:-1]) as wire:
        assert wire.ear.messages == many[:-1]
        wire.send(sent[-1:])
        await until(lambda: len(wire.ear.heard) == len(many))
        assert wire.ear.messages == many


# --- the times


@needs_stamps
async def test_the_time_is_the_machines_and_not_the_reader_s() -> None:
    """The kernel stamps inside the sender's own call, however late the message is read."""
    async with wired() as wire:
        assert wire.websocket.received_clock == "kernel"
        for number in range(20):
            before_ns, after_ns = wire.send(frame(b"%d" % number))
            time.sleep(0.05 if number == 7 else 0)  # noqa: ASYNC251 - nothing shall be read meanwhile
            wire.websocket.read_now()
            await until(lambda: wire.ear.heard)
            heard = wire.ear.heard.pop()
            assert heard.error_ns == 0
            assert before_ns - SLACK_NS <= heard.received_ns <= after_ns + SLACK_NS
            assert heard.received_ns <= heard.read_ns
            if number == 7:
                assert heard.read_ns - heard.received_ns > 40_000_000


@needs_stamps
async def test_of_several_messages_in_a_read_the_last_is_exact() -> None:
    """For the others the time is the latest possible, and its greatest error reaches back to the truth."""
    async with wired() as wire:
        wire.send(frame(b"before"))
        await until(lambda: wire.ear.heard)
        sent = []
        for number in range(3):
            sent.append(wire.send(frame(b"%d" % number)))
            time.sleep(0.01)  # noqa: ASYNC251 - nothing shall be read meanwhile
        wire.websocket.read_now()
        assert len(wire.ear.heard) == 4
        for (before_ns, after_ns), heard in zip(sent, wire.ear.heard[1:], strict=True):
            assert heard.received_ns - heard.error_ns - SLACK_NS <= after_ns
            assert heard.received_ns + SLACK_NS >= before_ns
        first, second, last = wire.ear.heard[1:]
        assert first.received_ns == second.received_ns == last.received_ns
        assert first.error_ns == second.error_ns > 0
        assert last.error_ns == 0


@needs_stamps
async def test_a_message_in_several_segments_has_the_time_of_its_last() -> None:
    sent = frame(b"x" * 1000)
    async with wired() as wire:
        wire.send(sent[:500])
        time.sleep(0.01)  # noqa: ASYNC251 - the segments come apart
        wire.websocket.read_now()
        wire.send(sent[500:999])
        time.sleep(0.01)  # noqa: ASYNC251
        before_ns, after_ns = wire.send(sent[999:])
        wire.websocket.read_now()
        await until(lambda: wire.ear.heard)
        (heard,) = wire.ear.heard
        assert heard.error_ns == 0
        assert before_ns - SLACK_NS <= heard.received_ns <= after_ns + SLACK_NS


@needs_stamps
@pytest.mark.parametrize("follows", [frame(b"next")[:3], frame(b"", PING), frame(b"next")])
async def test_a_message_that_is_followed_by_anything_is_not_exact(follows: bytes) -> None:
    async with wired() as wire:
        wire.send(frame(b"message") + follows)
        await until(lambda: wire.ear.heard)
        assert wire.ear.heard[0].error_ns > 0


@needs_stamps
@pytest.mark.parametrize("size", [BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1])
async def test_a_read_that_fills_the_buffer_is_not_exact(size: int) -> None:
    """There may be more behind it, and then the time is that of something later."""
    text = b"x" * (size - 4 - 5)
    sent = frame(text) + frame(b"end")
    assert len(sent) == size
    async with wired() as wire:
        wire.peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        wire.send(sent)
        time.sleep(0.01)  # noqa: ASYNC251 - all of it waits
        while len(wire.ear.heard) < 2:
            wire.websocket.read_now()
        last = wire.ear.heard[-1]
        assert last.message == b"end"
        assert (last.error_ns == 0) is (size != BUFFER_BYTES)


@needs_stamps
async def test_a_message_with_the_end_behind_it_is_not_exact() -> None:
    """The end is a segment too, and the kernel may have merged it with the message."""
    async with wired() as wire:
        wire.send(frame(b"message"))
        wire.peer.shutdown(socket.SHUT_WR)
        time.sleep(0.01)  # noqa: ASYNC251 - both are there when the loop looks
        assert await wire.ends() == CLOSED
        assert wire.ear.messages == [b"message"]
        assert wire.ear.heard[0].error_ns > 0


@needs_stamps
async def test_a_stamp_that_cannot_be_told_gives_way_to_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "_process", stamps._Process())
    async with wired() as wire:
        clock = stamps.stamp_clock()
        assert clock is not None
        wire.send(frame(b"before"))
        await until(lambda: wire.ear.heard)
        clock.offset_ns += 10**12  # all stamps would lie in the past
        wire.send(frame(b"after"))
        await until(lambda: len(wire.ear.heard) == 2)
        assert clock.steps == 1, "it was measured again"
        assert [heard.error_ns for heard in wire.ear.heard] == [0, 0]


async def test_with_the_clock_of_the_process_nothing_is_said_of_errors(with_process_clock: None) -> None:
    async with wired() as wire:
        assert wire.websocket.received_clock == "process"
        before_ns, _ = wire.send(frame(b"message"))
        time.sleep(0.01)  # noqa: ASYNC251 - it waits
        read_ns = time.perf_counter_ns()
        await until(lambda: wire.ear.heard)
        (heard,) = wire.ear.heard
        assert (heard.read_ns, heard.error_ns) == (0, -1)
        assert before_ns < read_ns <= heard.received_ns


async def test_sent_is_when_the_system_is_asked_to_send() -> None:
    async with wired() as wire:
        before_ns = time.perf_counter_ns()
        times = [wire.websocket.send_text(b"text"), wire.websocket.send((b"a", Binary(b"b")))]
        assert before_ns <= times[0] <= times[1] <= time.perf_counter_ns()
        assert len(wire.peer.recv(100)) > 0


# --- the poller


@pytest.mark.parametrize("fixtures", ["", "with_process_clock", "without_epoll"])
async def test_more_connections_than_a_pass_handles(fixtures: str, request: pytest.FixtureRequest) -> None:
    """All are read, each once; those that are ended inside the handling of others are not."""
    if fixtures:
        request.getfixturevalue(fixtures)
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(wired()) for _ in range(150)]
        for number, wire in enumerate(wires):
            wire.send(frame(b"%d" % number))
        await until(lambda: all(wire.ear.heard for wire in wires))
        assert [wire.ear.messages for wire in wires] == [[b"%d" % number] for number in range(150)]

        def end_the_others(message: Message, received_ns: int) -> None:
            for other in wires:
                other.websocket.abort()

        for wire in wires:
            wire.ear.receive = end_the_others  # type: ignore[method-assign]
            wire.send(frame(b"last"))
        await until(lambda: all(wire.websocket.descriptor < 0 for wire in wires))
        assert sum(len(wire.ear.heard) for wire in wires) == 150
        assert all(wire.ear.reasons == [] for wire in wires)


def test_loops_one_after_another_leave_nothing() -> None:
    def descriptors() -> int:
        with socket.socket() as probe:
            return probe.fileno()

    async def talk() -> None:
        async with wired() as wire:
            wire.send(frame(b"hello"))
            await until(lambda: wire.ear.heard)

    asyncio.run(talk())
    before = descriptors()
    for _ in range(5):
        asyncio.run(talk())
        uvloop.run(talk())
    assert descriptors() == before
    assert poller._pollers == {}


async def test_a_loop_has_a_single_poller() -> None:
    async with wired() as one, wired() as other:
        loop = asyncio.get_running_loop()
        assert Poller.of(loop) is Poller.of(loop)
        one.websocket.abort()
        assert loop in poller._pollers
        other.send(frame(b"still there"))
        await until(lambda: other.ear.heard)


# --- what waits to be sent, and what waits to be read


async def chokes(wire: Wire) -> int:
    """Send until the system takes no more; returns how many messages."""
    for number in range(10_000):
        wire.websocket.send_text(b"x" * 10_000)
        if wire.websocket.unsent_bytes > 100_000:
            return number + 1
    raise AssertionError("it takes all")


@pytest.mark.parametrize("fixtures", ["", "without_epoll"])
async def test_what_the_other_end_does_not_read_waits_and_goes_out_in_order(
    fixtures: str, request: pytest.FixtureRequest
) -> None:
    if fixtures:
        request.getfixturevalue(fixtures)
    async with wired() as wire:
        number = await chokes(wire)
        wire.websocket.send((b"last",))
        assert wire.websocket.unsent_bytes > 100_000
        whole = number * (10_000 + 8) + 4 + 6
        loop = asyncio.get_running_loop()
        wire.peer.setblocking(False)
        got = 0
        while got < whole:
            got += len(await loop.sock_recv(wire.peer, 1 << 20))
        assert got == whole
        await until(lambda: wire.websocket.unsent_bytes == 0)
        wire.websocket.send_text(b"after")
        assert len(await loop.sock_recv(wire.peer, 100)) == 11


async def test_a_close_waits_until_all_is_sent() -> None:
    async with wired() as wire:
        number = await chokes(wire)
        wire.websocket.close()
        wire.websocket.send_text(b"too late")
        wire.peer.setblocking(False)
        data = bytearray()
        while part := await asyncio.get_running_loop().sock_recv(wire.peer, 1 << 20):
            data += part
        assert await wire.ends() == CLOSED
        assert len(data) == number * (10_000 + 8) + 2 + 6
        assert data[-8] == 0x80 | CLOSE


async def test_who_is_reset_while_it_waits_to_close_ends() -> None:
    async with wired() as wire:
        await chokes(wire)
        wire.websocket.close()
        wire.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.peer.close()
        assert await wire.ends() == RESET


async def test_what_waits_is_read_before_the_news_of_a_reset() -> None:
    async with wired() as wire:
        wire.send(frame(b"last words"))
        wire.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.peer.close()
        assert await wire.ends() == RESET
        assert wire.ear.messages == [b"last words"]


async def test_what_waits_can_be_read_at_once() -> None:
    async with wired() as wire:
        wire.websocket.read_now()
        wire.send(frame(b"waits"))
        wire.websocket.read_now()
        assert wire.ear.messages == [b"waits"]
        inside: list[int] = []

        def read_inside(message: Message, received_ns: int) -> None:
            wire.websocket.read_now()
            inside.append(len(inside))

        wire.ear.receive = read_inside  # type: ignore[method-assign]
        wire.send(frame(b"a") + frame(b"b"))
        wire.websocket.read_now()
        assert inside == [0, 1], "inside the handling of a read nothing else is read"
    wire.websocket.read_now()


async def test_a_read_inside_the_handling_of_another_s_read() -> None:
    async with wired() as one, wired() as other:

        def read_other(message: Message, received_ns: int) -> None:
            one.ear.heard.append(message)  # type: ignore[arg-type]
            other.websocket.read_now()

        one.ear.receive = read_other  # type: ignore[method-assign]
        one.send(b"".join(frame(b"one %d" % number) for number in range(100)))
        other.send(b"".join(frame(b"other %d" % number) for number in range(100)))
        await until(lambda: len(one.ear.heard) == 100 and len(other.ear.heard) == 100)
        assert one.ear.heard == [b"one %d" % number for number in range(100)]  # type: ignore[comparison-overlap]
        assert other.ear.messages == [b"other %d" % number for number in range(100)]


async def test_an_error_of_the_listener_loses_no_later_message() -> None:
    async with wired() as wire:
        raised: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: raised.append(str(context.get("exception"))))
        hear = wire.ear.receive

        def fail_once(message: Message, received_ns: int) -> None:
            hear(message, received_ns)
            if message == b"bad":
                raise RuntimeError("its own")

        wire.ear.receive = fail_once  # type: ignore[method-assign]
        wire.send(frame(b"bad") + frame(b"good"))
        await until(lambda: raised)
        wire.send(frame(b"next"))
        await until(lambda: len(wire.ear.heard) == 3)
        assert wire.ear.messages == [b"bad", b"good", b"next"]
        assert raised == ["its own"]
