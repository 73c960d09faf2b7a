"""Formats: any document as text, as Markdown and as JSON."""

import dataclasses
import io
import json

import pytest
from rich.console import Console

from bench.report import formats
from bench.report.document import Break, Column, Document, Line, Note, Row, Subject, Table
from bench.report.formats import json as json_format
from bench.report.formats import junit, markdown, text

NAMES = Column("µs", "name", explained="")
TIMES = Table(
    columns=(NAMES, Column("A", explained="A µs"), Column("effect", "range"), Column("verdict", "verdict")),
    rows=(
        Row(("p50", "1.0", "> 5", "slower"), "worse", "say|said"),
        Row(("p99", "1,234.5", "-", "same"), group="say|said", is_detail=True),
        Break("-- +5.1 %", "step"),
        Row(("p50", "2.0", "-", "faster"), "better", "other"),
    ),
    details="all else",
)
DOCUMENT = Document(
    kind="example",
    title="B against A",
    headline=Line("slower: say|said", "worse"),
    subjects=(Subject("A", "main"), Subject("B", "work *now*")),
    tables=(TIMES,),
    basis="2 restarts",
    explanation="*Slower* is longer.",
    notes=(Note("first", label="note"), Note("second\x1b[31m", "warning", apart=True)),
)


def drawn(document: Document, *, width: int = 80, colours: bool = False) -> str:
    written = io.StringIO()
    console = Console(file=written, width=width, force_terminal=colours, color_system="standard" if colours else None)
    text.print_document(document, console)
    return written.getvalue()


class TestText:
    def test_the_answer_stands_below_the_table(self) -> None:
        assert text.render(DOCUMENT).splitlines() == [
            "A  main",
            "B  work *now*",
            "",
            "µs           A  effect  verdict",
            "say|said",
            "  p50      1.0     > 5   slower",
            "  p99  1,234.5       -     same",
            "-- +5.1 %",
            "other",
            "  p50      2.0       -   faster",
            "",
            "slower: say|said",
            "2 restarts",
            "note: first",
            "",
            "second�[31m",
        ]

    def test_colours_are_for_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        assert drawn(DOCUMENT) == text.render(DOCUMENT)
        lines = drawn(DOCUMENT, colours=True).splitlines()
        assert "\x1b[31m  p50      1.0     > 5   slower\x1b[0m" in lines
        assert "\x1b[1;33m-- +5.1 %\x1b[0m" in lines
        assert "\x1b[32m  p50      2.0       -   faster\x1b[0m" in lines
        assert "\x1b[33msecond�[31m\x1b[0m" in lines
        monkeypatch.setenv("NO_COLOR", "1")
        assert "\x1b[3" not in drawn(DOCUMENT, colours=True)

    def test_nothing_is_cut(self) -> None:
        words = drawn(DOCUMENT, width=10).split()
        assert set(words) == set(text.render(DOCUMENT).split())

    def test_long_names_stand_on_lines_of_their_own(self) -> None:
        columns = (Column("round trip", "name"), Column("p50"))
        long = Row(("a name that is long", "5 ms"), group="here")
        table = Table(columns, (Row(("short", "1 ms"), group="here"), long))
        document = Document("example", "names", (table,))
        assert drawn(document, width=20).splitlines() == [
            *["round trip   p50", "here", "  short     1 ms", "  a name that is long", "            5 ms", ""],
        ]

    def test_columns_that_do_not_fit_come_in_parts(self) -> None:
        """A range stays beside its figure, and each part has the names."""
        columns = (Column("tool", "name"), Column("rate"), Column("(range)", "range"), Column("CPU"), Column("memory"))
        table = Table(
            columns, (Row(("ours", "13,408", "11,502-15,314", "13.0", "25")), Row(("a", "1", "1-1", "2", "3")))
        )
        assert drawn(Document("example", "parts", (table,)), width=30).splitlines() == [
            *["tool    rate        (range)", "ours  13,408  11,502-15,314", "a          1            1-1", ""],
            *["tool   CPU  memory", "ours  13.0      25", "a        2       3", ""],
        ]

    def test_the_answer_may_stand_first(self) -> None:
        first = dataclasses.replace(DOCUMENT, is_headline_first=True)
        assert text.render(first).splitlines()[:7] == [
            *["A  main", "B  work *now*", "", "slower: say|said", "2 restarts", "", "µs           A  effect  verdict"]
        ]

    @pytest.mark.parametrize(
        ("width", "lines"),
        [
            (17, ["times   ok     p50", "echo   100  1234.5"]),
            (18, ["times   ok     p50", "echo   100  1234.5"]),
        ],
    )
    def test_tables_of_the_same_rows_beside_each_other(self, width: int, lines: list[str]) -> None:
        counts = Table((Column("counts", "name"), Column("ok")), (Row(("echo", "100")),))
        times = Table((Column("times", "name"), Column("p50")), (Row(("echo", "1234.5")),), extends=True)
        shown = drawn(Document("example", "load", (counts, times)), width=width).splitlines()
        apart = ["counts   ok", "echo    100", "", "times     p50", "echo   1234.5", ""]
        assert shown == ([*lines, ""] if width >= len(lines[0]) else apart)

    def test_sections_titles_and_words_at_the_end(self) -> None:
        columns = (Column("commit", "name"), Column("µs"), Column("", "text"))
        first = Table(columns, (Row(("a", "5", "")), Row(("b", "10", "partial"))), section="here", title="echo")
        second = Table(columns, (Row(("c", "7", "")),), section="here", caption="p50")
        third = Table(columns, (), section="there")
        assert drawn(Document("example", "trend", (first, second, third))).splitlines() == [
            *["here", "", "echo", "commit  µs", "a        5", "b       10  partial", ""],
            *["p50", "commit  µs", "c        7", "", "there", "", "commit  µs", ""],
        ]


class TestMarkdown:
    def test_the_answer_comes_first_and_details_are_folded(self) -> None:
        assert markdown.render(DOCUMENT).splitlines() == [
            "### slower: say\\|said",
            "",
            "A: main  ",
            "B: work \\*now\\*",
            "",
            "| | A µs | effect | verdict |",
            "| --- | ---: | :---: | --- |",
            "| say\\|said p50 | 1.0 | > 5 | **slower** |",
            "| **-- +5.1 %** | | | |",
            "| other p50 | 2.0 | - | faster |",
            "",
            "<details><summary>all else</summary>",
            "",
            "| | A µs | effect | verdict |",
            "| --- | ---: | :---: | --- |",
            "| say\\|said p99 | 1,234.5 | - | same |",
            "",
            "</details>",
            "",
            "2 restarts.",
            "*Slower* is longer.",
            "",
            "- first",
            "- second�\\[31m",
        ]

    def test_names_are_no_markup(self) -> None:
        named = "<b>@all</b> #1 `a` [b](c)\n| x |"
        document = Document(named, named, (Table((Column(named, "name"),), (Row((named,)),), title=named),))
        shown = markdown.render(document)
        for markup in ("<b>", "@all", "#1", " [b]", " `a`", "\n| x"):
            assert markup not in shown

    def test_subjects_with_a_title_are_folded_at_the_end(self) -> None:
        document = Document("example", "B", (), subjects=(Subject("old", "a.json"),), subjects_title="the results")
        assert markdown.render(document).splitlines() == [
            *["### B", "", "<details><summary>the results</summary>", "", "- old: a.json", "", "</details>"]
        ]


def test_json_has_all_of_it() -> None:
    shown = json.loads(json_format.render(DOCUMENT))
    assert shown["schema"] == "document/1"
    assert shown["headline"] == {"text": "slower: say|said", "style": "worse"}
    assert [column["title"] for column in shown["tables"][0]["columns"]] == ["µs", "A", "effect", "verdict"]
    assert shown["tables"][0]["rows"][1] == {
        "cells": ["p99", "1,234.5", "-", "same"],
        "style": "plain",
        "group": "say|said",
        "is_detail": True,
        "reason": "",
        "link": "",
    }
    assert shown["tables"][0]["rows"][2] == {"text": "-- +5.1 %", "style": "step"}
    assert [note["text"] for note in shown["notes"]] == ["first", "second\x1b[31m"]


def test_junit_has_the_words_before_the_notes() -> None:
    assert "<system-out>B against A\nslower: say|said\nnote: first\nsecond" in junit.render(DOCUMENT)


def test_formats_are_found_by_their_files() -> None:
    assert formats.formats() == ("html", "json", "junit", "markdown", "text")
    assert formats.render(DOCUMENT, "text") == text.render(DOCUMENT)
    with pytest.raises(ValueError, match="tarot: there is no such format, only html, json, junit, markdown, text"):
        formats.render(DOCUMENT, "tarot")
