"""The objectives of a benchmark, judged by how much the processes of the service differ.

Rules of this file: the unit of replication is the process of the service. Its interval is Student's t over the
logarithms of the processes' figures. A server that is not ours is a single process: what is known of its times are
successive blocks of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median

import numpy as np

from bench.objectives.judging import CONFIDENCE, Measured, judge
from bench.objectives.model import JudgedObjective, Objective
from bench.statistics.distributions import t_quantile
from bench.statistics.intervals import SecondOfTimes, SteadyTimes
from bench.timing.histogram import Histogram

#: The most server processes that `--server-processes` takes.
_MOST_PROCESSES = 50

#: The number of blocks into which the times of a single server are cut.
_BLOCKS = 40

_NS_PER_US = 1_000

#: The times of one process in ns, in order.
Times = Sequence[int]


def judged_benchmark(
    objectives: Sequence[Objective], benchmark: str, scenario: str, processes: Sequence[Times], is_replicated: bool
) -> tuple[JudgedObjective, ...]:
    """Return the objectives that speak of a benchmark, as they were judged.

    `processes` has the times with each process of the service, and `is_replicated` says that these are ours.
    """
    return tuple(
        judge(objective, _measured(objective, benchmark, processes, is_replicated))
        for objective in objectives
        if objective.operation in (None, benchmark, scenario)
    )


def _measured(objective: Objective, benchmark: str, processes: Sequence[Times], is_replicated: bool) -> Measured:
    together = [time for times in processes for time in times]
    if objective.metric == "max":
        return Measured.exact(max(together) / _NS_PER_US, benchmark, "service")
    value = _figure(objective, together)
    if not is_replicated:
        return _of_blocks(objective, benchmark, value, processes[0])
    fewest = min(len(times) for times in processes)
    if objective.percent is not None and fewest * (1 - objective.percent / 100) < 1:
        lacks = f"{fewest:,} round trips with a process are too few for a {objective.metric}: give a greater --effort"
        return Measured(value, operation=benchmark, times="service", lacks=lacks)
    if len(processes) < 2:
        lacks = "a single server process has no interval: give more --server-processes"
        return Measured(value, operation=benchmark, times="service", lacks=lacks)
    logs = np.log([_figure(objective, times) for times in processes])
    reach = t_quantile(CONFIDENCE, len(logs) - 1) * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    middle = float(logs.mean())
    return Measured(
        value,
        min(value, math.exp(middle - reach)),
        max(value, math.exp(middle + reach)),
        operation=benchmark,
        times="service",
        remedy=lambda times_longer: _more_processes(len(logs) * times_longer),
    )


def _of_blocks(objective: Objective, benchmark: str, value: float, times: Times) -> Measured:
    """Return the figure of a single server, with its interval over time."""
    blocks = [SecondOfTimes(_histogram(block.tolist())) for block in np.array_split(np.array(times), _BLOCKS)]
    steady = SteadyTimes.of(blocks)
    certainty = steady.mean() if objective.percent is None else steady.percentile(objective.percent)
    interval = certainty.interval
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    return Measured(
        value,
        None if low is None else min(value, low / _NS_PER_US),
        None if high is None else max(value, high / _NS_PER_US),
        operation=benchmark,
        times="service",
        remedy=lambda _: "a longer measurement would decide it: give a greater --effort",
        lacks=None if high is not None else "there are too few round trips: give a greater --effort",
    )


def _figure(objective: Objective, times: Times) -> float:
    """Return a percentile or the mean of times, in microseconds, as the result has them."""
    if objective.percent == 50:
        return median(times) / _NS_PER_US
    if objective.percent is None:
        return fmean(times) / _NS_PER_US
    found = _histogram(times).percentile_ns(objective.percent)
    assert found is not None, "there are round trips"
    return found / _NS_PER_US


def _histogram(times: Times) -> Histogram:
    histogram = Histogram()
    histogram.record(np.asarray(times, dtype=np.int64))
    return histogram


def _more_processes(needed: float) -> str:
    if needed > _MOST_PROCESSES:
        return f"the figure is so near to the limit that {_MOST_PROCESSES} server processes would not decide it"
    return f"about {math.ceil(needed)} --server-processes would decide it"
