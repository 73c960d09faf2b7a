"""The slowest round trips of a load: found in batches, in the window alone, and merged over processes."""

import random

from bench.load.metrics.merge import Merger
from bench.load.metrics.recorder import TIMEOUT, UNSCHEDULED, Recorder
from bench.load.metrics.report import Report
from bench.load.metrics.slowest import Slow
from bench.load.metrics.tally import Tally
from bench.report.formats.markdown import render as markdown
from bench.report.formats.text import render
from bench.report.load import load_document
from bench.results.load import LoadResult, OperationKey, SlowRoundTrip
from tests.load.metrics.test_tally import NONE, START, S, at, batch_of
from tests.support.example_results import load_result

MS = 1_000_000


def tally_of(number: int, is_open: bool = False) -> Tally:
    tally = Tally(START, is_open, number)
    tally.open_window(at(1))
    return tally


def succeeded(tally: Tally, *taken: tuple[float, float, str], name: str = "say") -> None:
    """Note round trips of a closed load: sent at this second, taken so many milliseconds, with this token."""
    log = Recorder(name)
    for sent_s, took_ms, token in taken:
        log.succeeded(at(sent_s), at(sent_s) + round(took_ms * MS))
        log.named(token)
    tally.add(batch_of(log))


def reported(tally: Tally) -> Report:
    tally.close_window(at(9))
    report = tally.report(unfinished=NONE, late=NONE, final=True)
    return Report.model_validate_json(report.model_dump_json())  # as it comes to the master


def merged(*tallies: Tally, number: int = 3) -> list[tuple[str, str, float | None]]:
    """Return operation, token and milliseconds of the slowest."""
    merger = Merger()
    for process, tally in enumerate(tallies):
        merger.receive(str(process), reported(tally))
    return [
        (key.name, slow.token, None if slow.service_ns is None else slow.service_ns / MS)
        for key, slow in merger.slowest(number)
    ]


def test_the_slowest_of_all_batches_and_processes_are_kept() -> None:
    chance, first, second = random.Random(7), tally_of(3), tally_of(3)
    taken = [(chance.uniform(1, 8), float(number), f"t{number}") for number in range(300)]
    chance.shuffle(taken)
    for start in range(0, 300, 50):
        succeeded(first if start % 100 else second, *taken[start : start + 50])
    assert merged(first, second) == [("say", "t299", 299.0), ("say", "t298", 298.0), ("say", "t297", 297.0)]


def test_only_the_window_counts() -> None:
    tally = tally_of(3)
    succeeded(tally, (0.5, 900, "before"), (2, 5, "a"), (3, 7, "b"))
    assert merged(tally) == [("say", "b", 7.0), ("say", "a", 5.0)]


def test_each_operation_has_its_own() -> None:
    tally = tally_of(1)
    succeeded(tally, (2, 5, "a"), (2, 6, "b"))
    succeeded(tally, (2, 1, "c"), name="join")
    assert merged(tally, number=1) == [("join", "c", 1.0), ("say", "b", 6.0)]


def test_an_open_load_is_ranked_by_the_service_time_and_knows_the_response_time() -> None:
    tally = tally_of(1, is_open=True)
    log = Recorder("say")
    log.answered(at(2), at(2) + 50 * MS, at(2) + 51 * MS)
    log.named("waited")
    log.answered(UNSCHEDULED, at(3), at(3) + 4 * MS)
    log.named("slow")
    tally.add(batch_of(log))
    merger = Merger()
    merger.receive("0", reported(tally))
    assert merger.slowest(1) == [(OperationKey("say"), Slow(3 * S, "slow", 4 * MS, 4 * MS))]


def test_those_that_timed_out_come_first() -> None:
    tally = tally_of(2)
    succeeded(tally, (2, 5, "a"), (2, 6, "b"), (2, 7, "c"))
    log = Recorder("say")
    for number in range(3):
        log.failed(at(2 + number), at(5), TIMEOUT, token=f"lost{number}")
    log.failed(at(2), at(5), "connection lost", token="gone")
    log.failed(at(0.5), at(5), TIMEOUT, token="before the window")
    tally.add(batch_of(log))
    assert merged(tally, number=2) == [
        *(("say", "lost0", None), ("say", "lost1", None)),
        *(("say", "c", 7.0), ("say", "b", 6.0)),
    ]


def test_nothing_is_kept_unless_it_is_asked_for() -> None:
    tally = Tally(START)
    tally.open_window(at(1))
    log = Recorder("say")
    log.succeeded(at(2), at(3))
    batch = batch_of(log)
    assert not batch.tokens
    tally.add(batch)
    assert merged(tally) == []


def slow(number: int, **changed: object) -> SlowRoundTrip:
    fields = {"operation": "say", "t": number / 4, "service_us": 1000.0 * number, "token": f"rt-a-0-{number}"}
    return SlowRoundTrip.model_validate(fields | changed)


def test_a_result_shows_the_first_and_says_how_many_more_there_are() -> None:
    rows = tuple(slow(number) for number in range(1, 9))
    lost = slow(9, service_us=None, timed_out=True, token="<b>|x")
    result = load_result().model_copy(update={"slowest": (*rows, lost)})
    assert LoadResult.model_validate_json(result.to_json(), strict=True).slowest == result.slowest
    text = render(load_document(result))
    assert (
        "slowest       at   service  token\nsay      2.250 s   timeout  <b>|x\nsay      2.000 s  8.000 ms  rt-a-0-8\n"
        in text
    )
    assert "\n4 more slow round trips: bench report shows all of them\n" in text
    assert "rt-a-0-4" not in text
    shown = markdown(load_document(result))
    assert "<b>" not in shown
    assert "4 more slow round trips" in shown
    (table,) = [table for table in load_document(result).tables if table.columns[0].title == "slowest"]
    assert len(table.rows) == 9


def test_a_traced_result_shows_the_traces() -> None:
    traced = load_result().scenario.model_copy(update={"trace_context": "trace"})
    rows = (slow(1, trace_id="f" * 32, response_us=5000.0),)
    text = render(load_document(load_result().model_copy(update={"slowest": rows, "scenario": traced})))
    assert f"slowest       at   service  response  trace\nsay      0.250 s  1.000 ms  5.000 ms  {'f' * 32}\n" in text
    assert "more slow" not in text
