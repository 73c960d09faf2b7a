"""The page: what stands in it, in which order, and that no text of others is markup in it."""

import base64
import dataclasses
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from bench.report import chart_formats
from bench.report.chart import Axis, Cell, Chart, Effect, Forest, HeatMap, Panel, Point, Series
from bench.report.document import Break, Column, Document, Line, Note, Row, Subject, Table
from bench.report.page.page import MOST_BYTES, NOT_DRAWN, TOO_MANY, page

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&lt;"
VOID = ("meta", "br", "hr", "input", "img", "link")


class Read(HTMLParser):
    """The elements of a page in their order, each with its attributes and the text directly in it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[int] = []
        self.feed(text)
        self.close()
        assert not self.open, [self.elements[index][0] for index in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self.open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.elements[self.open[-1]][2].append(data)

    def texts(self, tag: str) -> list[str]:
        """Return the texts of the elements of a name, with what is within them."""
        return ["".join(texts) for name, _, texts in self.elements if name == tag]

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes, _ in self.elements if name == tag]


def line_chart(label: str = "p99", title: str = "Times") -> Chart:
    series = Series(label, (Point(0, 100.0), Point(1, None), Point(2, 300.0, text=label)))
    return Chart("times", title, f"{title} rise", Axis("time", "s"), (Panel(Axis("time", "µs"), (series,)),))


def everything(text: str) -> Document:
    """Return a document that has this text wherever a text of others may stand."""
    forest = Forest("f", text, text, Axis(text, "share"), (Effect(text, 0.1, 0.0, 0.2, text=text),), caption=text)
    heat = HeatMap("h", text, text, Axis(text, "s"), Axis(text, "µs"), (Cell(0, 1, 1, 2, 3),), text)
    place = Axis(text, "place", labels=(text, text))
    chart = Chart("c", text, text, place, (Panel(Axis(text), (Series(text, (Point(0, 1, text=text),)),), text),))
    columns = (Column(text, "name"), Column(text, "text"), Column(text, "verdict"))
    rows = (Row((text, text, text), "worse", text, link=f"https://example.org/{text}"), Break(text, "step"))
    hidden = Row((text, text, text), is_detail=True, link=f"javascript:{text}")
    table = Table(columns, (*rows, hidden), text, text, text, text)
    return Document(
        kind=text, title=text, tables=(table,), headline=Line(text, "wrong"), subjects=(Subject(text, text),),
        basis=text, notes=(Note(text, "wrong", text), Note(text)), charts=(line_chart(text), forest, heat, chart),
        environment=(Subject(text, text),), command=text,
    )  # fmt: skip


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the packages that draw be absent."""
    monkeypatch.setattr(chart_formats, "find_spec", lambda name: None)


TABLE = Table(
    (Column("times", "name"), Column("p50"), Column("verdict", "verdict")),
    (Row(("p50", "1 ms", "slower"), "worse", "say"), Row(("p99", "2 ms", "same"), group="say", is_detail=True)),
    details="more",
)
DOCUMENT = Document(
    kind="ab",
    title="B against A",
    headline=Line("slower: say", "worse"),
    subjects=(Subject("A", "main"),),
    tables=(TABLE,),
    basis="2 restarts",
    explanation="*Slower* is longer, see `p50`.",
    notes=(Note("the machine was busy", "warning"), Note("a remark")),
    charts=(line_chart(),),
    environment=(Subject("machine", "here"),),
    command="bench ab main WORKTREE",
)


@pytest.mark.usefixtures("undrawn")
class TestWithoutWhatDraws:
    def test_the_answer_comes_first_then_what_spoils_it(self) -> None:
        shown = page([DOCUMENT])
        read = Read(shown)
        assert read.texts("h1") == ["slower: say"]
        assert read.texts("title") == ["B against A"]
        order = [
            "slower: say",
            "the machine was busy",
            ">Times<",
            ">p50<",
            "a remark",
            ">here<",
            "bench ab main WORKTREE",
        ]
        body = shown.partition("<body>")[2]
        places = [body.index(text) for text in order]
        assert places == sorted(places)
        assert read.texts("em") == ["Slower"]
        assert read.texts("code") == ["p50", "bench ab main WORKTREE"]

    def test_the_charts_have_their_tables_and_the_page_says_what_is_missing(self) -> None:
        read = Read(page([DOCUMENT]))
        assert NOT_DRAWN in read.texts("p")
        assert not read.attributes("script")
        assert "Times rise" in read.texts("p")
        figure = [index for index, (tag, _, _) in enumerate(read.elements) if tag == "figure"]
        after = read.elements[figure[0] :]
        cells = [texts[0] if texts else "" for tag, _, texts in after if tag in ("th", "td")]
        assert cells[:12] == ["time", "p99", "", "0 s", "100.0 µs", "", "1 s", "-", "", "2 s", "300.0 µs", "p99"]
        assert next(attributes for tag, attributes, _ in after if tag == "details") == {"open": None}

    def test_a_table_that_leads_stands_before_the_charts(self) -> None:
        leading = Table((Column("objective", "name"),), (Row(("p99 < 50 ms",)),), leads=True)
        shown = page([dataclasses.replace(DOCUMENT, tables=(TABLE, leading))])
        assert shown.index(">objective<") < shown.index("<figure") < shown.index(">verdict<")

    def test_details_are_folded(self) -> None:
        read = Read(page([DOCUMENT]))
        assert read.texts("summary") == ["Table: Times", "more", "Environment"]

    def test_several_results_have_a_table_of_contents(self) -> None:
        read = Read(page([DOCUMENT, Document("load", "load on app", (TABLE,), Line("nothing failed"))]))
        assert read.texts("h1") == ["2 results"]
        assert read.texts("h2") == ["slower: say", "nothing failed"]
        links = [
            (attributes["href"], text) for (tag, attributes, texts) in read.elements if tag == "a" for text in texts
        ]
        assert links[1:3] == [("#r1", "ab: B against A"), ("#r2", "load: load on app")]
        assert {"r1", "r2"} <= {attributes.get("id") for attributes in read.attributes("section")}

    def test_headings_go_down_by_a_level(self) -> None:
        for documents in ([everything("x")], [everything("x"), DOCUMENT]):
            levels = [int(tag[1]) for tag, _, _ in Read(page(documents)).elements if re.fullmatch("h[1-6]", tag)]
            assert levels[0] == 1
            assert all(after <= before + 1 for before, after in itertools.pairwise(levels))

    def test_a_page_without_charts_says_nothing_of_them(self) -> None:
        assert NOT_DRAWN not in page([Document("example", "plain", (TABLE,))])

    def test_texts_of_others_are_no_markup(self) -> None:
        plain, hostile = Read(page([everything("x")])), Read(page([everything(HOSTILE)]))
        assert [tag for tag, _, _ in hostile.elements] == [tag for tag, _, _ in plain.elements]
        assert [list(attributes) for _, attributes, _ in hostile.elements] == [
            list(attributes) for _, attributes, _ in plain.elements
        ]
        assert hostile.texts("h1") == [HOSTILE]

    def test_only_addresses_of_pages_are_links(self) -> None:
        links = [attributes["href"] for attributes in Read(page([everything("x")])).attributes("a")]
        assert "https://example.org/x" in links
        assert not [link for link in links if link and "javascript" in link]

    def test_control_characters_are_shown_as_such(self) -> None:
        assert "\x1b" not in page([everything("red\x1b[31m\u202e")])


@pytest.mark.unhurried
class TestDrawn:
    def embedded(self, shown: str) -> Any:
        (data,) = re.findall(r'<script type="application/json" id="charts">(.*?)</script>', shown)
        return json.loads(data)

    def test_a_page_is_one_file_whose_policy_names_its_own_scripts(self) -> None:
        shown = page([DOCUMENT])
        assert len(shown.encode()) < MOST_BYTES
        scripts = re.findall(r"<script>(.*?)</script>", shown, re.DOTALL)
        assert len(scripts) == 2
        (policy,) = [
            attributes["content"] or ""
            for attributes in Read(shown).attributes("meta")
            if attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        for script in scripts:
            assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
        for loading in ("src=", "<link", "@import", "url("):
            assert loading not in shown.replace("".join(scripts), "").partition("<body>")[2].partition("<script>")[0]

    def test_the_library_is_there_once(self) -> None:
        one, two = page([DOCUMENT]), page([DOCUMENT, DOCUMENT, DOCUMENT])
        assert len(two) - len(one) < 60_000
        assert len(self.embedded(two)) == 3

    def test_a_chart_has_its_points_once_its_text_and_its_folded_table(self) -> None:
        shown = page([DOCUMENT])
        (chart,) = self.embedded(shown)
        (panel,) = chart["panels"]
        assert panel["table"] == {
            "columns": ["i", "x", "y", "t"],
            "rows": [[0, 0, 100.0, None], [0, 1, None, None], [0, 2, 300.0, "p99"]],
        }
        assert not [source for source in panel["vega"]["data"] if source.get("values")]
        read = Read(shown)
        assert {"class": "view", "aria-hidden": "true"} in read.attributes("div")
        assert "Times rise" in [attributes.get("aria-label") for attributes in read.attributes("div")]
        assert read.texts("summary")[0] == "Table: Times"

    def test_texts_of_others_are_no_markup_in_data_either(self) -> None:
        shown = page([everything(HOSTILE)])
        assert HOSTILE not in shown
        (data,) = re.findall(r'id="charts">(.*?)</script>', shown)
        assert "<" not in data
        charts = self.embedded(shown)
        assert charts[1]["panels"][0]["table"]["rows"][0].count(HOSTILE)
        assert [tag for tag, _, _ in Read(shown).elements] == [
            tag for tag, _, _ in Read(page([everything("x")])).elements
        ]

    def test_a_large_page_has_less_detail_and_says_so(self) -> None:
        def chart(number: int) -> Chart:
            points = tuple(Point(x, 100.0 + x, text=f"{'text ' * 40} {x}") for x in range(900))
            panel = Panel(Axis("time", "µs"), (Series("p99", points),))
            return Chart(f"c{number}", f"Times {number}", "They rise", Axis("time", "s"), (panel,))

        few, many = (
            page([Document("example", "large", (), charts=tuple(map(chart, range(number))))]) for number in (4, 60)
        )
        assert len(few.encode()) <= MOST_BYTES
        assert len(self.embedded(few)) == 4
        assert "60 of 900 rows, evenly chosen; the stored result has all" in few
        assert TOO_MANY not in few
        assert len(many.encode()) <= MOST_BYTES
        assert 1 < len(self.embedded(many)) < 60
        assert many.count(TOO_MANY) == 60 - len(self.embedded(many))
        assert len(Read(many).attributes("figure")) == 60


def test_a_column_without_a_cell_is_left_out_and_a_term_is_code() -> None:
    columns = (Column("connections", "name"), Column("`send`"), Column("bound", "verdict"))
    table = Table(columns, (Row(("1", "2 µs", "")), Row(("50", "", ""))), title="to `received`")
    html = page([Document(kind="wire", title="seen", tables=(table,))])
    assert "<code>send</code>" in html
    assert "to <code>received</code>" in html
    assert ">bound<" not in html


def test_words_above_a_headline_do_not_repeat_what_stands_below_it() -> None:
    answer = Line("p50 1 ms")
    document = Document(kind="load", title="load on a:b", tables=(), headline=answer, basis="load on a:b; at c")
    assert '<p class="kicker">load</p>' in page([document])
    assert '<p class="kicker">load: load on a:b</p>' in page([dataclasses.replace(document, basis="")])
    assert '<p class="kicker">load/3, load</p>' in page([dataclasses.replace(document, name="load/3")])
