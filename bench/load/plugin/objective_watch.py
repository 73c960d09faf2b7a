"""The objectives of a load that goes on: `--slo-abort` ends it as soon as one of them is surely missed."""

from __future__ import annotations

from bench.load.metrics.live_verdict import GeneratorWatch
from bench.load.metrics.objectives import surely_missed
from bench.load.plugin.figures_so_far import FiguresSoFar
from bench.load.plugin.giving_way import GiveWay
from bench.load.plugin.owned_run import OwnedRun
from bench.objectives.model import JudgedObjective
from bench.results.load import GeneratorHealth


class ObjectiveWatch:
    """The looks at the objectives of a test. `timeout_s` is the longest time that a reply is awaited."""

    def __init__(self, test: OwnedRun, timeout_s: float) -> None:
        self._objectives = test.prepared.objectives.objectives
        self._so_far = FiguresSoFar(test, timeout_s)
        self._generator = GeneratorWatch()

    def look(self) -> JudgedObjective | None:
        """Return an objective that is surely missed by what happened up to the last complete second, if there is any.

        Later in a long test not every call looks.
        """
        figures = self._so_far.look()
        if figures is None or not figures.has_window:
            return None
        return surely_missed(self._objectives, figures, self._health(), GiveWay())

    def _health(self) -> GeneratorHealth:
        """Return the verdict on the generator so far."""
        saturation = self._generator.look(self._so_far.processes())
        if saturation is None:
            return GeneratorHealth()
        return GeneratorHealth(verdict="saturated", reason=saturation.reason, spoils=saturation.spoils)
