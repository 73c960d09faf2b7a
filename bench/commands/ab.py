"""`bench ab`: two commits against each other, live."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.ab.errors import AbFailedError
from bench.commands.connection_options import with_connection_options
from bench.commands.output import (
    JsonFile,
    JunitFile,
    Label,
    NoteText,
    ReportFile,
    ResultsFolder,
    check_json_folder,
    given_words,
    is_stdout,
    print_page,
    show_and_keep,
    write_json,
    write_junit,
    write_option,
    write_report,
)
from bench.objectives.outcome import IfUndecided, exit_code
from bench.project_settings import DEFAULT_RESULTS
from bench.results.option_files import check_option_file, check_page_file
from bench.scenarios.catalogue import AB_BENCHMARKS

_BUILT_IN = ", ".join(benchmark.name for benchmark in AB_BENCHMARKS)


@with_connection_options
def ab(
    a: Annotated[str, typer.Argument(metavar="REV_A", help="The revision to compare with.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="REV_B", help="The revision to compare.", show_default=False)],
    service: Annotated[
        str | None, typer.Option("--app", metavar="MODULE:ATTR", help="The ASGI app [app.main:app].")
    ] = None,
    app_dir: Annotated[
        str | None, typer.Option("--app-dir", metavar="DIR", help="A folder that its modules are in, such as src.")
    ] = None,
    serve: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="The command that starts the service of a revision, on {port}."),
    ] = None,
    prepare: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="What is run before that, once in each revision's folder.")
    ] = None,
    link: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="An ignored file or folder for both; repeatable.")
    ] = None,
    ready_url: Annotated[
        str | None, typer.Option(metavar="URL", help="A path or URL that answers once the service is ready.")
    ] = None,
    start_timeout: Annotated[
        str | None,
        typer.Option(metavar="SECONDS", help="How long a service may take to start [30].", show_default=False),
    ] = None,
    scenarios: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A Python file with the scenarios to compare, for both revisions."),
    ] = None,
    event: Annotated[str | None, typer.Option(metavar="EVENT", help="The event to emit [FOO→BAR].")] = None,
    reply: Annotated[
        list[str] | None,
        typer.Option(metavar="EVENT", help="The event that answers; give it again for each other that may."),
    ] = None,
    payload: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="What is emitted; {token}, {uuid} or {int} in it makes each unique."),
    ] = None,
    args: Annotated[bool, typer.Option("--args", help="The JSON list of --payload is the list of arguments.")] = False,
    benchmarks: Annotated[
        str | None, typer.Option(metavar="NAME,…", help=f"Some of {_BUILT_IN}, or of the file's [all of them].")
    ] = None,
    slo: Annotated[
        list[str] | None,
        typer.Option(metavar="OBJECTIVE", help="What has to hold of REV_B, such as 'p99 < 50 ms'; repeatable."),
    ] = None,
    slo_undecided: Annotated[
        IfUndecided, typer.Option("--slo-undecided", help="What becomes of an objective that is undecided.")
    ] = "warn",
    precision: Annotated[str, typer.Option(metavar="PERCENT", help="Ends at intervals of p50 this narrow.")] = "0.3",
    threshold: Annotated[str, typer.Option(metavar="PERCENT", help="What is slower by more fails.")] = "0.5",
    max_time: Annotated[str, typer.Option(metavar="SECONDS", help="Ends then at the latest.")] = "180",
    env_per_rev: Annotated[
        bool, typer.Option("--env-per-rev", help="Run each revision with the packages that it asks for.")
    ] = False,
    allow_idle_cores: Annotated[
        bool, typer.Option("--allow-idle-cores", help="Let the cores halt between messages.")
    ] = False,
    no_awake: Annotated[bool, typer.Option("--no-awake", help="An older name of --allow-idle-cores.")] = False,
    reply_timeout: Annotated[str, typer.Option(metavar="SECONDS", help="How long a reply is awaited.")] = "5",
    process_clock: Annotated[
        bool, typer.Option("--process-clock", help="Time replies as this process reads them.")
    ] = False,
    pairs: Annotated[
        int | None, typer.Option(metavar="N", help="Pairs of bursts for each benchmark and restart.")
    ] = None,
    burst: Annotated[int | None, typer.Option(metavar="N", help="Round trips in a burst.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as Markdown, for a pull request.")
    ] = None,
    json_file: JsonFile = None,
    junit_file: JunitFile = None,
    report_file: ReportFile = None,
    label: Label = None,
    note: NoteText = None,
    results: ResultsFolder = DEFAULT_RESULTS,
    *,
    connection: dict[str, Any],
) -> int:
    """Compare two commits live; exit code 1 if REV_B is slower, 3 if it misses an objective.

    The services of both commits run on this machine at the same time, and are measured in alternation.
    REV_A and REV_B are commits, branches, tags, HEAD~1 and so on, or WORKTREE for the working tree as it is. Ctrl-C
    gives the answer so far. With --serve, --prepare or --link, WORKTREE is a copy of the working tree.
    """
    # Late: it imports what measures, which the other commands need not wait for.
    from bench.ab.options import plan
    from bench.ab.progress import AbProgress
    from bench.ab.run import compare_revisions
    from bench.commands.console import Console
    from bench.report.ab import ab_document, failed_ab_document
    from bench.report.formats import markdown as markdown_format
    from bench.report.formats.text import print_document
    from bench.report.lines import print_stored
    from bench.results.references import Store
    from bench.results.typed_command import typed_bench_command
    from bench.wire.clock_option import take_process_clock

    planned = plan(
        app=service,
        app_directory=app_dir,
        scenarios=scenarios,
        event=event,
        reply=reply,
        payload=payload,
        args=args,
        connection=connection,
        benchmarks=benchmarks,
        precision=precision,
        threshold=threshold,
        max_time=max_time,
        env_per_rev=env_per_rev,
        awake=not (allow_idle_cores or no_awake),
        reply_timeout=reply_timeout,
        pairs=pairs,
        burst=burst,
        serve=serve,
        ready_url=ready_url,
        start_timeout=start_timeout,
        prepare=prepare,
        links=link or (),
        slo=slo or (),
        results=results,
    )
    check_option_file("--markdown", markdown)
    check_json_folder(json_file)
    check_option_file("--junit", junit_file)
    check_page_file("--report", report_file)
    words = given_words(label, note)
    if process_clock:
        take_process_clock()
    try:
        with AbProgress(Console(stderr=True)) as report:
            result = compare_revisions(planned, a, b, Path.cwd(), report)
    except AbFailedError as error:
        failed = failed_ab_document(a, b, str(error), typed_bench_command(planned.hide))
        show_and_keep(lambda: None, lambda: write_junit(junit_file, failed), lambda: write_report(report_file, failed))
        raise
    result = result.model_copy(update=words | {"command": typed_bench_command(planned.hide)})
    console, document = Console(stderr=is_stdout(json_file)), ab_document(result)

    def write_markdown() -> None:
        if markdown is not None:
            write_option("--markdown", markdown, markdown_format.render(document).encode())

    def store() -> None:
        path = Store(results).save(result)
        print_stored(console, path)
        print_page(console, path, report_file)

    kept = show_and_keep(
        lambda: print_document(document, console),
        write_markdown,
        lambda: write_json(json_file, result.to_json()),
        lambda: write_junit(junit_file, document),
        store,
        lambda: write_report(report_file, document),
    )
    return exit_code(
        result.objectives,
        has_failed=not kept,
        has_other_failures=bool(result.slower),
        if_undecided=slo_undecided,
    )
