"""The loop of `pytest bench`: what Ctrl-C does to it, sent as the signal that it is."""

import asyncio
import signal
from collections.abc import Callable, Iterator

import pytest
import uvloop

from bench.interleave.loop import OwnLoop


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def own(request: pytest.FixtureRequest) -> Iterator[OwnLoop]:
    factory: Callable[[], asyncio.AbstractEventLoop] = request.param
    complaints: list[object] = []
    before = signal.getsignal(signal.SIGINT)
    with OwnLoop.open(factory) as own:
        own.loop.set_exception_handler(lambda _, context: complaints.append(context))
        yield own
        own.run(asyncio.sleep(0))
    assert signal.getsignal(signal.SIGINT) is before
    assert own.loop.is_closed()
    assert complaints == []


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def swallowed_ctrl_c() -> None:
    """Swallow a KeyboardInterrupt, as python-engineio does if a handler raises it."""
    try:
        ctrl_c()
    except BaseException:
        pytest.fail("raised where it can be swallowed")


def test_it_returns_and_raises_what_the_coroutine_does(own: OwnLoop) -> None:
    async def good() -> int:
        return 1

    async def bad() -> None:
        raise LookupError

    assert own.run(good()) == 1
    with pytest.raises(LookupError):
        own.run(bad())


def test_ctrl_c_in_somebody_elses_callback_ends_the_run(own: OwnLoop) -> None:
    ended = []

    async def running() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    own.loop.call_later(0.01, swallowed_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        own.run(running())
    assert ended == [True]


def test_ctrl_c_in_the_coroutine_itself(own: OwnLoop) -> None:
    async def running() -> None:
        swallowed_ctrl_c()
        await asyncio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        own.run(running())


def test_ctrl_c_in_the_last_moment_is_not_lost(own: OwnLoop) -> None:
    async def running() -> None:
        swallowed_ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        own.run(running())


def test_ctrl_c_is_stronger_than_another_failure(own: OwnLoop) -> None:
    async def running() -> None:
        swallowed_ctrl_c()
        raise LookupError

    with pytest.raises(KeyboardInterrupt):
        own.run(running())


def test_ctrl_c_between_two_runs_is_raised_at_once(own: OwnLoop) -> None:
    own.run(asyncio.sleep(0))
    with pytest.raises(KeyboardInterrupt):
        ctrl_c()


def test_a_second_ctrl_c_is_raised_at_once(own: OwnLoop) -> None:
    async def stubborn() -> None:
        swallowed_ctrl_c()
        ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        own.run(stubborn())


def test_after_ctrl_c_it_runs_on(own: OwnLoop) -> None:
    own.loop.call_later(0.01, ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        own.run(asyncio.sleep(60))
    assert own.run(asyncio.sleep(0, "on")) == "on"
