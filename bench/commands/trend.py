"""`bench trend`: all stored results in commit order."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.output import (
    JsonFile,
    ReportFile,
    ResultsFolder,
    WantedLabel,
    check_json_folder,
    is_stdout,
    wanted_labels,
    write_json,
    write_option,
    write_report,
)
from bench.printable import printable
from bench.project_settings import DEFAULT_RESULTS
from bench.report.chart_formats import chart_format
from bench.results.errors import ResultError
from bench.results.folder import KINDS, Kind
from bench.results.labels import has_labels, in_words
from bench.results.option_files import check_page_file
from bench.statistics.significance import SIGNIFICANCE
from bench.trend.metric import SHOWN, Metric


def trend(
    kind: Annotated[
        Kind | None, typer.Argument(metavar="[latency|load]", help="Only results of this kind.", show_default=False)
    ] = None,
    results: ResultsFolder = DEFAULT_RESULTS,
    machine: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only machines whose name contains it.", show_default=False)
    ] = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Only benchmarks whose name contains it; can be repeated."),
    ] = None,
    label: WantedLabel = None,
    metric: Annotated[Metric, typer.Option(help="What to follow; throughput is of load only.")] = "p50",
    raw: Annotated[bool, typer.Option("--raw", help="Times, also where there are ratios to the control.")] = False,
    significance: Annotated[
        float, typer.Option(metavar="P", min=0.0001, max=0.5, help="Share of unchanged series that may show a step.")
    ] = SIGNIFICANCE,
    last: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help=f"Show the last N results and the steps [{SHOWN}].", show_default=False),
    ] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Show all results.")] = False,
    json_file: JsonFile = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw it as well: .html (needs no network), .svg or .png."),
    ] = None,
    report_file: ReportFile = None,
) -> None:
    """Show all stored results in commit order, and their steps.

    The order is that of the git repository around the working directory. Results of other machines, scenarios or
    settings are never mixed: they are series of their own. A damaged result is named and left out.
    """
    # Late: it takes long, and the help need not wait for it.
    from bench.commands.console import Console
    from bench.report.formats.text import print_document
    from bench.report.trend import trend_document
    from bench.results.history import all_results, history
    from bench.trend.model import TrendFile
    from bench.trend.series import machine_name, trends

    if all_of_them and last is not None:
        raise ResultError(f"--last {last} and --all: give one of them")
    check_json_folder(json_file)
    check_page_file("--report", report_file)
    wanted = wanted_labels(label)
    drawn = None if output is None else chart_format("--output", output)
    stored = all_results(results, KINDS if kind is None else (kind,), leave_out=_say_left_out)
    labelled = [result for result in stored if has_labels(result.labels, wanted)]
    if not labelled:
        raise ResultError(f"none of {len(stored)} stored results has --label {in_words(wanted)}")
    found = trends(
        labelled,
        metric,
        history({result.commit_info.id for result in labelled}),
        raw=raw,
        significance=significance,
        benchmarks=benchmark or (),
        machine=machine,
    )
    if not found.series:
        machines = "; ".join(sorted({machine_name(result.machine_info) for result in labelled}))
        asked = [f"a machine {machine!r}"] if machine else []
        asked += [f"a benchmark {name!r}" for name in benchmark or ()]
        of = f" of {' or '.join(asked)}" if asked else ""
        raise ResultError(f"no {metric}{of} to show in {len(labelled)} stored results; they are of {machines}")
    shown = None if all_of_them else last or SHOWN
    if not is_stdout(json_file):
        print_document(trend_document(found, shown), Console())
    write_json(json_file, TrendFile.of(found).to_json())
    if report_file is None and output is None:
        return
    from bench.report.trend_charts import charted_trend
    from bench.results.typed_command import typed_bench_command

    document = charted_trend(found, shown, typed_bench_command())
    write_report(report_file, document)
    if output is not None and drawn is not None:
        from bench.report.chart_file import chart_file  # late: it needs the extra `charts`

        write_option("--output", output, chart_file(document, drawn))
        typer.echo(f"chart in {output}", err=is_stdout(json_file))


def _say_left_out(reason: str) -> None:
    print(f"bench: left out: {printable(' '.join(reason.split()))}", file=sys.stderr)  # noqa: T201
