"""`bench accuracy`: what is reported of servers whose truth is known."""

from collections.abc import Sequence
from pathlib import Path
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
    check_json_folder,
    fail,
    given_words,
    is_stdout,
    print_page,
    show_and_keep,
    write_json,
    write_report,
)
from bench.printable import printable
from bench.project_settings import DEFAULT_RESULTS
from bench.results.option_files import check_page_file


def accuracy(
    only: Annotated[
        str | None, typer.Option(metavar="NAME,…", help="delay-2ms, stall, lost and so on [all of them].")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A second a scenario: times are shown, and only counts are judged.")
    ] = False,
    wire: Annotated[
        bool, typer.Option("--wire", help="Compare with the packets on the loopback instead, as an observer sees them.")
    ] = False,
    without_peers: Annotated[
        bool, typer.Option("--without-peers", help="Leave locust.contrib.socketio and k6 out.")
    ] = False,
    allow_idle_cores: Annotated[
        bool, typer.Option("--allow-idle-cores", help="Let the cores halt between messages.")
    ] = False,
    no_awake: Annotated[bool, typer.Option("--no-awake", help="An older name of --allow-idle-cores.")] = False,
    process_clock: Annotated[
        bool, typer.Option("--process-clock", help="Time replies as the generator reads them.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Store it there [DIR/accuracy/…]; - is the standard output, as well."
        ),
    ] = None,
    report_file: ReportFile = None,
    label: Label = None,
    note: NoteText = None,
    results: ResultsFolder = DEFAULT_RESULTS,
) -> int:
    """Compare reported figures with servers of known behaviour.

    The servers delay, stall and lose as asked, and count what they did. Figures that locust.contrib.socketio and k6
    report of the same servers stand beside ours. Exit code 1 if a figure of ours is too far off.

    With --wire, a process captures the packets of an echo server. Each round trip's times are compared with these, of
    ours and of every other tool. It needs the right to capture, and is skipped without.
    """
    need_checkout("bench accuracy")
    if wire and process_clock:
        return fail("--process-clock: --wire observes both clocks", MISUSE)
    words = given_words(label, note)
    if wire:
        return _wire(
            tuple(only.split(",")) if only is not None else (),
            quick=quick,
            with_peers=not without_peers,
            keep_awake=not (allow_idle_cores or no_awake),
            json_file=json_file,
            report_file=report_file,
            words=words,
            results=results,
        )
    from bench.commands.console import Console
    from bench.report.formats.text import print_document
    from bench.report.lines import print_line, print_stored
    from bench.validation.accuracy.check import check, stored
    from bench.validation.accuracy.document import accuracy_document
    from bench.validation.accuracy.measuring import AccuracyFailedError
    from bench.validation.accuracy.scenarios import UnknownScenarioError
    from bench.wire.clock_option import take_process_clock

    check_json_folder(json_file)
    check_page_file("--report", report_file)
    progress = Console(stderr=True)
    if process_clock:
        take_process_clock()
    try:
        result = check(
            only.split(",") if only is not None else (),
            quick=quick,
            with_peers=not without_peers,
            keep_awake=not (allow_idle_cores or no_awake),
            tell=lambda line: print_line(progress, printable(line), "dim"),
        ).model_copy(update=words)
    except UnknownScenarioError as error:
        return fail(f"--only {only}: {error}", MISUSE)
    except AccuracyFailedError as error:
        return fail(str(error), FAILED)
    console, is_printed = Console(stderr=is_stdout(json_file)), is_stdout(json_file)
    document = accuracy_document(result)

    def store() -> None:
        path = stored(result, results, None if is_printed else json_file)
        print_stored(console, path)
        print_page(console, path, report_file)

    kept = show_and_keep(
        lambda: print_document(document, console),
        lambda: write_json(json_file if is_printed else None, result.to_json()),
        store,
        lambda: write_report(report_file, document),
    )
    return 0 if kept and result.inside else FAILED


def _wire(
    only: Sequence[str],
    *,
    quick: bool,
    with_peers: bool,
    keep_awake: bool,
    json_file: Path | None,
    report_file: Path | None,
    words: dict[str, object],
    results: Path,
) -> int:
    """Have an observer watch the tools of these names, all for none; return the exit code."""
    from bench.commands.console import Console
    from bench.report.formats.text import print_document
    from bench.report.lines import print_line, print_stored
    from bench.validation.storing import stored_as
    from bench.validation.wire.check import WireFailedError, check
    from bench.validation.wire.document import wire_document
    from bench.validation.wire.ring import capture_reason
    from bench.validation.wire.tools import chosen

    check_json_folder(json_file)
    check_page_file("--report", report_file)
    try:
        tools = chosen(only, with_peers)
    except ValueError as error:
        return fail(f"--only {error}", MISUSE)
    progress = Console(stderr=True)
    if reason := capture_reason():
        print_line(progress, f"skipped: {reason}", "yellow")
        return 0
    try:
        result = check(
            tools, quick=quick, keep_awake=keep_awake, tell=lambda line: print_line(progress, printable(line), "dim")
        ).model_copy(update=words)
    except WireFailedError as error:
        return fail(str(error), FAILED)
    console, is_printed = Console(stderr=is_stdout(json_file)), is_stdout(json_file)
    document = wire_document(result)

    def store() -> None:
        path = stored_as("wire", result, results, None if is_printed else json_file)
        print_stored(console, path)
        print_page(console, path, report_file)

    kept = show_and_keep(
        lambda: print_document(document, console),
        lambda: write_json(json_file if is_printed else None, result.to_json()),
        store,
        lambda: write_report(report_file, document),
    )
    return 0 if kept and result.tools and result.is_met else FAILED
