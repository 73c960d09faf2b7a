"""Workers' reports merged: the window is of those who were there throughout, and no arrival is lost."""

from collections import Counter

from bench.load.metrics.exceptions import OTHER_ERRORS
from bench.load.metrics.merge import Merger
from bench.load.metrics.recorder import Recorder
from bench.load.metrics.report import LostService, Report
from bench.load.metrics.tally import Tally
from bench.results.load import OperationKey

S = 1_000_000_000


def a_report() -> Report:
    tally = Tally(0, is_open=True)
    tally.open_window(0)
    log = Recorder("echo")
    log.answered(1 * S, 1 * S, 1 * S + 1000)
    batch = log.flush()
    assert batch is not None
    tally.add(batch)
    return tally.report(unfinished=Counter({OperationKey("echo"): 2}), late=Counter(), began=3)


def test_arrivals_that_are_in_no_account_are_dropped_in_their_seconds() -> None:
    merger = Merger()
    merger.receive("lost", a_report())
    its_own = [second * S for second in (0, 1, 2, 3, 3, 4)]
    left = merger.not_accounted("lost", its_own)
    assert left == its_own[3:], "one has ended, two were in flight"
    merger.drop("lost", OperationKey("echo"), left, "its worker was lost")
    (row,) = merger.operations(1000)
    assert (row.scheduled, row.sent, row.dropped) == (6, 3, 3)
    assert row.dropped_because == {"its worker was lost": 3}
    assert {second.t: second.dropped for second in merger.timeline({}) if second.dropped} == {3: 2, 4: 1}
    assert merger.not_accounted("unheard", its_own) == its_own
    merger.drop("unheard", OperationKey("echo"), its_own, "its worker was lost")
    (row,) = merger.operations(1000)
    assert (row.scheduled, row.dropped) == (12, 9)


def in_window(start_s: int | None, end_s: int, ok: int) -> Report:
    tally = Tally(0)
    if start_s is not None:
        tally.open_window(start_s * S)
    log = Recorder("echo")
    for number in range(ok):
        log.answered(0, (end_s - 1) * S + number, (end_s - 1) * S + number + 1000)
    if batch := log.flush():
        tally.add(batch)
    tally.close_window(end_s * S)
    return tally.report(unfinished=Counter(), late=Counter(), final=True, began=1)


def test_the_window_is_that_of_those_who_were_there_throughout() -> None:
    merger = Merger()
    merger.receive("throughout", in_window(1, 11, ok=100))
    merger.receive("joined", in_window(6, 11, ok=50))
    merger.receive("left", in_window(None, 3, ok=0))
    assert merger.window(11 * S, 0).duration_s == 0, "as far as is known, users were missing"
    merger.late = {"joined", "left"}
    window = merger.window(11 * S, 0)
    assert (window.start_s, window.end_s) == (1, 11)
    (row,) = merger.operations(1000)
    assert row.throughput_per_s == 15, "all replies in the window, over its length"


def connected(lost: LostService | None, *, is_connected: bool = False, final: bool = True) -> Report:
    report = Tally(0).report(unfinished=Counter(), late=Counter(), final=final)
    return report.model_copy(update={"lost": lost, "is_connected": is_connected})


def test_a_service_is_lost_when_no_user_of_any_process_can_reach_it() -> None:
    merger = Merger()
    merger.receive("first", connected(LostService(lost_ns=4 * S, failed_attempts=3, because="refused")))
    merger.receive("second", connected(LostService(lost_ns=4 * S + 240_000_000, failed_attempts=4, because="no host")))
    merger.receive("without users", connected(None))
    loss = merger.lost_service()
    assert loss is not None
    assert (loss.t, loss.how, loss.failed_attempts, loss.reason) == (4.2, "unreachable", 7, "no host")

    merger.receive("missing", connected(None, is_connected=True, final=False))
    assert merger.lost_service() == loss, "nobody knows of what is missing"
    merger.receive("well", connected(None, is_connected=True))
    assert merger.lost_service() is None


def failing(*failures: tuple[int, str]) -> Report:
    """Return the report of a process in which these failed, each in a second and with an error."""
    tally = Tally(0)
    log = Recorder("echo")
    for second, error in failures:
        log.failed(second * S, second * S + 1000, error)
    batch = log.flush()
    assert batch is not None
    tally.add(batch)
    return tally.report(unfinished=Counter(), late=Counter())


def test_each_second_has_its_errors_by_kind() -> None:
    merger = Merger()
    merger.receive("first", failing((0, "timeout"), (2, "timeout"), (2, "timeout"), (2, "lost")))
    merger.receive("second", failing((2, "lost"), (2, "lost")))
    timeline = merger.timeline({})
    assert [second.errors for second in timeline] == [{"timeout": 1}, {}, {"lost": 3, "timeout": 2}]
    assert list(timeline[2].errors) == ["lost", "timeout"], "the most frequent first"


def test_the_errors_of_a_second_are_bounded_and_add_up() -> None:
    merger = Merger()
    many = [(1, f"error {letter}") for letter in "abcdefghijklmnopqrstuvwxyz"]
    merger.receive("first", failing(*many, (1, "error a")))
    merger.receive("second", failing((1, "error b"), (1, "error b")))
    second = merger.timeline({})[1]
    assert second.failed == sum(second.errors.values()) == 29
    assert (len(second.errors), second.errors["error a"], second.errors["error b"]) == (7, 2, 3)
    assert list(second.errors)[-1] == OTHER_ERRORS
