"""A list of stored results as a document and as JSON: a row for each, the newest first.

Rules of this file: pure; the time of today is passed in. A row fits a line of the terminal: the words for what was
measured are cut to the room that is left. `bench show` has them whole.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field
from rich.cells import cell_len, set_cell_size

from bench.objectives.model import FAILURE_METRICS
from bench.printable import one_line
from bench.report.document import Break, Column, Document, Note, Row, Style, Table
from bench.report.formatting import UNKNOWN, counted, duration, effect, per_second, short_commit
from bench.report.lines import total_width, widths
from bench.report.percentiles import named
from bench.results.figure import Figure, figure
from bench.results.header import WRITTEN, IsoDatetime
from bench.results.labels import in_words
from bench.results.listing import Listed, ListedAb, ListedHeader, ListedLatency, ListedLoad, ListedObjective
from bench.results.load import REPLIED_KINDS

LIST_SCHEMA: Literal["list/1"] = "list/1"

#: The age from which on a row has the year in place of the time of day.
_LONG_AGO = dt.timedelta(days=180)

#: The least room for the words about what was measured, in columns.
_LEAST_FOR_WORDS = 12

_COMMIT_DIGITS = 7

#: The verdicts that are no good news, with their styles.
_STYLES: Mapping[str, Style] = {
    "slower": "worse",
    "faster": "better",
    "inconclusive": "inconclusive",
    "undecided": "inconclusive",
    "not judged": "inconclusive",
    "saturated": "wrong",
    "service lost": "wrong",
    "partial": "wrong",
    "wrong": "wrong",
    "missed": "worse",
    "outside": "worse",
}


@dataclass(frozen=True)
class Summary:
    """The words of a row: what was measured, the figure that tells most, and the verdict, each empty if there is none.

    `is_bad` marks a verdict that is none of the known words.
    """

    what: str = ""
    figure: str = ""
    verdict: str = ""
    is_bad: bool = False

    @property
    def style(self) -> Style:
        """The style of the row."""
        return "worse" if self.is_bad else _STYLES.get(self.verdict, "plain")


class ListedRow(BaseModel):
    """A stored result of a list. `reference` is what other commands take, `path` the file."""

    model_config = WRITTEN

    reference: str
    kind: str
    number: int
    path: str
    datetime: IsoDatetime
    commit: str
    dirty: bool
    what: str
    figure: str
    verdict: str
    labels: dict[str, str] = {}
    note: str | None = None


class ListFile(BaseModel):
    """A list of stored results, as `bench list --json` writes it, the newest first."""

    model_config = WRITTEN

    schema_: Literal["list/1"] = Field(default=LIST_SCHEMA, alias="schema")
    results: tuple[ListedRow, ...]

    def to_json(self) -> bytes:
        """Return the list as indented UTF-8 JSON."""
        return self.model_dump_json(by_alias=True, indent=2).encode() + b"\n"


Summarise = Callable[[ListedHeader], Summary]


def list_file(results: Sequence[Listed], others: Mapping[str, Summarise] | None = None) -> ListFile:
    """Return a list as data. `others` has the way to sum up each kind of which this file knows nothing."""
    return ListFile(results=tuple(_listed_row(result, others or {}) for result in results))


def _listed_row(result: Listed, others: Mapping[str, Summarise]) -> ListedRow:
    content = result.content
    summary = summary_of(content) if result.kind not in others else others[result.kind](content)
    return ListedRow(
        reference=result.reference,
        kind=result.kind,
        number=result.number,
        path=str(result.path),
        datetime=content.when,
        commit=content.commit_info.id,
        dirty=content.commit_info.dirty,
        what=summary.what,
        figure=summary.figure,
        verdict=summary.verdict,
        labels=dict(content.given_labels),
        note=content.given_note,
    )


def summary_of(content: ListedHeader) -> Summary:
    """Return the words for a latency result, a load, or a comparison of two revisions; no words for other kinds."""
    if isinstance(content, ListedLoad):
        return _of_load(content)
    if isinstance(content, ListedLatency):
        return _of_latency(content)
    return _of_ab(content) if isinstance(content, ListedAb) else Summary()


def list_document(
    results: Sequence[Listed],
    now: dt.datetime,
    width: int = 80,
    older: int = 0,
    machines: Sequence[str] = (),
    others: Mapping[str, Summarise] | None = None,
) -> Document:
    """Return the document of a list, laid out for a width in columns.

    `older` is the number of results that are not shown, and `machines` names others that have results in the folder.
    """
    summaries = [(others or {}).get(result.kind, summary_of)(result.content) for result in results]
    cells = [_cells(result, summary, now) for result, summary in zip(results, summaries, strict=True)]
    room = width - total_width([*widths([("result", "", "commit", "", "figure", "verdict"), *cells]), 0])
    rows: list[Row | Break] = []
    for result, summary, row in zip(results, summaries, cells, strict=True):
        what = _fitted(summary.what, max(room, _LEAST_FOR_WORDS))
        rows.append(Row((*row[:3], what or UNKNOWN, *row[4:]), summary.style))
        if words := _words(result):
            rows.append(Break(f"  {_fitted(words, width - 2)}", "plain"))
    columns = (
        *(Column("result", "name"), Column("when (UTC)", "word"), Column("commit", "text")),
        *(Column("what", "text"), Column("figure"), Column("verdict", "verdict")),
    )
    return Document(
        kind="list", title="stored results", tables=(Table(columns, tuple(rows)),), notes=tuple(_notes(older, machines))
    )


def _notes(older: int, machines: Sequence[str]) -> Iterator[Note]:
    if older:
        yield Note(f"{counted(older, 'older result')} not shown: --last N shows N of them")
    if machines:
        yield Note(f"results of other machines are not listed: {', '.join(machines)}")


def _cells(result: Listed, summary: Summary, now: dt.datetime) -> tuple[str, ...]:
    when, commit = result.content.when, result.content.commit_info
    is_recent = now - when < _LONG_AGO
    known = short_commit(commit.id, _COMMIT_DIGITS)
    return (
        result.reference,
        f"{when:%m-%d %H:%M}" if is_recent else f"{when:%Y-%m-%d}",
        ("-" if commit.id in ("unversioned", "unknown") else known) + ("+" if commit.dirty else ""),
        "",
        summary.figure or UNKNOWN,
        summary.verdict or UNKNOWN,
    )


def _fitted(text: str, width: int) -> str:
    """Return a text cut to a width in columns."""
    text = one_line(text)
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1).rstrip()}…"


def _words(result: Listed) -> str:
    """Return the labels and the note of a result."""
    labels, note = result.content.given_labels, result.content.given_note
    # A value may have blanks, so a blank alone would not tell where it ends.
    return "; ".join(part for part in (in_words(labels), f"note: {note}" if note else "") if part)


# --- each kind ------------------------------------------------------------------------------------------------------


def _of_load(load: ListedLoad) -> Summary:
    service = load.scenario.app or (load.server.command if load.server else None) or load.scenario.url or "a service"
    replied = [operation for operation in load.operations if operation.kind in REPLIED_KINDS]
    most = max(replied, key=lambda operation: operation.sent, default=None)
    name = shown = ""
    if most is not None:
        times = most.service_us if most.response_us is None else most.response_us
        p99 = figure(times, "p99")
        # Of few times the p99 is the longest. Their number is in the histogram, which a list does not read.
        is_longest = times is not None and times.p99 == times.max
        shown = "" if p99 is None else f"{named('p99', is_longest)} {duration(p99)}"
        # The rate comes first: without it the time says little, and a long name would push it out.
        rate = "" if most.throughput_per_s is None else f"{per_second(most.throughput_per_s)}/s "
        name = f"{rate}{most.name}, "
    verdict, is_bad = _verdict_of_load(load)
    return Summary(f"{name}{counted(load.scenario.users, 'user')}, {service}", shown, verdict, is_bad)


def _verdict_of_load(load: ListedLoad) -> tuple[str, bool]:
    if load.service_loss is not None:
        return "service lost", True
    if load.invalid_reason is not None:
        return "wrong", True
    if load.partial:
        return "partial", True
    if load.generator.verdict == "saturated":
        return "saturated", True
    judged = _judged(load.objectives)
    if judged and judged != "met":
        return judged, judged == "missed"
    failed = sum(each.scheduled - each.ok for each in load.operations if each.kind not in ("transaction", "emission"))
    failed += sum(each.scheduled - each.sent for each in load.operations if each.kind == "emission")
    if failed and not any(objective.metric in FAILURE_METRICS for objective in load.objectives):
        return f"{failed:,} failed", True
    return judged or load.generator.verdict or "", False


def _judged(objectives: Sequence[ListedObjective]) -> str:
    """Return the verdict on all objectives: the worst; empty if there are none."""
    verdicts = [objective.verdict for objective in objectives if objective.verdict is not None]
    return next((word for word in ("missed", "undecided", "not judged", "met") if word in verdicts), "")


def _of_latency(latency: ListedLatency) -> Summary:
    compared = [each for each in latency.benchmarks if each.extra_info.get("illustrative") is not True]
    shown = (compared or latency.benchmarks)[:1]
    more = len(latency.benchmarks) - 1
    name = "".join(f"{each.name}, " for each in shown) + (f"{more} more, " if more > 0 else "")
    service = next((found for each in latency.benchmarks if (found := each.text("service"))), "")
    median = "".join(f"p50 {duration(Figure(each.stats.median * 1e6))}" for each in shown)
    verdict = _judged([objective for each in latency.benchmarks for objective in each.objectives])
    failed = sum(each.failures for each in latency.benchmarks)
    verdict = f"{failed:,} failed" if failed else verdict
    return Summary(f"{name}{service}".removesuffix(", "), median, verdict, bool(failed))


def _of_ab(ab: ListedAb) -> Summary:
    metrics = [metric for benchmark in ab.benchmarks for metric in benchmark.metrics]
    primary = [metric for metric in metrics if metric.metric == "p50"]
    most = max(primary, key=lambda metric: abs(metric.effect), default=None)
    verdicts, of_p50 = [metric.verdict for metric in metrics], [metric.verdict for metric in primary]
    verdict = next((word for word in ("slower", "faster") if word in verdicts), "")
    verdict = verdict or next((word for word in ("inconclusive", "same") if word in of_p50), "")
    judged = _judged(ab.objectives)
    return Summary(
        f"{ab.a.revision} → {ab.b.revision}",
        "" if most is None else f"p50 {effect(most.effect)}",
        judged if judged == "missed" and verdict != "slower" else verdict,
    )
