"""`bench show`: a stored result of any kind, printed again."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bench.commands.output import ResultsFolder, check_json_folder, is_stdout, write_json, write_option
from bench.printable import printable
from bench.project_settings import DEFAULT_RESULTS
from bench.report.document import Document
from bench.report.formats import TEXT, formats, render
from bench.report.picture_files import PICTURES, NamedDocument, picture_formats, write_pictures
from bench.results.errors import ResultError
from bench.results.forms import refused
from bench.results.option_files import check_option_file, check_page_file

#: The folders of stored results, by kind. A comparison of stored results has none: it is a file that the user named.
FOLDERS = ("latency", "load", "ab", "accuracy", "wire", "peers")

if TYPE_CHECKING:
    from pydantic import BaseModel

    from bench.results.store import StoredFile
    from bench.trend.model import TrendFile

M = TypeVar("M", bound="BaseModel")


def show(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="The result to show.", show_default=False)],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"{', '.join(formats())}; or each chart as a picture: {', '.join(PICTURES)}, or both with a comma.",
        ),
    ] = TEXT,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FILE", help="Write it there, instead of printing it; of pictures this is the folder."
        ),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write it as it is stored; - is the standard output, which has nothing else."
        ),
    ] = None,
    results: ResultsFolder = DEFAULT_RESULTS,
) -> None:
    """Print any stored result again.

    RESULT is as in `bench compare`: a file, a number, a commit or `latest`, with `latency/`, `load/`, `ab/`,
    `accuracy/`, `wire/` or `peers/` before it where it would not be clear.
    It also shows a file of `bench compare --json` or `bench trend --json`.
    """
    # Late: it takes long, and the help need not wait for it.
    from bench.results.references import Store, file_named
    from bench.results.store import open_file

    pictures = picture_formats(form)
    if not pictures and form not in formats():
        known = ", ".join((*formats(), *PICTURES))
        raise ResultError(f"--format {form}: there is no such format, only {known}")
    if form == "html":
        check_page_file("--output", output)
    elif output is None or not pictures:
        check_option_file("--output", output)
    elif not output.absolute().parent.is_dir():
        raise ResultError(f"--output {output}: there is no such folder")
    check_json_folder(json_file)
    file = open_file(file_named(Store(results), result, FOLDERS))
    document = document_of(file)
    if json_file is not None:
        write_json(json_file, file.text.encode())
    if pictures:
        print_pictures(write_pictures([NamedDocument(document)], pictures, output), quiet=is_stdout(json_file))
    elif output is not None:
        write_option("--output", output, render(document, form).encode())
    elif is_stdout(json_file):
        pass
    elif form == TEXT:
        from bench.commands.console import Console
        from bench.report.formats.text import print_document

        print_document(document, Console())  # it knows the terminal's width and colours
    else:
        typer.echo(render(document, form), nl=False)


def print_pictures(files: Sequence[Path], *, quiet: bool = False) -> None:
    """Print how many pictures were written, and their names."""
    from bench.report.formatting import counted  # late: it takes long, and the help need not wait for it

    names = ", ".join(file.name for file in files)
    typer.echo(printable(f"{counted(len(files), 'picture')} in {files[0].parent}: {names}"), err=quiet)


def why_refused(path: Path) -> str | None:
    """Return the line with which this command refuses a file; None if it shows it."""
    from bench.results.store import open_file

    try:
        document_of(open_file(path))
    except ResultError as error:
        return str(error)
    return None


def document_of(file: "StoredFile") -> Document:
    """Return the document of a stored file, of the kind that its schema says. Raises ResultError, in one line."""
    builders = _builders()
    if file.schema is None:
        raise ResultError(f"{file.path}: not a result: it names no schema, and is not pytest-benchmark's JSON")
    if file.schema not in builders:
        raise ResultError(refused(file.path, file.content["schema"], builders))
    return builders[file.schema](file)


def _builders() -> "dict[str, Callable[[StoredFile], Document]]":
    """Return the way from a file to its document, by schema."""
    # Late: not all of them are needed by the other commands.
    from bench.compare.model import COMPARISON_SCHEMA, Comparison
    from bench.report.ab import ab_document
    from bench.report.comparison import comparison_document
    from bench.report.latency import latency_document
    from bench.report.load import load_document
    from bench.results.ab import AB_SCHEMAS, AbResult
    from bench.results.latency import LatencyResult
    from bench.results.load import LOAD_SCHEMAS, LoadResult
    from bench.results.store import LATENCY_SCHEMA
    from bench.trend.model import TREND_SCHEMA, TrendFile
    from bench.validation.accuracy.document import accuracy_document
    from bench.validation.accuracy.model import ACCURACY_SCHEMA, Accuracy
    from bench.validation.peers.document import peers_document
    from bench.validation.peers.model import PEERS_SCHEMA, Peers
    from bench.validation.wire.document import wire_document
    from bench.validation.wire.model import WIRE_SCHEMA, Wire

    return {
        LATENCY_SCHEMA: _builder(LatencyResult, latency_document),
        **dict.fromkeys(LOAD_SCHEMAS, _builder(LoadResult, load_document)),
        **dict.fromkeys(AB_SCHEMAS, _builder(AbResult, ab_document)),
        TREND_SCHEMA: _builder(TrendFile, _trend_document),
        COMPARISON_SCHEMA: _builder(Comparison, comparison_document),
        ACCURACY_SCHEMA: _builder(Accuracy, accuracy_document),
        PEERS_SCHEMA: _builder(Peers, peers_document),
        WIRE_SCHEMA: _builder(Wire, wire_document),
    }


def _trend_document(file: "TrendFile") -> Document:
    from bench.report.trend_charts import charted_trend
    from bench.trend.metric import SHOWN

    return charted_trend(file.trends(), SHOWN)


def _builder(model: type[M], build: Callable[[M], Document]) -> "Callable[[StoredFile], Document]":
    def built(file: "StoredFile") -> Document:
        from bench.report.identity import identity
        from bench.results.header import Header
        from bench.results.latency import LatencyResult

        result = file.as_model(model)
        document = build(result)
        return replace(document, identity=identity(result)) if isinstance(result, Header | LatencyResult) else document

    return built
