"""Several loads beside each other, in tables."""

from bench.report.document import Row
from bench.report.load_charts.several import NamedLoad
from bench.report.loads import loads_document
from bench.results.load import Generator
from tests.support.example_loads import open_load, row
from tests.support.example_results import distribution


def test_each_run_has_a_row_in_each_table() -> None:
    slow = row("say", response_us=distribution(p50=5000.0, p90=9000.0, p99=12_000.0, p99_9=12_345.0))
    loads = [
        NamedLoad("load/3", open_load()),
        NamedLoad(
            "load/4",
            open_load(
                operations=(slow, row("other")),
                generator=Generator(processes=1, verdict="saturated", reason="late"),
            ),
        ),
    ]
    document = loads_document(loads)
    runs, say = document.tables
    assert runs.leads
    assert [line.cells for line in runs.rows if isinstance(line, Row)] == [
        ("load/3", "2026-11-23 11:26:45", "3cf0b59c6de9", "10", "100", "1,000", "0", "ok"),
        ("load/4", "2026-11-23 11:26:45", "3cf0b59c6de9", "10", "100", "2,001", "0", "saturated"),
    ]
    assert [line.style for line in runs.rows if isinstance(line, Row)] == ["plain", "warning"]
    assert say.title == "say, response time"
    assert [line.cells[:3] for line in say.rows if isinstance(line, Row)] == [
        ("load/3", "200.0 µs", "240.0 µs"),
        ("load/4", "5,000 µs", "9,000 µs"),
    ]
    assert document.notes[0].text == "how sure a difference is: bench compare load/3 load/4"
    assert [chart.name for chart in document.charts] == ["runs-by-percentile", "runs-over-time"]


def test_two_files_of_the_same_name_are_still_two_runs() -> None:
    document = loads_document([NamedLoad("a.json", open_load()), NamedLoad("a.json", open_load())])
    assert len(document.tables[0].rows) == 2
