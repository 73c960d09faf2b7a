"""The service's log on the axis of a run: few lines all, of many those with trouble."""

from bench.report.load_charts.log_events import MarkedLines, marked_lines
from bench.results.service_log import LogLine, ServiceLog
from tests.support.example_loads import open_load


def marked(*texts: str, left_out: int = 0) -> MarkedLines:
    lines = tuple(LogLine(t=float(t), text=text) for t, text in enumerate(texts))
    log = ServiceLog(lines=len(lines) + left_out, left_out=left_out, first=lines)
    return marked_lines(open_load().model_copy(update={"service_log": log}))


def test_without_a_log_there_is_no_mark() -> None:
    assert marked_lines(open_load()) == MarkedLines()


def test_few_lines_are_all_marked() -> None:
    found = marked("INFO ready", "ERROR <b>", "x" * 80)
    assert [(event.x, event.text, event.role) for event in found.events] == [
        (0, "service: INFO ready", "faint"),
        (1, "service: ERROR <b>", "bad"),
        (2, f"service: {'x' * 49}…", "faint"),
    ]
    assert found.remark == "What the service wrote is marked at its time."


def test_of_many_lines_errors_come_before_warnings() -> None:
    texts = [*["WARNING: slow"] * 20, *["INFO: ok"] * 20, "ValueError: 7", "2026-11-26 CRITICAL out of memory"]
    found = marked(*texts, left_out=100)
    assert [event.role for event in found.events] == ["warning"] * 10 + ["bad"] * 2
    assert [event.x for event in found.events][-2:] == [40, 41]
    assert found.remark.startswith("12 of the 142 lines that the service wrote are marked")


def test_harmless_lines_are_not_marked() -> None:
    found = marked(*["INFO: connection open"] * 40)
    assert found.events == ()
    assert found.remark.startswith("None of the 40 lines that the service wrote is marked")
