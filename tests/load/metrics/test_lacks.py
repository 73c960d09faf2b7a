"""A result is partial because of its workers, and of users that never were."""

from collections import Counter

from bench.load.metrics.lacks import (
    LackingWorkers,
    drop_lost_arrivals,
    last_ns_of_schedule,
    user_lacks,
    worker_lacks,
)
from bench.load.metrics.merge import Merger
from bench.load.metrics.recorder import Recorder
from bench.load.metrics.report import Report
from bench.load.metrics.tally import Tally

S = 1_000_000_000


def a_report(*names: str, final: bool = True, end_ns: int = 5 * S) -> Report:
    """Return a report of a single answered arrival of each operation, at the first second."""
    tally = Tally(0, is_open=True)
    tally.open_window(0)
    for name in names:
        recorder = Recorder(name)
        recorder.answered(S, S, S + 1000)
        batch = recorder.flush()
        assert batch is not None
        tally.add(batch)
    tally.close_window(end_ns)
    return tally.report(unfinished=Counter(), late=Counter(), final=final)


def test_workers() -> None:
    assert list(worker_lacks(LackingWorkers())) == []
    assert list(worker_lacks(LackingWorkers(have_all_left=True))) == ["its last worker quit before the run was over"]
    reasons = list(worker_lacks(LackingWorkers(["a", "b"], True, ["c"], ["worker d is refused: it sends too much"])))
    assert reasons[0] == "no final report from a, b", "that they left says no more"
    assert reasons[1].startswith("worker c stood still for some seconds")
    assert reasons[2:] == ["worker d is refused: it sends too much"]


def test_users() -> None:
    assert list(user_lacks(began=3, asked=3)) == list(user_lacks(began=4, asked=3)) == []
    assert list(user_lacks(began=2, asked=3)) == ["only 2 of 3 users ever began"]
    assert list(user_lacks(began=2, asked=None)) == ["the run ended before all users were spawned"]


def test_the_schedule_ends_with_the_last_process_that_tells() -> None:
    merger = Merger()
    assert last_ns_of_schedule(merger, 7) == 7
    merger.receive("a", a_report("echo", end_ns=5 * S))
    merger.receive("b", a_report("echo", end_ns=6 * S))
    merger.receive("lost", a_report("echo", final=False, end_ns=9 * S))
    assert last_ns_of_schedule(merger, 7) == 6 * S


def test_arrivals_of_a_lost_worker_are_dropped() -> None:
    merger = Merger()
    merger.receive("lost", a_report("echo", final=False))
    assert drop_lost_arrivals(merger, "lost", [S]) is None, "the one that its report has"
    text = drop_lost_arrivals(merger, "lost", [S, 2 * S, 3 * S])
    assert text == "2 arrivals of its share were lost with it, and count as dropped"
    (row,) = (row for row in merger.processes["lost"].report.operations if row.name == "echo")
    assert (row.dropped, row.dropped_because) == (2, {"its worker was lost": 2})
    assert {second: report.dropped for second, report in merger.processes["lost"].seconds.items()} == {1: 0, 2: 1, 3: 1}


def test_arrivals_of_a_worker_that_never_reported() -> None:
    merger = Merger()
    merger.receive("other", a_report("echo"))
    assert drop_lost_arrivals(merger, "lost", [S, 2 * S]) is not None
    assert [row.dropped for row in merger.processes["lost"].report.operations] == [2]


def test_arrivals_of_nobody_knows_which_operation() -> None:
    merger = Merger()
    merger.receive("lost", a_report("echo", "login", final=False))
    text = drop_lost_arrivals(merger, "lost", [S, S, 2 * S])
    assert text == "1 arrivals of its share are in no row, for it is not known of which they were"
