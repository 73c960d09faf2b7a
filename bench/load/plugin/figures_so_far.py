"""The figures of a test that goes on, for those who decide by them whether it is to end.

The process that looks often generates the load as well. So a look reads what this process has counted as it is, without
a report of it, and nothing twice: see `bench.load.metrics.seconds`.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.load.metrics.figures import LoadFigures, SoFar
from bench.load.metrics.live import LiveProcess, complete_until_s, heard_of
from bench.load.metrics.merge import Merger
from bench.load.metrics.objectives import is_time_to_look
from bench.load.metrics.seconds import LoadSeconds
from bench.load.plugin.owned_run import OwnedRun
from bench.results.load import Window
from bench.timing.rates import NS_PER_S


class FiguresSoFar:
    """The figures of a test up to its last complete second. `timeout_s` is the longest time that a reply is awaited."""

    def __init__(self, test: OwnedRun, timeout_s: float) -> None:
        self._test = test
        self._timeout_us = timeout_s * 1e6
        self._last_s = -1
        self._seconds = LoadSeconds()

    def processes(self) -> Mapping[str, LiveProcess]:
        """Return the processes of the load, by their names."""
        if self._test.process is not None:
            return {"local": self._test.process.live}
        return self._test.merger.processes

    def look(self) -> LoadFigures | None:
        """Return the figures; None before anybody knows of a steady window, or if it is not the time to look.

        A window that is still to begin has no second. Later in a long test not every call looks.
        """
        processes = self.processes()
        until_s = complete_until_s(heard_of(processes.values()))
        if not until_s or not is_time_to_look(until_s, self._last_s):
            return None
        merger = self._merger()
        start_ns = merger.window_start_ns
        if start_ns is None:
            return None
        self._last_s = until_s
        window = Window(start_s=min(until_s, start_ns / NS_PER_S), end_s=until_s, warmup_s=0)
        return LoadFigures(merger, window, self._timeout_us, SoFar(until_s, processes, self._seconds))

    def _merger(self) -> Merger:
        """Return what the processes have reported; of this process, its counts."""
        if self._test.process is None:
            return self._test.merger
        merger = Merger()
        merger.receive("local", self._test.process.counts())
        return merger
