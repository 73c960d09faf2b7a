"""`bench accuracy`: what is reported of servers whose truth is known."""

from pathlib import Path
from typing import Annotated

import typer

from bench.checkout import need_checkout
from bench.commands.output import (
    FAILED,
    MISUSE,
    ResultsFolder,
    check_json_folder,
    fail,
    is_stdout,
    show_and_keep,
    write_json,
)
from bench.printable import printable
from bench.project_settings import DEFAULT_RESULTS


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
    results: ResultsFolder = DEFAULT_RESULTS,
) -> int:
    """Compare reported figures with servers of known behaviour.

    The servers delay, stall and lose as asked, and count what they did. Figures that locust.contrib.socketio and k6
    report of the same servers stand beside ours. Exit code 1 if a figure of ours is too far off.
    """
    need_checkout("bench accuracy")
    from bench.commands.console import Console
    from bench.report.formats.text import print_document
    from bench.report.lines import print_line, print_stored
    from bench.validation.accuracy.check import check, stored
    from bench.validation.accuracy.document import accuracy_document
    from bench.validation.accuracy.measuring import AccuracyFailedError
    from bench.validation.accuracy.scenarios import UnknownScenarioError
    from bench.wire.clock_option import take_process_clock

    check_json_folder(json_file)
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
        )
    except UnknownScenarioError as error:
        return fail(f"--only {only}: {error}", MISUSE)
    except AccuracyFailedError as error:
        return fail(str(error), FAILED)
    console, is_printed = Console(stderr=is_stdout(json_file)), is_stdout(json_file)
    kept = show_and_keep(
        lambda: print_document(accuracy_document(result), console),
        lambda: write_json(json_file if is_printed else None, result.to_json()),
        lambda: print_stored(console, stored(result, results, None if is_printed else json_file)),
    )
    return 0 if kept and result.inside else FAILED
