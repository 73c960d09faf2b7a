"""`bench list`: the stored results of all kinds, the newest first."""

import datetime as dt
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.output import (
    JsonFile,
    ResultsFolder,
    WantedLabel,
    check_json_folder,
    is_stdout,
    wanted_labels,
    write_json,
)
from bench.commands.show import FOLDERS, why_refused
from bench.printable import printable
from bench.project_settings import DEFAULT_RESULTS
from bench.results.errors import ResultError
from bench.results.labels import in_words

if TYPE_CHECKING:
    from bench.report.listing import Summarise
    from bench.results.listing import ListedHeader

#: The number of results that are shown, if the user does not say it.
_LAST = 20


def list(
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help=f"Only results of this kind: {', '.join(FOLDERS)}.")
    ] = None,
    label: WantedLabel = None,
    last: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help=f"Only the newest N [{_LAST}; in JSON all].", show_default=False),
    ] = None,
    json_file: JsonFile = None,
    results: ResultsFolder = DEFAULT_RESULTS,
) -> None:
    """List the stored results, the newest first.

    Each row has the name by which other commands take the result, as in `bench show load/12`. A damaged file is named
    and left out. Of the results, those of this machine are listed.
    """
    # Late: it takes long, and the help need not wait for it.
    from bench.commands.console import Console
    from bench.report.formats.text import print_document
    from bench.report.listing import list_document, list_file
    from bench.results.listing import other_machines, stored_results

    if kind is not None and kind not in FOLDERS:
        raise ResultError(f"--kind {kind}: there is no such kind, only {', '.join(FOLDERS)}")
    check_json_folder(json_file)
    wanted, kinds = wanted_labels(label), FOLDERS if kind is None else (kind,)
    models, summaries = _of_checks()
    found = stored_results(results, kinds, _say_left_out, wanted, models)
    if not found:
        which = f" of kind {kind}" if kind is not None else ""
        which += f" with --label {in_words(wanted)}" if wanted else ""
        hint = "" if which else ": make one by `bench load`, `bench latency` or `bench ab`"
        raise ResultError(f"no results{which} of this machine in {results}{hint}")
    if not is_stdout(json_file):
        shown = found[: last or _LAST]
        console = Console()
        print_document(
            list_document(
                shown,
                dt.datetime.now(dt.UTC),
                console.width,
                older=len(found) - len(shown),
                machines=other_machines(results, kinds),
                others=summaries,
            ),
            console,
        )
    write_json(json_file, list_file(found[:last], summaries).to_json())


def _of_checks() -> "tuple[Mapping[str, type[ListedHeader]], Mapping[str, Summarise]]":
    """Return the models of the checks' results, and the way to sum each up."""
    from bench.validation import listing

    return listing.MODELS, listing.SUMMARIES


def _say_left_out(path: Path, reason: str) -> None:
    reason = why_refused(path) or reason  # `bench show` reads all of it
    print(f"bench: left out: {printable(' '.join(reason.split()))}", file=sys.stderr)  # noqa: T201
