"""Objectives in documents: the table, the answer in the first line, and JUnit's test cases."""

from typing import Any

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from bench.objectives.judging import Measured, judge
from bench.objectives.model import JudgedObjective
from bench.objectives.parsing import parse_objective
from bench.report.document import Column, Document, Line, Note, Row, Table
from bench.report.formats import junit, markdown, text
from bench.report.load import load_document
from bench.report.load_headline import load_headline
from bench.report.objectives import (
    answer,
    figure_text,
    interval_text,
    objective_notes,
    objective_tables,
    said_in_a_line,
)
from bench.results.load import Operation
from bench.results.unspoken import unspoken_failures
from tests.support.example_results import load_result, operation

MET = judge(parse_objective("p99 < 50 ms"), Measured(21_900, 20_100, 25_000, times="response"))
MISSED = judge(parse_objective("say: p99 < 20 ms"), Measured(21_900, 20_100, 25_000, operation="say"))
UNDECIDED = judge(parse_objective("p99 < 24 ms"), Measured(21_900, 20_100, 25_000, seconds=30))
NOT_JUDGED = judge(
    parse_objective("p50 < 1 ms"), Measured(690_000, 680_000, 700_000, useless_because="the generator was saturated")
)
ERRORS = judge(parse_objective("errors < 0.1 %"), Measured(0, 0, 0.000371))
UNKNOWN_ERRORS = judge(parse_objective("errors < 1 %"), Measured(useless_because="nothing was sent"))


@pytest.mark.parametrize(
    ("text_", "measured", "figure", "interval"),
    [
        ("p99 < 50 ms", Measured(21_900, 20_100, 25_000), "21.90 ms", "20.10 to 25.00 ms"),
        ("p99 < 50 ms", Measured(21_900, 20_100, None), "21.90 ms", "above 20.10 ms"),
        ("p99 < 50 ms", Measured(21_900, None, 25_000), "21.90 ms", "below 25.00 ms"),
        ("p99 < 50 ms", Measured(21_900, None, None), "21.90 ms", "-"),
        ("p99 < 50 ms", Measured(None, 10e6, None), "> 10 s", "-"),
        ("p99 < 50 ms", Measured(None, 212.0, None, lacks="it falls among those that failed"), "failed", "-"),
        ("p99 < 50 ms", Measured(None, float("inf"), None, lacks="it failed"), "failed", "-"),
        ("p99 < 50 ms", Measured(useless_because="no such operation"), "-", "-"),
        ("max < 50 ms", Measured.exact(21_900), "21.90 ms", "counted"),
        ("errors < 0.1 %", Measured(0.0, 0.0, 0.00037), "0 %", "0 to 0.037 %"),
        ("connects >= 99.9 %", Measured(0.99951, 0.9982, 0.99994), "99.951 %", "99.82 to 99.9940 %"),
        ("timeouts <= 3", Measured.exact(1_234), "1,234", "counted"),
        ("throughput >= 400/s", Measured(499.6, 480.2, 512.3), "500/s", "480 to 512/s"),
    ],
)
def test_figures_have_the_unit_of_their_limit(text_: str, measured: Measured, figure: str, interval: str) -> None:
    judged = judge(parse_objective(text_), measured)

    assert (figure_text(judged), interval_text(judged)) == (figure, interval)


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        ([MET], "p99 21.90 ms at 500/s: objective met"),
        ([MET, ERRORS], "p99 21.90 ms at 500/s: both objectives met"),
        ([MET, ERRORS, MET], "p99 21.90 ms at 500/s: all 3 objectives met"),
        ([MET, MISSED], "p99 of say 21.90 ms at 500/s: objective 'say: p99 < 20 ms' missed (1 of 2)"),
        ([UNDECIDED], "p99 21.90 ms at 500/s: objective 'p99 < 24 ms' undecided"),
        ([NOT_JUDGED, MISSED, MET], "p50 690.0 ms at 500/s: objective 'p50 < 1 ms' not judged (1 of 3), 1 missed"),
        ([UNKNOWN_ERRORS], "errors unknown at 500/s: objective 'errors < 1 %' not judged"),
    ],
)
def test_the_answer_is_the_worst_of_all(judged: list[JudgedObjective], said: str) -> None:
    assert answer(judged, " at 500/s") == said


def test_a_line_for_the_log() -> None:
    assert said_in_a_line(MISSED) == "objective 'say: p99 < 20 ms' missed: p99 of say 21.90 ms (20.10 to 25.00 ms)"
    assert said_in_a_line(UNDECIDED).endswith("(20.10 to 25.00 ms); a run of about 1 min 30 s would decide it")


def a_document(judged: list[JudgedObjective], **more: Any) -> Document:
    return Document(
        kind="load",
        title="a load",
        tables=(*objective_tables(judged), *more.pop("tables", ())),
        notes=tuple(objective_notes(judged)),
        **more,
    )


def test_the_table_fits_into_80_columns() -> None:
    lines = text.render(a_document([MET, MISSED, UNDECIDED, NOT_JUDGED, ERRORS])).splitlines()

    assert max(map(len, lines)) <= 80
    assert [line.split()[-1] for line in lines[1:6]] == ["met", "missed", "undecided", "judged", "met"]
    assert lines[-2:] == [
        "objective p99 < 24 ms: undecided: a run of about 1 min 30 s would decide it",
        "objective p50 < 1 ms: not judged: the generator was saturated",
    ]


def test_one_objective_of_several_benchmarks_has_a_row_for_each() -> None:
    both = [
        judge(parse_objective("p99 < 50 ms"), Measured(21_900, 20_100, 25_000, operation=name))
        for name in ("say[a]", "join[b]")
    ]
    (table,) = objective_tables(both, by_operation=True)

    assert [(row.group, row.cells[0]) for row in table.rows if isinstance(row, Row)] == [
        ("p99 < 50 ms", "say[a]"),
        ("p99 < 50 ms", "join[b]"),
    ]
    assert list(objective_tables([])) == []


def cases(document: Document) -> dict[str, TestCase]:
    read = JUnitXml.fromstring(junit.render(document).encode())
    (suite,) = read
    assert isinstance(suite, TestSuite)
    found = {str(case.name): case for case in suite}
    assert suite.tests == len(list(suite)) == len(found)
    return found


def test_junit_has_a_test_case_for_each_objective() -> None:
    found = cases(a_document([MET, MISSED, UNDECIDED, NOT_JUDGED]))

    outcomes = {name: [type(outcome) for outcome in case.result] for name, case in found.items()}
    assert outcomes == {
        "the result": [],
        "p99 < 50 ms": [],
        "say: p99 < 20 ms": [Failure],
        "p99 < 24 ms": [Skipped],
        "p50 < 1 ms": [Error],
    }
    (missed,), (not_judged,) = found["say: p99 < 20 ms"].result, found["p50 < 1 ms"].result
    assert missed.message == "figure 21.90 ms, 95% interval 20.10 to 25.00 ms, verdict missed"
    assert not_judged.message.endswith("verdict not judged: the generator was saturated")


def test_junit_is_never_empty() -> None:
    (suite,) = JUnitXml.fromstring(junit.render(Document("load", "a load", ())).encode())

    assert [case.name for case in suite] == ["the result"]


def test_junit_says_why_a_result_failed_as_a_whole() -> None:
    found = cases(a_document([MET], faults=("partial result: no final report from a worker",)))

    (fault,) = found["the result"].result
    assert isinstance(fault, Error)
    assert fault.message == "partial result: no final report from a worker"


def test_texts_of_others_are_no_markup_and_no_control_characters_in_junit() -> None:
    hostile = "<script>alert(1)</script> & \x00\x1b[31m ]]> \ud800 \"'"
    table = Table((Column("operation", "name"), Column("ok")), (Row((hostile, "1"), "worse"),))
    document = Document("load", hostile, (table,), headline=Line(hostile), notes=(Note(hostile),))

    found = cases(document)

    (shown,) = [name for name in found if name != "the result"]
    assert shown == "<script>alert(1)</script> & ��[31m ]]> � \"'"
    assert "<script>" not in junit.render(document)


def with_failures(**counts: int) -> Operation:
    ok = 1_000
    errors = {"refused": counts["errors"]} if counts.get("errors") else {}
    timeouts, dropped = counts.get("timeouts", 0), counts.get("dropped", 0)
    sent = ok + timeouts + sum(errors.values())
    return operation(
        "say",
        ok=ok,
        sent=sent,
        scheduled=sent + dropped,
        dropped=dropped,
        errors=errors,
        timeouts=timeouts,
        unfinished=0,
    )


def test_the_first_line_of_a_load_is_the_answer() -> None:
    good = load_result(objectives=(MET, ERRORS), generator={"processes": 1, "verdict": "ok"})
    line = load_headline(good)

    assert line.style == "heading"
    assert line.text.startswith("p99 21.90 ms at ")
    assert ": both objectives met. " in line.text
    assert line.text.endswith("The generator was fine.")
    assert load_headline(load_result(objectives=(MET, MISSED))).style == "worse"
    assert load_headline(load_result(objectives=(UNDECIDED,))).style == "inconclusive"


def test_the_load_of_a_saturated_generator_says_so_in_the_first_line() -> None:
    generator = {"processes": 1, "verdict": "saturated", "reason": "it used 99% of a core"}
    line = load_headline(load_result(objectives=(NOT_JUDGED,), generator=generator))

    assert line.style == "wrong"
    assert "objective 'p50 < 1 ms' not judged. " in line.text
    assert line.text.endswith("The generator was saturated.")


def test_rows_of_a_load_fail_unless_an_objective_speaks_of_it() -> None:
    allowed = judge(parse_objective("errors < 1 %"), Measured(0.001, 0.0005, 0.002))
    unspoken = cases(load_document(load_result(operations=(with_failures(errors=1),))))
    spoken = cases(load_document(load_result(operations=(with_failures(errors=1),), objectives=(allowed,))))
    other = cases(load_document(load_result(operations=(with_failures(timeouts=1),), objectives=(allowed,))))

    assert [type(outcome) for outcome in unspoken["say"].result] == [Failure]
    assert spoken["say"].result == []
    assert [type(outcome) for outcome in other["say"].result] == [Failure]


def test_markdown_shows_objectives_as_they_are_typed() -> None:
    shown = markdown.render(load_document(load_result(objectives=(MISSED,))))

    assert "| say: p99 &lt; 20 ms | 21.90 ms | 20.10 to 25.00 ms | **missed** |" in shown


@pytest.mark.parametrize(("timeouts", "said"), [(1, "say: 1 timeout"), (2, "say: 2 timeouts")])
def test_failures_of_which_no_objective_speaks_are_counted_in_words(timeouts: int, said: str) -> None:
    assert list(unspoken_failures(load_result(operations=(with_failures(timeouts=timeouts),)))) == [said]
