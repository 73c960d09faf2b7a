"""A comparison of stored results on a terminal, or in a file that stands for one.

Rules of this file: a comparison and a console in, text out; everything said here is data of the comparison. Its public
functions are the words that the Markdown uses too.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console

from bench.compare.model import FAILING, ComparedResult, Comparison, Row, Verdict
from bench.report.ab_table import percent
from bench.report.figures import UNKNOWN, measured, printable
from bench.report.lines import print_line, print_row, widths
from bench.results.figure import Unit
from bench.results.latency import ControlKind

_UNITS = {Unit.MICROSECONDS: " µs", Unit.PER_SECOND: " per second", Unit.COUNT: ""}
_STYLES = {"slower": "red", "worse": "red", "faster": "green", "better": "green", "inconclusive": "yellow"}
_SIGNS = {"above": "> ", "below": "< ", "exact": ""}
_SHORT_COMMIT = 12
_CONTROLS: dict[ControlKind, str] = {
    "same-stack": "effects are of ratios to the control on the same stack, timed in alternation; old and new are not, "
    "and drift with the machine",
    "bare": "effects are of ratios to the bare echo server, timed in alternation; old and new are not, and drift with "
    "the machine",
}


def comparison_table(comparison: Comparison, console: Console) -> None:
    """Print which results these are, each metric with effect, interval and verdict, and what may spoil it."""
    for side, results in (("old", comparison.old), ("new", comparison.new)):
        for line in side_lines(results):
            print_line(console, f"{side}  {line}")
    print_line(console, "")
    _print_rows(comparison, console)
    print_line(console, "")
    print_line(console, headline(comparison), "red" if comparison.worse else "")
    for control in controls(comparison):
        print_line(console, f"note: {control}")
    for line, is_warning in notes(comparison):
        print_line(console, line, "yellow" if is_warning else "")


def side_lines(results: Sequence[ComparedResult]) -> Iterator[str]:
    """A line for each result of a side: commit, time, file."""
    for one in results:
        commit = one.commit[:_SHORT_COMMIT] + (" + changes" if one.dirty else "")
        yield printable(f"{commit}  {one.datetime:%Y-%m-%d %H:%M:%S %Z}  {one.path}")


def headline(comparison: Comparison) -> str:
    """The answer in one line."""
    threshold = percent(comparison.threshold)
    void = "void, and forced: " if comparison.forced else ""
    if comparison.worse:
        return f"{void}slower by more than {threshold}, or newly failing: {printable(', '.join(comparison.worse))}"
    found = Counter(row.verdict for one in comparison.benchmarks for row in one.rows if row.verdict is not None)
    counts = ", ".join(
        f"{found[word]} {word}" for word in ("faster", "better", "same", "inconclusive") if word in found
    )
    return f"{void}nothing is known to be slower by more than {threshold}: {counts}"


def controls(comparison: Comparison) -> tuple[str, ...]:
    """What the effects are of, where they are not of the figures themselves."""
    used = dict.fromkeys(one.control for one in comparison.benchmarks if one.control is not None)
    return tuple(_CONTROLS[control] for control in used)


def notes(comparison: Comparison) -> Iterator[tuple[str, bool]]:
    """All that is to be known besides, a line each, and whether it is a warning."""
    for difference in comparison.differences:
        void = " (void)" if difference.void else ""
        yield f"{difference.kind}{void}: {printable(difference.detail)}", True
    for remark in comparison.remarks:
        yield f"note: {printable(remark)}", False
    for (verdict, reason), labels in _reasons(comparison).items():
        yield f"{verdict}, {printable(reason)}: {printable(', '.join(labels))}", verdict in FAILING
    for reason in dict.fromkeys(left_out.reason for left_out in comparison.not_compared):
        labels = [left_out.label for left_out in comparison.not_compared if left_out.reason == reason]
        yield f"not compared, {printable(reason)}: {printable(', '.join(labels))}", False
    for side, names in (("old", comparison.only_old), ("new", comparison.only_new)):
        for name in names:
            yield f"only in the {side} results: {printable(name)}", False


def effect_words(row: Row) -> tuple[str, str]:
    """The effect and its interval, in per cent; a bound where no more is known."""
    if row.effect is None:
        bounded = row.ratio if row.unit is not Unit.COUNT else None
        if bounded is None or bounded.bound == "exact":
            return UNKNOWN, UNKNOWN
        return f"{_SIGNS[bounded.bound]}{_signed(bounded.value - 1)}", UNKNOWN
    if row.low is None or row.high is None:
        return _signed(row.effect), UNKNOWN
    return _signed(row.effect), f"{_signed(row.low)} to {_signed(row.high)}"


def metric_words(row: Row) -> str:
    """A metric with its unit."""
    return f"{row.metric}{_UNITS[row.unit]}"


def verdict_words(row: Row) -> str:
    """The verdict, marked where it was forced; a dash for what is only reported."""
    if row.verdict is None:
        return UNKNOWN
    return f"{row.verdict} (forced)" if row.forced else row.verdict


def _reasons(comparison: Comparison) -> dict[tuple[Verdict, str], list[str]]:
    """By verdict and reason, where one is given: the benchmarks, with the metrics of each."""
    found: dict[tuple[Verdict, str], dict[str, list[str]]] = {}
    for one in comparison.benchmarks:
        for row in one.rows:
            if row.verdict is not None and row.reason:
                found.setdefault((row.verdict, row.reason), {}).setdefault(one.label, []).append(row.metric)
    return {
        key: [f"{label} ({', '.join(metrics)})" for label, metrics in labels.items()] for key, labels in found.items()
    }


def _print_rows(comparison: Comparison, console: Console) -> None:
    heading = ("", "old", "new", "effect", f"{comparison.confidence:.0%} interval", "verdict")
    sections = [(one.label, [(row, _cells(row)) for row in one.rows]) for one in comparison.benchmarks]
    column_widths = widths([heading, *(cells for _, rows in sections for _, cells in rows)])
    print_row(console, heading, column_widths, "bold")
    for label, rows in sections:
        print_line(console, printable(label), "bold")
        for row, cells in rows:
            print_row(console, cells, column_widths, _STYLES.get(row.verdict or "", ""))


def _cells(row: Row) -> tuple[str, str, str, str, str, str]:
    effect, interval = effect_words(row)
    old, new = measured(row.old, row.unit), measured(row.new, row.unit)
    return f"  {metric_words(row)}", old, new, effect, interval, verdict_words(row)


def _signed(effect: float) -> str:
    return f"{effect * 100:+,.2f} %" if abs(effect) < 10 else f"{effect * 100:+,.0f} %"
