"""`bench peers`: other load generators on the same work."""

from typing import Annotated

import typer

from bench.checkout import need_checkout
from bench.commands.output import (
    FAILED,
    MISUSE,
    Label,
    NoteText,
    ReportFile,
    ResultsFolder,
    fail,
    given_words,
    print_page,
    show_and_keep,
    write_report,
)
from bench.project_settings import DEFAULT_RESULTS
from bench.results.option_files import check_page_file


def peers(
    connections: Annotated[str, typer.Option(metavar="N,…", help="The numbers of connections, in turn.")] = "50,1000",
    rounds: Annotated[int, typer.Option(metavar="N", min=1, help="Runs of each generator.")] = 3,
    seconds: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.001, max=86_400, help="The time measured in each run.")
    ] = 5.0,
    warm_up: Annotated[
        float, typer.Option("--warm-up", metavar="SECONDS", min=0.001, max=86_400, help="The time before that.")
    ] = 2.0,
    only: Annotated[
        str | None, typer.Option(metavar="NAME,…", help="Only these, such as ours,node [all of them].")
    ] = None,
    processes: Annotated[int, typer.Option(metavar="N", min=1, help="This project in so many processes as well.")] = 1,
    report_file: ReportFile = None,
    label: Label = None,
    note: NoteText = None,
    results: ResultsFolder = DEFAULT_RESULTS,
) -> int:
    """Compare the CPU time of load generators on the same work.

    The other generators and this project take turns on one core against one echo server. A generator that is not
    installed is left out: see `make peers-tools`. Exit code 1 if nothing could be measured.
    """
    need_checkout("bench peers")
    # Late: it imports what measures, which the other commands need not wait for.
    from bench.commands.console import Console
    from bench.report.formats.text import print_document
    from bench.report.lines import print_line, print_stored
    from bench.results.references import Store
    from bench.results.store import result_name
    from bench.server import ServerError
    from bench.validation.peers.document import peers_document
    from bench.validation.peers.run import chosen, compare_peers

    check_page_file("--report", report_file)
    numbers = connections.split(",")
    if not all(number.isdecimal() and int(number) for number in numbers):
        return fail(f"--connections {connections}: give numbers of connections, such as 50,1000", MISUSE)
    try:
        wanted = chosen(only.split(",") if only else (), processes)
    except ValueError as error:
        return fail(f"--only {error}", MISUSE)
    console, words = Console(), given_words(label, note)
    try:
        result = compare_peers(
            wanted,
            [int(number) for number in numbers],
            rounds=rounds,
            warm_up_s=warm_up,
            measured_s=seconds,
            tell=lambda line: print_line(console, line, "dim"),
        ).model_copy(update=words)
    except ServerError as error:
        return fail(str(error), FAILED)
    print_line(console, "")
    document = peers_document(result)

    def store() -> None:
        path = Store(results).write("peers", result_name(result.commit_info, result.datetime), result.to_json())
        print_stored(console, path)
        print_page(console, path, report_file)

    kept = show_and_keep(
        lambda: print_document(document, console),
        store,
        lambda: write_report(report_file, document),
    )
    return 0 if kept and result.figures else FAILED
