"""The tally of a load run, from made-up notes to a result: counts, window, seconds, stages, censoring."""

import tracemalloc
from array import array
from collections import Counter
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from bench.load.metrics.merge import Merger
from bench.load.metrics.recorder import TIMEOUT, UNSCHEDULED, Batch, LoopDelays, NamedCounts, Recorder
from bench.load.metrics.report import Report, StoredHistogram
from bench.load.metrics.tally import Tally
from bench.load.plugin.salvage import count_lines
from bench.results.load import CONNECT, ENDED, MOST_OPERATIONS, OTHER_OPERATIONS, Operation, OperationKey
from bench.timing.histogram import Histogram
from bench.timing.rates import RateProfile

MS = 1_000_000
S = 1_000_000_000
START = 5_000 * S
TIMEOUT_US = 400_000.0
NONE: Counter[Any] = Counter()


def at(seconds: float) -> int:
    return START + round(seconds * S)


def new_tally(is_open: bool = True, window: tuple[float, float] | None = (1, 3)) -> Tally:
    made = Tally(START, is_open)
    if window is not None:
        made.open_window(at(window[0]))
        made.close_window(at(window[1]))
    return made


def batch_of(log: Recorder) -> Batch:
    batch = log.flush()
    assert batch is not None
    return batch


def answered(tally: Tally, *times_s: tuple[float | None, float, float], name: str = "echo") -> None:
    """Round trips in an open load: intended (None: by no schedule), sent, received."""
    log = Recorder(name)
    for intended, sent, received in times_s:
        log.answered(UNSCHEDULED if intended is None else at(intended), at(sent), at(received))
    tally.add(batch_of(log))


def lags(*loop_lag: int) -> LoopDelays:
    return LoopDelays(array("q", loop_lag), array("q"), array("q"))


def keep_time(tally: Tally, *seconds: int) -> None:
    """Have the loop note in each of these seconds that it goes round."""
    for second in seconds:
        tally.note_delays(lags(at(second + 0.5), MS))


def final(tally: Tally, unfinished: Counter[Any] = NONE) -> Report:
    return tally.report(unfinished=unfinished, late=NONE, final=True)


def merged(*reports: Report) -> Merger:
    merger = Merger()
    for number, report in enumerate(reports):
        # As it travels from a worker.
        merger.receive(str(number), Report.model_validate(report.model_dump()))
    return merger


def row(*reports: Report) -> Operation:
    return merged(*reports).operations(TIMEOUT_US)[0]


def test_counts_are_of_the_whole_run_and_times_of_the_window() -> None:
    noted = new_tally()
    answered(noted, (0.5, 0.5, 0.6), (1.5, 1.6, 1.9), (2.9, 2.9, 3.2), (3.5, 3.5, 3.6))
    operation = row(final(noted))
    assert (operation.scheduled, operation.sent, operation.ok) == (4, 4, 4)
    assert operation.service_us is not None
    assert operation.response_us is not None
    # Intended within the window: the second and the third, though the third's reply came after it.
    assert operation.service_us.max == pytest.approx(300_000)
    assert operation.response_us.max == pytest.approx(400_000)
    assert operation.response_us.min == pytest.approx(300_000)
    assert operation.throughput_per_s == pytest.approx(1 / 2), "received within the window, by its two seconds"


def test_what_no_schedule_wanted_is_intended_when_it_is_sent() -> None:
    noted = new_tally()
    answered(noted, (None, 1.5, 1.6), (1.5, 1.7, 1.8))
    operation = row(final(noted))
    assert operation.response_us is not None
    assert operation.response_us.min == pytest.approx(100_000)
    assert operation.response_us.max == pytest.approx(300_000)


def test_only_what_the_schedule_wanted_can_be_late() -> None:
    generator = merged(_report_of((None, 1.5, 1.6), (1.5, 1.7, 1.8))).generator()
    assert generator.send_lateness_us is not None
    assert generator.send_lateness_us.p50 == generator.send_lateness_us.max == pytest.approx(200_000, rel=1e-3)


def _report_of(*times_s: tuple[float | None, float, float]) -> Report:
    noted = new_tally()
    answered(noted, *times_s)
    return final(noted)


def test_a_response_time_adds_to_the_service_time_what_was_sent_late() -> None:
    """Arrivals that were sent 0, 1, … 99 ms late, each answered after a time of its own."""
    noted = new_tally(window=(1, 4))
    log = Recorder("echo")
    for late in range(100):
        log.answered(at(2), at(2 + late / 1000), at(2.2 + late * late / 1e5))
    noted.add(batch_of(log))
    keep_time(noted, 1, 2, 3)
    report = final(noted)
    operation, late_us = row(report), merged(report).generator().send_lateness_us
    assert operation.response_us is not None is not operation.service_us
    assert operation.response_us.mean is not None is not operation.service_us.mean
    assert late_us is not None
    assert late_us.mean == pytest.approx(49_500, rel=1e-3)
    assert operation.response_us.mean - operation.service_us.mean == pytest.approx(late_us.mean, rel=1e-2)


def test_the_legs_of_a_service_time_are_of_the_same_replies() -> None:
    """An emission that the window wants and that leaves late is sent after the window's end."""
    tally, log = new_tally(), Recorder("echo")
    for intended_s, sent_s, received_s in ((0.9, 1.1, 1.2), (2, 2, 2.1), (2.9, 3.1, 3.3)):
        log.answered(at(intended_s), at(sent_s), at(received_s))
        log.handled(at(sent_s), (at(sent_s), at(received_s)), at(received_s))
    tally.add(batch_of(log))
    report = final(tally)
    legs = [leg.histogram for leg in row(report).breakdown]
    service = row(report).service_histogram
    assert service is not None
    assert [Histogram.decode(leg).count for leg in legs] == [Histogram.decode(service).count] * 3
    assert Histogram.decode(legs[1]).encode() == service


def test_the_wait_for_a_free_user_is_in_the_response_time_and_no_lateness_of_the_generator() -> None:
    """The arrival is intended at 1.2, noticed 1 ms later, given to a user at 1.7 and sent 1 ms after that."""
    noted = new_tally(window=(1, 4))
    log = Recorder("echo")
    for second in (1, 2, 3):
        for _ in range(10):
            log.answered(at(second), at(second), at(second + 0.01))
            log.answered(at(second + 0.2), at(second + 0.702), at(second + 0.712), round(0.5 * S))
        failure = (at(second + 0.702), at(second + 0.8), "connection lost", at(second + 0.2), round(0.5 * S))
        log.failed(*failure)
    noted.add(batch_of(log))
    keep_time(noted, 1, 2, 3)
    report = final(noted)
    late = [second.send_lateness.restored() for second in report.seconds if second.send_lateness is not None]
    assert [histogram.count for histogram in late] == [21, 21, 21]
    assert [histogram.max_ns for histogram in late] == [pytest.approx(2 * MS, rel=1e-6)] * 3
    operation = row(report)
    assert operation.response_us is not None
    assert operation.response_us.p90 == pytest.approx(512_000, rel=1e-2)
    assert operation.service_us is not None
    assert operation.service_us.p90 == pytest.approx(10_000, rel=1e-2)
    generator = merged(report).generator()
    assert generator.verdict == "ok"
    assert generator.send_lateness_us is not None
    assert generator.send_lateness_us.max == pytest.approx(2000, rel=1e-3)


def test_what_the_generator_is_late_beyond_the_wait_saturates_it() -> None:
    noted = new_tally(window=(1, 4))
    log = Recorder("echo")
    for second in (1, 2, 3):
        log.answered(at(second + 0.2), at(second + 0.8), at(second + 0.81), round(0.5 * S))
    noted.add(batch_of(log))
    keep_time(noted, 1, 2, 3)
    generator = merged(final(noted)).generator()
    assert generator.verdict == "saturated"
    assert generator.reason is not None
    assert "it sent 100." in generator.reason


def _waits_of(*waits_s: float, window: tuple[float, float] = (1, 3)) -> Report:
    noted = new_tally(window=window)
    delays = LoopDelays(array("q"), array("q"), array("q"))
    for number, wait_s in enumerate(waits_s):
        delays.waits.extend((at(1.5) + number, round(wait_s * S)))
    delays.waits.extend((at(0.5), 9 * S))  # before the window
    noted.note_delays(delays)
    return final(noted)


def test_how_many_arrivals_waited_for_a_user_and_how_long() -> None:
    nobody = merged(_waits_of(0, 0, 0)).generator()
    assert (nobody.waited_for_user_share, nobody.waited_for_user_us) == (0, None)
    both = merged(_waits_of(0, 0, 0), _waits_of(0, 0.1, 0.2, 0.2, 0.2)).generator()
    assert both.waited_for_user_share == 0.5
    assert both.waited_for_user_us is not None
    assert both.waited_for_user_us.max == pytest.approx(200_000)
    assert [trust.waited_for_user_share for trust in both.per_process] == [0, 0.8]
    assert merged(_report_of((1.5, 1.6, 1.7))).generator().waited_for_user_share is None, "all are pipelined"


def _dropping(operations: dict[str, str], task: str = "", name: str = "foo_bar", ok: int = 0) -> Report:
    """Drop a hundred arrivals, booked to a task or to an operation."""
    noted = new_tally()
    tasks = {key: OperationKey(operation) for key, operation in operations.items()}
    if ok:
        answered(noted, *[(1.5, 1.5, 1.6)] * ok)
    log = Recorder(name, task)
    for _ in range(100):
        log.drop(at(2), "no user was connected")
    noted.add(batch_of(log))
    return noted.report(unfinished=NONE, late=NONE, tasks=tasks, final=True)


def test_what_was_dropped_before_the_operation_was_known_is_in_its_row() -> None:
    """The first process learnt it later, the second never, the third from the first drop on."""
    known = {"t.foo_bar 0": "echo"}
    first, second = _dropping(known, "t.foo_bar 0", ok=100), _dropping({}, "t.foo_bar 0")
    third = _dropping(known, name="echo", ok=150)
    (operation,) = merged(first, second, third).operations(TIMEOUT_US)
    assert (operation.name, operation.scheduled, operation.dropped, operation.ok) == ("echo", 550, 300, 250)
    assert operation.dropped_because == {"no user was connected": 300}
    assert operation.response_us is not None
    assert operation.response_us.p50 is None, "more than half of all is not known"
    assert operation.service_us is not None
    assert operation.service_us.p99 is not None
    assert merged(first, second, third).learnt() == {"foo_bar": OperationKey("echo")}
    assert sum(second.dropped for second in merged(first, second, third).timeline({})) == 300


def test_of_what_nobody_ever_learnt_the_row_has_the_tasks_name() -> None:
    merger = merged(_dropping({}, "t.foo_bar 0"), _dropping({}, "t.foo_bar 1"), _dropping({"x 0": "echo"}, ok=5))
    rows = {operation.name: operation for operation in merger.operations(TIMEOUT_US)}
    assert {name: operation.dropped for name, operation in rows.items()} == {"echo": 0, "foo_bar": 300}
    assert merger.learnt() == {}


def test_a_name_that_means_two_things_is_not_moved() -> None:
    tasks = {"a.foo_bar 0": "echo", "b.foo_bar 0": "other"}
    merger = merged(_dropping(tasks, "a.foo_bar 0"), _dropping(tasks, "b.foo_bar 0"))
    assert [operation.name for operation in merger.operations(TIMEOUT_US)] == ["echo", "other"]
    assert merger.learnt() == {}


def test_lateness_is_of_the_second_in_which_something_is_sent() -> None:
    report = _report_of((1.1, 2.6, 2.7))
    by_second = {second.second: second.send_lateness for second in report.seconds}
    assert by_second[2] is not None
    assert by_second[2].restored().count == 1


@pytest.mark.parametrize("is_open", [True, False])
def test_the_tail_is_censored_by_what_failed(is_open: bool) -> None:
    noted = new_tally(is_open)
    log = Recorder("echo")
    for number in range(90):
        sent = at(1.5) + number
        if is_open:
            log.answered(sent, sent, sent + 10 * MS)
        else:
            log.succeeded(sent, sent + 10 * MS)
    for _ in range(5):
        log.failed(at(2), at(2.4), TIMEOUT, at(2) if is_open else UNSCHEDULED)
    log.failed(at(2), at(2.1), "connection lost", at(2) if is_open else UNSCHEDULED)
    log.failed(at(0.2), at(0.3), "connection lost", at(0.2) if is_open else UNSCHEDULED)  # before the window
    noted.add(batch_of(log))
    operation = row(final(noted, Counter({OperationKey("echo"): 2})))
    assert (operation.ok, operation.timeouts, operation.errors, operation.unfinished) == (
        90,
        5,
        {"connection lost": 2},
        2,
    )
    assert operation.scheduled == operation.sent == 99
    times = operation.service_us
    assert times is not None
    # 98 within the window, 8 of them of unknown length.
    assert times.p90 == pytest.approx(10_000, rel=1e-3)
    assert (times.p99, times.p99_9, times.max, times.mean) == (None, None, None, None)
    assert times.censored_above_us == TIMEOUT_US
    assert (operation.response_us is None) is not is_open


def test_a_log_holds_as_much_as_there_is_between_two_flushes() -> None:
    log = Recorder("echo")
    for successes in (50_000, 1, 0, 100_000):
        for number in range(successes):
            log.succeeded(number, -number)
        batch = log.flush()
        assert (batch is None) == (successes == 0)
        if batch is not None:
            assert batch.completed[::2] == array("q", range(successes))
            assert batch.completed[1::2] == array("q", range(0, -successes, -1))


def test_drops_are_in_the_response_time_alone() -> None:
    noted = new_tally()
    log = Recorder("echo")
    for _ in range(50):
        log.answered(at(2), at(2), at(2.01))
        log.drop(at(2.5), "no user was connected")
    log.drop(at(0.5), "no user had room")
    noted.add(batch_of(log))
    operation = row(final(noted))
    assert (operation.scheduled, operation.dropped, operation.sent) == (101, 51, 50)
    assert operation.dropped_because == {"no user was connected": 50, "no user had room": 1}
    assert operation.service_us is not None
    assert operation.service_us.p99_9 is not None
    assert operation.response_us is not None
    assert operation.response_us.p50 is not None, "exactly half is known"
    assert operation.response_us.p90 is None


def test_nothing_within_the_window_has_no_distribution() -> None:
    """Timeouts before and after the window make no distribution."""
    noted = new_tally()
    log = Recorder("echo")
    log.failed(at(0.1), at(0.5), TIMEOUT, at(0.1))
    noted.add(batch_of(log))
    operation = row(final(noted))
    assert (operation.timeouts, operation.service_us, operation.response_us) == (1, None, None)


def test_all_failed_is_known_to_be_long_at_least() -> None:
    noted = new_tally()
    log = Recorder("echo")
    log.failed(at(1.1), at(1.5), TIMEOUT, at(1.1))
    noted.add(batch_of(log))
    times = row(final(noted)).response_us
    assert times is not None
    assert (times.p50, times.censored_above_us) == (None, TIMEOUT_US)


@pytest.mark.parametrize(
    ("cut_off", "refused", "known_s"),
    [
        pytest.param(0, 40, 5, id="none: p50 is beyond the timeout"),
        pytest.param(40, 0, None, id="most: their times may be short, so that of p50 may be as well"),
        pytest.param(5, 40, 5, id="few: p50 is beyond the timeout even if they were short"),
    ],
)
def test_what_the_end_of_the_run_cut_off_need_not_be_long(cut_off: int, refused: int, known_s: int | None) -> None:
    noted = new_tally()
    log = Recorder("echo")
    for number in range(10):
        log.answered(at(2), at(2), at(2.01) + number)
    for _ in range(10):
        log.failed(at(2), at(2.4), TIMEOUT, at(2))
    for reason, number in ((ENDED, cut_off), ("no user was connected", refused)):
        for _ in range(number):
            log.drop(at(3), reason)
    noted.add(batch_of(log))
    operation = row(final(noted))
    assert operation.cut_off == cut_off
    times = operation.response_us
    assert times is not None
    assert (times.p50, times.censored_above_us) == (None, known_s and TIMEOUT_US)


def test_a_window_that_never_opened() -> None:
    noted = new_tally(window=(10, 3))
    answered(noted, (1.5, 1.6, 1.9))
    merger = merged(final(noted))
    window = merger.window(3 * S, 9.0)
    assert window.duration_s == 0
    (operation,) = merger.operations(TIMEOUT_US)
    assert (operation.ok, operation.service_us, operation.throughput_per_s) == (1, None, None)
    assert merger.generator().verdict is None


def test_what_failed_without_a_limit_has_no_bound_and_no_figure() -> None:
    """The failures took milliseconds: the others need not have taken longer."""
    noted = new_tally()
    log = Recorder("echo")
    for number in range(10):
        log.answered(at(2), at(2), at(2.01))
        log.failed(at(2), at(2.001), "connection refused", at(2))
        log.drop(at(2 + number / 100), "not connected")
    noted.add(batch_of(log))
    operation = row(final(noted))
    for times, known in ((operation.service_us, 10_000), (operation.response_us, None)):
        assert times is not None
        assert times.min == pytest.approx(10_000)
        assert times.p50 == (known and pytest.approx(known, rel=1e-3))
        assert (times.p90, times.max, times.mean, times.censored_above_us) == (None, None, None, None)
    assert operation.times_of == "window"


@pytest.mark.parametrize("is_open", [True, False])
def test_what_is_only_outside_of_the_window_has_the_times_of_the_run(is_open: bool) -> None:
    first, second = new_tally(is_open), new_tally(is_open)
    for noted, before_s in ((first, 0.2), (second, 0.4)):
        for name, sent_s, took_s in (("enter", before_s, 0.1), ("work", before_s, 0.5), ("work", 1.5, 0.01)):
            log = Recorder(name)
            if is_open:
                log.answered(at(sent_s), at(sent_s), at(sent_s + took_s))
            else:
                log.succeeded(at(sent_s), at(sent_s + took_s))
            if name == "enter" and noted is second:
                log.failed(at(0.5), at(0.5) + MS, "refused", at(0.5) if is_open else UNSCHEDULED)
            noted.add(batch_of(log))
    enter, work = merged(final(first), final(second)).operations(TIMEOUT_US)
    assert (enter.name, enter.ok, enter.times_of) == ("enter", 2, "run")
    for times in (enter.service_us, enter.response_us) if is_open else (enter.service_us,):
        assert times is not None
        assert times.p50 == pytest.approx(100_000, rel=1e-3)
        assert (times.p90, times.censored_above_us) == (None, None), "one in three was refused"
    assert enter.throughput_per_s == 0
    assert (work.ok, work.times_of) == (4, "window")
    assert work.service_us is not None
    assert work.service_us.max == pytest.approx(10_000), "those before the window are not in it"


def test_the_window_of_one_process_is_enough() -> None:
    """Take an operation's times from the window if any process has something of it in its window."""
    inside, outside = new_tally(), new_tally()
    answered(inside, (1.5, 1.5, 1.6))
    answered(outside, (0.5, 0.5, 0.9))
    operation = row(final(outside), final(inside))
    assert (operation.ok, operation.times_of) == (2, "window")
    assert operation.service_us is not None
    assert operation.service_us.max == pytest.approx(100_000)


def test_operations_without_end_are_counted_together() -> None:
    reports = []
    for process in range(2):
        noted = new_tally()
        for number in range(MOST_OPERATIONS + 50):
            answered(noted, (1.5, 1.5, 1.6), name=f"process {process} operation {number}")
        unknown = Counter({OperationKey(f"unfinished {number}"): 1 for number in range(100)})
        report = noted.report(unfinished=unknown, late=NONE, unexpected=Counter({"unexpected": 3}), final=True)
        assert len(report.operations) == MOST_OPERATIONS + 1
        reports.append(report)
    operations = merged(*reports).operations(TIMEOUT_US)
    assert len(operations) == MOST_OPERATIONS + 1
    assert sum(operation.ok for operation in operations) == 2 * (MOST_OPERATIONS + 50)
    assert sum(operation.unfinished for operation in operations) == 200
    (others,) = (operation for operation in operations if operation.name == OTHER_OPERATIONS)
    assert (others.ok > 100, others.unexpected) == (True, 6)


def test_names_without_end_are_counted_together() -> None:
    counts = NamedCounts()
    for number in range(1000):
        counts[f"operation {number % (MOST_OPERATIONS + 100)}"] += 1
    assert counts.total() == 1000
    assert len(counts) == MOST_OPERATIONS + 1
    assert counts["operation 0"] == 4


def test_errors_in_replies_are_counted_beside_the_successes() -> None:
    noted = new_tally(is_open=False)
    log = Recorder("echo")
    for flushed in range(2):
        for _ in range(3):
            log.succeeded(at(2), at(2.1))
        log.error_replies += 2 + flushed
        noted.add(batch_of(log))
    operation = row(final(noted), final(new_tally(is_open=False)))
    assert (operation.ok, operation.error_replies, operation.failed) == (6, 5, 0)


def test_the_first_reason_why_figures_are_wrong() -> None:
    noted = new_tally()
    right = final(noted)
    assert merged(right).invalid_reason is None
    wrong = noted.report(unfinished=NONE, late=NONE, invalid_reason="replies of others")
    assert merged(right, wrong).invalid_reason == "replies of others"


def test_processes_merge_into_their_union() -> None:
    generator = np.random.default_rng(1)
    reports, union = [], Histogram()
    for _ in range(3):
        took_ns = generator.lognormal(13, 1.5, 1000).astype(np.int64)
        noted = new_tally()
        log = Recorder("echo")
        for number, took in enumerate(took_ns.tolist()):
            log.answered(at(1) + number * MS, at(1) + number * MS, at(1) + number * MS + took)
        log.failed(at(1.2), at(1.3), "connection lost", at(1.2))
        noted.add(batch_of(log))
        union.record(took_ns)
        reports.append(final(noted))
    operation = row(*reports)
    assert (operation.ok, operation.errors) == (3000, {"connection lost": 3})
    assert operation.response_us is not None
    for percent, figure in ((50, operation.response_us.p50), (99, operation.response_us.p99)):
        value_ns = union.percentile_ns(percent, 3)
        assert value_ns is not None
        assert figure == value_ns / 1000
    assert (operation.response_us.max, operation.response_us.censored_above_us) == (None, None), "an error has no time"


def test_a_report_replaces_the_one_before_and_its_seconds_add_up() -> None:
    noted = new_tally(window=None)
    noted.open_window(at(0))
    answered(noted, (0.1, 0.1, 0.2), (1.1, 1.1, 1.2))
    merger = merged(noted.report(unfinished=NONE, late=NONE))
    answered(noted, (1.5, 1.5, 1.6), (2.1, 2.1, 2.2))
    merger.receive("0", noted.report(unfinished=NONE, late=NONE))
    (operation,) = merger.operations(TIMEOUT_US)
    assert operation.ok == 4
    timeline = merger.timeline({})
    assert [second.ok for second in timeline] == [1, 2, 1]
    assert not merger.final("0")
    noted.close_window(at(3))
    merger.receive("0", final(noted))
    assert merger.final("0")
    assert [second.ok for second in merger.timeline({})] == [1, 2, 1]


def test_the_window_begins_with_the_last_process_and_ends_with_the_last() -> None:
    merger = merged(final(new_tally(window=(1, 3))), final(new_tally(window=(2, 2.5))))
    window = merger.window(10 * S, 0.5)
    assert (window.start_s, window.end_s, window.warmup_s) == (2, 3, 0.5)


def test_stages_have_their_own_failures_and_no_second_after_the_end() -> None:
    noted = new_tally(window=(1, 4.5))
    log = Recorder("echo")
    for number in range(10):
        log.answered(at(1.05 + number / 10), at(1.05 + number / 10), at(1.06 + number / 10))  # in second 1
    log.failed(at(1.5), at(5.5), TIMEOUT, at(1.5))  # of the first stage, seconds after it
    log.drop(at(3.2), "no user had room")
    for number in range(20):
        log.answered(at(3.02 + number / 20), at(3.02 + number / 20), at(3.03 + number / 20))  # in second 3
    log.answered(at(4.2), at(4.2), at(4.3))
    noted.add(batch_of(log))
    merger = merged(final(noted))
    profile = RateProfile.parse("11:2s,10..30:10s")
    first, second = merger.stages(profile, 1.0, 4.5, merger.timeline({}))
    assert (first.stage, first.start_s, first.end_s, first.failed, first.dropped) == ("11:2s", 1, 3, 1, 0)
    assert (first.offered_per_s, first.throughput_per_s) == (11, 5)
    assert first.p99_us is None, "one of eleven timed out"
    assert first.p90_us is not None
    # The run ended in the second stage: one whole second of it, in which the rate rose from 10 to 12.
    assert (second.start_s, second.end_s, second.failed, second.dropped) == (3, 4, 0, 1)
    assert second.offered_per_s == pytest.approx(11)
    assert second.throughput_per_s == 20


def test_what_a_second_holds_is_not_kept_sample_by_sample() -> None:
    """Each batch reaches from the middle of a second to the middle of the next, as the engine's do."""
    counted = new_tally(is_open=False, window=None)
    samples, batches = 10_000, 30
    counted.add(batch_of(_evenly(0, samples)))
    tracemalloc.start()
    try:
        for number in range(1, batches):
            counted.add(batch_of(_evenly(number, samples)))
        # Other threads of the test runner allocate meanwhile.
        ours = tracemalloc.Filter(True, "*/bench/*")
        traces = tracemalloc.take_snapshot().filter_traces([ours]).statistics("filename")
        kept_bytes = sum(trace.size for trace in traces)
    finally:
        tracemalloc.stop()
    assert kept_bytes < batches * samples * 4, "half of the samples themselves, which are 8 bytes each"
    assert sum(second.ok for second in final(counted).seconds) == batches * samples


def _evenly(second: int, samples: int) -> Recorder:
    """Round trips of 1 ms, sent throughout a second that begins in the middle of this one."""
    log = Recorder("echo")
    for number in range(samples):
        sent_ns = at(second + 0.5) + number * (S // samples)
        log.succeeded(sent_ns, sent_ns + MS)
    return log


def test_delays_are_of_their_second() -> None:
    noted = new_tally(is_open=False)
    delays = LoopDelays(array("q"), array("q"), array("q"))
    delays.loop_lag.extend((at(1.5), 3 * MS, at(2.5), 9 * MS, at(0.5), 500 * MS))
    delays.queueing.extend((at(2.5), MS))
    noted.note_delays(delays)
    noted.note_cpu(at(1), 0.5)
    generator = merged(final(noted)).generator()
    assert generator.loop_lag_us is not None
    assert generator.loop_lag_us.max == pytest.approx(9000), "the second before the window is not in it"
    assert generator.send_lateness_us is None
    assert generator.verdict == "saturated"
    assert generator.saturated_since_s == 1


def test_a_standstill_counts_in_every_second_through_which_it_lasted() -> None:
    noted = new_tally(is_open=False, window=(1, 7))
    punctual = [value for second in (1, 6) for value in (at(second + 0.9), MS)]
    noted.note_delays(lags(*punctual))
    noted.note_delays(lags(at(5.25), 3_750 * MS))
    report = final(noted)
    standstills = {second.second: second.standstill_ns / MS for second in report.seconds}
    assert standstills == {1: 500, 2: 1000, 3: 1000, 4: 1000, 5: 250, 6: 0}
    generator = merged(report).generator()
    assert (generator.verdict, generator.saturated_since_s) == ("saturated", 1)
    assert generator.reason == "its event loop stood still for 3.8 s"


def test_a_second_of_the_window_without_a_note_is_a_standstill() -> None:
    noted = new_tally(is_open=False, window=(1, 5))
    noted.note_delays(lags(at(1.5), MS, at(2.5), MS))
    noted.note_users(at(4.5), 3)  # which another thread notes
    generator = merged(final(noted)).generator()
    assert (generator.verdict, generator.saturated_since_s) == ("saturated", 3)
    assert generator.reason == "its event loop stood still for 2.0 s"


def test_one_saturated_process_makes_the_generator_so() -> None:
    spare, busy = new_tally(), new_tally()
    for number in (1, 2):
        spare.note_cpu(at(number), 0.2)
        busy.note_cpu(at(number), 0.99)
        for process in (spare, busy):
            keep_time(process, number)
    generator = merged(final(spare), final(busy)).generator()
    assert (generator.verdict, generator.processes) == ("saturated", 2)
    assert [trust.verdict for trust in generator.per_process] == ["ok", "saturated"]


def test_connecting_is_a_row_of_its_own() -> None:
    noted = new_tally(window=(10, 12))
    log = Recorder(CONNECT, kind=CONNECT)
    log.succeeded(at(0.1), at(0.2))
    log.failed(at(0.3), at(0.4), "refused")
    noted.add(batch_of(log))
    answered(noted, (10.5, 10.5, 10.6))
    merger = merged(final(noted))
    connect, echo = merger.operations(TIMEOUT_US)
    assert (connect.name, connect.ok, connect.errors, connect.throughput_per_s) == (CONNECT, 1, {"refused": 1}, None)
    assert connect.service_us is not None, "of the whole run: it happens before the window"
    assert connect.response_us is None
    assert echo.ok == 1
    assert merger.round_trips_in_window() == 1


@pytest.mark.parametrize("encoded", ["", "HISTFAAAAB542pNpmSzMwMDA==", "AAAA"])
def test_a_histogram_that_cannot_be_read_is_refused_when_it_arrives(encoded: str) -> None:
    sent = StoredHistogram.of(Histogram()).model_dump()
    assert StoredHistogram.model_validate(sent).restored().count == 0
    with pytest.raises(ValidationError, match="V2 form"):
        StoredHistogram.model_validate(sent | {"encoded": encoded})


def test_the_counts_of_last_resort_have_every_error() -> None:
    noted = new_tally(is_open=False)
    log = Recorder("echo")
    for number in range(60):
        log.failed(at(1.1), at(1.2), f"error {'x' * number}")
    noted.add(batch_of(log))
    (line,) = count_lines(merged(final(noted)))
    assert line == "echo: ok 0, timeouts 0, errors 60, unfinished 0, dropped 0"


def test_emissions_of_the_schedule_are_counted_by_the_moment_at_which_they_were_sent() -> None:
    merger = Merger()
    for number in (1, 2):
        tally = new_tally()
        # The second was intended in another part, the third in another second, and the fourth by no schedule.
        answered(tally, (1.0, 1.001, 1.01), (1.35, 1.4, 1.5), (1.9, 2.019, 2.1), (None, 1.5, 1.6))
        merger.receive(str(number), tally.report(unfinished=NONE, late=NONE, final=True))
    first, second = merger.second(1).sent_in, merger.second(2).sent_in
    assert {place: count for place, count in enumerate(first) if count} == {0: 2, 20: 2}
    assert {place: count for place, count in enumerate(second) if count} == {0: 2}
    assert len(first) == 50
    assert sum(merger.second(0).sent_in) == 0
    work = merger.second(1)
    assert (work.ok, work.times["echo", "round trip"].count) == (6, 6)


def test_a_closed_load_has_no_emissions_of_a_schedule() -> None:
    tally = new_tally(is_open=False)
    log = Recorder("echo")
    log.succeeded(at(1.1), at(1.2))
    tally.add(batch_of(log))
    assert all(second.sent_in == [] for second in tally.report(unfinished=NONE, late=NONE).seconds)
