"""A load as it goes on, in the parts of a line: the most important first, where a line is short of room.

Rules of this file: pure. Times come in nanoseconds, and the line shows them in readable units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.report.formatting import UNKNOWN, count, counted, duration, per_second
from bench.report.percentiles import named
from bench.results.figure import Figure
from bench.timing.durations import span_text

_NS_PER_US = 1e3

#: The word for a percentile that falls among failed or dropped emissions, whose times are unknown.
_LOST = "lost"


@dataclass(frozen=True)
class LiveFigures:
    """The figures of the last interval."""

    users: int
    done_per_s: float
    #: The rate that the schedule asked for; None where there is no schedule.
    offered_per_s: float | None
    #: True if there are times at all. Then a percentile of None falls among what failed.
    has_times: bool
    p50_ns: int | None
    p99_ns: int | None
    #: True if there are so few times that the p99 is the longest of them.
    is_p99_longest: bool
    failed: int
    #: The share of a core that the generator's busiest process used.
    cpu_share: float | None


@dataclass(frozen=True)
class LiveLoad:
    """The state of a load."""

    elapsed_s: int
    #: The time after which the load ends; None if nothing but Ctrl-C ends it.
    duration_s: float | None
    #: The part of the run, such as the warm-up; empty in the steady window.
    phase: str
    #: All that has failed from the start on.
    failed_so_far: int
    #: None if there is no complete second yet.
    figures: LiveFigures | None
    #: How far the run is from the precision that was asked for; empty if none was, or nothing is known yet.
    precision: str = ""
    #: How the service was lost, in a few words; empty if it is there.
    loss: str = ""


def live_parts(load: LiveLoad) -> list[str]:
    """Return the parts of the line."""
    return list(_parts(load))


def _parts(load: LiveLoad) -> Iterator[str]:
    elapsed = span_text(load.elapsed_s)
    yield elapsed if load.duration_s is None else f"{elapsed} of {span_text(round(load.duration_s))}"
    if load.loss:
        yield load.loss
    if load.phase:
        yield load.phase
    if load.precision:
        yield load.precision
    figures = load.figures
    if figures is None:
        if load.failed_so_far:
            yield f"{count(load.failed_so_far)} failed"
        return
    yield counted(figures.users, "user")
    done = f"{per_second(figures.done_per_s)}/s"
    yield done if figures.offered_per_s is None else f"{done} of {per_second(figures.offered_per_s)}/s"
    yield f"p50 {_time(figures, figures.p50_ns)}"
    yield f"{named('p99', figures.is_p99_longest)} {_time(figures, figures.p99_ns)}"
    in_all = "" if load.failed_so_far == figures.failed else f" ({count(load.failed_so_far)} in all)"
    yield f"{count(figures.failed)} failed{in_all}"
    if figures.cpu_share is not None:
        yield f"generator {figures.cpu_share:.0%}"


def _time(figures: LiveFigures, value_ns: int | None) -> str:
    if value_ns is not None:
        return duration(Figure(value_ns / _NS_PER_US))
    return _LOST if figures.has_times else UNKNOWN
