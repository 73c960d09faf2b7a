"""The counts of a run that cannot have a result. Nothing here is needed if all goes well."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

from bench.load.metrics.merge import Merger
from bench.results.references import Store


def count_lines(merger: Merger) -> Iterator[str]:
    """Yield what was counted of each operation, in plain words, over all processes."""
    totals: dict[str, dict[str, int]] = {}
    for received in merger.processes.values():
        for operation in received.report.operations:
            total = totals.setdefault(operation.key.label, {})
            errors = sum(operation.errors.values()) + operation.other_errors
            for word, number in (
                ("ok", operation.ok),
                ("timeouts", operation.timeouts),
                ("errors", errors),
                ("unfinished", operation.unfinished),
                ("dropped", operation.dropped),
            ):
                total[word] = total.get(word, 0) + number
    for name, total in sorted(totals.items()):
        yield f"{name}: " + ", ".join(f"{word} {number:,}" for word, number in total.items())


def store_counts(root: Path, merger: Merger, started_at: dt.datetime, reasons: list[str]) -> Path:
    """Store the processes' reports, which could not become a result, apart from the results.

    Raises ResultError.
    """
    reports = {name: received.report.model_dump(mode="json") for name, received in merger.processes.items()}
    content = {"schema": "counts/1", "datetime": started_at.isoformat(), "reasons": reasons, "reports": reports}
    data = json.dumps(content, indent=2).encode() + b"\n"
    return Store(root).write("counts", started_at.strftime("%Y%m%d_%H%M%S"), data)
