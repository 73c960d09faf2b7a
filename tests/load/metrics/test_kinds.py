"""Operations of all kinds are counted, merged and shown apart: a name may be that of several."""

from array import array
from collections import Counter
from typing import Any

import pytest

from bench.load.engine.ongoing import OngoingOperation
from bench.load.metrics.merge import Merger
from bench.load.metrics.recorder import RECEIVED, TIMEOUT, UNSCHEDULED, LoopDelays, NotedKind, Recorder
from bench.load.metrics.report import Report
from bench.load.metrics.tally import Tally
from bench.results.load import CONNECT, MOST_OPERATIONS, Operation, OperationKey

S = 1_000_000_000
MS = 1_000_000
TIMEOUT_US = 400_000.0

KINDS: tuple[NotedKind, ...] = ("http", "round trip", "emission", "transaction", "disconnect", RECEIVED)


def noted(kind: NotedKind, is_open: bool, *, name: str = "same", failed: int = 0) -> Recorder:
    """Return the notes of ten operations of a kind, a tenth of a second apart from second 1 on, which take 1 ms."""
    recorder = Recorder(name, kind=kind)
    for number in range(10):
        sent_ns = S + number * S // 10
        ended_ns = sent_ns if kind in ("emission", RECEIVED) else sent_ns + MS
        if is_open and kind in ("http", "round trip", "emission"):
            recorder.answered(sent_ns - MS // 2, sent_ns, ended_ns)
        else:
            recorder.succeeded(sent_ns, ended_ns)
    for _ in range(failed):
        recorder.failed(S, S + MS, TIMEOUT)
    if kind in ("round trip", "emission", RECEIVED):
        recorder.sent_bytes, recorder.received_bytes = (0, 70) if kind == RECEIVED else (50, 0)
    return recorder


def report_of(*recorders: Recorder, is_open: bool = False, **more: Any) -> Report:
    tally = Tally(0, is_open)
    tally.open_window(0)
    for recorder in recorders:
        batch = recorder.flush()
        assert batch is not None
        tally.add(batch)
    tally.close_window(2 * S)
    report = tally.report(unfinished=more.pop("unfinished", {}), late={}, final=True, began=1, **more)
    return Report.model_validate(report.model_dump())  # as it travels from a worker


def merged(*reports: Report) -> Merger:
    merger = Merger()
    for number, report in enumerate(reports):
        merger.receive(str(number), report)
    return merger


def rows_of(merger: Merger) -> dict[OperationKey, Operation]:
    return {row.key: row for row in merger.operations(TIMEOUT_US)}


@pytest.mark.parametrize("is_open", [True, False])
def test_the_same_name_of_several_kinds(is_open: bool) -> None:
    reports = [report_of(*(noted(kind, is_open) for kind in KINDS), is_open=is_open) for _ in range(2)]
    merger = merged(*reports)
    rows = rows_of(merger)
    assert [key.kind for key in rows] == ["disconnect", "http", "round trip", "emission", "transaction"]
    assert {row.label for row in rows.values()} == {
        "same (disconnect)",
        "same (http)",
        "same",
        "same (emission)",
        "same (transaction)",
    }
    for key, row in rows.items():
        assert (row.sent, row.ok, row.throughput_per_s) == (20, 20, 10)
        assert (row.service_us is None) is (key.kind == "emission")
        assert (row.response_us is not None) is (is_open and key.kind in ("http", "round trip"))
        assert row.sent_bytes == (100 if key.kind in ("round trip", "emission") else None)
    assert sum(second.ok for second in merger.timeline({})) == 60, "of the kinds that a schedule can want"
    assert merger.round_trips_in_window() == 40
    (event,) = merger.received()
    assert (event.name, event.count, event.received_bytes, event.per_s) == ("same", 20, 140, 10)


def test_only_what_a_schedule_can_want_has_a_lateness() -> None:
    report = report_of(noted("emission", True), noted("transaction", True), is_open=True)
    (second,) = (second for second in report.seconds if second.second == 1)
    assert second.send_lateness is not None
    assert second.send_lateness.restored().count == 10
    assert report.arrivals == 10


def test_dropped_emissions_hide_no_time_of_others() -> None:
    emission = noted("emission", True)
    for number in range(1000):
        emission.drop(S + number, "the server does not read")
    merger = merged(report_of(noted("round trip", True), emission, is_open=True))
    (second,) = (second for second in merger.timeline({}) if second.t == 1)
    assert second.dropped == 1000
    assert second.p99_us is not None
    assert rows_of(merger)[OperationKey("same", "emission")].dropped == 1000


def test_a_transaction_that_failed_is_beyond_the_limit() -> None:
    row = rows_of(merged(report_of(noted("transaction", False, failed=30))))[OperationKey("same", "transaction")]
    assert (row.sent, row.timeouts) == (40, 30)
    assert row.service_us is not None
    assert (row.service_us.p50, row.service_us.censored_above_us) == (None, TIMEOUT_US)


def test_each_kind_may_have_so_many_rows() -> None:
    many = [noted("http", False, name=f"GET /{number}") for number in range(MOST_OPERATIONS + 5)]
    rows = rows_of(merged(report_of(*many, noted("round trip", False)), report_of(noted("http", False, name="late"))))
    assert [key for key in rows if key.kind == "round trip"] == [OperationKey("same")]
    assert len(rows) == MOST_OPERATIONS + 2
    assert sum(row.ok for row in rows.values()) == 10 * (MOST_OPERATIONS + 7)


def test_what_is_not_sent_yet_is_in_flight_and_no_arrival() -> None:
    """A lost worker's arrivals are those that it has no account of: it may have been connecting, too."""
    unfinished = {OperationKey(CONNECT, CONNECT): 5, OperationKey("same"): 2}
    merger = merged(report_of(noted("round trip", True), is_open=True, unfinished=unfinished))
    arrivals = [number * S // 100 for number in range(15)]
    assert merger.not_accounted("0", arrivals) == arrivals[12:]


def test_the_bytes_of_each_second() -> None:
    tally = Tally(0)
    none = array("q")
    tally.note_delays(LoopDelays(none, none, none, array("q", (S // 2, 10, 20, S + 1, 1, 2, S + 2, 3, 4))))
    timeline = merged(tally.report(unfinished={}, late={}, final=True)).timeline({})
    assert [(second.sent_bytes, second.received_bytes) for second in timeline] == [(10, 20), (4, 6)]


@pytest.mark.parametrize("is_paced", [True, False])
def test_an_operation_is_unfinished_until_it_ends(is_paced: bool) -> None:
    ongoing: Counter[OperationKey] = Counter()
    recorder = Recorder("GET /", kind="http")
    key = OperationKey("GET /", "http")
    well, badly, cut_off = (
        OngoingOperation(recorder, "http", ongoing, is_paced=is_paced, intended_ns=UNSCHEDULED) for _ in range(3)
    )
    assert ongoing[key] == 3
    well.succeeded()
    well.failed("twice")
    badly.failed("HTTP 500")
    badly.succeeded()
    assert ongoing[key] == 1
    batch = recorder.flush()
    assert batch is not None
    assert len(batch.completed) == 2
    assert len(batch.intended) == (1 if is_paced else 0)
    assert [failure.kind for failure in batch.failures] == ["HTTP 500"]
    assert batch.completed[0] == well.began_ns
    cut_off.succeeded(cut_off.began_ns + MS)
    late = recorder.flush()
    assert late is not None
    assert late.completed[1] - late.completed[0] == MS
