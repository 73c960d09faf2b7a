"""`bench compare`: stored results against each other."""

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.output import (
    FAILED,
    JsonFile,
    ReportFile,
    ResultsFolder,
    check_json_folder,
    is_stdout,
    write_json,
    write_option,
    write_report,
)
from bench.project_settings import DEFAULT_RESULTS
from bench.report.chart_formats import chart_format
from bench.results.errors import ResultError
from bench.results.option_files import check_option_file, check_page_file


def compare(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The result to compare with.", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The result to compare.", show_default=False)],
    last: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The newest N results of OLD's commit, and of NEW's.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(metavar="PERCENT", min=0, max=100, help="What is slower by more fails.")
    ] = 0.5,
    force: Annotated[bool, typer.Option("--force", help="Compare although it is void; verdicts say so.")] = False,
    json_file: JsonFile = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as Markdown, for a pull request.")
    ] = None,
    chart: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw both distributions: .html (needs no network), .svg or .png."),
    ] = None,
    report_file: ReportFile = None,
    results: ResultsFolder = DEFAULT_RESULTS,
) -> int:
    """Compare stored results; exit code 1 if NEW is slower.

    Latency is compared as ratios to the control that was timed beside it, load run by run. The exit code is 1, too, if
    a load fails where it did not before, and 2 if the comparison would be void.

    OLD and NEW are each a file; or, of this machine's results, a number (12), a commit (the newest result of it) by its
    id or as git knows it (HEAD~1, a branch, a tag), `latest`, `latest~1` and so on; or a pattern in quotes, of files or
    numbers ('1?'), which means all that match. Before these, `latency/` or `load/` says which kind is meant.
    """
    # Late: it takes long, and the help need not wait for it.
    from bench.commands.console import Console
    from bench.compare.comparison import compare as compare_results
    from bench.report.comparison import comparison_document
    from bench.report.comparison_charts import DISTRIBUTION
    from bench.report.formats import markdown as markdown_format
    from bench.report.formats.text import print_document
    from bench.results.references import Store, select
    from bench.results.typed_command import typed_bench_command

    form = None if chart is None else chart_format("--chart", chart)
    check_json_folder(json_file)
    check_page_file("--report", report_file)
    for option, path in (("--markdown", markdown), ("--chart", chart)):
        check_option_file(option, path)
    sides = select(Store(results), old, new, last)
    comparison = compare_results(*sides, threshold=threshold / 100, force=force, wanted=last)
    document = comparison_document(comparison)
    if not is_stdout(json_file):
        print_document(document, Console())
    write_json(json_file, comparison.to_json())
    if markdown is not None:
        write_option("--markdown", markdown, markdown_format.render(document).encode())
    if report_file is not None or chart is not None:
        from bench.timing.histogram import HistogramError

        try:
            document = comparison_document(comparison, *sides, command=typed_bench_command())
        except HistogramError as error:
            raise ResultError(str(error)) from None
    write_report(report_file, document)
    if chart is not None and form is not None:
        from bench.report.chart_file import chart_file  # late: it needs the extra `charts`

        if not any(each.name.startswith(DISTRIBUTION) for each in document.charts):
            raise ResultError(f"--chart {chart}: no benchmark has its distribution stored on both sides")
        write_option("--chart", chart, chart_file(document, form))
    return FAILED if comparison.worse else 0
