"""The end of a run in which parts may fail: the counts are kept, whatever else cannot be made of them.

Nothing here is needed if all goes well.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from bench.load.metrics.merge import Merger
from bench.printable import error_line
from bench.results.store import machine_id, write_numbered

logger = logging.getLogger(__name__)

T = TypeVar("T")

_MOST_REASONS = 10


class Troubles:
    """The steps that failed, each with its reason in one line. The log has the traceback of the first time."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def add(self, step: str, error: BaseException) -> None:
        """Note that a step failed."""
        reason = f"{step}: {error_line(error)}"
        if reason not in self.reasons and len(self.reasons) < _MOST_REASONS:
            self.reasons.append(reason)
            logger.error("%s", reason)
            logger.debug("%s", "".join(traceback.format_exception(error)))

    @contextmanager
    def during(self, step: str) -> Iterator[None]:
        """Note an exception instead of raising it."""
        try:
            yield
        except Exception as error:
            self.add(step, error)

    def attempt(self, step: str, make: Callable[[], T], otherwise: Callable[[], T]) -> T:
        """Return what `make` makes; if it fails, note that and return what `otherwise` makes."""
        try:
            return make()
        except Exception as error:
            self.add(step, error)
            return otherwise()


def count_lines(merger: Merger) -> Iterator[str]:
    """Yield what was counted of each operation, in plain words, over all processes."""
    totals: dict[str, dict[str, int]] = {}
    for received in merger.processes.values():
        for operation in received.report.operations:
            total = totals.setdefault(operation.name, {})
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
    """Store the processes' reports, of which no result could be made, apart from the results.

    Raises ResultError.
    """
    reports = {name: received.report.model_dump(mode="json") for name, received in merger.processes.items()}
    content = {"schema": "counts/1", "datetime": started_at.isoformat(), "reasons": reasons, "reports": reports}
    data = json.dumps(content, indent=2).encode() + b"\n"
    return write_numbered(root / "counts" / machine_id(), started_at.strftime("%Y%m%d_%H%M%S"), data)
