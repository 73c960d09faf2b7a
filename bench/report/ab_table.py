"""A comparison of two revisions on a terminal.

Rules of this file: a result and a console in, text out. Its public functions are the words that the Markdown uses too.
"""

from rich.console import Console

from bench.report.figures import printable
from bench.report.lines import print_line, print_row, widths
from bench.results.ab import AbMetric, AbResult, AbSide, Metric, Verdict

METRICS: dict[Metric, str] = {
    "p50": "p50",
    "p99": "p99",
    "cpu": "server CPU",
    "saturated": "saturated",
}
"""What the metrics are called; all are µs of one round trip."""

_STYLES: dict[Verdict, str] = {"slower": "red", "faster": "green", "same": "", "inconclusive": "yellow"}
_STOPPED = {
    "precision": "the intervals of p50 are within ±{precision}",
    "time": "the time of {max_time_s:g} s was spent",
    "interrupt": "interrupted",
}


def ab_table(result: AbResult, console: Console) -> None:
    """Print both revisions, each metric with its effect, interval and verdict, and what to know about them."""
    for name, side in (("A", result.a), ("B", result.b)):
        print_line(console, f"{name}  {side_words(side)}")
    print_line(console, "")
    heading = ("µs of a round trip", "A", "B", "effect", f"{result.settings.confidence:.0%} interval", "verdict")
    sections = [(one.name, [(*_cells(metric), metric.verdict) for metric in one.metrics]) for one in result.benchmarks]
    column_widths = widths([heading, *(row for _, rows in sections for row in rows)])
    print_row(console, heading, column_widths, "bold")
    for name, rows in sections:
        print_line(console, printable(name), "bold")
        for row in rows:
            print_row(console, row, column_widths, _style(row[-1]))
    print_line(console, "")
    print_line(console, headline(result), "red" if result.slower else "")
    print_line(console, basis(result))
    for note in result.notes:
        print_line(console, f"note: {printable(note)}")
    for spoiler in result.spoilers:
        print_line(console, f"{spoiler.kind}: {printable(spoiler.text)}", "yellow")


def headline(result: AbResult) -> str:
    """The answer in one line."""
    threshold = percent(result.settings.threshold)
    if result.slower:
        return f"slower by more than {threshold}: {', '.join(map(printable, result.slower))}"
    found = [metric.verdict for benchmark in result.benchmarks for metric in benchmark.metrics]
    counts = ", ".join(f"{found.count(word)} {word}" for word in ("faster", "same", "inconclusive") if word in found)
    return f"nothing is known to be slower by more than {threshold}: {counts}"


def basis(result: AbResult) -> str:
    """What the answer rests on, in one line."""
    why = _STOPPED[result.stopped_by].format(
        precision=percent(result.settings.precision), max_time_s=result.settings.max_time_s
    )
    awake = "cores awake" if result.settings.awake else "cores not kept awake"
    restarts = "1 restart" if result.restarts == 1 else f"{result.restarts} restarts"
    return f"{restarts} of both servers in {result.duration_s:.0f} s, {awake}; {why}"


def side_words(side: AbSide) -> str:
    """A revision in one line."""
    dirty = ", with uncommitted changes" if side.commit_info.dirty else ""
    own = ", in an environment of its own" if side.environment == "own" else ""
    return printable(f"{side.label}{dirty}{own}")


def effect_words(metric: AbMetric) -> tuple[str, str]:
    """The effect and its interval, in per cent."""
    if metric.low is None or metric.high is None:
        return _signed(metric.effect), "-"
    return _signed(metric.effect), f"{_signed(metric.low)} to {_signed(metric.high)}"


def time_us(value_us: float) -> str:
    """A time in microseconds."""
    return f"{value_us:,.1f}"


def percent(share: float) -> str:
    """A share of one in per cent: 0.5 %."""
    return f"{share * 100:g} %"


def _cells(metric: AbMetric) -> tuple[str, str, str, str, str]:
    return (f"  {METRICS[metric.metric]}", time_us(metric.a_us), time_us(metric.b_us), *effect_words(metric))


def _signed(effect: float) -> str:
    return f"{effect * 100:+.2f} %"


def _style(verdict: str) -> str:
    return next((style for word, style in _STYLES.items() if word == verdict), "")
