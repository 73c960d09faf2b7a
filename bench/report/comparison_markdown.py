"""A comparison of stored results as Markdown, for a comment on a pull request.

Rules of this file: a comparison in, text out; GitHub's dialect. What names come from files are shown as they are and
never as markup.
"""

from bench.compare.model import FAILING, Compared, Comparison, Row
from bench.report.ab_markdown import as_text
from bench.report.ab_table import percent
from bench.report.comparison_table import (
    controls,
    effect_words,
    headline,
    metric_words,
    notes,
    side_lines,
    verdict_words,
)
from bench.report.figures import measured

_PRIMARY = {"p50", "throughput", "response p50", "response p99", "failed"}


def comparison_markdown(comparison: Comparison) -> str:
    """The comparison: the answer first, the main metric of each benchmark and all that is worse, the rest folded."""
    lines = [f"### {as_text(headline(comparison))}", ""]
    rows = [(one, row) for one in comparison.benchmarks for row in one.rows]
    shown = [(one, row) for one, row in rows if row.metric in _PRIMARY or row.verdict in FAILING]
    rest = [pair for pair in rows if pair not in shown]
    lines += _table(comparison, shown)
    if rest:
        lines += ["", "<details><summary>all other metrics</summary>", "", *_table(comparison, rest), "", "</details>"]
    lines += [
        "",
        "A positive effect on a time is slower. *Slower* means that the whole interval is beyond "
        f"{percent(comparison.threshold)}.",
    ]
    lines += ["", *(f"- {as_text(line)}" for line in (*controls(comparison), *(line for line, _ in notes(comparison))))]
    lines += ["", "<details><summary>the results</summary>", ""]
    for side, results in (("old", comparison.old), ("new", comparison.new)):
        lines += [f"- {side}: {as_text(line)}" for line in side_lines(results)]
    lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _table(comparison: Comparison, rows: list[tuple[Compared, Row]]) -> list[str]:
    interval = f"{comparison.confidence:.0%} interval"
    lines = [f"| | old | new | effect | {interval} | verdict |", "| --- | ---: | ---: | ---: | :---: | --- |"]
    for one, row in rows:
        verdict = verdict_words(row)
        cells = [
            f"{as_text(one.label)} {metric_words(row)}",
            measured(row.old, row.unit),
            measured(row.new, row.unit),
            *effect_words(row),
            f"**{verdict}**" if row.verdict in FAILING else verdict,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
