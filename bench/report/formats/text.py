"""Documents as plain text, for a terminal or a file in its place.

Rules of this file: nothing is ever cut or wrapped. The answer comes below the tables, where a terminal ends, or before
them if the document says so. Names are on the left, all else is on the right of its column, so that figures stand below
each other. A table that is too wide has its longest names on lines of their own, or else its columns in several parts.
No threads, no live display: this runs inside Locust's process too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.cells import cell_len
from rich.console import Console

from bench.printable import printable
from bench.report.document import Break, Document, Line, Row, Style, Table
from bench.report.lines import aligned, print_line, total_width, widths
from bench.report.shapes import shape_lines

_INDENT = "  "

#: The width of a text that is laid out for no terminal in particular.
_WIDTH = 80

#: The least room for the names of rows, in columns. With less, the figures go into several parts.
_LEAST_FOR_NAMES = 12

_LEFT = ("name", "text")
#: The contents of the columns at the left that tell what a row is about: each part of a table has them.
_KEYS = ("name", "word")
_COLOURS: dict[Style, str] = {
    "plain": "",
    "heading": "bold",
    "worse": "red",
    "better": "green",
    "inconclusive": "yellow",
    "warning": "yellow",
    "wrong": "bold red",
    "step": "bold yellow",
}


def render(document: Document) -> str:
    """Return the document as text without colours, laid out for 80 columns."""
    return "".join(f"{line.text}\n" for line in text_lines(document))


def print_document(document: Document, console: Console) -> None:
    """Print the document, laid out for the console's width, with colours if the console has them."""
    for line in text_lines(document, console.width, console.encoding):
        print_line(console, line.text, _COLOURS[line.style])


def text_lines(document: Document, width: int = _WIDTH, encoding: str = "utf-8") -> Iterator[Line]:
    """Yield the document's lines. `width` decides whether two tables fit beside each other; no line is cut to it.

    The shapes of distributions have letters for blocks if the encoding has no blocks.
    """
    for subject in document.subjects:
        yield Line(printable(f"{subject.label}  {subject.text}"))
    if document.subjects:
        yield Line("")
    if document.is_headline_first:
        yield from _answer(document)
        yield Line("")
    section = ""
    for table in _joined(document.tables, width):
        if table.section != section:
            section = table.section
            yield Line(printable(section), "heading")
            yield Line("")
        yield from _shown(table, width)
        yield Line("")
        if table.shapes is not None:
            yield from shape_lines(table.shapes, width, has_blocks=_has_blocks(encoding))
            yield Line("")
    if not document.is_headline_first:
        yield from _answer(document)
    for number, note in enumerate(document.notes):
        if note.apart and number:
            yield Line("")
        label = f"{note.label}: " if note.label else ""
        yield Line(printable(label + note.text), note.style)


def _shown(table: Table, width: int) -> Iterator[Line]:
    """Yield the lines of a table: with its `brief` in place of the rows that a format may fold away."""
    if not table.brief:
        yield from _table(table, width)
        return
    rows = tuple(row for row in table.rows if not (isinstance(row, Row) and row.is_detail))
    if rows:
        yield from _table(replace(table, rows=rows), width)
    yield Line(printable(table.brief))


def _has_blocks(encoding: str) -> bool:
    try:
        "▁█".encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _answer(document: Document) -> Iterator[Line]:
    if document.headline is not None:
        yield Line(printable(document.headline.text), document.headline.style)
    if document.basis:
        yield Line(printable(document.basis))


def _joined(tables: Sequence[Table], width: int) -> list[Table]:
    """Return the tables. A table that extends the table before it is merged into that if the result fits."""
    found: list[Table] = []
    for table in tables:
        if table.extends and found:
            both = _beside(found[-1], table)
            if total_width(widths(_cells(both))) <= width:
                found[-1] = both
                continue
        found.append(table)
    return found


def _beside(left: Table, right: Table) -> Table:
    """Return the right table, with the left one's columns before its own."""
    pairs = zip(_rows(left), _rows(right), strict=True)
    return Table(
        columns=(right.columns[0], *left.columns[1:], *right.columns[1:]),
        rows=tuple(Row((*before.cells, *after.cells[1:]), before.style) for before, after in pairs),
        shapes=right.shapes or left.shapes,
    )


def _rows(table: Table) -> list[Row]:
    return [row for row in table.rows if isinstance(row, Row)]


def _cells(table: Table) -> list[tuple[str, ...]]:
    """Return the heading and the rows as they are printed."""
    rows = [tuple(map(printable, row.cells)) for row in _rows(table)]
    indents = [_INDENT if row.group else "" for row in _rows(table)]
    heading = tuple(printable(column.title) for column in table.columns)
    return [heading, *((indent + row[0], *row[1:]) for indent, row in zip(indents, rows, strict=True))]


def _table(table: Table, width: int) -> Iterator[Line]:
    if table.title:
        yield Line(printable(table.title), "heading")
    if table.caption:
        yield Line(printable(table.caption))
    cells = _cells(table)
    for number, part in enumerate(_parts(table, widths(cells), width)):
        if number:
            yield Line("")
        yield from _part(table, [tuple(row[index] for index in part) for row in cells], part, width)


def _parts(table: Table, column_widths: Sequence[int], width: int) -> list[list[int]]:
    """Return the columns of each part. There is a single part if at least the rows' figures fit beside short names."""
    columns = range(len(column_widths))
    room = width - total_width([0, *column_widths[1:]])
    if min(column_widths[0], _LEAST_FOR_NAMES) <= room:
        return [list(columns)]
    found = next((index for index in columns if table.columns[index].content not in _KEYS), len(column_widths))
    keys = list(range(max(1, found)))
    # A name that takes more than half of the width stands on a line of its own.
    key_widths = [min(column_widths[0], width // 2), *(column_widths[index] for index in keys[1:])]
    parts: list[list[int]] = []
    for unit in _units(table, columns[len(keys) :]):
        shown = [column_widths[index] for index in (*(parts[-1][len(keys) :] if parts else ()), *unit)]
        if parts and total_width([*key_widths, *shown]) <= width:
            parts[-1] += unit
        else:
            parts.append([*keys, *unit])
    return parts or [keys]


def _units(table: Table, columns: Sequence[int]) -> list[list[int]]:
    """Return the columns that stay together: a range stays beside the figure that it is of."""
    units: list[list[int]] = []
    for index in columns:
        if units and table.columns[index].content == "range":
            units[-1].append(index)
        else:
            units.append([index])
    return units


def _part(table: Table, cells: Sequence[tuple[str, ...]], part: Sequence[int], width: int) -> Iterator[Line]:
    """Yield the lines of some columns of a table."""
    room = width - total_width([0, *widths(cells)[1:]])
    is_apart = [cell_len(row[0]) > max(room, _LEAST_FOR_NAMES) for row in cells]
    in_line = [("", *row[1:]) if apart else row for row, apart in zip(cells, is_apart, strict=True)]
    column_widths = widths(in_line)
    is_left = [table.columns[index].content in _LEFT for index in part]
    lines = [
        ([row[0]] if apart else []) + [aligned(rest, column_widths, is_left)]
        for row, rest, apart in zip(cells, in_line, is_apart, strict=True)
    ]
    yield from (Line(line, "heading") for line in lines[0])
    following = iter(lines[1:])
    group = ""
    for row in table.rows:
        if isinstance(row, Break):
            yield Line(printable(row.text), row.style)
            continue
        if row.group != group:
            group = row.group
            yield Line(printable(group), "heading")
        yield from (Line(line, row.style) for line in next(following))
