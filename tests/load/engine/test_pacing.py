"""Dispatchers hand out arrivals as the schedule has them; the alarm rings on time. Sinks are made up, time is too."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from time import perf_counter_ns

import pytest
import uvloop

from bench.load.engine.alarm import Alarm
from bench.load.engine.pacing import WHOLE, Dispatcher, FixedSchedule, OpenLoad, Pacer
from bench.timing.arrivals import arrivals, schedule
from bench.timing.rates import RateProfile, Share

MS = 1_000_000
S = 1_000_000_000


class FakeSink:
    """A sink that takes arrivals while it has room; `taken` and `dropped` are their intended times.

    With `max_wait_ns`, arrivals wait for it, and it takes one at a time: it is `ready` when it is free again.
    """

    def __init__(self, room: int = 1_000_000, max_wait_ns: int | None = None) -> None:
        self.room = self.most_at_once = 1 if max_wait_ns is not None else room
        self.max_wait_ns = max_wait_ns
        self.taken: list[int] = []
        self.dropped: list[int] = []
        self.reasons: list[str] = []
        self.has_dropped = asyncio.Event()
        #: Of all that were taken or dropped.
        self.waits: list[int | None] = []

    def start_task(self, intended_ns: int, waited_ns: int | None) -> bool:
        self.taken.append(intended_ns)
        self.waits.append(waited_ns)
        if self.max_wait_ns is not None:
            return False
        self.room -= 1
        return self.room > 0

    def drop(self, intended_ns: int, reason: str, waited_ns: int | None) -> None:
        self.dropped.append(intended_ns)
        self.has_dropped.set()
        self.reasons.append(reason)
        self.waits.append(waited_ns)


def every(interval_ns: int, count: int = 100) -> Iterator[int]:
    return iter(range(0, interval_ns * count, interval_ns))


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def dispatcher_of(schedule: FixedSchedule, *sinks: FakeSink, clock: Clock | None = None) -> Dispatcher:
    dispatcher = Dispatcher(Pacer(OpenLoad()), clock or Clock())
    dispatcher.schedule = schedule
    for sink in sinks:
        dispatcher.join(sink)
        dispatcher.make_available(sink)
    return dispatcher


def test_arrivals_go_round() -> None:
    sinks = [FakeSink(), FakeSink(), FakeSink()]
    dispatcher = dispatcher_of(FixedSchedule(every(MS), 1000), *sinks)
    dispatcher.begin_due(1000 + 5 * MS)
    assert [sink.taken for sink in sinks] == [
        [1000, 1000 + 3 * MS],
        [1000 + MS, 1000 + 4 * MS],
        [1000 + 2 * MS, 1000 + 5 * MS],
    ]
    assert dispatcher.next_ns == 1000 + 6 * MS


def test_what_is_not_due_waits() -> None:
    sink = FakeSink()
    dispatcher = dispatcher_of(FixedSchedule(every(MS), 0), sink)
    dispatcher.begin_due(MS - 1)
    assert sink.taken == [0]
    dispatcher.begin_due(MS)
    assert sink.taken == [0, MS]


def test_who_is_full_or_away_gets_none() -> None:
    full, free, away = FakeSink(room=1), FakeSink(), FakeSink()
    dispatcher = dispatcher_of(FixedSchedule(every(MS), 0), full, free, away)
    dispatcher.make_unavailable(away)
    dispatcher.begin_due(9 * MS)
    assert full.taken == [0]
    assert free.taken == [MS * number for number in range(1, 10)]
    assert away.taken == []
    dispatcher.make_available(away)
    dispatcher.begin_due(11 * MS)
    assert (free.taken[-1], away.taken) == (10 * MS, [11 * MS])


def test_what_nobody_can_take_is_dropped_in_turn() -> None:
    first, second = FakeSink(room=1), FakeSink(room=1)
    dispatcher = dispatcher_of(FixedSchedule(every(MS), 0), first, second)
    dispatcher.begin_due(9 * MS)
    assert (first.taken, second.taken) == ([0], [MS])
    assert len(first.dropped) == len(second.dropped) == 4
    assert sorted(first.dropped + second.dropped) == [MS * number for number in range(2, 10)]
    dispatcher.leave(first)
    dispatcher.begin_due(11 * MS)
    assert second.dropped[-2:] == [10 * MS, 11 * MS]
    assert set(first.reasons + second.reasons) == {"every user has 1 tasks on their way"}
    dispatcher.make_unavailable(second)
    dispatcher.begin_due(12 * MS)
    assert (second.dropped[-1], second.reasons[-1]) == (12 * MS, "no user was connected")
    assert {*first.waits, *second.waits} == {None}, "nothing waits for pipelined users"


# ---------------------------------------------------------------------------------------------- one task at a time


def times(*milliseconds: int) -> FixedSchedule:
    return FixedSchedule(iter([number * MS for number in milliseconds]), 0)


def test_arrivals_wait_for_a_free_user_in_their_order() -> None:
    """Whoever is free first gets the oldest."""
    clock = Clock()
    first, second = FakeSink(max_wait_ns=100 * MS), FakeSink(max_wait_ns=100 * MS)
    dispatcher = dispatcher_of(times(1, 2, 3, 4, 5), first, second, clock=clock)
    for clock.now_ns in (MS, 2 * MS, 3 * MS, 4 * MS, 5 * MS):
        dispatcher.begin_due(clock.now_ns)
    assert (first.taken, second.taken) == ([MS], [2 * MS])
    clock.now_ns = 7 * MS
    dispatcher.make_available(second)
    clock.now_ns = 9 * MS
    dispatcher.make_available(first)
    clock.now_ns = 10 * MS
    dispatcher.make_available(second)
    assert (first.taken, second.taken) == ([MS, 4 * MS], [2 * MS, 3 * MS, 5 * MS])
    assert (first.waits, second.waits) == ([0, 5 * MS], [0, 4 * MS, 5 * MS])
    assert first.dropped == second.dropped == []


def test_an_arrival_waits_so_long_and_no_longer() -> None:
    clock = Clock()
    sink = FakeSink(max_wait_ns=20 * MS)
    dispatcher = dispatcher_of(times(1, 2, 3, 30), sink, clock=clock)
    for clock.now_ns in (MS, 2 * MS, 3 * MS):
        dispatcher.begin_due(clock.now_ns)
    assert dispatcher.wakes_ns == 22 * MS, "when the first one has waited for as long as it may"
    clock.now_ns = 22 * MS
    dispatcher.begin_due(clock.now_ns)
    assert (sink.dropped, sink.reasons, sink.waits) == ([2 * MS], ["no user was free within 0.02 s"], [0, 20 * MS])
    assert dispatcher.wakes_ns == 23 * MS
    clock.now_ns = 25 * MS
    dispatcher.make_available(sink)
    assert (sink.taken, sink.dropped) == ([MS], [2 * MS, 3 * MS]), "though nothing has rung"
    assert dispatcher.wakes_ns == 30 * MS
    dispatcher.begin_due(30 * MS)
    assert sink.taken == [MS, 30 * MS]


def test_what_the_process_itself_was_late_is_no_wait_for_a_user() -> None:
    """The process slept while three arrivals became due: their time to wait begins when it looks."""
    clock = Clock()
    sink = FakeSink(max_wait_ns=20 * MS)
    dispatcher = dispatcher_of(times(1, 2, 3), sink, clock=clock)
    clock.now_ns = 500 * MS
    dispatcher.begin_due(clock.now_ns)
    clock.now_ns = 510 * MS
    dispatcher.make_available(sink)
    assert (sink.taken, sink.waits, sink.dropped) == ([MS, 2 * MS], [0, 10 * MS], [])


def test_who_is_not_connected_is_not_free() -> None:
    clock = Clock()
    sink = FakeSink(max_wait_ns=20 * MS)
    dispatcher = dispatcher_of(times(1, 2), sink, clock=clock)
    dispatcher.make_unavailable(sink)
    dispatcher.begin_due(2 * MS)
    assert sink.taken == sink.dropped == []
    clock.now_ns = 12 * MS
    dispatcher.make_available(sink)
    assert (sink.taken, sink.waits) == ([MS], [10 * MS])


def test_what_waits_at_the_end_may_find_a_user_and_is_dropped_at_last() -> None:
    clock = Clock()
    sink, free = FakeSink(max_wait_ns=S), FakeSink(max_wait_ns=S)
    dispatcher = dispatcher_of(times(1, 2, 3, 4, 5, 9), sink, free, clock=clock)
    dispatcher.begin_due(2 * MS)
    clock.now_ns = 5 * MS
    dispatcher.end(clock.now_ns)
    assert (sink.taken, free.taken) == ([MS], [2 * MS])
    assert dispatcher.has_waiting
    clock.now_ns = 7 * MS
    dispatcher.make_available(sink)
    assert sink.taken == [MS, 3 * MS]
    dispatcher.close()
    assert sorted(sink.dropped + free.dropped) == [4 * MS, 5 * MS]
    assert {*sink.reasons, *free.reasons} == {"the run ended while it waited for a user"}
    dispatcher.make_available(sink)
    assert sink.taken == [MS, 3 * MS], "nothing is begun after that"
    assert dispatcher.wakes_ns is None
    assert not dispatcher.has_waiting


def test_what_is_overdue_at_the_end_is_begun_where_a_user_is_free() -> None:
    clock = Clock()
    sink = FakeSink(max_wait_ns=S)
    dispatcher = dispatcher_of(times(1), sink, clock=clock)
    clock.now_ns = 900 * MS
    dispatcher.end(clock.now_ns)
    assert (sink.taken, sink.dropped) == ([MS], [])


def test_the_last_user_leaves_nothing_waiting() -> None:
    sink, other = FakeSink(max_wait_ns=S), FakeSink(max_wait_ns=S)
    dispatcher = dispatcher_of(times(1, 2, 3, 4), sink, other)
    dispatcher.begin_due(4 * MS)
    dispatcher.leave(other)
    assert other.dropped == sink.dropped == []
    dispatcher.leave(sink)
    assert (sink.dropped, set(sink.reasons)) == (
        [3 * MS, 4 * MS],
        {"the last user stopped while it waited for a user"},
    )
    dispatcher.leave(sink)
    assert dispatcher.wakes_ns is None


def test_users_of_both_kinds() -> None:
    """A pipelined user with room takes what would wait for the others."""
    clock = Clock()
    single, pipelined = FakeSink(max_wait_ns=20 * MS), FakeSink(room=2)
    dispatcher = dispatcher_of(times(1, 2, 3, 4, 5), single, pipelined, clock=clock)
    dispatcher.begin_due(5 * MS)
    assert (single.taken, pipelined.taken) == ([MS], [2 * MS, 3 * MS])
    pipelined.room = 1
    clock.now_ns = 6 * MS
    dispatcher.make_available(pipelined)
    assert pipelined.taken == [2 * MS, 3 * MS, 4 * MS]
    assert single.waits + pipelined.waits == [0, 0, 0, MS]
    dispatcher.begin_due(25 * MS)
    assert single.dropped + pipelined.dropped == [5 * MS]


def test_the_pacer_rings_when_an_arrival_has_waited_long_enough() -> None:
    async def pace() -> None:
        pacer = Pacer(OpenLoad(RateProfile.parse("1:1s"), "constant", "seed"))
        sink = FakeSink(max_wait_ns=20 * MS)
        pacer.total.join(sink)
        start = perf_counter_ns()
        pacer.follow(WHOLE, start, 0)
        async with asyncio.timeout(60):
            await sink.has_dropped.wait()
        assert (sink.dropped, sink.reasons) == ([start], ["no user was free within 0.02 s"])
        (waited_ns,) = sink.waits
        assert waited_ns is not None
        assert waited_ns >= 20 * MS
        pacer.end(perf_counter_ns())
        pacer.close()

    in_uvloop(pace())


def test_a_backlog_is_begun_in_pieces_and_at_the_end_whole() -> None:
    sink = FakeSink()
    dispatcher = dispatcher_of(FixedSchedule(every(MS, 1000), 0), sink)
    dispatcher.begin_due(999 * MS, at_once=64)
    assert len(sink.taken) == 64
    dispatcher.end(500 * MS)
    assert len(sink.taken) == 501, "those due by then, however many"
    assert dispatcher.next_ns is None
    dispatcher.begin_due(10**12)
    assert len(sink.taken) == 501


@pytest.mark.parametrize("shape", ["constant", "poisson"])
def test_shares_follow_each_other_without_a_gap(shape: str) -> None:
    """A process that alone had the schedule goes on with half of it, and the other half is another's."""
    profile, started, change = RateProfile.parse("1000"), 7 * S, 7 * S + 500 * MS

    def share(index: int, count: int, since_ns: int = 0) -> FixedSchedule:
        return FixedSchedule(schedule(profile, shape, Share(index, count), "seed"), started, since_ns)  # type: ignore[arg-type]

    def until(schedule: FixedSchedule, end_ns: int) -> list[int]:
        found = []
        while schedule.next_ns is not None and schedule.next_ns < end_ns:
            found.append(schedule.next_ns)
            schedule.advance()
        return found

    mine, other = share(0, 1), share(1, 2, change)
    mine.succeed(change, share(0, 2, change))
    end = started + S
    union = sorted(until(mine, end) + until(other, end))
    before = [due for due in until(share(0, 1), end) if due < change]
    after = sorted(due for index in range(2) for due in until(share(index, 2), end) if due >= change)
    assert union == before + after
    if shape == "constant":
        assert union == [started + MS * number for number in range(1000)]


def test_a_share_changes_twice() -> None:
    schedule = FixedSchedule(every(MS), 0)
    schedule.succeed(3 * MS, FixedSchedule(every(2 * MS), 0, 3 * MS))
    schedule.succeed(3 * MS, FixedSchedule(every(5 * MS), 0, 3 * MS))
    found = []
    while schedule.next_ns is not None and schedule.next_ns <= 20 * MS:
        found.append(schedule.next_ns)
        schedule.advance()
    assert found == [0, MS, 2 * MS, 5 * MS, 10 * MS, 15 * MS, 20 * MS], "the last word counts"


def in_uvloop(coroutine: object) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)  # type: ignore[arg-type]


def test_the_pacer_follows_a_profile_and_ends() -> None:
    async def pace() -> None:
        pacer = Pacer(OpenLoad(RateProfile.parse("1000"), "constant", "seed"))
        dispatcher = pacer.dispatcher_of("User", None)
        assert dispatcher is pacer.total
        sink = FakeSink()
        dispatcher.join(sink)
        dispatcher.make_available(sink)
        start = perf_counter_ns() + 20 * MS
        pacer.follow(WHOLE, start, 0)
        await asyncio.sleep(0.1)
        end = perf_counter_ns()
        pacer.end(end)
        begun = len(sink.taken)
        assert sink.taken == [start + MS * number for number in range(begun)]
        assert sink.taken[-1] <= end < start + MS * begun, "all that was due, and nothing else"
        pacer.follow(WHOLE, start, 0)
        pacer.wake()
        await asyncio.sleep(0.05)
        assert len(sink.taken) == begun

    in_uvloop(pace())


def test_users_rates_add_up_evenly_and_follow_their_number() -> None:
    async def pace() -> None:
        pacer = Pacer(OpenLoad(seed="seed"))
        own = arrivals(100, "constant")
        dispatcher = pacer.dispatcher_of("User", own)
        assert dispatcher is not None
        assert pacer.dispatcher_of("User", own) is dispatcher
        assert pacer.dispatcher_of("Other", own) is not dispatcher
        assert pacer.dispatcher_of("User", 1.0) is None
        sinks = [FakeSink() for _ in range(5)]
        for sink in sinks:
            dispatcher.join(sink)
            dispatcher.make_available(sink)
        await asyncio.sleep(0.1)
        dispatcher.leave(sinks[0])
        changed = perf_counter_ns()
        await asyncio.sleep(0.1)
        pacer.end(perf_counter_ns())
        union = sorted(intended for sink in sinks for intended in sink.taken)
        joined = union[5]  # the rate rose while they joined
        gaps_before = {after - before for before, after in pairwise(union) if joined <= before and after < changed}
        assert all(abs(gap - 2 * MS) <= 1 for gap in gaps_before), gaps_before
        gaps_after = {after - before for before, after in pairwise(union) if before > changed}
        assert gaps_after
        assert all(abs(gap - 2.5 * MS) <= 1 for gap in gaps_after), gaps_after

    in_uvloop(pace())


# ---------------------------------------------------------------------------------------------- the alarm


async def rings(rung: Sequence[object], count: int) -> None:
    """Return once an alarm has rung so often, and check that it does not ring once more soon after."""
    async with asyncio.timeout(60):
        while len(rung) < count:  # noqa: ASYNC110 - the alarm knows no event
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    assert len(rung) == count


def test_an_alarm_rings_once_and_not_before_its_time() -> None:
    async def wait() -> None:
        rung: list[int] = []
        alarm = Alarm(asyncio.get_running_loop(), lambda: rung.append(perf_counter_ns()))
        for delay in (0, 300_000, 3 * MS):
            due = perf_counter_ns() + delay
            alarm.set(due)
            await rings(rung, 1)
            assert rung.pop() >= due
        alarm.close()

    in_uvloop(wait())


def test_an_alarm_for_the_past_rings_soon_and_a_changed_one_at_its_last_time() -> None:
    async def wait() -> None:
        rung: list[int] = []
        alarm = Alarm(asyncio.get_running_loop(), lambda: rung.append(perf_counter_ns()))
        alarm.set(1)
        await rings(rung, 1)
        alarm.set(perf_counter_ns() + 10 * MS)
        due = perf_counter_ns() + 60 * MS
        alarm.set(due)
        await rings(rung, 2)
        assert rung[1] >= due
        alarm.set(perf_counter_ns() + 10 * MS)
        alarm.set(None)
        await asyncio.sleep(0.05)
        assert len(rung) == 2, "it was set to never"
        alarm.set(perf_counter_ns() + 10 * MS)
        alarm.close()
        await asyncio.sleep(0.05)
        assert len(rung) == 2, "it is closed"

    in_uvloop(wait())


def test_an_alarm_may_be_set_again_by_what_it_calls() -> None:
    async def wait() -> None:
        rung: list[int] = []

        def ring() -> None:
            rung.append(perf_counter_ns())
            if len(rung) < 20:
                alarm.set(perf_counter_ns() + MS)

        alarm = Alarm(asyncio.get_running_loop(), ring)
        alarm.set(perf_counter_ns())
        await rings(rung, 20)
        assert all(after - before >= MS for before, after in pairwise(rung))
        alarm.close()

    in_uvloop(wait())


def test_an_alarm_whose_callback_raises_rings_no_more() -> None:
    async def wait() -> None:
        rung: list[int] = []
        raised: list[object] = []

        def ring() -> None:
            rung.append(1)
            raise ZeroDivisionError

        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: raised.append(context.get("exception")))
        alarm = Alarm(loop, ring)
        alarm.set(perf_counter_ns())
        await rings(rung, 1)
        assert len(raised) == 1
        alarm.close()

    in_uvloop(wait())


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors")  # noqa: PTH112
def test_an_alarm_leaves_no_descriptor() -> None:
    async def wait() -> None:
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for _ in range(10):
            alarm = Alarm(asyncio.get_running_loop(), lambda: None)
            alarm.set(perf_counter_ns() + S)
            alarm.close()
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208

    in_uvloop(wait())


def test_a_share_that_was_given_up_is_over() -> None:
    """Who comes later gets what the new share has, and nothing of the old one."""

    async def pace() -> None:
        pacer = Pacer(OpenLoad(RateProfile.parse("1000"), "constant", "seed"))
        start = perf_counter_ns()
        pacer.follow(WHOLE, start, 0)
        pacer.pause()
        sink = FakeSink()
        pacer.total.join(sink)
        pacer.total.make_available(sink)
        pacer.total.begin_due(start + 10 * MS)
        assert sink.taken == []
        pacer.follow(Share(1, 2), start, start + 5 * MS)
        pacer.total.begin_due(start + 10 * MS)
        assert sink.taken == [start + 5 * MS, start + 7 * MS, start + 9 * MS]
        pacer.end(start)
        pacer.close()

    in_uvloop(pace())
