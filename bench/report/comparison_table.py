"""A comparison on a terminal, or in a file that stands for one.

Rules of this file: a comparison and a console in, text out; everything said here is data of the comparison.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from bench.compare.stored import Comparison, Row, Unit
from bench.report.figures import measured, printable, ratio
from bench.report.lines import print_line, print_row, widths
from bench.results.model import LatencyResult, Result

_UNITS = {Unit.MICROSECONDS: " µs", Unit.PER_SECOND: " per second", Unit.COUNT: ""}
_SHORT_COMMIT = 12


def comparison_table(comparison: Comparison, console: Console, old: Path, new: Path) -> None:
    """Print which results these are, old, new and ratio (new / old) of each benchmark, and what may spoil it.

    `old` and `new` are the files that the results were read from.
    """
    print_line(console, _heading("old", comparison.old, old))
    print_line(console, _heading("new", comparison.new, new))
    print_line(console, "")
    names = _short_names(comparison.new) if isinstance(comparison.new, LatencyResult) else {}
    sections = [(names.get(pair.name, pair.name), pair.rows) for pair in comparison.pairs]
    if comparison.whole_run:
        sections.append(("whole run", comparison.whole_run))
    _print_sections(console, sections)
    unpaired = [("old", name) for name in comparison.only_old] + [("new", name) for name in comparison.only_new]
    if unpaired or comparison.illustrative or comparison.spoilers:
        print_line(console, "")
    for name in comparison.illustrative:
        print_line(
            console, f"not compared, the server was in the client's own loop: {printable(names.get(name, name))}"
        )
    for side, name in unpaired:
        print_line(console, f"only in the {side} result: {printable(name)}")
    for spoiler in comparison.spoilers:
        print_line(console, f"{spoiler.kind}: {printable(spoiler.detail)}", "yellow")


def _heading(side: str, result: Result, path: Path) -> str:
    commit = result.commit_info.id[:_SHORT_COMMIT]
    return f"{side}  {printable(commit)}  {result.datetime:%Y-%m-%d %H:%M:%S %Z}  {printable(str(path))}"


def _short_names(result: LatencyResult) -> Mapping[str, str]:
    """Full name to name, for those whose name alone says which they are."""
    times = Counter(benchmark.name for benchmark in result.benchmarks)
    return {benchmark.fullname: benchmark.name for benchmark in result.benchmarks if times[benchmark.name] == 1}


def _print_sections(console: Console, sections: Sequence[tuple[str, Sequence[Row]]]) -> None:
    heading = ("", "old", "new", "ratio")
    cells = [(name, [_cells(row) for row in rows]) for name, rows in sections]
    column_widths = widths([heading, *(row for _, rows in cells for row in rows)])
    print_row(console, heading, column_widths, "bold")
    for name, rows in cells:
        print_line(console, printable(name), "bold")
        for row in rows:
            print_row(console, row, column_widths)


def _cells(row: Row) -> tuple[str, str, str, str]:
    metric = f"  {row.metric}{_UNITS[row.unit]}"
    return metric, measured(row.old, row.unit), measured(row.new, row.unit), ratio(row.ratio)
