"""The parts that commands share: exit codes, options, errors, and the order of showing and keeping."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.printable import printable
from bench.project_settings import results_folder
from bench.results.errors import ResultError
from bench.results.option_files import UNWRITABLE as UNWRITABLE  # part of what this module offers
from bench.results.option_files import check_option_file
from bench.results.option_files import write_option as write_option

if TYPE_CHECKING:
    from rich.console import Console

    from bench.report.document import Document
from bench.results.labels import LABEL_HELP, NOTE_HELP, LabelError, labels_in, labels_of, note_of

#: The exit code of a failed run or check.
FAILED = 1
#: The exit code of misuse.
MISUSE = 2
#: The exit code of a run that missed an objective.
MISSED = 3
#: The exit code where the reader stopped reading: 128 + SIGPIPE.
BROKEN_PIPE = 141


def _results_folder(context: typer.Context, parameter: typer.CallbackParam, value: Path) -> Path:
    """Return the folder that the user gave, else the folder that the project says. Raises ProjectSettingsError."""
    source = context.get_parameter_source(str(parameter.name))
    return results_folder(None if source is not None and source.name == "DEFAULT" else value)


ResultsFolder = Annotated[
    Path,
    typer.Option(
        "--results",
        metavar="DIR",
        callback=_results_folder,
        help="The folder of all results.",
    ),
]


#: The labels and the note of a command's result. `given_words` reads them.
Label = Annotated[
    list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help=f"{LABEL_HELP[0].upper()}{LABEL_HELP[1:]}.")
]
NoteText = Annotated[str | None, typer.Option("--note", metavar="TEXT", help=f"{NOTE_HELP[0].upper()}{NOTE_HELP[1:]}.")]

#: The labels that results must have in order to be shown. `wanted_labels` reads them.
WantedLabel = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="NAME=VALUE", help="Only results that have this label; can be repeated."),
]

#: The file that `--json` names; `-` is the standard output, which then has nothing else.
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write it as JSON; - is the standard output, alone.")
]

#: The file of a page that a run writes beside its result.
ReportFile = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write it as a page, too: one file for a browser, without network."),
]

#: The file that `--junit` names.
JunitFile = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write it as JUnit's test cases, for a CI system.")
]

_STDOUT = Path("-")


def given_words(label: list[str] | None, note: str | None) -> dict[str, object]:
    """Return the labels and the note as fields of a result. Raises ResultError, and ProjectSettingsError."""
    try:
        return {"labels": labels_of(label or (), Path.cwd()), "note": note_of(note)}
    except LabelError as error:
        raise ResultError(str(error)) from None


def wanted_labels(label: list[str] | None) -> dict[str, str]:
    """Return the labels that results must have in order to be shown. Raises ResultError."""
    try:
        return labels_in(label or ())
    except LabelError as error:
        raise ResultError(str(error)) from None


def show_and_keep(show: Callable[[], None], *keep: Callable[[], None]) -> bool:
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
        fail(str(failure), FAILED)
    return not failures


def _note_failure(store: Callable[[], None], failures: list[ResultError]) -> None:
    try:
        store()
    except ResultError as error:
        failures.append(error)


def is_stdout(file: Path | None) -> bool:
    """Return true if an option says `-` in place of a file: nothing else goes to the standard output then."""
    return file == _STDOUT


def check_json_folder(file: Path | None) -> None:
    """Raise ResultError if `--json` names a folder, or a file in no folder that is there."""
    if not is_stdout(file):
        check_option_file("--json", file)


def write_json(file: Path | None, data: bytes) -> None:
    """Write what `--json` asks for, if it was given. Raises ResultError as `write_option`, OSError of the output."""
    if is_stdout(file):
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    elif file is not None:
        write_option("--json", file, data)


def write_report(file: Path | None, document: "Document") -> None:
    """Write what `--report` asks for, if it was given. Raises ResultError as `write_option`."""
    if file is not None:
        from bench.report.page.writing import REPORT, write_page  # late: most commands write none

        write_page(REPORT, file, [document])


def write_junit(file: Path | None, document: "Document") -> None:
    """Write what `--junit` asks for, if it was given. Raises ResultError as `write_option`."""
    if file is not None:
        from bench.report.formats import junit  # late: most commands write none

        write_option("--junit", file, junit.render(document).encode())


def print_page(console: "Console", stored: Path, report: Path | None) -> None:
    """Print where the page of a stored result is, or the command that makes it."""
    from bench.report.lines import print_line
    from bench.report.next_command import Place, page_line

    print_line(console, printable(page_line(stored, report, Place.here())))


def fail(message: str, code: int) -> int:
    """Print an error in one line and return the exit code."""
    line = " ".join(message.split())
    with contextlib.suppress(OSError):  # nobody else can be told
        print(f"bench: error: {printable(line)}", file=sys.stderr)  # noqa: T201
    return code
