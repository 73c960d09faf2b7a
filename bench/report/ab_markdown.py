"""A comparison of two revisions as Markdown, for a comment on a pull request.

Rules of this file: a result in, text out; GitHub's dialect. What names come from a repository are shown as they are and
never as markup.
"""

from bench.report.ab_table import METRICS, basis, effect_words, headline, percent, side_words, time_us
from bench.report.figures import printable
from bench.results.ab import AbBenchmark, AbMetric, AbResult, Verdict

_MARKS: dict[Verdict, str] = {
    "slower": "**slower**",
    "faster": "faster",
    "same": "same",
    "inconclusive": "inconclusive",
}


def ab_markdown(result: AbResult) -> str:
    """The comparison: the answer first, p50 of each benchmark, then all the rest, folded."""
    lines = [f"### {as_text(headline(result))}", ""]
    lines += [f"A: {as_text(side_words(result.a))}  ", f"B: {as_text(side_words(result.b))}", ""]
    primary = [(one, metric) for one in result.benchmarks for metric in one.metrics if metric.metric == "p50"]
    rest = [(one, metric) for one in result.benchmarks for metric in one.metrics if metric.metric != "p50"]
    lines += _table(result, primary)
    if rest:
        lines += [
            "",
            "<details><summary>p99, server CPU, saturated</summary>",
            "",
            *_table(result, rest),
            "",
            "</details>",
        ]
    lines += ["", as_text(basis(result)) + "."]
    lines += [
        "Times are of one round trip; a positive effect is slower. `saturated` is the time that one takes with "
        f"{result.settings.in_flight} in flight. *Slower* means that the whole interval is beyond "
        f"{percent(result.settings.threshold)}."
    ]
    said = [*result.notes, *(f"{spoiler.kind}: {spoiler.text}" for spoiler in result.spoilers)]
    if said:
        lines += ["", *(f"- {as_text(one)}" for one in said)]
    return "\n".join(lines) + "\n"


def _table(result: AbResult, rows: list[tuple[AbBenchmark, AbMetric]]) -> list[str]:
    interval = f"{result.settings.confidence:.0%} interval"
    lines = [f"| | A µs | B µs | effect | {interval} | verdict |", "| --- | ---: | ---: | ---: | :---: | --- |"]
    for benchmark, metric in rows:
        cells = [
            f"{as_text(benchmark.name)} {METRICS[metric.metric]}",
            time_us(metric.a_us),
            time_us(metric.b_us),
            *effect_words(metric),
            _MARKS[metric.verdict],
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def as_text(text: str) -> str:
    """Without what Markdown or HTML would take for markup, a mention or the end of a cell."""
    shown = printable(" ".join(text.split())).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\|`*_[]":
        shown = shown.replace(character, "\\" + character)
    return shown.replace("@", "@\u200b").replace("#", "#\u200b")
