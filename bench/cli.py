"""The `bench` command.

Rules of this file: it reads the command line, calls what does the work, and turns what went wrong into one line on
stderr and an exit code: 2 for misuse, 1 for a failed run or check. No measuring, no arithmetic, no layout. It must not
import locust, whose import changes the process (see bench/load).
"""

import contextlib
import errno
import io
import os
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from bench.ab.errors import AbError, AbFailedError
from bench.compare.comparison import compare as compare_results
from bench.compare.model import IncomparableError
from bench.report.chart_formats import CHART_FORMATS
from bench.report.comparison_markdown import comparison_markdown
from bench.report.comparison_table import comparison_table
from bench.report.figures import printable
from bench.report.hlog import hlog as hlog_lines
from bench.report.hlog import intervals_of, write_hlog
from bench.report.trend_table import trend_table
from bench.results.files import write_whole
from bench.results.header import KINDS, Kind
from bench.results.history import all_results, history
from bench.results.load import LoadResult
from bench.results.selection import select
from bench.results.store import DEFAULT_ROOT, NotStoredError, ResultError, Store
from bench.statistics.change_points import SIGNIFICANCE
from bench.timing.histogram import HistogramError
from bench.trend.series import Metric, machine_name, trends

_FAILED = 1
_MISUSE = 2
_INTERRUPTED = 130  # 128 + SIGINT and 128 + SIGPIPE, as a shell reports them
_BROKEN_PIPE = 141

#: The errors that keep a file from being written to the end, and are no misuse.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE, errno.ENXIO)

_TRACEBACK = "BENCH_TRACEBACK"
"""The name of the environment variable with which an internal error is shown with its traceback."""

app = typer.Typer(
    name="bench",
    help="Latency and load results of Socket.IO services. They are made by `pytest bench` and by `locust`.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class _Console(Console):
    """Who reads our output may stop reading, as `head` does."""

    def on_broken_pipe(self) -> None:
        try:
            super().on_broken_pipe()
        except SystemExit:  # with 1, which is a failed check
            raise SystemExit(_BROKEN_PIPE) from None


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bench {version('socketio-bench')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
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
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write it as JSON.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as Markdown, for a pull request.")
    ] = None,
    chart: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw both distributions: .html (needs no network), .svg or .png."),
    ] = None,
    results: Annotated[Path, typer.Option("--results", metavar="DIR", help="Where results are stored.")] = DEFAULT_ROOT,
) -> int:
    """Compare stored results; exit code 1 if NEW is slower.

    Latency is compared as ratios to the control that was timed beside it, load run by run. The exit code is 1, too, if
    a load fails where it did not before, and 2 if the comparison would be void.

    OLD and NEW are each a file; or, of this machine's results, a number (12), a commit (the newest result of it) by its
    id or as git knows it (HEAD~1, a branch, a tag), `latest`, `latest~1` and so on; or a pattern in quotes, of files or
    numbers ('1?'), which means all that match. Before these, `latency/` or `load/` says which kind is meant.
    """
    if chart is not None and chart.suffix not in CHART_FORMATS:
        raise ResultError(f"--chart {chart}: its name has to end in {', '.join(CHART_FORMATS)}")
    for option, path in (("--json", json_file), ("--markdown", markdown), ("--chart", chart)):
        if path is not None and not path.absolute().parent.is_dir():
            raise ResultError(f"{option} {path}: there is no such folder")
    sides = select(Store(results), old, new, last)
    comparison = compare_results(*sides, threshold=threshold / 100, force=force, wanted=last)
    comparison_table(comparison, _Console())
    if json_file is not None:
        _write("--json", json_file, comparison.to_json())
    if markdown is not None:
        _write("--markdown", markdown, comparison_markdown(comparison).encode())
    if chart is not None:
        from bench.report.overlay_chart import overlay_chart  # late: what draws takes a second to import

        try:
            drawn = overlay_chart(comparison, *sides, CHART_FORMATS[chart.suffix])
        except HistogramError as error:
            raise ResultError(str(error)) from None
        except ValueError as error:
            raise ResultError(f"--chart {chart}: {error}") from None
        _write("--chart", chart, drawn)
    return _FAILED if comparison.worse else 0


@app.command()
def ab(
    a: Annotated[str, typer.Argument(metavar="REV_A", help="The revision to compare with.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="REV_B", help="The revision to compare.", show_default=False)],
    service: Annotated[
        str | None, typer.Option("--app", metavar="MODULE:ATTR", help="The ASGI app [app.main:app].")
    ] = None,
    app_dir: Annotated[
        str | None, typer.Option("--app-dir", metavar="DIR", help="A folder that its modules are in, such as src.")
    ] = None,
    event: Annotated[str | None, typer.Option(metavar="EVENT", help="The event to emit [FOO→BAR].")] = None,
    reply: Annotated[
        str | None, typer.Option(metavar="EVENT", help="The event that answers [the acknowledgement].")
    ] = None,
    payload: Annotated[
        str | None, typer.Option(metavar="JSON", help="What is emitted; {token} in it makes each unique.")
    ] = None,
    benchmarks: Annotated[
        str | None, typer.Option(metavar="NAME,…", help="event, acknowledged, event-1kB, event-16kB [all of them].")
    ] = None,
    precision: Annotated[str, typer.Option(metavar="PERCENT", help="Ends at intervals of p50 this narrow.")] = "0.3",
    threshold: Annotated[str, typer.Option(metavar="PERCENT", help="What is slower by more fails.")] = "0.5",
    max_time: Annotated[str, typer.Option(metavar="SECONDS", help="Ends then at the latest.")] = "180",
    env_per_rev: Annotated[
        bool, typer.Option("--env-per-rev", help="Run each revision with the packages that it asks for.")
    ] = False,
    no_awake: Annotated[bool, typer.Option("--no-awake", help="Let the cores halt between messages.")] = False,
    reply_timeout: Annotated[str, typer.Option(metavar="SECONDS", help="How long a reply is awaited.")] = "5",
    pairs: Annotated[
        int | None, typer.Option(metavar="N", help="Pairs of bursts for each benchmark and restart.")
    ] = None,
    burst: Annotated[int | None, typer.Option(metavar="N", help="Round trips in a burst.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as Markdown, for a pull request.")
    ] = None,
    results: Annotated[Path, typer.Option("--results", metavar="DIR", help="Where results are stored.")] = DEFAULT_ROOT,
) -> int:
    """Compare two commits' services, live and in alternation on this machine; exit code 1 if REV_B is slower.

    REV_A and REV_B are commits, branches, tags, HEAD~1 and so on, or WORKTREE for the working tree as it is. Ctrl-C
    gives the answer so far.
    """
    # Late: it imports what measures, which the other commands need not wait for.
    from bench.ab.options import plan
    from bench.ab.progress import AbProgress
    from bench.ab.run import compare_revisions
    from bench.report.ab_markdown import ab_markdown
    from bench.report.ab_table import ab_table
    from bench.report.lines import print_stored

    planned = plan(
        app=service,
        app_directory=app_dir,
        event=event,
        reply=reply,
        payload=payload,
        benchmarks=benchmarks,
        precision=precision,
        threshold=threshold,
        max_time=max_time,
        env_per_rev=env_per_rev,
        awake=not no_awake,
        reply_timeout=reply_timeout,
        pairs=pairs,
        burst=burst,
    )
    if markdown is not None and not markdown.absolute().parent.is_dir():
        raise AbError(f"--markdown {markdown}: there is no such folder")
    with AbProgress(_Console(stderr=True)) as report:
        result = compare_revisions(planned, a, b, Path.cwd(), report)
    console = _Console()

    def write_markdown() -> None:
        if markdown is not None:
            _write("--markdown", markdown, ab_markdown(result).encode())

    kept = _show_and_keep(
        lambda: ab_table(result, console),
        write_markdown,
        lambda: print_stored(console, Store(results).save(result)),
    )
    return 0 if kept and not result.slower else _FAILED


@app.command()
def trend(
    kind: Annotated[
        Kind | None, typer.Argument(metavar="[latency|load]", help="Only results of this kind.", show_default=False)
    ] = None,
    results: Annotated[Path, typer.Option("--results", metavar="DIR", help="Where results are stored.")] = DEFAULT_ROOT,
    machine: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only machines whose name contains it.", show_default=False)
    ] = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Only benchmarks whose name contains it; can be repeated."),
    ] = None,
    metric: Annotated[Metric, typer.Option(help="What to follow; throughput is of load only.")] = "p50",
    raw: Annotated[bool, typer.Option("--raw", help="Times, also where there are ratios to the control.")] = False,
    significance: Annotated[
        float, typer.Option(metavar="P", min=0.0001, max=0.5, help="Share of unchanged series that may show a step.")
    ] = SIGNIFICANCE,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw it as well: .html (needs no network), .svg or .png."),
    ] = None,
) -> None:
    """Print all stored results in commit order, and between which commits their level changed.

    The order is that of the git repository around the working directory. Results of other machines, scenarios or
    settings are never mixed: they are series of their own. A damaged result is named and left out.
    """
    if output is not None and output.suffix not in CHART_FORMATS:
        raise ResultError(f"--output {output}: its name has to end in {', '.join(CHART_FORMATS)}")
    stored = all_results(results, KINDS if kind is None else (kind,), leave_out=_say_left_out)
    found = trends(
        stored,
        metric,
        history({result.commit_info.id for result in stored}),
        raw=raw,
        significance=significance,
        benchmarks=benchmark or (),
        machine=machine,
    )
    if not found.series:
        machines = "; ".join(sorted({machine_name(result.machine_info) for result in stored}))
        asked = [f"a machine {machine!r}"] if machine else []
        asked += [f"a benchmark {name!r}" for name in benchmark or ()]
        wanted = f" of {' or '.join(asked)}" if asked else ""
        raise ResultError(f"no {metric}{wanted} to show in {len(stored)} stored results; they are of {machines}")
    trend_table(found, _Console())
    if output is not None:
        from bench.report.trend_chart import trend_chart  # late: what draws takes a second to import

        _write("--output", output, trend_chart(found, CHART_FORMATS[output.suffix]))
        typer.echo(f"chart in {output}")


@app.command()
def hlog(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="The load result.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Where to write it; else beside the result.")
    ] = None,
    results: Annotated[Path, typer.Option("--results", metavar="DIR", help="Where results are stored.")] = DEFAULT_ROOT,
) -> None:
    """Write a load result's histograms, second by second, as an HdrHistogram interval log.

    RESULT is as in `bench compare`. Every tool that reads that format shows it: HistogramLogAnalyzer, hdrh and others.
    """
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


@app.command()
def accuracy(
    only: Annotated[
        str | None, typer.Option(metavar="NAME,…", help="delay-2ms, stall, lost and so on [all of them].")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A second a scenario: times are shown, and only counts are judged.")
    ] = False,
    without_peers: Annotated[
        bool, typer.Option("--without-peers", help="Leave locust.contrib.socketio and k6 out.")
    ] = False,
    no_awake: Annotated[bool, typer.Option("--no-awake", help="Let the cores halt between messages.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Store it there [DIR/accuracy/…].")
    ] = None,
    results: Annotated[Path, typer.Option("--results", metavar="DIR", help="Where results are stored.")] = DEFAULT_ROOT,
) -> int:
    """Load servers whose truth is known, and print it beside what we report; exit code 1 if a figure is too far off.

    They delay, stall and lose as asked, and count what they did. What locust.contrib.socketio and k6 report of the
    same servers is shown besides.
    """
    from bench.report.lines import print_line, print_stored
    from bench.validation.accuracy.check import check, stored
    from bench.validation.accuracy.measuring import AccuracyFailedError
    from bench.validation.accuracy.scenarios import UnknownScenarioError
    from bench.validation.accuracy.table import accuracy_table

    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise ResultError(f"--json {json_file}: there is no such folder")
    progress = _Console(stderr=True)
    try:
        result = check(
            only.split(",") if only is not None else (),
            quick=quick,
            with_peers=not without_peers,
            keep_awake=not no_awake,
            tell=lambda line: print_line(progress, printable(line), "dim"),
        )
    except UnknownScenarioError as error:
        return _fail(f"--only {only}: {error}", _MISUSE)
    except AccuracyFailedError as error:
        return _fail(str(error), _FAILED)
    console = _Console()
    kept = _show_and_keep(
        lambda: accuracy_table(result, console),
        lambda: print_stored(console, stored(result, results, json_file)),
    )
    return 0 if kept and result.inside else _FAILED


def _show_and_keep(show: Callable[[], None], *keep: Callable[[], None]) -> bool:
    """Show what took minutes to measure, then keep it in each of these ways; return False if any of them failed.

    Each way is tried, whatever became of those before it. So a full disk does not hide the figures, and a closed pipe
    does not lose them.
    """
    failures: list[ResultError] = []
    with contextlib.ExitStack() as stack:
        for store in reversed(keep):
            stack.callback(_note_failure, store, failures)
        show()
    for failure in failures:
        _fail(str(failure), _FAILED)
    return not failures


def _note_failure(store: Callable[[], None], failures: list[ResultError]) -> None:
    try:
        store()
    except ResultError as error:
        failures.append(error)


def _write(option: str, path: Path, data: bytes) -> None:
    try:
        write_whole(path, [data])
    except OSError as error:
        kind = NotStoredError if error.errno in _UNWRITABLE else ResultError
        raise kind(f"{option} {path}: {error.strerror or error}") from None


def _say_left_out(reason: str) -> None:
    print(f"bench: left out: {printable(' '.join(reason.split()))}", file=sys.stderr)  # noqa: T201


def main() -> NoReturn:
    """Run the command line and exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "µ" shows something else, not a traceback
    try:
        code = app(prog_name="bench", standalone_mode=False)
        sys.stdout.flush()  # at this place a full disk is reported in a line
    except typer.TyperException as error:  # the command line is wrong
        code = _fail(f"{error.format_message().rstrip('. ')}; see `bench --help`", _MISUSE)
    except (NotStoredError, AbFailedError) as error:
        code = _fail(str(error), _FAILED)
    except (ResultError, IncomparableError, AbError) as error:
        code = _fail(str(error), _MISUSE)
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except BrokenPipeError:
        code = _BROKEN_PIPE
    except OSError as error:
        code = _fail(_os_error(error), _FAILED)
    except Exception as error:
        code = _internal(error)
    _give_up_what_cannot_be_written()
    sys.exit(code or 0)


def _os_error(error: OSError) -> str:
    """Return what the system refused. If an error has no file and is about writing, stdout is taken for the file."""
    if error.filename is None and error.errno in _UNWRITABLE:
        return f"cannot write to the standard output: {error.strerror}"
    if error.filename is None:
        return f"{error.strerror or error} ({_place(error.__traceback__)}; {_TRACEBACK}=1 shows the traceback)"
    return f"{error.filename}: {error.strerror or error}"


def _internal(error: Exception) -> int:
    """Print one line about an error that nobody foresaw, and so an error of this project; return the exit code."""
    if os.environ.get(_TRACEBACK):
        traceback.print_exception(error)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    place = _place(error.__traceback__)
    return _fail(f"internal error: {text} ({place}); {_TRACEBACK}=1 in the environment shows the traceback", _FAILED)


def _place(raised: TracebackType | None) -> str:
    """Return the file and line of ours that an exception passed last, and where it was raised if that differs."""
    frames = traceback.extract_tb(raised)
    own = [
        frame
        for frame in frames
        if f"{os.sep}bench{os.sep}" in frame.filename and "site-packages" not in frame.filename
    ]
    shown = [f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in (*own[-1:], *frames[-1:])]
    return ", at ".join(dict.fromkeys(shown))


def _give_up_what_cannot_be_written() -> None:
    """Keep Python from writing at its end what could not be written: it would fail again with another message."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _fail(message: str, code: int) -> int:
    line = " ".join(message.split())
    with contextlib.suppress(OSError):  # nobody else can be told
        print(f"bench: error: {printable(line)}", file=sys.stderr)  # noqa: T201
    return code
