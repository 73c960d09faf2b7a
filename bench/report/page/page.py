"""Documents as one page: the answer first, then what spoils it, charts, tables, notes and where it was measured.

Rules of this file: one file that needs nothing else. Its policy forbids the browser to load anything, and to run any
script but the page's own. Every text is escaped by markup.py. Without the programs that draw, a page has the tables of
its charts, and says what is missing.
"""

import base64
import functools
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.report.chart import AnyChart, Event, Forest, HeatMap, Panel, Series
from bench.report.chart_formats import can_draw
from bench.report.chart_table import MOST_ROWS, chart_table
from bench.report.document import Break, Document, Note, Row, Style, Subject, Table
from bench.report.drawing.look import DARK, LIGHT, Look, colour_of, looks
from bench.report.page.markup import Markup, element, joined

#: The line of a page whose charts could not be drawn.
NOT_DRAWN = "The charts are not drawn, for that needs more packages: pip install 'socketio-bench[charts]'"

#: The line of a chart that is left out, so that the page does not become too large.
TOO_MANY = "Not drawn, so that the page stays small. A page of fewer results, or of fewer benchmarks, has it."

#: The largest page, in bytes. Mails, comments and artefacts of CI take it, and it opens in a second.
MOST_BYTES = 1_500_000

#: The number of charts and tables of a document from which on it has a list of them.
_LISTED_FROM = 4
#: The number of rows from which on a table scrolls within its own frame.
_TALL_FROM = 30

_SIGNS: dict[Style, str] = {
    "worse": "▲",
    "wrong": "✖",
    "warning": "⚠",
    "better": "▼",
    "inconclusive": "◆",
    "step": "●",
}
_ALARMING: tuple[Style, ...] = ("wrong", "worse", "warning", "step")
_LEFT = ("name", "text", "word", "verdict")

#: More colours of a page's texts, on a light and on a dark ground: each is legible on both grounds of the page.
_TEXT_COLOURS = {
    "raised": ("#f6f8fa", "#161b22"),
    "control": ("#8b949e", "#6e7681"),
    "link": ("#0550ae", "#79b8ff"),
    "bad-text": ("#a8320a", "#ff9a66"),
    "good-text": ("#006b4f", "#56d4ad"),
    "warning-text": ("#7d4e00", "#eeae2d"),
}


@dataclass(frozen=True)
class _Detail:
    """The detail of a page: the rows of a chart's table, the points' own texts, and the number of charts drawn."""

    most_rows: int
    has_texts: bool = True
    most_charts: int | None = None


#: The details that a page may have, the most first. The first that makes the page small enough is taken.
_DETAILS = (
    _Detail(MOST_ROWS),
    _Detail(250),
    _Detail(60),
    _Detail(60, has_texts=False),
    _Detail(20, has_texts=False, most_charts=24),
    _Detail(20, has_texts=False, most_charts=6),
    _Detail(20, has_texts=False, most_charts=1),
)


def page(documents: Sequence[Document], title: str = "") -> str:
    """Return the page of one or several documents. `title` is that of a page of several.

    A page that would be larger than MOST_BYTES has fewer rows in the tables of its charts, then fewer charts, and says
    so.
    """
    charts = [chart for document in documents for chart in document.charts]
    made: dict[int, dict[str, Any]] = {}
    text = ""
    for detail in _DETAILS:
        text = _page(documents, title, charts, detail, made)
        if len(text.encode()) <= MOST_BYTES:
            break
    return text


def _page(
    documents: Sequence[Document],
    title: str,
    charts: Sequence[AnyChart],
    detail: _Detail,
    made: dict[int, dict[str, Any]],
) -> str:
    """Return the page in that detail. `made` are the charts that were prepared before, by their numbers."""
    is_drawn = bool(charts) and can_draw()
    several = len(documents) > 1
    drawing = _Drawing(detail, len(charts[: detail.most_charts]) if is_drawn else 0, is_drawn)
    numbers = iter(range(len(charts)))
    sections = [
        _document(document, f"r{number}", 2 if several else 1, numbers, drawing)
        for number, document in enumerate(documents, 1)
    ]
    scripts = _scripts(charts[: drawing.number], detail, made) if is_drawn else []
    title = (title or f"{len(documents)} results") if several else documents[0].title
    body = joined(
        [
            element("a", "Skip to the answer", href="#main", class_="skip"),
            *([_contents(documents, title)] if several else []),
            element(
                "main",
                *([element("p", NOT_DRAWN, class_="banner warning")] if charts and not is_drawn else []),
                *sections,
                id="main",
            ),
            element("footer", element("p", "Made by socketio-bench. This file needs no network.")),
            *([element("div", id="tip", hidden=True), _live_region()] if is_drawn else []),
            *[markup for markup, _ in scripts],
        ]
    )
    head = joined(
        [
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", http_equiv="Content-Security-Policy", content=_policy([text for _, text in scripts])),
            element("meta", name="color-scheme", content="light dark"),
            element("title", title),
            Markup(f"<style>{_style()}</style>"),
        ]
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>{body}</body>\n</html>\n'


@dataclass(frozen=True)
class _Drawing:
    """The charts that are drawn: those of a lower number. `can_draw` is true if the programs for that are there."""

    detail: _Detail
    number: int
    can_draw: bool


def _live_region() -> Markup:
    return element("div", id="said", class_="unseen", role="status", aria_live="polite")


def _policy(scripts: Sequence[str]) -> str:
    """Return the policy of the page: nothing is loaded, and these scripts alone may run."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _scripts(charts: Sequence[AnyChart], detail: _Detail, made: dict[int, dict[str, Any]]) -> list[tuple[Markup, str]]:
    """Return the elements of the scripts that run, with their texts; the charts' data come before them."""
    from bench.report.page.charts import embedded, library, prepared  # late: it needs the extra `charts`

    for number, chart in enumerate(charts):
        if number not in made:
            made[number] = prepared(chart)
    own = _part("script.js")
    shown = embedded([made[number] for number in range(len(charts))], with_texts=detail.has_texts)
    data = f'<script type="application/json" id="charts">{shown}</script>'
    drawing = library()
    return [
        (Markup(f"{data}<script>{drawing}</script>"), drawing),
        (Markup(f"<script>{own}</script>"), own),
    ]


@functools.cache
def _part(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _style() -> str:
    light = _variables({**LIGHT, **{name: pair[0] for name, pair in _TEXT_COLOURS.items()}})
    dark = _variables({**DARK, **{name: pair[1] for name, pair in _TEXT_COLOURS.items()}})
    return (
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n{_part('style.css')}"
    )


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


def _contents(documents: Sequence[Document], title: str) -> Markup:
    links = [
        element(
            "li",
            element("a", f"{document.name or document.kind}: {document.title}", href=f"#r{number}"),
            *([element("div", document.headline.text)] if document.headline else []),
            *([element("div", document.identity, class_="quiet")] if document.identity else []),
        )
        for number, document in enumerate(documents, 1)
    ]
    return joined(
        [
            element("header", element("h1", title)),
            element("nav", element("ol", *links), aria_label="Results on this page"),
        ]
    )


def _document(document: Document, name: str, level: int, numbers: Iterator[int], drawing: _Drawing) -> Markup:
    alarming = [note for note in document.notes if note.style in _ALARMING]
    others = [note for note in document.notes if note.style not in _ALARMING]
    heading = f"h{level + 1}"
    parts = [
        element("p", _kicker(document), class_="kicker"),
        _headline(document, level),
        *([element("p", document.basis, class_="quiet")] if document.basis else []),
        *([] if document.subjects_title else _facts(document.subjects)),
        *([_banner(alarming)] if alarming else []),
        *_tables([table for table in document.tables if table.leads], document.title, level),
        *_list_of_parts(document, name),
        *_charts(document, name, level, numbers, drawing),
        *_tables([table for table in document.tables if not table.leads], document.title, level),
        *([_explanation(document.explanation)] if document.explanation else []),
        *([element(heading, "Notes"), element("ul", *map(_note, others))] if others else []),
        *(_folded(document.subjects_title, _facts(document.subjects)) if document.subjects_title else []),
        *(_folded("Environment", _facts(document.environment)) if document.environment else []),
        *(
            [element(heading, document.command_title), element("pre", element("code", document.command), tabindex="0")]
            if document.command
            else []
        ),
    ]  # fmt: skip
    return element("section", *parts, id=name, class_="result", aria_label=_label(document, name))


def _kicker(document: Document) -> str:
    """Return the words above the headline: they do not repeat the title that stands in it, or below it."""
    is_repeated = (
        document.headline is None or document.basis.startswith(document.title) or document.title == document.kind
    )
    about = document.kind if is_repeated else f"{document.kind}: {document.title}"
    return f"{document.name}, {about}" if document.name else about


def _label(document: Document, name: str) -> str:
    """Return the name of a result on its page: with its number, because two results may have the same title."""
    return f"{name.removeprefix('r')}, {document.kind}: {document.title}"


def _headline(document: Document, level: int) -> Markup:
    style: Style = document.headline.style if document.headline else "plain"
    text = document.headline.text if document.headline else document.title
    sign = [element("span", _SIGNS[style], class_="sign", aria_hidden="true")] if style in _SIGNS else []
    return element(f"h{level}", *sign, text, class_=f"is-{style}" if style in _SIGNS else None)


def _facts(subjects: Sequence[Subject]) -> list[Markup]:
    facts = [part for subject in subjects for part in (element("dt", subject.label), element("dd", subject.text))]
    return [element("dl", *facts, class_="facts")] if facts else []


def _banner(notes: Sequence[Note]) -> Markup:
    worst = min((note.style for note in notes), key=_ALARMING.index)
    return element("div", element("ul", *map(_note, notes)), class_=f"banner {worst}", role="note")


def _note(note: Note) -> Markup:
    label = f"{note.label}: " if note.label not in ("", "note") else ""
    sign = [element("span", _SIGNS[note.style], class_="sign", aria_hidden="true")] if note.style in _SIGNS else []
    return element("li", *sign, f"{label}{note.text}")


def _folded(title: str, contents: Sequence[Markup]) -> list[Markup]:
    return [element("details", element("summary", title), *contents)]


def _explanation(text: str) -> Markup:
    """Return a paragraph of ours, whose terms are marked as in Markdown."""
    return element("p", *_marked(text, r"(`[^`]+`|\*[^*]+\*)"), class_="caption")


def _marked(text: str, terms: str = r"(`[a-z_]+`)") -> Iterator[Markup | str]:
    """Yield a text of ours in parts, with its terms as code or emphasised. `terms` is the pattern of a term."""
    for part in re.split(terms, text):
        if part.startswith("`") and part.endswith("`") and len(part) > 2:
            yield element("code", part[1:-1])
        elif part.startswith("*") and part.endswith("*") and len(part) > 2:
            yield element("em", part[1:-1])
        elif part:
            yield part


def _list_of_parts(document: Document, name: str) -> list[Markup]:
    """Return links to the charts of a long document."""
    if len(document.charts) < _LISTED_FROM:
        return []
    links = [
        element("li", element("a", chart.title, href=f"#{name}-{number}"))
        for number, chart in enumerate(document.charts, 1)
    ]
    return [element("nav", element("ul", *links), class_="charts", aria_label=f"Charts of {_label(document, name)}")]


# --- tables ---------------------------------------------------------------------------------------------------------


def _tables(tables: Sequence[Table], about: str, level: int) -> list[Markup]:
    found = []
    section = ""
    for table in tables:
        if table.section != section:
            section = table.section
            found.append(element(f"h{level + 1}", section))
        if table.title:
            found.append(element(f"h{min(level + 2, 6)}", *_marked(table.title)))
        shown = [row for row in table.rows if not _is_detail(row)]
        details = [row for row in table.rows if _is_detail(row)]
        title = table.title or table.columns[0].full_title or about
        if shown or not details:
            found.append(_table(table, shown, title))
        if details:
            found += _folded(table.details, [_table(table, details, f"{title}: {table.details}")])
    return found


def _is_detail(row: Row | Break) -> bool:
    return isinstance(row, Row) and row.is_detail


def _without_empty_columns(table: Table, rows: Sequence[Row | Break]) -> tuple[Table, list[Row | Break]]:
    """Return a table and its rows without the columns that have a cell in no row."""
    cells = [row.cells for row in rows if isinstance(row, Row)]
    kept = [place for place in range(len(table.columns)) if place == 0 or any(found[place] for found in cells)]
    if not cells or len(kept) == len(table.columns):
        return table, list(rows)
    shown = [replace(row, cells=tuple(row.cells[at] for at in kept)) if isinstance(row, Row) else row for row in rows]
    return replace(table, columns=tuple(table.columns[place] for place in kept)), shown


def _table(table: Table, rows: Sequence[Row | Break], label: str) -> Markup:
    table, rows = _without_empty_columns(table, rows)
    lines = []
    group = ""
    width = len(table.columns)
    for row in rows:
        if isinstance(row, Break):
            cell = element("th", row.text, colspan=width, scope="rowgroup", class_=f"is-{row.style}")
            lines.append(element("tr", cell, class_="break"))
            continue
        if row.group != group:
            group = row.group
            lines.append(element("tr", element("th", group, colspan=width, scope="rowgroup"), class_="group"))
        lines.append(_row(table, row))
    caption = [element("caption", table.caption)] if table.caption else []
    heading = element("tr", *(_heading(column.full_title, column.content) for column in table.columns))
    inner = element("table", *caption, element("thead", heading), element("tbody", *lines))
    tall = " tall" if len(rows) >= _TALL_FROM else ""
    return element("div", inner, class_=f"scroll{tall}", tabindex="0", role="group", aria_label=label)


def _heading(title: str, content: str) -> Markup:
    kind = "text" if content in _LEFT else None
    # A cell without a text is no heading.
    return element("th", *_marked(title), scope="col", class_=kind) if title else element("td", class_=kind)


def _row(table: Table, row: Row) -> Markup:
    cells = []
    for number, (column, cell) in enumerate(zip(table.columns, row.cells, strict=True)):
        if number == 0:
            linked = _is_address(row.link)
            content = element("a", cell, href=row.link, rel="noreferrer") if linked else cell
            cells.append(element("th", content, scope="row", class_="name"))
        elif column.content == "verdict":
            sign = _SIGNS.get(row.style)
            signs = [element("span", sign, class_="sign", aria_hidden="true")] if sign else []
            cells.append(element("td", *signs, cell, class_=f"text is-{row.style}"))
        else:
            kinds = {"text": "text", "word": "text", "name": "text", "range": "range"}
            cells.append(element("td", cell, class_=kinds.get(column.content)))
    return element("tr", *cells)


def _is_address(link: str) -> bool:
    return link.startswith(("https://", "http://"))


# --- charts ---------------------------------------------------------------------------------------------------------


def _charts(document: Document, name: str, level: int, numbers: Iterator[int], drawing: _Drawing) -> list[Markup]:
    return [
        _figure(chart, f"{name}-{place}", level, next(numbers), drawing)
        for place, chart in enumerate(document.charts, 1)
    ]


def _figure(chart: AnyChart, name: str, level: int, number: int, drawing: _Drawing) -> Markup:
    table = chart_table(chart, drawing.detail.most_rows)
    is_drawn = number < drawing.number
    caption = [element("p", chart.caption, class_="caption")] if chart.caption else []
    tabled = [
        *([element("p", table.caption, class_="caption")] if table.caption else []),
        _table(Table(table.columns, table.rows), table.rows, f"Table: {chart.title}"),
    ]
    heading = element(f"h{level + 1}", chart.title)
    folded = element("details", element("summary", f"Table: {chart.title}"), *tabled, open=not is_drawn)
    if not is_drawn:
        why = [element("p", TOO_MANY, class_="caption")] if drawing.can_draw else []
        return element("figure", heading, *caption, element("p", chart.alt), *why, folded, id=name)
    keys = "Arrow keys go from point to point, + and - zoom, 0 shows the whole."
    return element(
        "figure",
        heading,
        *caption,
        element("div", *_panels(chart), class_="plot", tabindex="0", role="group", aria_label=f"{chart.title}. {keys}"),
        element("div", class_="tools", hidden=True, role="group", aria_label=f"Zoom: {chart.title}"),
        folded,
        id=name,
        data_chart=number,
    )  # fmt: skip


def _panels(chart: AnyChart) -> Iterator[Markup]:
    """Yield the places of a chart's panels, with their titles and legends. The first is the picture with the text."""
    if isinstance(chart, (Forest, HeatMap)):
        axis = chart.y.title if isinstance(chart, HeatMap) else ""
        if axis:
            yield element("p", axis, class_="panel-title")
        yield _view(chart.alt)
        return
    for number, panel in enumerate(chart.panels):
        words = panel.title or panel.y.title
        if words:
            yield element("p", words, class_="panel-title")
        if len(panel.series) > 1 or (panel.series and panel.series[0].label != words):
            yield element("ul", *_legend(panel), class_="legend")
        if number == 0 and chart.events:
            yield element("div", element("ul", *map(_mark, chart.events)), class_="moments")
        yield _view(chart.alt if number == 0 else f"{words}: the panel {number + 1} of {chart.title}")


def _mark(event: Event) -> Markup:
    """Return the label of a mark. The script puts it above its place along the axis."""
    return element("li", event.text, data_x=f"{event.x:.9g}", style=f"--mark: var(--{colour_of(event.role)})")


def _legend(panel: Panel) -> Iterator[Markup]:
    """Yield the entries of a legend. Several faint lines, which look alike, share an entry."""
    faint = [series for series in panel.series if series.role == "faint" and series.mark == "line"]
    for series, look in zip(panel.series, looks(panel.series), strict=True):
        if series not in faint or len(faint) == 1:
            yield _legend_entry(series, look, series.label)
        elif series is faint[0]:
            yield _legend_entry(series, look, f"{series.label} … {faint[-1].label}")


def _view(alt: str) -> Markup:
    # The text stands for the picture: Vega's own elements would be read one by one.
    return element("div", element("div", class_="view", aria_hidden="true"), role="img", aria_label=alt)


def _legend_entry(series: Series, look: Look, label: str) -> Markup:
    colour = f"var(--{look.colour})"
    dashes = ",".join(map(str, look.dashes)) if look.dashes[1] else None
    if series.mark == "points":
        sign = _SHAPES.get(look.shape, _SHAPES["circle"]).replace("COLOUR", colour)
    elif series.mark in ("band", "bars"):
        opacity = "0.3" if series.mark == "band" else "0.85"
        sign = f'<rect x="2" y="1" width="22" height="10" fill="{colour}" fill-opacity="{opacity}"/>'
    else:
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        sign = f'<line x1="1" y1="6" x2="25" y2="6" stroke="{colour}" stroke-width="3"{dash}/>'
    picture = Markup(f'<svg viewBox="0 0 26 12" aria-hidden="true">{sign}</svg>')
    return element("li", picture, label)


_SHAPES = {
    "circle": '<circle cx="13" cy="6" r="5" fill="COLOUR"/>',
    "square": '<rect x="8" y="1" width="10" height="10" fill="COLOUR"/>',
    "triangle-up": '<path d="M13 1 L19 11 L7 11 Z" fill="COLOUR"/>',
    "triangle-down": '<path d="M13 11 L19 1 L7 1 Z" fill="COLOUR"/>',
    "diamond": '<path d="M13 0 L19 6 L13 12 L7 6 Z" fill="COLOUR"/>',
    "cross": '<path d="M11 1h4v3h4v4h-4v3h-4v-3h-4v-4h4z" fill="COLOUR"/>',
}
