"""The engine's loop: users begin in turns, and the alarms of arrivals serve as probes of its lag."""

import asyncio
from functools import partial
from itertools import pairwise
from time import perf_counter_ns

import uvloop

from bench.load.engine.loop import Engine
from bench.load.engine.pacing import FixedSchedule, OpenLoad, Pacer
from bench.load.metrics.recorder import LoopDelays

MS = 1_000_000
S = 1_000_000_000


def test_a_ring_for_an_arrival_is_told_with_the_time_that_the_alarm_was_set_to() -> None:
    told: list[tuple[int, int]] = []

    async def run() -> int:
        pacer = Pacer(OpenLoad(), lambda at_ns, now_ns: told.append((at_ns, now_ns)))
        began_ns = perf_counter_ns() + 50 * MS
        pacer.total.schedule = FixedSchedule(iter([0, 50 * MS, 100 * MS]), began_ns)
        pacer.wake()
        async with asyncio.timeout(60):
            while pacer.total.next_ns is not None:  # noqa: ASYNC110 - a schedule knows no event
                await asyncio.sleep(0.001)
        pacer.close()
        return began_ns

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        began_ns = runner.run(run())
    assert told, "none was past when the alarm was set"
    assert {at_ns - began_ns for at_ns, _ in told} <= {0, 50 * MS, 100 * MS}
    assert all(now_ns >= at_ns for at_ns, now_ns in told)


def test_an_alarm_is_a_probe_only_when_a_probe_is_due() -> None:
    engine = Engine()
    for number in range(10_000):  # 10 s of 1,000 arrivals a second, each 5 us late
        engine.note_alarm(S + number * MS, S + number * MS + 5_000)
    engine.flush()
    (delays,) = [item for item in engine.outbox if isinstance(item, LoopDelays)]
    at_ns, lags_ns = list(delays.loop_lag[::2]), set(delays.loop_lag[1::2])
    assert lags_ns == {5_000}
    assert 400 < len(at_ns) < 2_000, "about 100 a second"
    assert all(later > earlier for earlier, later in pairwise(at_ns))


def test_many_users_begin_in_turns_and_in_order() -> None:
    began: list[int] = []
    turns: list[int] = []

    def look(loop: asyncio.AbstractEventLoop) -> None:
        turns.append(len(began))
        if len(began) < 100:
            loop.call_soon(look, loop)
        else:
            loop.stop()

    engine = Engine()
    engine._loop = loop = uvloop.new_event_loop()
    try:
        for number in range(100):
            engine.begin(partial(began.append, number))
        loop.call_soon(look, loop)
        loop.run_forever()
    finally:
        loop.close()
    assert began == list(range(100))
    assert max(later - earlier for earlier, later in pairwise([0, *turns])) < 50, "others had their turn in between"
