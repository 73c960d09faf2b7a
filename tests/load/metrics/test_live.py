"""The figures of a load as it goes on, from made-up notes: which seconds are complete, and what is in them."""

from array import array
from collections import Counter
from collections.abc import Sequence

import pytest

from bench.load.metrics.live import Interval, LiveProcess, interval
from bench.load.metrics.merge import Merger
from bench.load.metrics.recorder import TIMEOUT, LoopDelays, Recorder
from bench.load.metrics.report import Report
from bench.load.metrics.tally import Tally
from bench.results.load import CONNECT

MS = 1_000_000
S = 1_000_000_000
START = 5_000 * S


def tally(*, is_open: bool = True, noted_until_s: int, users: int = 3) -> Tally:
    """A process with a reply after 1 ms in each second, whose loop has noted its delay in each."""
    made = Tally(START, is_open)
    for second in range(noted_until_s + 1):
        at_ns = START + second * S + S // 2
        log = Recorder("echo")
        log.answered(at_ns - MS, at_ns, at_ns + MS)
        batch = log.flush()
        assert batch is not None
        made.add(batch)
        made.note_users(at_ns, users)
        made.note_cpu(at_ns, 0.1 * (second + 1))
        made.note_delays(LoopDelays(array("q", (at_ns, MS)), array("q"), array("q")))
    return made


def reported(tallies: Sequence[Tally]) -> list[LiveProcess]:
    """Return the same processes as a master sees them."""
    merger = Merger()
    for number, made in enumerate(tallies):
        report = made.report(unfinished=Counter(), late=Counter())
        merger.receive(str(number), Report.model_validate(report.model_dump()))
    return list(merger.processes.values())


def figures(found: Interval | None) -> tuple[object, ...]:
    assert found is not None
    return (found.first_s, found.until_s, found.users, found.sent, found.ok, found.failed, found.dropped)


@pytest.mark.parametrize("noted_until_s", [-1, 0, 1])
def test_a_second_counts_when_something_was_noted_two_seconds_later(noted_until_s: int) -> None:
    assert interval([tally(noted_until_s=noted_until_s)], 0) is None
    assert interval([], 0) is None
    assert figures(interval([tally(noted_until_s=2)], 0)) == (0, 1, 3, 1, 1, 0, 0)


@pytest.mark.parametrize("is_open", [True, False])
def test_a_master_sees_of_its_workers_what_they_see_themselves(is_open: bool) -> None:
    tallies = [tally(is_open=is_open, noted_until_s=6), tally(is_open=is_open, noted_until_s=5, users=4)]
    own, merged = interval(tallies, 2), interval(reported(tallies), 2)
    assert own is not None
    assert merged is not None
    assert figures(own) == figures(merged) == (2, 4, 7, 4, 4, 0, 0)
    assert own.cpu_share == merged.cpu_share == pytest.approx(0.35)  # of the busiest, on average
    for percent in (50, 99):
        # An open load's times begin when they were intended.
        assert own.percentile_ns(percent) == merged.percentile_ns(percent)
        assert own.percentile_ns(percent) == pytest.approx(2 * MS if is_open else MS, rel=0.01)


def test_it_goes_on_where_it_ended_and_waits_for_the_slowest_process() -> None:
    tallies = [tally(noted_until_s=9), tally(noted_until_s=4)]
    first = interval(tallies, 0)
    assert figures(first)[:2] == (0, 3)
    assert interval(tallies, 3) is None


def test_a_process_that_notes_nothing_any_more_is_left_out() -> None:
    tallies = [tally(noted_until_s=20), tally(noted_until_s=9, users=100)]
    assert figures(interval(tallies, 16)) == (16, 19, 3, 3, 3, 0, 0)
    assert figures(interval(reported(tallies), 16)) == (16, 19, 3, 3, 3, 0, 0)


def test_what_failed_or_was_dropped_is_beyond_all_times() -> None:
    made = tally(noted_until_s=3)
    log = Recorder("echo")
    log.failed(START + S, START + S + S // 2, TIMEOUT, START + S)
    log.drop(START + S + MS, "no user was free")
    connect = Recorder(CONNECT, kind=CONNECT)
    connect.failed(START, START + MS, "refused")
    for recorder in (log, connect):
        batch = recorder.flush()
        assert batch is not None
        made.add(batch)
    for processes in ([made], reported([made])):
        found = interval(processes, 1)
        assert found is not None
        assert figures(found) == (1, 2, 3, 2, 1, 1, 1)
        assert found.percentile_ns(50) is None
        assert found.has_times
        assert [process.failures_so_far() for process in processes] == [3]
