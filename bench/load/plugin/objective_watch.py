"""The objectives of a load that goes on: `--slo-abort` ends it as soon as one of them is surely missed."""

from __future__ import annotations

from bench.load.metrics.figures import LoadFigures
from bench.load.metrics.live import complete_until_s, heard_of
from bench.load.metrics.live_verdict import GeneratorWatch
from bench.load.metrics.objectives import is_time_to_look, surely_missed
from bench.load.plugin.owned_run import OwnedRun
from bench.objectives.model import JudgedObjective
from bench.results.load import GeneratorHealth, Window
from bench.timing.rates import NS_PER_S


class ObjectiveWatch:
    """The looks at the objectives of a test. `timeout_s` is the longest time that a reply is awaited."""

    def __init__(self, test: OwnedRun, timeout_s: float) -> None:
        self._test = test
        self._timeout_us = timeout_s * 1e6
        self._last_s = -1
        self._generator = GeneratorWatch()

    def look(self) -> JudgedObjective | None:
        """Return an objective that is surely missed by what happened up to the last complete second, if there is any.

        Later in a long test not every call looks.
        """
        test = self._test
        if test.process is not None:
            test.merger.receive("local", test.process.report(final=False))
        merger = test.merger
        until_s = complete_until_s(heard_of(merger.processes.values()))
        if not until_s or not is_time_to_look(until_s, self._last_s):
            return None
        self._last_s = until_s
        start_ns = merger.window_start_ns
        if start_ns is None or start_ns / NS_PER_S > until_s:
            return None
        window = Window(start_s=start_ns / NS_PER_S, end_s=until_s, warmup_s=0)
        figures = LoadFigures(merger, window, self._timeout_us, until_s)
        return surely_missed(test.prepared.objectives.objectives, figures, self._health())

    def _health(self) -> GeneratorHealth:
        """Return the verdict on the generator so far."""
        saturation = self._generator.look(self._test.merger.processes)
        if saturation is None:
            return GeneratorHealth()
        return GeneratorHealth(verdict="saturated", reason=saturation.reason, spoils=saturation.spoils)
