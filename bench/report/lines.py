"""Putting lines and aligned columns on a console without ever cutting or wrapping them.

Rules of this file: layout only, it knows nothing of results. A console says how wide it is, and a caller may choose by
that what to print. But a line is printed whole, because a cut number is a wrong number and a wrapped path is no path.
No threads, no live display: this runs inside Locust's process too.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from bench.printable import printable

_GAP = "  "


def print_line(console: Console, text: str, style: str = "") -> None:
    """Print a line as it is: no markup, no wrapping."""
    console.print(Text(text, style=style), soft_wrap=True)


def print_lines(console: Console, lines: Iterable[str]) -> None:
    """Print lines as they are."""
    for line in lines:
        print_line(console, line)


def print_stored(console: Console, path: Path | None) -> None:
    """Print the last line below figures: where they are stored. The run tries to store them after they were printed."""
    print_line(console, "not stored" if path is None else f"stored in {printable(str(path))}")


def widths(rows: Iterable[Sequence[str]]) -> list[int]:
    """Return the width that each column needs for the widest of its cells."""
    return [max(map(cell_len, column)) for column in zip(*rows, strict=True)]


def total_width(column_widths: Sequence[int]) -> int:
    """Return the width of columns of these widths side by side."""
    return sum(column_widths) + len(_GAP) * (len(column_widths) - 1)


def aligned(cells: Sequence[str], column_widths: Sequence[int], is_left: Sequence[bool]) -> str:
    """Return a row of cells, each on the left or the right of its column."""
    spaces = [" " * (width - cell_len(cell)) for cell, width in zip(cells, column_widths, strict=True)]
    parts = zip(cells, spaces, is_left, strict=True)
    return _GAP.join(cell + space if left else space + cell for cell, space, left in parts).rstrip()


def print_table(console: Console, rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose first row is its heading: its first column on the left, the others on the right."""
    column_widths = widths(rows)
    is_left = [True, *[False] * (len(column_widths) - 1)]
    for number, row in enumerate(rows):
        print_line(console, aligned(row, column_widths, is_left), "" if number else "bold")
