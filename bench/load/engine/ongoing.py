"""An operation other than a round trip, from its beginning to its end: connecting, an HTTP request, a transaction.

The counts have it as unfinished from the beginning on. It stays unfinished if nobody says how it ended, as when the
run's end cuts it off. Belongs to the engine's thread.
"""

from __future__ import annotations

from collections import Counter
from time import perf_counter_ns

from bench.load.metrics.recorder import UNSCHEDULED, Recorder
from bench.results.load import OperationKey, OperationKind


class OngoingOperation:
    """An operation that has begun. Its time is from here to the first call of `succeeded` or `failed`.

    `intended_ns` is when a schedule wanted it, and `waited_ns` how long no user was free for it. In a load in which a
    schedule can want operations of its kind (`is_paced`), each of them has an intended time.
    """

    __slots__ = ("_intended_ns", "_is_paced", "_key", "_ongoing", "_recorder", "_waited_ns", "began_ns")

    def __init__(
        self,
        recorder: Recorder,
        kind: OperationKind,
        ongoing: Counter[OperationKey],
        *,
        is_paced: bool = False,
        intended_ns: int = UNSCHEDULED,
        waited_ns: int = 0,
    ) -> None:
        self._recorder = recorder
        self._ongoing: Counter[OperationKey] | None = ongoing
        self._key = OperationKey(recorder.name, kind)
        self._is_paced, self._intended_ns, self._waited_ns = is_paced, intended_ns, waited_ns
        ongoing[self._key] += 1
        #: The time at which it began, in nanoseconds of `time.perf_counter_ns`.
        self.began_ns = perf_counter_ns()

    def succeeded(self, ended_ns: int | None = None) -> None:
        """Note that the operation has succeeded, at `ended_ns` or now."""
        if not self._end():
            return
        ended_ns = perf_counter_ns() if ended_ns is None else ended_ns
        if self._is_paced:
            self._recorder.answered(self._intended_ns, self.began_ns, ended_ns, self._waited_ns)
        else:
            self._recorder.succeeded(self.began_ns, ended_ns)

    def failed(self, kind: str) -> None:
        """Note that the operation has failed. `kind` is the word that it is counted under; `timeout` is no error."""
        if self._end():
            self._recorder.failed(self.began_ns, perf_counter_ns(), kind, self._intended_ns, self._waited_ns)

    def _end(self) -> bool:
        """Take it off the ongoing operations; return whether it was there."""
        if self._ongoing is None:
            return False
        self._ongoing[self._key] -= 1
        self._ongoing = None
        return True
