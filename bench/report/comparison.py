"""A comparison of stored results as a document: which results, each metric's effect and verdict, what may spoil it."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence

from bench.compare.model import FAILING, Compared, ComparedResult, Comparison, Row, RowVerdict
from bench.report import document
from bench.report.comparison_charts import comparison_charts, side_text
from bench.report.document import Column, Document, Line, Note, Style, Subject, Table
from bench.report.formatting import UNKNOWN, commit_with_changes, effect, effect_interval, measured, percent
from bench.results.figure import Unit
from bench.results.latency import ControlKind
from bench.results.references import Stored
from bench.statistics.verdicts import THRESHOLD

#: The metrics that a format always shows; it may fold the others, unless they are worse.
_PRIMARY = {"p50", "throughput", "response p50", "response p99", "failed"}

#: The number of commands that measured the results of a side, of which the page tells.
_MOST_COMMANDS = 3

#: The end of a metric's name that goes into the heading of its rows, which then fit a terminal.
_PER_ROUND_TRIP = " per round trip"
_STYLES: dict[RowVerdict, Style] = {
    "slower": "worse",
    "worse": "worse",
    "faster": "better",
    "better": "better",
    "inconclusive": "inconclusive",
}
_CONTROLS: dict[ControlKind, str] = {
    "same-stack": "effects are of ratios to the control on the same stack, timed in alternation; old and new are not, "
    "and drift with the machine",
    "bare": "effects are of ratios to the bare echo server, timed in alternation; old and new are not, and drift with "
    "the machine",
}


def comparison_document(
    comparison: Comparison, old: Sequence[Stored] = (), new: Sequence[Stored] = (), *, command: str = ""
) -> Document:
    """Return the document of a comparison of stored results. With the results themselves it has their distributions.

    `command` is the one that was typed. Of one result on each side, the document has a command that names their files:
    what was typed may mean others later.

    Raises bench.timing.histogram.HistogramError, with the file's name, for a distribution that cannot be read.
    """
    columns = (
        Column("", "name"),
        Column("old"),
        Column("new"),
        Column("effect"),
        Column(f"{comparison.confidence:.0%} interval", "range"),
        Column("verdict", "verdict"),
    )
    rows = tuple(_row(compared, row) for compared in comparison.benchmarks for row in compared.rows)
    return Document(
        kind="compare",
        title=_title(comparison, old, new),
        tables=(Table(columns, rows, details="all other metrics"),),
        headline=Line(_headline(comparison), "worse" if comparison.worse else "plain"),
        subjects=(*_subjects("old", comparison.old), *_subjects("new", comparison.new)),
        subjects_title="the results",
        explanation=(
            "A positive effect on a time is slower. *Slower* means that the whole interval is beyond "
            f"{percent(comparison.threshold)}."
        ),
        notes=tuple(_notes(comparison)),
        charts=comparison_charts(comparison, old, new),
        environment=tuple(_environment(comparison, old, new)),
        command=_command(comparison) or command,
        command_title="To compare them again",
    )


def _command(comparison: Comparison) -> str:
    """Return the command that compares the same files again; empty if a side has several."""
    if len(comparison.old) != 1 or len(comparison.new) != 1:
        return ""
    files = [side[0].path for side in (comparison.old, comparison.new)]
    threshold = [] if comparison.threshold == THRESHOLD else ["--threshold", f"{comparison.threshold * 100:g}"]
    return shlex.join(["bench", "compare", *files, *threshold, *(["--force"] if comparison.forced else [])])


def _title(comparison: Comparison, old: Sequence[Stored], new: Sequence[Stored]) -> str:
    """Return both sides with their commits, dates and machines."""
    baseline, candidate = (
        side_text(label, compared, [stored.result.machine_info.node for stored in side])
        for label, compared, side in (("baseline", comparison.old, old), ("candidate", comparison.new, new))
    )
    return f"{comparison.kind}, {candidate}; {baseline}"


def _environment(comparison: Comparison, old: Sequence[Stored], new: Sequence[Stored]) -> Iterator[Subject]:
    """Yield both sides with their commits, dates and machines."""
    for label, compared, side in (("baseline", comparison.old, old), ("candidate", comparison.new, new)):
        machines = [stored.result.machine_info.node for stored in side]
        yield Subject(label, side_text("", compared, machines))
    for label, side in (("baseline measured by", old), ("candidate measured by", new)):
        commands = dict.fromkeys(command for stored in side if (command := stored.result.command))
        for command in list(commands)[:_MOST_COMMANDS]:
            yield Subject(label, command)


def _subjects(side: str, results: Sequence[ComparedResult]) -> Iterator[Subject]:
    """Yield a line for each result of a side: commit, time, file."""
    for result in results:
        commit = commit_with_changes(result.commit, result.dirty)
        yield Subject(side, f"{commit}  {result.datetime:%Y-%m-%d %H:%M:%S %Z}  {result.path}")


def _row(compared: Compared, row: Row) -> document.Row:
    metric = row.metric.removesuffix(_PER_ROUND_TRIP)
    group = compared.label if metric == row.metric else f"{compared.label},{_PER_ROUND_TRIP}"
    cells = (
        metric,
        *measured([row.old, row.new], row.unit),
        _effect(row),
        effect_interval(row.low, row.high) if row.effect is not None else UNKNOWN,
        _verdict(row),
    )
    style = _STYLES.get(row.verdict, "plain") if row.verdict else "plain"
    return document.Row(cells, style, group, is_detail=row.metric not in _PRIMARY and row.verdict not in FAILING)


def _effect(row: Row) -> str:
    """Return the effect; where no more is known, a bound."""
    if row.effect is not None:
        return effect(row.effect)
    bounded = row.ratio if row.unit is not Unit.COUNT else None
    return UNKNOWN if bounded is None or bounded.bound == "exact" else effect(bounded.value - 1, bounded.bound)


def _verdict(row: Row) -> str:
    """Return the verdict, marked where it was forced; a dash for a row that is only reported."""
    if row.verdict is None:
        return UNKNOWN
    return f"{row.verdict} (forced)" if row.forced else row.verdict


def _headline(comparison: Comparison) -> str:
    threshold = percent(comparison.threshold)
    void = "void, and forced: " if comparison.forced else ""
    if comparison.worse:
        return f"{void}slower by more than {threshold}, or newly failing: {', '.join(comparison.worse)}"
    found = Counter(row.verdict for compared in comparison.benchmarks for row in compared.rows if row.verdict)
    counts = ", ".join(
        f"{found[word]} {word}" for word in ("faster", "better", "same", "inconclusive") if word in found
    )
    return f"{void}nothing is known to be slower by more than {threshold}: {counts}"


def _notes(comparison: Comparison) -> Iterator[Note]:
    controls = (compared.control for compared in comparison.benchmarks if compared.control is not None)
    for control in dict.fromkeys(controls):
        yield Note(_CONTROLS[control], label="note")
    for difference in comparison.differences:
        void = " (void)" if difference.void else ""
        yield Note(f"{difference.kind}{void}: {difference.detail}", "warning")
    for remark in comparison.remarks:
        yield Note(f"note: {remark}")
    for (verdict, reason), labels in _reasons(comparison).items():
        yield Note(f"{verdict}, {reason}: {', '.join(labels)}", "warning" if verdict in FAILING else "plain")
    for reason in dict.fromkeys(left_out.reason for left_out in comparison.not_compared):
        names = [left_out.label for left_out in comparison.not_compared if left_out.reason == reason]
        yield Note(f"not compared, {reason}: {', '.join(names)}")
    for side, only in (("old", comparison.only_old), ("new", comparison.only_new)):
        for name in only:
            yield Note(f"only in the {side} results: {name}")


def _reasons(comparison: Comparison) -> dict[tuple[RowVerdict, str], list[str]]:
    """Return the benchmarks with their metrics, by verdict and reason. Rows without a reason are left out."""
    found: dict[tuple[RowVerdict, str], dict[str, list[str]]] = {}
    for compared in comparison.benchmarks:
        for row in compared.rows:
            if row.verdict is not None and row.reason:
                found.setdefault((row.verdict, row.reason), {}).setdefault(compared.label, []).append(row.metric)
    return {
        key: [f"{label} ({', '.join(metrics)})" for label, metrics in labels.items()] for key, labels in found.items()
    }
