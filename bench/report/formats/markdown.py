"""Documents as Markdown, for a comment on a pull request.

Rules of this file: GitHub's dialect. The answer comes first, and what is a detail is folded. Names that come from
outside are shown as they are, and never as markup.
"""

from collections.abc import Iterable, Iterator, Sequence

from bench.printable import printable
from bench.report.document import Break, Content, Document, Row, Style, Table

_RULES: dict[Content, str] = {"number": "---:", "range": ":---:"}
_EMPHASISED: tuple[Style, ...] = ("worse", "wrong", "step")


def render(document: Document) -> str:
    """Return the document as Markdown."""
    answer = document.headline.text if document.headline else document.title
    return "\n".join([f"### {as_text(answer)}", *_body(document)]) + "\n"


def as_text(text: str) -> str:
    """Return the text without what Markdown or HTML would take for markup, a mention or the end of a cell."""
    shown = printable(" ".join(text.split())).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\|`*_[]":
        shown = shown.replace(character, "\\" + character)
    return shown.replace("@", "@\u200b").replace("#", "#\u200b")


def _body(document: Document) -> Iterator[str]:
    subjects = [(as_text(subject.label), as_text(subject.text)) for subject in document.subjects]
    if subjects and not document.subjects_title:
        yield ""
        yield "  \n".join(f"{label}: {text}" for label, text in subjects)
    section = ""
    for table in document.tables:
        if table.section != section:
            section = table.section
            yield from ("", f"#### {as_text(section)}")
        yield from _table(table)
    paragraph = [f"{as_text(document.basis)}."] if document.basis else []
    paragraph += [document.explanation] if document.explanation else []
    if paragraph:
        yield from ("", *paragraph)
    if document.notes:
        yield ""
        # The list says already that these are notes.
        labels = [f"{note.label}: " if note.label not in ("", "note") else "" for note in document.notes]
        yield from (f"- {as_text(label + note.text)}" for label, note in zip(labels, document.notes, strict=True))
    if subjects and document.subjects_title:
        yield from _folded(document.subjects_title, [f"- {label}: {text}" for label, text in subjects])


def _table(table: Table) -> Iterator[str]:
    if table.title:
        yield from ("", f"**{as_text(table.title)}**")
    if table.caption:
        yield from ("", as_text(table.caption))
    shown = [row for row in table.rows if not _is_detail(row)]
    details = [row for row in table.rows if _is_detail(row)]
    if shown or not table.brief:
        yield from ("", *_lines(table, shown))
    if details and table.brief:
        yield from ("", f"{as_text(table.brief)}.")
    elif details:
        yield from _folded(table.details, _lines(table, details))


def _is_detail(row: Row | Break) -> bool:
    return isinstance(row, Row) and row.is_detail


def _folded(title: str, lines: Iterable[str]) -> tuple[str, ...]:
    return ("", f"<details><summary>{as_text(title)}</summary>", "", *lines, "", "</details>")


def _lines(table: Table, rows: Sequence[Row | Break]) -> Iterator[str]:
    yield _line(as_text(column.full_title) for column in table.columns)
    yield _line(_RULES.get(column.content, "---") for column in table.columns)
    for row in rows:
        if isinstance(row, Break):
            yield _line([f"**{as_text(row.text)}**", *[""] * (len(table.columns) - 1)])
        else:
            yield _line(_cells(table, row))


def _line(cells: Iterable[str]) -> str:
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


def _cells(table: Table, row: Row) -> Iterator[str]:
    for column, cell in zip(table.columns, row.cells, strict=True):
        if column.content in ("number", "range"):
            yield cell  # ours: a sign in it is no markup in a cell
        elif column.content == "name":
            yield as_text(f"{row.group} {cell}" if row.group else cell)
        elif column.content == "verdict" and row.style in _EMPHASISED:
            yield f"**{as_text(cell)}**"
        else:
            yield as_text(cell)
