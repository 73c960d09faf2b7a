"""Documents as plain text, for a terminal or a file in its place.

Rules of this file: nothing is ever cut or wrapped. The answer comes below the tables, where a terminal ends. Names are
on the left, all else is on the right of its column, so that figures stand below each other. No threads, no live
display: this runs inside Locust's process too.
"""

from collections.abc import Iterator, Sequence

from rich.console import Console

from bench.printable import printable
from bench.report.document import Break, Document, Line, Row, Style, Table
from bench.report.lines import aligned, print_line, total_width, widths

_INDENT = "  "

#: The width of a text that is laid out for no terminal in particular.
_WIDTH = 80

_LEFT = ("name", "text")
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
    for line in text_lines(document, console.width):
        print_line(console, line.text, _COLOURS[line.style])


def print_headline(line: Line, console: Console) -> None:
    """Print a line that stands before a document, and an empty line below it."""
    print_line(console, printable(line.text), _COLOURS[line.style])
    print_line(console, "")


def text_lines(document: Document, width: int = _WIDTH) -> Iterator[Line]:
    """Yield the document's lines. `width` decides whether two tables fit beside each other; no line is cut to it."""
    for subject in document.subjects:
        yield Line(printable(f"{subject.label}  {subject.text}"))
    if document.subjects:
        yield Line("")
    section = ""
    for table in _joined(document.tables, width):
        if table.section != section:
            section = table.section
            yield Line(printable(section), "heading")
            yield Line("")
        yield from _table(table)
        yield Line("")
    if document.headline is not None:
        yield Line(printable(document.headline.text), document.headline.style)
    if document.basis:
        yield Line(printable(document.basis))
    for number, note in enumerate(document.notes):
        if note.apart and number:
            yield Line("")
        label = f"{note.label}: " if note.label else ""
        yield Line(printable(label + note.text), note.style)


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
    )


def _rows(table: Table) -> list[Row]:
    return [row for row in table.rows if isinstance(row, Row)]


def _cells(table: Table) -> list[tuple[str, ...]]:
    """Return the heading and the rows as they are printed."""
    rows = [tuple(map(printable, row.cells)) for row in _rows(table)]
    indents = [_INDENT if row.group else "" for row in _rows(table)]
    heading = tuple(printable(column.title) for column in table.columns)
    return [heading, *((indent + row[0], *row[1:]) for indent, row in zip(indents, rows, strict=True))]


def _table(table: Table) -> Iterator[Line]:
    if table.title:
        yield Line(printable(table.title), "heading")
    if table.caption:
        yield Line(printable(table.caption))
    is_left = [column.content in _LEFT for column in table.columns]
    cells = _cells(table)
    column_widths = widths(cells)
    heading, *rows = (aligned(row, column_widths, is_left) for row in cells)
    yield Line(heading, "heading")
    lines = iter(rows)
    group = ""
    for row in table.rows:
        if isinstance(row, Break):
            yield Line(printable(row.text), row.style)
            continue
        if row.group != group:
            group = row.group
            yield Line(printable(group), "heading")
        yield Line(next(lines), row.style)
