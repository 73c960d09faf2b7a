"""Documents as JUnit's XML, for the page on which a CI system shows tests.

Rules of this file: each row with a verdict is a test case, and so is each row of the first table without any, such as
an operation or a benchmark. So a file is never empty. What is worse or missed is a failure. What could not be judged is
an error. What is undecided or inconclusive is skipped. The document as a whole is a test case as well, which fails if
the result did. JUnit has no standard: the elements are those of Ant's tasks, which all readers know.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Literal

from bench.printable import printable
from bench.report.document import Document, Row, Style, Table

#: The element inside of a test case that did not pass.
Outcome = Literal["failure", "error", "skipped"]

_OUTCOMES: dict[Style, Outcome] = {"worse": "failure", "wrong": "error", "inconclusive": "skipped"}

#: The name of the test case that is the document as a whole.
_WHOLE = "the result"


def render(document: Document) -> str:
    """Return the document as XML."""
    suite = ElementTree.Element("testsuite", name=f"bench {document.kind}")
    whole = _case(suite, document.kind, _WHOLE)
    for fault in document.faults:
        _note(whole, "error", fault)
    for table in _judged_tables(document):
        for row in table.rows:
            if isinstance(row, Row):
                _add(suite, document, table, row)
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for name, outcome in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(outcome) is not None for case in cases)))
    lines = [document.title, *([document.headline.text] if document.headline else [])]
    lines += [f"{note.label}: {note.text}" if note.label else note.text for note in document.notes]
    ElementTree.SubElement(suite, "system-out").text = "\n".join(map(printable, lines))
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(suites, encoding="unicode")}\n'


def _judged_tables(document: Document) -> Iterator[Table]:
    """Yield the tables with verdicts, and the first table without."""
    is_first = True
    for table in document.tables:
        if any(column.content == "verdict" for column in table.columns):
            yield table
        elif is_first:
            is_first = False
            yield table


def _add(suite: ElementTree.Element, document: Document, table: Table, row: Row) -> None:
    name = f"{row.group}: {row.cells[0]}" if row.group else row.cells[0]
    case = _case(suite, f"{document.kind}.{table.columns[0].full_title or table.title or 'metric'}", name)
    outcome = _OUTCOMES.get(row.style)
    if outcome is not None:
        cells = zip(table.columns[1:], row.cells[1:], strict=True)
        text = ", ".join(f"{column.full_title} {cell}" for column, cell in cells)
        _note(case, outcome, f"{text}: {row.reason}" if row.reason else text)


def _case(suite: ElementTree.Element, group: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=printable(group), name=printable(name))


def _note(case: ElementTree.Element, outcome: Outcome, text: str) -> None:
    if case.find(outcome) is None:
        ElementTree.SubElement(case, outcome, message=printable(text))
