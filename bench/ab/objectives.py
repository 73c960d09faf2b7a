"""The objectives of a comparison of two revisions: they judge the candidate, B.

Rules of this file: the unit is the restart of both servers. The interval is Student's t over the logarithms of the
restarts' figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median, stdev
from typing import cast, get_args

from bench.ab.restart import Figures
from bench.objectives.judging import CONFIDENCE, Measured, judge
from bench.objectives.model import JudgedObjective, Objective
from bench.results.ab import Metric
from bench.statistics.distributions import t_quantile
from bench.statistics.estimates import FEWEST_FOR_A_SPREAD


def not_measured(metric: str) -> str | None:
    """Return why `bench ab` does not measure a metric; None if it does."""
    return None if metric in get_args(Metric) else f"`bench ab` measures p50 and p99, and no {metric}"


def judged_candidate(
    objectives: Sequence[Objective], names: Sequence[str], restarts: Sequence[Figures], duration_s: float
) -> tuple[JudgedObjective, ...]:
    """Return the objectives as they were judged, each for every benchmark that it speaks of."""
    return tuple(
        judge(objective, _measured(name, cast(Metric, objective.metric), restarts, duration_s))
        for objective in objectives
        for name in names
        if objective.operation in (None, name)
    )


def _measured(name: str, metric: Metric, restarts: Sequence[Figures], duration_s: float) -> Measured:
    found = [figures.get((name, metric)) for figures in restarts]
    times_us = [figure.b_us for figure in found if figure is not None]
    if not times_us:
        few = f"a restart has too few round trips for a {metric}: give more --pairs or a greater --burst"
        return Measured(operation=name, times="service", useless_because=few)
    value = median(times_us)
    if len(times_us) < FEWEST_FOR_A_SPREAD:
        lacks = "a single restart has no interval: give more --max-time"
        return Measured(value, operation=name, times="service", lacks=lacks)
    logs = [math.log(time_us) for time_us in times_us]
    reach = t_quantile(CONFIDENCE, len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
    return Measured(
        value,
        min(value, math.exp(fmean(logs) - reach)),
        max(value, math.exp(fmean(logs) + reach)),
        operation=name,
        times="service",
        seconds=duration_s,
    )
