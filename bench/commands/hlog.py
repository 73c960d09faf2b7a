"""`bench hlog`: a load result as an interval log."""

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.output import ResultsFolder
from bench.results.errors import ResultError
from bench.results.folder import DEFAULT_ROOT


def hlog(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="The load result.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Where to write it; else beside the result.")
    ] = None,
    results: ResultsFolder = DEFAULT_ROOT,
) -> None:
    """Write a load result as an HdrHistogram interval log.

    The log has the histograms of each second. RESULT is as in `bench compare`. Every tool that reads that format
    shows it: HistogramLogAnalyzer, hdrh and others.
    """
    # Late: it takes long, and the help need not wait for it.
    from bench.report.hlog import hlog as hlog_lines
    from bench.report.hlog import intervals_of, write_hlog
    from bench.results.load import LoadResult
    from bench.results.references import Store
    from bench.timing.histogram import HistogramError

    stored = Store(results).open(result, "load")
    if not isinstance(stored.result, LoadResult):
        raise ResultError(f"{stored.path} is a latency result, which has no seconds: name a load result")
    path = output or stored.path.with_suffix(".hlog")
    lines = hlog_lines(stored.result.datetime, intervals_of(stored.result), f"bench, from {stored.path.name}")
    try:
        write_hlog(path, lines)
    except HistogramError as error:
        raise ResultError(f"{stored.path}: {error}") from None
    typer.echo(f"wrote {path}")
