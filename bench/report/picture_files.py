"""Each chart as a file of its own, named after it: for a README, a slide or an issue.

Rules of this file: what is asked for is looked at before anything is drawn. Drawing needs the extra `charts`, so it is
imported late.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.chart_formats import can_draw
from bench.report.document import Document
from bench.results.errors import ResultError
from bench.results.option_files import write_option

if TYPE_CHECKING:
    from bench.report.drawing.pictures import PictureFormat

#: The formats of pictures.
PICTURES: "tuple[PictureFormat, ...]" = ("svg", "png")

_UNFIT = re.compile("[^a-z0-9]+")


@dataclass(frozen=True)
class NamedDocument:
    """A document, and what the names of its charts' files begin with: nothing, where it is the only one."""

    document: Document
    prefix: str = ""


def picture_formats(form: str) -> "tuple[PictureFormat, ...]":
    """Return the formats of pictures that `--format` names, such as `svg` or `svg,png`; empty if it names none.

    Raises ResultError if it names pictures and something else, or if nothing can be drawn here.
    """
    names = [name.strip() for name in form.split(",")]
    found = tuple(name for name in PICTURES if name in names)
    if not found:
        return ()
    if others := [name for name in names if name not in PICTURES]:
        raise ResultError(
            f"--format {form}: {', '.join(PICTURES)} may stand together, and not with {others[0] or 'nothing'}"
        )
    if not can_draw():
        raise ResultError(f"--format {form}: charts need more packages: pip install 'socketio-bench[charts]'")
    return found


def write_pictures(
    documents: Sequence[NamedDocument], forms: "Sequence[PictureFormat]", folder: Path | None
) -> list[Path]:
    """Write each chart into the folder, which is made if it is not there, and return the files.

    Raises ResultError, or NotStoredError if the disk is full or broken.
    """
    if folder is None:
        raise ResultError(f"--format {','.join(forms)}: say where the pictures go: --output DIR")
    charts = [(named.prefix, chart) for named in documents for chart in named.document.charts]
    if not charts:
        raise ResultError(f"--format {','.join(forms)}: there is no chart to draw: the result has no times to show")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        reason = "that is no folder" if folder.exists() else error.strerror
        raise ResultError(f"--output {folder}: {reason}") from None
    from bench.report.drawing.pictures import picture

    files: list[Path] = []
    for prefix, chart in charts:
        name = _free(f"{prefix}{_UNFIT.sub('-', chart.name.lower()).strip('-') or 'chart'}", files)
        for form in forms:
            path = folder / f"{name}.{form}"
            write_option("--output", path, picture([chart], form))
            files.append(path)
    return files


def _free(name: str, files: Sequence[Path]) -> str:
    """Return the name, or the name with a number if a file of this call has it already."""
    taken = {file.stem for file in files}
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
