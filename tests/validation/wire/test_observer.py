"""The observer's parts by plain values: packets, streams, frames, and the matching of what was seen."""

from collections.abc import Callable
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.validation.wire.frames import Messages
from bench.validation.wire.packets import SYN, Segment, segment_in
from bench.validation.wire.ring import packets_in
from bench.validation.wire.sightings import Observer, Sighting
from bench.validation.wire.streams import Stream
from tests.support.captured import (
    CLIENT_PORT,
    SERVER_PORT,
    SWITCHED,
    UPGRADE,
    link_frame,
    masked,
    segments,
    unmasked,
)

FOO = b'42["FOO",{"name":"%b","to":"sender"}]'
BAR = b'42["BAR",{"foo":"%b","to":"sender"}]'


# --- packets ----------------------------------------------------------------------------------------------------------


def test_a_segment_in_a_frame() -> None:
    found = segment_in(link_frame(b"hello", sequence=7, flags=0x18, options=bytes(12)), 5, True)
    assert found == Segment(5, True, CLIENT_PORT, SERVER_PORT, 7, 0x18, b"hello", True)


def test_padding_behind_a_packet_is_no_payload() -> None:
    found = segment_in(link_frame(b"") + bytes(6), 5, False)
    assert found is not None
    assert found.payload == b""


def test_a_segment_that_the_capture_has_cut() -> None:
    found = segment_in(link_frame(b"hello")[:-2], 5, True)
    assert found is not None
    assert (found.payload, found.is_whole) == (b"hel", False)


@pytest.mark.parametrize(
    "frame",
    [b"", bytes(60), link_frame(b"x")[:40], link_frame(b"x").replace(b"\x08\x00", b"\x86\xdd", 1)],
    ids=["nothing", "no IPv4", "no whole head", "IPv6"],
)
def test_what_is_no_segment(frame: bytes) -> None:
    assert segment_in(frame, 5, True) is None


@given(st.binary(max_size=120))
def test_no_bytes_are_a_surprise(frame: bytes) -> None:
    segment_in(b"\0" * 12 + b"\x08\x00" + frame, 5, True)


def test_the_packets_of_a_block() -> None:
    def packet(next_at: int, nanoseconds: int, kind: int, frame: bytes, length: int) -> bytes:
        head = pack("=6I2H", next_at, 3, nanoseconds, len(frame), length, 0, 82, 96) + bytes(20)
        address = pack("=HHiHBB8s", 17, 0x0008, 1, 772, kind, 6, b"")
        return (head + address).ljust(82, b"\0") + frame

    first = packet(96, 1, 4, b"leaves", 6).ljust(96, b"\0")
    block = pack("=8x3I", 1, 2, 48).ljust(48, b"\0") + first + packet(0, 2, 0, b"comes", 9)
    assert list(packets_in(block)) == [(3_000_000_001, True, b"leaves", True), (3_000_000_002, False, b"comes", False)]


# --- streams ----------------------------------------------------------------------------------------------------------


def stream_of(found: list[Segment]) -> tuple[Stream, bytes]:
    stream = Stream()
    return stream, b"".join(stream.add(segment) for segment in found)


@pytest.mark.parametrize("first", [1000, (1 << 32) - 4], ids=["small numbers", "numbers begin again"])
def test_bytes_in_order(first: int) -> None:
    stream, data = stream_of(list(segments([b"ab", b"cde", b"f"], to_server=True, first=first)))
    assert (data, stream.retransmitted, stream.waits) == (b"abcdef", 0, False)


def test_a_retransmission_counts_once() -> None:
    syn, one, two = segments([b"ab", b"cde"], to_server=True)
    again = one._replace(payload=b"abcd")  # both of what was sent, and what was not
    stream, data = stream_of([syn, one, one, again, two, syn])
    assert (data, stream.retransmitted) == (b"abcde", 3)


def test_what_comes_early_waits() -> None:
    syn, one, two, three = segments([b"ab", b"cde", b"f"], to_server=True)
    stream = Stream()
    assert [stream.add(segment) for segment in (syn, three, two)] == [b"", b"", b""]
    assert stream.waits
    assert stream.add(one) == b"abcdef"
    assert not stream.waits


def test_a_loss_of_the_capture() -> None:
    syn, *parts = segments([b"x"] * 300, to_server=True)
    del parts[10]
    stream, data = stream_of([syn, *parts])
    assert stream.is_lost
    assert data == b"x" * 10


def test_a_cut_segment_loses_the_rest() -> None:
    syn, one, two = segments([b"ab", b"cde"], to_server=True)
    stream, data = stream_of([syn, one._replace(is_whole=False), two])
    assert (stream.is_lost, data) == (True, b"")


def test_without_its_beginning_a_direction_is_never_known() -> None:
    assert stream_of(list(segments([b"ab"], to_server=True))[1:])[1] == b""


@given(st.binary(min_size=1, max_size=40), st.data(), st.integers(0, (1 << 32) - 1))
def test_any_order_and_any_repetition_give_the_same_bytes(sent: bytes, data: st.DataObject, first: int) -> None:
    spans = st.tuples(st.integers(0, len(sent) - 1), st.integers(1, 8))
    extra = [(begin, sent[begin : begin + length]) for begin, length in data.draw(st.lists(spans, max_size=8))]
    pieces = data.draw(st.permutations([*((at, sent[at : at + 3]) for at in range(0, len(sent), 3)), *extra]))
    stream = Stream()
    stream.add(Segment(0, True, 1, 2, first, SYN, b""))
    got = b"".join(
        stream.add(Segment(0, True, 1, 2, (first + 1 + at) % (1 << 32), 0x18, piece)) for at, piece in pieces
    )
    assert got == sent
    assert not stream.waits


# --- frames -----------------------------------------------------------------------------------------------------------


def messages_of(*parts: bytes) -> list[bytes]:
    messages = Messages()
    return [message for part in parts for message in messages.add(part)]


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536])
@pytest.mark.parametrize("frame", [masked, unmasked])
def test_a_frame_of_any_length(frame: Callable[[bytes], bytes], length: int) -> None:
    text = bytes(number % 251 for number in range(length))
    assert messages_of(UPGRADE, frame(text)) == [text]


def test_several_frames_in_a_part() -> None:
    assert messages_of(SWITCHED + unmasked(b"one") + unmasked(b"two"), unmasked(b"three")) == [b"one", b"two", b"three"]


def test_fragments_with_a_ping_between_them() -> None:
    parts = [masked(b"4", first=0x01), masked(b"", first=0x89), masked(b"2[", first=0x00), masked(b"]", first=0x80)]
    assert messages_of(UPGRADE, *parts) == [b"42[]"]


def test_what_is_no_websocket_has_no_messages() -> None:
    assert messages_of(b"GET /stats HTTP/1.1\r\n\r\n", masked(b"rt-w-0-0")) == []


@given(st.lists(st.binary(max_size=140), max_size=4), st.data(), st.sampled_from([masked, unmasked]))
def test_the_parts_in_which_bytes_come_do_not_matter(
    texts: list[bytes],
    data: st.DataObject,
    frame: Callable[[bytes], bytes],
) -> None:
    whole = UPGRADE + b"".join(map(frame, texts))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    parts = [whole[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert messages_of(*parts) == texts


# --- sightings --------------------------------------------------------------------------------------------------------


def seen(*found: Segment) -> Observer:
    observer = Observer(SERVER_PORT)
    for segment in found:
        observer.see(segment)
    return observer


def test_a_round_trip_is_matched_by_its_token() -> None:
    observer = seen(
        *segments([UPGRADE, masked(FOO % b"rt-w-0-1")], to_server=True, begin_ns=1000),
        *segments([SWITCHED, unmasked(BAR % b"rt-w-0-1")], to_server=False, begin_ns=2000),
        *segments([SWITCHED, unmasked(BAR % b"rt-w-0-1")], to_server=False, begin_ns=2003, is_outgoing=False),
    )
    assert observer.sightings() == {"rt-w-0-1": Sighting(1100, 2103, 2100)}
    assert (observer.retransmitted, observer.lost_streams) == (0, 0)


def test_an_emission_is_timed_as_it_leaves_and_a_reply_as_it_comes_in() -> None:
    coming = list(segments([UPGRADE, masked(FOO % b"rt-w-0-1")], to_server=True, begin_ns=7, is_outgoing=False))
    leaving = list(segments([SWITCHED, unmasked(BAR % b"rt-w-0-1")], to_server=False, begin_ns=9))
    assert seen(*coming, *leaving).sightings() == {}


def test_a_message_has_the_time_of_the_packet_that_completed_it() -> None:
    foo, bar = masked(FOO % b"rt-w-0-1"), unmasked(BAR % b"rt-w-0-1")
    observer = seen(
        *segments([UPGRADE, foo[:10], foo[10:-1], foo[-1:]], to_server=True, begin_ns=1000),
        *segments([SWITCHED + bar[:-1], bar[-1:]], to_server=False, begin_ns=2000, is_outgoing=False),
    )
    assert observer.sightings() == {"rt-w-0-1": Sighting(1300, 2100, None)}


def test_the_first_copy_of_a_message_counts() -> None:
    emission = list(segments([UPGRADE, masked(FOO % b"rt-w-0-1")], to_server=True, begin_ns=1000))
    again = emission[-1]._replace(time_ns=9000)
    reply = segments([SWITCHED, unmasked(BAR % b"rt-w-0-1")], to_server=False, begin_ns=9500, is_outgoing=False)
    observer = seen(*emission, again, *reply)
    assert observer.sightings()["rt-w-0-1"].emission_ns == 1100
    assert observer.retransmitted == 1


def test_several_messages_in_one_packet_and_acknowledgements() -> None:
    tokens = [b"rt-ar-5c1a-%d" % number for number in range(3)]
    observer = seen(
        *segments([UPGRADE, b"".join(masked(FOO % token) for token in tokens)], to_server=True),
        *segments(
            [SWITCHED, b"".join(unmasked(b'43%d[{"foo":"%b"}]' % (number, t)) for number, t in enumerate(tokens))],
            to_server=False,
            begin_ns=500,
            is_outgoing=False,
        ),
    )
    assert observer.sightings() == {token.decode(): Sighting(100, 600, None) for token in tokens}


def test_ports_may_be_used_again() -> None:
    first = segments([UPGRADE, masked(FOO % b"rt-w-0-1")], to_server=True)
    second = segments([UPGRADE, masked(FOO % b"rt-w-0-2")], to_server=True, first=77_000, begin_ns=5000)
    replies = segments(
        [SWITCHED, unmasked(BAR % b"rt-w-0-1"), unmasked(BAR % b"rt-w-0-2")],
        to_server=False,
        begin_ns=6000,
        is_outgoing=False,
    )
    assert set(seen(*first, *second, *replies).sightings()) == {"rt-w-0-1", "rt-w-0-2"}


def test_others_are_not_seen() -> None:
    other = [segment._replace(destination=9999) for segment in segments([UPGRADE], to_server=True)]
    assert seen(*other).segments == 0
