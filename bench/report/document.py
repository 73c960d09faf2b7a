"""Documents: a result's answer, tables and notes as data, which every format can show.

Rules of this file: data only. A builder for each kind of result makes a document (load.py, ab.py and so on), and each
format turns any document into text (formats/). So a builder knows no format and a format knows no result. Texts are
whole and as they came: a format makes names of others harmless in its own way. Numbers are texts already, because
formatting.py rounds them alike for all formats.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, overload

from bench.report.chart import AnyChart

#: The meaning of a line or row, from which a format takes its colour or its emphasis.
Style = Literal["plain", "heading", "worse", "better", "inconclusive", "warning", "wrong", "step"]

#: The content of a column, from which a format takes its alignment. Names and texts come from outside.
Content = Literal["name", "number", "range", "word", "verdict", "text"]


@dataclass(frozen=True)
class Line:
    """A line of text and its meaning."""

    text: str
    style: Style = "plain"


@dataclass(frozen=True)
class Subject:
    """A thing that the document is about, such as a revision or a stored result, and its label there."""

    label: str
    text: str


@dataclass(frozen=True)
class Note:
    """A remark below the tables, with its label in front of it, if it has any.

    A note that stands `apart` begins another topic than the note before it.
    """

    text: str
    style: Style = "plain"
    label: str = ""
    apart: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table. `explained` is the heading where the first column's heading does not tell the unit."""

    title: str
    content: Content = "number"
    explained: str | None = None

    @property
    def full_title(self) -> str:
        """The heading of a table that nothing else explains."""
        return self.title if self.explained is None else self.explained


@dataclass(frozen=True)
class Row:
    """A row of a table, a cell for each column.

    `group` is the thing that this row and its neighbours are of. `is_detail` says that a format may fold the row away.
    `link` is the address that the first cell leads to, in formats with links.
    """

    cells: tuple[str, ...]
    style: Style = "plain"
    group: str = ""
    is_detail: bool = False
    reason: str = ""
    link: str = ""


@dataclass(frozen=True)
class Break:
    """A line across a table, between the row before it and the row after it."""

    text: str
    style: Style


@dataclass(frozen=True)
class Shape:
    """The shape of a distribution: the number of times in each bin. `group` is as in a row of a table."""

    name: str
    numbers: tuple[int, ...]
    group: str = ""


@dataclass(frozen=True)
class Shapes:
    """The shapes of the distributions of a table, all over the same axis.

    The bins of a shape have the same width on a logarithmic axis from `low_us` to `high_us`. `left_out` is the number
    of distributions that are not among them, because there are so many.
    """

    title: str
    low_us: float
    high_us: float
    rows: tuple[Shape, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Table:
    """A table. The first column has the names of the rows.

    `section` is a heading that neighbouring tables may share, `title` and `caption` are the table's own. `details` is
    the title of its folded rows. With a `brief`, a format that is read at a glance has this text in their place. A
    table that `extends` the table before it has the same rows in the same order. A format may show both as one table if
    there is room. A table that `leads` stands before the charts, in formats with charts. `shapes` are those of the
    times in it, for formats of plain text: others have charts.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row | Break, ...]
    section: str = ""
    title: str = ""
    caption: str = ""
    details: str = ""
    brief: str = ""
    extends: bool = False
    leads: bool = False
    shapes: Shapes | None = None


class LazyCharts(Sequence[AnyChart]):
    """Charts that are made when a format asks for them: it takes seconds for a long run, and a terminal has none."""

    def __init__(self, make: Callable[[], Sequence[AnyChart]]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> Sequence[AnyChart]:
        return tuple(self._make())

    @overload
    def __getitem__(self, index: int) -> AnyChart: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[AnyChart]: ...

    def __getitem__(self, index: int | slice) -> AnyChart | Sequence[AnyChart]:
        return self._made[index]

    def __iter__(self) -> Iterator[AnyChart]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


@dataclass(frozen=True)
class Document:
    """A result of any kind, as it is shown.

    `title` says what the document is about, `headline` is the answer if the result gives any, and `basis` says what the
    answer rests on. Where a terminal ends, they stand below the tables, unless `is_headline_first`. `explanation` tells
    somebody who has not run the command how to read the figures; its terms are marked as in Markdown, `so` or *so*.
    `subjects_title` is the title of the subjects where a format folds them away; without it they are not folded.
    `charts` are for formats with pictures. `environment` tells where it was measured and with what, and `command`
    gives it again; both are for formats with room for them. `command_title` says what it does. `faults` are the reasons
    for which the result failed as a whole. `name` is what the result is called among others on its page, such as
    load/3. `identity` tells it from others with the same title: commit, time and labels.
    """

    kind: str
    title: str
    tables: tuple[Table, ...]
    headline: Line | None = None
    subjects: tuple[Subject, ...] = ()
    subjects_title: str = ""
    basis: str = ""
    explanation: str = ""
    notes: tuple[Note, ...] = ()
    is_headline_first: bool = False
    charts: Sequence[AnyChart] = ()
    environment: tuple[Subject, ...] = ()
    command: str = ""
    command_title: str = "To measure it again"
    faults: tuple[str, ...] = ()
    name: str = ""
    identity: str = ""
