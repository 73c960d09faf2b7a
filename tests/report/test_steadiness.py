"""Intervals, failed tests and precisions in the document of a load."""

from pathlib import Path

import pytest

from bench.report.document import Document
from bench.report.formats.text import text_lines
from bench.report.load import load_document
from bench.report.steadiness import width_text
from bench.results.load import LoadResult
from bench.results.steadiness import KnownInterval, Precision, RunTest, TimeIntervals
from bench.results.store import load

RESULTS = Path(__file__).parents[1] / "data" / "results" / "load"


@pytest.fixture(scope="module")
def result() -> LoadResult:
    """A stored result of an open load."""
    found = load(next(RESULTS.glob("*/0004_*.json")))
    assert isinstance(found, LoadResult)
    return found


def texts(document: Document) -> list[str]:
    return [line.text for line in text_lines(document)]


def test_intervals_stand_below_the_times_that_they_are_of(result: LoadResult) -> None:
    intervals = TimeIntervals(
        times="response",
        confidence=0.95,
        seconds=20,
        p50=KnownInterval(low=1_700, high=1_950),
        p90=KnownInterval(low=6_500, high=12_345.6),
        p99=KnownInterval(low=70_000, high=None),
    )
    connect, row = result.operations
    shown = texts(
        load_document(
            result.model_copy(update={"operations": (connect, row.model_copy(update={"intervals": intervals}))})
        )
    )
    place = next(number for number, line in enumerate(shown) if line.startswith("95% interval"))
    assert shown[place + 1].split("  ") == ["FOO→BAR to sender", "1.700 to 1.950 ms", "6.500 to 12.35 ms", "> 70.00 ms"]
    titles = [line.split("  ")[0] for line in shown]
    assert titles.index("response time") < place < titles.index("service time")
    assert all(len(line) <= 80 for line in shown[place : place + 2])


def test_a_result_without_intervals_has_no_table_of_them(result: LoadResult) -> None:
    assert not any("interval" in line for line in texts(load_document(result)))


def test_a_failed_test_is_a_warning_and_in_the_first_line(result: LoadResult) -> None:
    tests = (
        RunTest(name="arrivals", passed=True, meaning="arrivals were as scheduled"),
        RunTest(name="independence", passed=None, meaning="not tested: it is too short"),
        RunTest(name="stationarity", passed=False, meaning="the times of say were still rising: run longer"),
    )
    document = load_document(result.model_copy(update={"tests": tests}))
    assert [note.style for note in document.notes if "still rising" in note.text] == ["warning"]
    assert not any("as scheduled" in note.text or "not tested" in note.text for note in document.notes)
    assert document.headline is not None
    assert document.headline.text.endswith("; not settled")


def test_a_precision_says_whether_it_was_reached(result: LoadResult) -> None:
    found = (
        Precision(text="p50 ± 5 %", metric="p50", asked=0.05, reached=0.0478, is_reached=True),
        Precision(text="p99 ± 5 %", metric="p99", asked=0.05, value=9, is_reached=False, reason="the run is too short"),
        Precision(text="p99 ± 2 %", metric="p99", asked=0.02, is_reached=False, reason="it falls among failures"),
        Precision(text="p99 ± 2 ms", metric="p99", asked=2_000, unit="µs", reached=1_834, is_reached=True),
        Precision(text="x", metric="throughput", asked=5, unit="per second", reached=4.1, is_reached=True),
    )
    notes = load_document(result.model_copy(update={"precisions": found})).notes
    assert [(note.text, note.style) for note in notes if "precise" in note.text] == [
        ("as precise as asked, p50 ± 5 %: ± 4.8 %", "plain"),
        ("not as precise as asked, p99 ± 5 %: the run is too short; give a longer --run-time", "warning"),
        ("not as precise as asked, p99 ± 2 %: it falls among failures", "warning"),
        ("as precise as asked, p99 ± 2 ms: ± 1.834 ms", "plain"),
        ("as precise as asked, x: ± 4.1/s", "plain"),
    ]


def test_the_width_of_an_interval_has_two_digits() -> None:
    assert [width_text(share, "share") for share in (0.0478, 0.0996, 0.1234, 5.5694, 12.3)] == [
        "4.8 %",
        "10 %",
        "12 %",
        "560 %",
        "1,200 %",
    ]
