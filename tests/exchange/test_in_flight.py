"""An emission in flight, as asyncio's tasks and functions await it, and when those that wait go on."""

import asyncio
from asyncio import tasks as asyncio_tasks
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest
import uvloop

from bench.exchange.in_flight import InFlight, Taker, begun
from bench.exchange.outcomes import ReplyTimeout, RoundTripFailed
from bench.scenarios.model import RoundTrip

LONG_NS = 10_000_000_000
LIMIT_S = 60

FOO = RoundTrip("FOO", "FOO", {"name": "{token}", "to": "sender"}, "BAR")


def in_flight() -> InFlight:
    return begun("token", FOO, 1, asyncio.get_running_loop())


def end_with_a_reply(emission: InFlight) -> None:
    assert emission.resolve(7, ("a reply",), 100, 9, 0)
    emission.wake()


def end_later(emission: InFlight) -> None:
    assert emission.resolve(7, ("a reply",), 100, 9, 0)
    emission.wake_soon()


def each_loop(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), LIMIT_S))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(scenario(), LIMIT_S))


@pytest.mark.parametrize("end", [end_with_a_reply, end_later])
def test_whoever_awaits_it_goes_on_at_its_end(end: Callable[[InFlight], None]) -> None:
    async def scenario() -> None:
        async def awaiting(emission: InFlight) -> Any:
            await emission
            return emission.reply

        emissions = [in_flight() for _ in range(7)]
        first, second, third, fourth, several, fifth, sixth = emissions
        several_tasks = [asyncio.create_task(awaiting(several)) for _ in range(3)]
        waits = [
            asyncio.create_task(awaiting(first)),
            asyncio.create_task(asyncio.wait_for(second, LIMIT_S)),
            asyncio.ensure_future(asyncio.gather(third, fourth)),
            asyncio.create_task(asyncio.wait([fifth])),  # type: ignore[type-var]
            asyncio.ensure_future(asyncio.shield(sixth)),
        ]
        await asyncio.sleep(0)
        assert not any(wait.done() for wait in waits)
        for emission in emissions:
            asyncio.get_running_loop().call_soon(end, emission)
        results = await asyncio.gather(*waits)
        assert results[:3] == [("a reply",), None, [None, None]]
        assert results[3] == ({fifth}, set())
        assert await asyncio.gather(*several_tasks) == [("a reply",)] * 3
        for emission in emissions:
            emission.result()
        assert [(emission.done(), emission.exception()) for emission in emissions] == [(True, None)] * 7
        await first  # once more

    each_loop(scenario)


def test_a_failure_is_raised_to_whoever_awaits_it() -> None:
    async def scenario() -> None:
        emission = in_flight()
        waiting = asyncio.create_task(asyncio.wait_for(emission, LIMIT_S))
        await asyncio.sleep(0)
        emission.fail(RoundTripFailed("no luck", 1))
        emission.fail(RoundTripFailed("a second end", 1))
        assert not emission.resolve(7, (), 0, 0, -1), "it has ended"
        with pytest.raises(RoundTripFailed, match="no luck"):
            await waiting
        with pytest.raises(RoundTripFailed, match="no luck"):
            await emission
        assert str(emission.exception()) == "no luck"

    each_loop(scenario)


def test_a_cancelled_task_awaits_it_no_more() -> None:
    async def scenario() -> None:
        emission, other = in_flight(), in_flight()
        with pytest.raises(asyncio.InvalidStateError):
            emission.result()
        with pytest.raises(asyncio.InvalidStateError):
            emission.exception()

        async def awaiting(emission: InFlight) -> None:
            await emission

        task = asyncio.create_task(awaiting(emission))
        timed_out = asyncio.create_task(asyncio.wait_for(other, 0.001))
        await asyncio.sleep(0)
        task.cancel("a word")
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            await timed_out
        for cancelled in (emission, other):
            assert cancelled.cancelled()
            assert not cancelled.resolve(7, (), 0, 0, 0), "its reply is none of it"
            cancelled.wake()
            with pytest.raises(asyncio.CancelledError):
                cancelled.result()
            with pytest.raises(asyncio.CancelledError):
                cancelled.exception()
            assert not cancelled.cancel()

    each_loop(scenario)


def test_a_task_that_is_cancelled_when_the_reply_is_there_is_cancelled() -> None:
    async def scenario() -> None:
        emission = in_flight()

        async def awaiting() -> None:
            await emission

        task = asyncio.create_task(awaiting())
        await asyncio.sleep(0)
        assert emission.resolve(7, (), 0, 0, 0)
        task.cancel()
        emission.wake_soon()
        with pytest.raises(asyncio.CancelledError):
            await task

    each_loop(scenario)


def test_a_callback_can_be_taken_back() -> None:
    async def scenario() -> None:
        emission, called = in_flight(), []
        first, second, third = (lambda done, number=number: called.append((number, done)) for number in range(3))
        for callback in (first, second, first, third):
            emission.add_done_callback(callback)
        assert emission.remove_done_callback(first) == 2
        assert emission.remove_done_callback(first) == 0
        end_with_a_reply(emission)
        emission.add_done_callback(first)
        await asyncio.sleep(0)
        assert called == [(1, emission), (2, emission), (0, emission)]

    each_loop(scenario)


def test_no_task_goes_on_inside_anothers_step() -> None:
    async def scenario() -> None:
        emission, order = in_flight(), []

        async def awaiting() -> None:
            await emission
            order.append("goes on")

        task = asyncio.create_task(awaiting())
        await asyncio.sleep(0)
        end_with_a_reply(emission)  # in this task's step
        order.append("this step is over")
        await task
        assert order == ["this step is over", "goes on"]

    each_loop(scenario)


def test_a_task_goes_on_in_its_own_context() -> None:
    async def scenario() -> None:
        where: ContextVar[str] = ContextVar("where", default="nowhere")

        async def awaiting(name: str, emission: InFlight) -> tuple[str, Any]:
            where.set(name)
            await emission
            return where.get(), asyncio.current_task()

        emissions = [in_flight(), in_flight()]
        tasks = [asyncio.create_task(awaiting(f"task {at}", emission)) for at, emission in enumerate(emissions)]
        await asyncio.sleep(0)
        for emission in emissions:
            asyncio.get_running_loop().call_soon(end_with_a_reply, emission)
        assert await asyncio.gather(*tasks) == [(f"task {at}", task) for at, task in enumerate(tasks)]
        assert where.get() == "nowhere"

    each_loop(scenario)


def test_asyncios_own_task_in_python_awaits_it_too() -> None:
    async def scenario() -> None:
        emission = in_flight()

        async def awaiting() -> Any:
            await emission
            return emission.received_ns

        task = asyncio_tasks._PyTask(awaiting(), loop=asyncio.get_running_loop())  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(end_with_a_reply, emission)
        assert await task == 7

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_the_loop_is_not_taken_for_an_events_handler(kind: type[BaseException]) -> None:
    async def awaiting(emission: InFlight) -> None:
        await emission
        raise kind(3)

    loop = asyncio.new_event_loop()
    try:

        async def begin() -> tuple[InFlight, asyncio.Task[None]]:
            emission = in_flight()
            task = asyncio.create_task(awaiting(emission))
            await asyncio.sleep(0)
            return emission, task

        emission, task = loop.run_until_complete(begin())
        loop.call_soon(end_with_a_reply, emission)
        with pytest.raises(kind):
            loop.run_forever()
        assert isinstance(task.exception(), kind)
    finally:
        loop.close()


def test_a_taker_takes_it_in_place_of_a_task() -> None:
    taken: list[InFlight] = []

    class Keeping(Taker):
        def take(self, emission: InFlight) -> None:
            taken.append(emission)

    async def scenario() -> None:
        taken.clear()
        taker = Keeping()
        now, soon, failed, awaited = (in_flight() for _ in range(4))
        for emission in (now, soon, failed, awaited):
            emission.give_to(taker)
        waiting = asyncio.create_task(asyncio.wait([awaited]))  # type: ignore[type-var]
        await asyncio.sleep(0)
        end_with_a_reply(now)
        assert taken == [now]
        end_later(soon)
        failed.fail(ReplyTimeout("", 1))
        end_with_a_reply(awaited)
        assert taken == [now]
        await asyncio.sleep(0)
        assert taken == [now, soon, failed, awaited]
        assert [emission.failed() for emission in taken] == [False, False, True, False]
        await waiting

    each_loop(scenario)
