"""The service's log on the axis of a run: few lines all, of many those with trouble."""

from bench.report.load_charts.log_events import MarkedLines, marked_lines
from bench.results.service_log import LogLine, ServiceLog
from tests.support.example_loads import open_load


def marked(*written: tuple[float, str], left_out: int = 0) -> MarkedLines:
    """Return the marks of what was written in a run of 20 seconds."""
    lines = tuple(LogLine(t=t, text=text) for t, text in written)
    log = ServiceLog(lines=len(lines) + left_out, left_out=left_out, first=lines)
    return marked_lines(open_load().model_copy(update={"service_log": log}))


def test_without_a_log_there_is_no_mark() -> None:
    assert marked_lines(open_load()) == MarkedLines()


def test_few_lines_are_all_marked() -> None:
    found = marked((0, "INFO ready"), (5, "ERROR <b>"), (10, "x" * 80))
    assert [(event.x, event.text, event.role) for event in found.events] == [
        (0, "service: INFO ready", "faint"),
        (5, "service: ERROR <b>", "bad"),
        (10, f"service: {'x' * 39}…", "faint"),
    ]
    assert found.remark == "What the service wrote is marked at its time."


def test_of_many_lines_those_with_trouble_are_marked() -> None:
    lines = [*((t / 10, "INFO: ok") for t in range(200)), (3, "ValueError: 7"), (12, "WARNING: slow")]
    found = marked(*sorted(lines), left_out=100)
    assert [(event.x, event.role) for event in found.events] == [(3, "bad"), (12, "warning")]
    assert found.remark.startswith("2 of the 302 lines that the service wrote are marked")


def test_lines_beside_each_other_share_a_mark_with_the_worst() -> None:
    found = marked((4.0, "WARNING: slow"), (4.1, "Traceback (most recent call last):"), (4.2, "ValueError: 7"))
    assert [(event.x, event.text, event.role) for event in found.events] == [
        (4.0, "service: Traceback (most recent call last): (+ 2)", "bad")
    ]
    many = marked(*((t / 10, "ERROR") for t in range(200)))
    assert len(many.events) == 10


def test_harmless_lines_are_not_marked() -> None:
    found = marked(*((t / 2, "INFO: connection open") for t in range(40)))
    assert found.events == ()
    assert found.remark.startswith("None of the 40 lines that the service wrote is marked")
