"""A test that goes on, made up from a tally: what the live page and the metrics see of a run."""

from collections import Counter
from collections.abc import Mapping

from bench.load.metrics.live import Interval, LiveProcess
from bench.load.metrics.tally import Tally
from bench.results.load import OperationKey
from bench.results.service_loss import ServiceLoss

#: The rate that a made-up schedule asks for.
OFFERED_PER_S = 50.0


class MadeUpRun:
    """A run in one process. `pending` is what has not ended."""

    def __init__(self, tally: Tally, pending: Mapping[OperationKey, int] | None = None) -> None:
        self._tally = tally
        self._pending = pending or {}
        self.is_ending = False
        self.ended_s: int | None = None
        self.loss: ServiceLoss | None = None
        self.is_steady = tally.window_start_ns is not None
        self.elapsed_ns = 12_300_000_000

    def processes(self) -> Mapping[str, LiveProcess]:
        return {"local": self._tally}

    def in_flight(self) -> Counter[OperationKey]:
        return Counter(self._pending)

    def duration_s(self) -> float | None:
        return 60.0

    def phase(self) -> str:
        return "stage 1 of 2, 50:30s"

    def service_loss(self) -> ServiceLoss | None:
        return self.loss

    def offered_per_s(self, _of: Interval) -> float | None:
        return OFFERED_PER_S if self._tally.is_open else None
