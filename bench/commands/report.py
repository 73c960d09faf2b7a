"""`bench report`: stored results as a page for a browser."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.output import ResultsFolder
from bench.commands.show import FOLDERS, document_of, print_pictures
from bench.printable import printable
from bench.project_settings import DEFAULT_RESULTS
from bench.report.picture_files import PICTURES, NamedDocument, picture_formats, write_pictures
from bench.results.errors import ResultError
from bench.results.option_files import check_page_file

if TYPE_CHECKING:
    from bench.report.document import Document
    from bench.report.next_command import Place
    from bench.results.store import StoredFile

#: The format of a page.
PAGE = "html"

#: The file of a page of several results, unless the user names another.
_OF_SEVERAL = Path("report.html")


def report(
    results: Annotated[
        list[str], typer.Argument(metavar="RESULT…", help="The results to show, in this order.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The file of the page [load-12.html of load/12; report.html of several]; of pictures the folder.",
        ),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"{PAGE}; or each chart as a picture: {', '.join(PICTURES)}, or both with a comma.",
        ),
    ] = PAGE,
    folder: ResultsFolder = DEFAULT_RESULTS,
) -> None:
    """Write stored results as a page: one file for a browser.

    The page has all that `bench show` prints, and charts to point at and to zoom in. It needs no network. Several
    results are below each other on one page, and loads beside each other at its top. With `--format svg,png` each chart
    is a picture of its own in a folder.

    RESULT is as in `bench show`: a file, a number, a commit or `latest`, with `latency/`, `load/`, `ab/`, `accuracy/`,
    `wire/` or `peers/` before it where it would not be clear.
    """
    # Late: it takes long, and the help need not wait for it.
    from bench.report.next_command import Place
    from bench.report.page.writing import write_page
    from bench.results.references import Store, file_named
    from bench.results.store import open_file

    pictures = picture_formats(form)
    if not pictures:
        if form != PAGE:
            known = ", ".join((PAGE, *PICTURES))
            raise ResultError(f"--format {form}: there is no such format here, only {known}; bench show has others")
        check_page_file("--output", output)
    store = Store(folder)
    paths = [file_named(store, name, FOLDERS) for name in results]
    files = [open_file(path) for path in paths]
    together = _together(files, Place.here())
    own = _named([document_of(file) for file in files], paths)
    if pictures:
        prefixes = [f"{_file_of(path).stem}-" if len(paths) > 1 else "" for path in paths]
        named = [*map(NamedDocument, together), *map(NamedDocument, own, prefixes)]
        print_pictures(write_pictures(named, pictures, output))
        return
    file = output or (_file_of(paths[0]) if len(paths) == 1 else _OF_SEVERAL)
    check_page_file("--output", file)
    write_page("--output", file, [*together, *own], f"{len(paths)} results")
    typer.echo(printable(f"page in {Place.here().shortened(file)}"))


def _named(documents: "list[Document]", paths: "Sequence[Path]") -> "list[Document]":
    """Return documents of several results with names such as load/3, or with their paths if these are not clear."""
    if len(documents) == 1:
        return documents
    short = [_short_name(path) for path in paths]
    names = short if len(set(short)) == len(set(paths)) else [str(path) for path in paths]
    return [replace(document, name=name) for document, name in zip(documents, names, strict=True)]


def _short_name(result: Path) -> str:
    """Return the name of a result without the place of its folder: load/12, or the name of its file."""
    from bench.results.store import NUMBERED

    number = NUMBERED.fullmatch(result.name)
    kind = result.parent.parent.name
    return result.name if number is None or kind not in FOLDERS else f"{kind}/{int(number['number'])}"


def _together(files: "Sequence[StoredFile]", place: "Place") -> "list[Document]":
    """Return the document of several loads beside each other; none if there are not several."""
    from bench.report.load_charts.several import NamedLoad
    from bench.report.loads import loads_document
    from bench.results.load import LOAD_SCHEMAS, LoadResult

    of_loads = [file for file in files if file.schema in LOAD_SCHEMAS]
    if len(of_loads) < 2:
        return []
    return [
        loads_document(
            [NamedLoad(place.reference(file.path.absolute()), file.as_model(LoadResult)) for file in of_loads]
        )
    ]


def _file_of(result: Path) -> Path:
    """Return the name of the page of a result, in the working directory: load-12.html of the twelfth load."""
    return Path(f"{re.sub('[.]json$', '', _short_name(result)).replace('/', '-')}.html")
