"""Several loads beside each other: what each was asked for and what came of it, and the charts that compare them.

Rules of this file: it shows and does not judge. How sure a difference is, `bench compare` says.
"""

import shlex
from collections.abc import Callable, Sequence

from bench.report.document import Column, Content, Document, LazyCharts, Note, Row, Table
from bench.report.formatting import commit_with_changes, count, durations, per_second
from bench.report.load_charts.limits import MOST_OPERATIONS_DRAWN
from bench.report.load_charts.several import NamedLoad, charts_of_several, common_operations
from bench.report.load_headline import failures
from bench.report.percentiles import marked
from bench.results.figure import figure
from bench.results.load import SCHEDULED_KINDS, LoadResult, OperationKey, TimesKind

_TIMES = ("p50", "p90", "p99", "p99_9", "max")


def loads_document(loads: Sequence[NamedLoad]) -> Document:
    """Return the document that shows loads beside each other."""
    names = shlex.join(load.name for load in loads)
    return Document(
        kind="load",
        title=f"{count(len(loads))} loads beside each other",
        tables=(_runs(loads), *_operations(loads)),
        notes=(
            *(Note(f"{load.name}: {loss.text}", "wrong") for load in loads if (loss := load.result.service_loss)),
            Note(f"how sure a difference is: bench compare {names}")
            if len(loads) == 2
            else Note("how sure a difference between two of them is, bench compare says"),
        ),
        charts=LazyCharts(lambda: charts_of_several(loads)),
    )


def _runs(loads: Sequence[NamedLoad]) -> Table:
    cells: list[tuple[str, Content, Callable[[LoadResult], str]]] = [
        ("measured", "text", lambda load: f"{load.datetime:%Y-%m-%d %H:%M:%S}"),
        ("commit", "text", _commit),
        ("users", "number", lambda load: load.scenario.users_over_time),
        ("offered/s", "number", lambda load: per_second(load.scenario.rate_per_s)),
        ("ok/s", "number", _done_per_s),
        ("failed", "number", lambda load: count(failures(load))),
        ("generator", "word", lambda load: load.generator.verdict or "-"),
    ]
    return Table(
        columns=(Column("run", "name"), *(Column(title, content) for title, content, _ in cells)),
        rows=tuple(
            Row(
                (load.name, *(cell(load.result) for _, _, cell in cells)),
                "warning" if _is_doubtful(load.result) else "plain",
            )
            for load in loads
        ),
        leads=True,
    )


def _operations(loads: Sequence[NamedLoad]) -> list[Table]:
    return [_operation(loads, key) for key in common_operations(loads)[:MOST_OPERATIONS_DRAWN]]


def _operation(loads: Sequence[NamedLoad], key: OperationKey) -> Table:
    found = [(load.name, row) for load in loads for row in load.result.operations if row.key == key]
    kind: TimesKind = "response" if all(row.response_us is not None for _, row in found) else "service"
    times = [row.response_us if kind == "response" else row.service_us for _, row in found]
    longest = [row.longest(kind) for _, row in found]
    columns = [
        marked(durations([figure(known, name) for known in times]), [name in names for names in longest])
        for name in _TIMES
    ]
    return Table(
        columns=(Column("run", "name"), *(Column(name.replace("_", ".")) for name in _TIMES)),
        rows=tuple(Row((name, *cells)) for (name, _), *cells in zip(found, *columns, strict=True)),
        title=f"{key.label}, {kind} time",
    )


def _commit(load: LoadResult) -> str:
    return commit_with_changes(load.commit_info.id, load.commit_info.dirty)


def _done_per_s(load: LoadResult) -> str:
    rates = [row.throughput_per_s for row in load.operations if row.kind in SCHEDULED_KINDS]
    known = [rate for rate in rates if rate is not None]
    return per_second(sum(known) if known else None)


def _is_doubtful(load: LoadResult) -> bool:
    is_void = load.partial or load.invalid_reason is not None or load.service_loss is not None
    return is_void or load.generator.verdict == "saturated"
