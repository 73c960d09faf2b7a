"""The document of a latency result: the command that measured it."""

import html

from bench.report.latency import latency_document
from bench.report.page.page import page
from bench.results.latency import LatencyResult
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
