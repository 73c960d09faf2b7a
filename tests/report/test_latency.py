"""The document of a latency result: the command that measured it, and the benchmarks that failed."""

import html
from xml.etree import ElementTree

from bench.report.formats import junit
from bench.report.latency import latency_document
from bench.report.latency_session import session_document
from bench.report.page.page import page
from bench.results.latency import FailedBenchmark, LatencyResult
from tests.support.latency_results import latency_content


def test_the_page_ends_with_the_command_that_measured_which_only_the_first_benchmark_has() -> None:
    content = latency_content()
    assert latency_document(LatencyResult.model_validate(content)).command == "", "an older result has none"
    first, *others = content["benchmarks"]
    measured_by = first | {"extra_info": first["extra_info"] | {"command": "bench latency --note '<b>'"}}
    result = LatencyResult.model_validate(content | {"benchmarks": [measured_by, *others]})
    assert result.command == "bench latency --note '<b>'"
    assert "To measure it again</h2>" in page([latency_document(result)])
    assert f"<code>{html.escape(result.command, quote=False)}</code>" in page([latency_document(result)])


FAILED = {"name": "say[websocket]", "reason": "the server of chat:app ended with exit code 9: <b>boom</b>"}


def test_benchmarks_that_failed_come_before_those_that_were_measured() -> None:
    content = latency_content()
    first, *others = content["benchmarks"]
    told = first | {"extra_info": first["extra_info"] | {"failures": [FAILED]}}
    document = latency_document(LatencyResult.model_validate(content | {"benchmarks": [told, *others]}))
    assert document.headline is not None
    assert document.headline.text.startswith("say[websocket] failed; latency of ")
    assert document.headline.style == "wrong"
    assert document.notes[0].text == f"say[websocket]: {FAILED['reason']}"
    assert "<b>boom" not in page([document])
    suite = ElementTree.fromstring(junit.render(document).encode()).find("testsuite")
    assert suite is not None
    assert suite.get("errors") == "2"
    names = {case.get("name"): case.find("error") for case in suite.iter("testcase")}
    fault = names["say[websocket]"]
    assert fault is not None
    assert fault.get("message") == f"verdict failed: {FAILED['reason']}"
    assert names["the result"] is not None


def test_a_session_in_which_all_failed_is_a_document_too() -> None:
    failures = [FailedBenchmark(name=name, reason="no such table") for name in ("a", "b")]
    document = session_document([], failures)
    assert document.faults == ("2 benchmarks failed",)
    assert [note.text for note in document.notes] == ["a, b: no such table"]
