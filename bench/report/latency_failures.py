"""The benchmarks of a session that failed: they have no figures, and nobody should take the others for all."""

from collections.abc import Iterator, Sequence

from bench.report.document import Column, Note, Row, Table
from bench.report.formatting import counted
from bench.results.latency import FailedBenchmark


def failed_in_words(failures: Sequence[FailedBenchmark]) -> str:
    """Return how many failed, or the name if it is a single benchmark."""
    if len(failures) == 1:
        return f"{failures[0].name} failed"
    return f"{counted(len(failures), 'benchmark')} failed"


def failure_tables(failures: Sequence[FailedBenchmark]) -> Iterator[Table]:
    """Yield the table of what failed, if anything did. Its reasons are in the notes, which have room for them."""
    rows = tuple(Row((failed.name, "failed"), "wrong", reason=failed.reason) for failed in failures)
    if rows:
        yield Table((Column("without figures", "name"), Column("verdict", "verdict")), rows, leads=True)


def failure_notes(failures: Sequence[FailedBenchmark]) -> Iterator[Note]:
    """Yield why each failed, once for all that have the same reason."""
    reasons: dict[str, list[str]] = {}
    for failed in failures:
        reasons.setdefault(failed.reason, []).append(failed.name)
    for reason, names in reasons.items():
        yield Note(f"{', '.join(names)}: {reason}", "wrong")
