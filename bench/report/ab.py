"""A comparison of two revisions as a document: both revisions, each metric with its effect, interval and verdict."""

import shlex
from collections.abc import Iterator

from bench.objectives.outcome import worst
from bench.report.ab_charts import ab_charts
from bench.report.document import Column, Document, Line, Note, Row, Shapes, Style, Subject, Table
from bench.report.environment import header_facts
from bench.report.formatting import counted, durations, effect, effect_interval, percent
from bench.report.labels import label_notes
from bench.report.objectives import STYLES, answer, objective_notes, objective_tables
from bench.report.receive_times import receive_notes
from bench.report.service_log import service_log_tables
from bench.report.shapes import shapes_of
from bench.results.ab import METRIC_NAMES, AbBenchmark, AbMetric, AbResult, AbSide, Metric
from bench.results.figure import Figure
from bench.statistics.verdicts import Verdict
from bench.timing.durations import span_text

#: The metric that answers the question; the others are details.
_PRIMARY: Metric = "p50"

_STYLES: dict[Verdict, Style] = {"slower": "worse", "faster": "better", "same": "plain", "inconclusive": "inconclusive"}
_STOPPED = {
    "precision": "the intervals of p50 are within ±{precision}",
    "time": "the time of {max_time} was spent",
    "interrupt": "interrupted",
}


def ab_document(result: AbResult) -> Document:
    """Return the document of a comparison of two revisions."""
    columns = (
        Column("round trip", "name", explained=""),
        Column("A"),
        Column("B"),
        Column("effect"),
        Column(f"{result.settings.confidence:.0%} interval", "range"),
        Column("verdict", "verdict"),
    )
    rows = tuple(_row(benchmark, metric) for benchmark in result.benchmarks for metric in benchmark.metrics)
    notes = list(objective_notes(result.objectives))
    notes += [Note(text, label="note") for text in result.notes]
    received = [(benchmark.name, benchmark.receiving) for benchmark in result.benchmarks if benchmark.receiving]
    notes += receive_notes(received, result.receive_clock)
    notes += [Note(f"{spoiler.kind}: {spoiler.text}", "warning") for spoiler in result.spoilers]
    drawn = ab_charts(result)
    notes += [Note(text, "warning") for text in drawn.missing]
    return Document(
        kind="ab",
        title=f"{_side(result.b)} against {_side(result.a)}",
        tables=(
            *objective_tables(result.objectives, by_operation=True),
            Table(columns, rows, details="p99, server CPU, saturated", shapes=_shapes(result)),
            *service_log_tables(result.a.service_log, "the service of A"),
            *service_log_tables(result.b.service_log, "the service of B"),
        ),
        headline=Line(_headline(result), _style(result)),
        subjects=(Subject("A", _side(result.a)), Subject("B", _side(result.b))),
        basis=_basis(result),
        explanation=(
            "Times are of a round trip; a positive effect is slower. `saturated` is the time of a round trip with "
            f"{result.settings.in_flight} in flight. *Slower* means that the whole interval is beyond "
            f"{percent(result.settings.threshold)}."
        ),
        notes=(*notes, *label_notes(result.labels, result.note)),
        charts=drawn.charts,
        environment=tuple(_environment(result)),
        command=result.command or _command(result),
    )


def failed_ab_document(a: str, b: str, reason: str, command: str) -> Document:
    """Return the document of a comparison of revisions A and B that has no answer, because it failed."""
    return Document(
        kind="ab",
        title=f"{b} against {a}",
        tables=(),
        headline=Line(f"the comparison failed: {reason}", "wrong"),
        command=command,
        faults=(reason,),
    )


def _shapes(result: AbResult) -> Shapes | None:
    """Return the shapes of both revisions' times below each other; None if the result has no distributions."""
    return shapes_of(
        "time, one in flight",
        (
            (benchmark.name, side, histogram)
            for benchmark in result.benchmarks
            for side, histogram in (("A", benchmark.a_histogram), ("B", benchmark.b_histogram))
        ),
    )


def _environment(result: AbResult) -> Iterator[Subject]:
    """Yield both revisions with their commits, then where they were measured and with what."""
    for name, side in (("A", result.a), ("B", result.b)):
        commit = side.commit_info
        time = f", {commit.time}" if commit.time else ""
        yield Subject(name, f"{side.revision}: {commit.id}{time}{' with uncommitted changes' if commit.dirty else ''}")
    settings = result.settings
    yield Subject("service", settings.command or settings.app or "unknown")
    yield from header_facts(result)


def _command(result: AbResult) -> str:
    """Return the command that compares the same revisions again, as far as a result tells that has not kept it."""
    settings = result.settings
    words = ["bench", "ab", result.a.revision, result.b.revision]
    for option, value in (
        ("--app", settings.app),
        ("--serve", settings.command),
        ("--prepare", settings.prepare),
        ("--scenarios", settings.scenarios and settings.scenarios.file),
    ):
        words += [option, value] if value else []
    for link in settings.links:
        words += ["--link", link]
    for option, number in (
        ("--precision", settings.precision * 100),
        ("--threshold", settings.threshold * 100),
        ("--max-time", settings.max_time_s),
    ):
        words += [option, f"{number:g}"]
    return shlex.join(words)


def _row(benchmark: AbBenchmark, metric: AbMetric) -> Row:
    cells = (
        METRIC_NAMES[metric.metric],
        *durations([Figure(metric.a_us), Figure(metric.b_us)]),
        effect(metric.effect),
        effect_interval(metric.low, metric.high),
        metric.verdict,
    )
    return Row(cells, _STYLES[metric.verdict], benchmark.name, is_detail=metric.metric != _PRIMARY)


def _style(result: AbResult) -> Style:
    first = worst(result.objectives)
    if result.slower:
        return "worse"
    return "plain" if first is None or first.verdict == "met" else STYLES[first.verdict]


def _headline(result: AbResult) -> str:
    compared = _compared(result)
    return f"B: {answer(result.objectives)}. {compared[0].upper()}{compared[1:]}" if result.objectives else compared


def _compared(result: AbResult) -> str:
    threshold = percent(result.settings.threshold)
    if result.slower:
        return f"slower by more than {threshold}: {', '.join(result.slower)}"
    found = [metric.verdict for benchmark in result.benchmarks for metric in benchmark.metrics]
    counts = ", ".join(f"{found.count(word)} {word}" for word in ("faster", "same", "inconclusive") if word in found)
    return f"nothing is known to be slower by more than {threshold}: {counts}"


def _basis(result: AbResult) -> str:
    why = _STOPPED[result.stopped_by].format(
        precision=percent(result.settings.precision), max_time=span_text(result.settings.max_time_s)
    )
    awake = "cores awake" if result.settings.awake else "cores not kept awake"
    took = span_text(round(result.duration_s))
    return f"{counted(result.restarts, 'restart')} of both servers in {took}, {awake}; {why}"


def _side(side: AbSide) -> str:
    dirty = ", with uncommitted changes" if side.commit_info.dirty else ""
    own = ", in an environment of its own" if side.environment == "own" else ""
    return f"{side.label}{dirty}{own}"
