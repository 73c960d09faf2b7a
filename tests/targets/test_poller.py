"""The wait for sockets: the same answers from epoll and from the selectors of other systems."""

import select
import socket
from collections.abc import Iterator

import pytest

from bench.targets.poller import READABLE, WRITABLE, Poller, SelectorPoller, poller

POLLERS = [pytest.param(SelectorPoller, id="selectors")]
if hasattr(select, "epoll"):
    POLLERS.append(pytest.param(poller, id="epoll"))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    with left, right:
        yield left, right


@pytest.fixture(params=POLLERS)
def waiting(request: pytest.FixtureRequest) -> Iterator[Poller]:
    found: Poller = request.param()
    yield found
    found.close()


def test_what_has_happened_is_told_until_it_is_read(waiting: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    waiting.register(left.fileno(), READABLE)
    assert waiting.poll(0, 9) == []
    right.send(b"x")
    assert waiting.poll(1, 9) == [(left.fileno(), READABLE)]
    assert waiting.poll(0, 9) == [(left.fileno(), READABLE)]
    left.recv(9)
    assert waiting.poll(0, 9) == []


def test_other_events_may_be_asked_for(waiting: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    waiting.register(left.fileno(), READABLE)
    waiting.modify(left.fileno(), READABLE | WRITABLE)
    right.send(b"x")
    assert waiting.poll(1, 9) == [(left.fileno(), READABLE | WRITABLE)]


def test_a_number_may_come_again_after_its_file_was_closed(waiting: Poller) -> None:
    for _ in range(2):
        left, right = socket.socketpair()
        with left, right:
            waiting.register(left.fileno(), READABLE)
            waiting.unregister(left.fileno())
    assert waiting.poll(0, 9) == []


def test_no_more_is_told_than_was_asked_for(waiting: Poller) -> None:
    pairs = [socket.socketpair() for _ in range(3)]
    for left, right in pairs:
        waiting.register(left.fileno(), READABLE)
        right.send(b"x")
    assert len(waiting.poll(1, 2)) == 2
    for left, right in pairs:
        waiting.unregister(left.fileno())
        left.close()
        right.close()


def test_a_descriptor_of_its_own_can_be_read_when_something_has_happened(
    waiting: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    descriptor = waiting.fileno()
    if descriptor is None:
        pytest.skip("this system's selector has none")
    left, right = pair
    waiting.register(left.fileno(), READABLE)
    assert select.select([descriptor], [], [], 0)[0] == []
    right.send(b"x")
    assert select.select([descriptor], [], [], 1)[0] == [descriptor]
