"""The axis of the time of a run, the same on all charts: in seconds, or in hours, minutes and seconds of a long run."""

from bench.report.chart import Axis
from bench.report.formatting import LONG_RUN_S
from bench.results.load import LoadResult


def run_s(*results: LoadResult) -> float:
    """Return the length of the longest of these runs, in seconds; 0 without any second."""
    return max((result.timeline[-1].t + 1.0 for result in results if result.timeline), default=0.0)


def time_axis(*results: LoadResult, of: str = "the run") -> Axis:
    """Return the axis of the time of these runs."""
    return Axis(f"time since the start of {of}", "min" if run_s(*results) > LONG_RUN_S else "s")
