"""A load whose service was lost says so first, in every format, and escapes the words of the service."""

from xml.etree import ElementTree

from bench.report.formats import junit, markdown
from bench.report.load import load_document
from bench.report.load_charts.several import NamedLoad
from bench.report.loads import loads_document
from bench.report.page.page import page
from bench.results.service_loss import ServiceLoss
from bench.results.steadiness import RunTest
from tests.support.example_results import load_result

DEATH = ServiceLoss.of_process(4.2, -9, "<script>alert('out of *memory*')</script>")
LOST = load_result(service_loss=DEATH, command="locust --rate 5")
TEXT = "the service died at second 4.2 of the run: SIGKILL"


def test_the_page_begins_with_it() -> None:
    text = page([load_document(LOST)])
    answer = text.partition("<h1")[2].partition("</h1>")[0]
    assert "the service died at second 4.2 (SIGKILL); " in answer
    banner = text.partition('class="banner wrong"')[2]
    first = banner.partition("<li>")[2].partition("</li>")[0]
    assert f"{TEXT}; it wrote last: &lt;script&gt;alert(" in first
    assert "<script>alert(" not in text


def test_markdown_has_it_with_its_last_words_escaped() -> None:
    text = markdown.render(load_document(LOST))
    assert TEXT in text
    assert "<script>alert(" not in text
    assert "*memory*" not in text.replace(r"\*memory\*", "")


def test_a_ci_shows_it_as_an_error_of_the_result_with_and_without_objectives() -> None:
    cases = ElementTree.fromstring(junit.render(load_document(LOST)).encode()).iter("testcase")
    (fault,) = [case.find("error") for case in cases if case.get("name") == "the result"]
    assert fault is not None
    assert fault.get("message") == f"{TEXT}; it wrote last: {DEATH.wrote_last}"


def test_it_is_a_line_of_its_own_among_several_loads() -> None:
    (first, *_) = loads_document([NamedLoad("load/1", LOST), NamedLoad("load/2", load_result())]).notes
    assert (first.text, first.style) == (f"load/1: {TEXT}", "wrong")


def test_what_the_failures_did_to_the_load_is_no_advice() -> None:
    failed = RunTest(name="arrivals", passed=False, meaning="give more --users")
    whole, lost = (load_document(load_result(tests=(failed,), service_loss=loss)) for loss in (None, DEATH))
    assert "give more --users" in [note.text for note in whole.notes]
    assert "give more --users" not in [note.text for note in lost.notes]
