"""The content of the live page: what a load's page shows while the load goes on, as data. Pure.

Rules of this file: times are in microseconds, rates per second. A percentile is None if it falls among what failed or
was dropped: then it is known only to be long. The page adds no figure of its own to these.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

from bench.load.metrics.live import (
    Interval,
    LiveOperation,
    LiveProcess,
    complete_until_s,
    heard_of,
    interval,
    number_lost,
)
from bench.load.metrics.live import operations_of as operations_so_far
from bench.load.metrics.live_objectives import LiveObjective, so_far
from bench.load.metrics.live_verdict import GeneratorWatch
from bench.load.metrics.saturation import Saturation
from bench.objectives.model import Objective
from bench.report.spoilt import spoilt
from bench.results.load import CONNECT, SCHEDULED_KINDS, OperationKey
from bench.results.service_loss import ServiceLoss
from bench.statistics.percentiles import is_greatest

#: The number of seconds that the charts over time have at most.
HISTORY_S = 300

#: The number of seconds that the figures of "now" are of, at most.
NOW_S = 5

#: The number of operations that have a row, and a curve, at most: those performed most often.
MOST_ROWS, MOST_CURVES = 200, 6

#: The percentiles of the table, by field name.
TABLE = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99_9": 99.9}

#: The percentiles of a curve: ten between one number of nines and the next would not be seen.
_CURVE = (
    *(0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 92.5, 95.0, 97.5, 99.0, 99.25, 99.5, 99.75),
    *(99.9, 99.95, 99.99, 99.995, 99.999, 99.9999),
)

_NS_PER_US = 1e3

Level = Literal["good", "wrong", "warning", "neutral"]

State = Literal["waiting", "arriving", "steady", "stopping", "ended"]


@dataclass(frozen=True)
class Banner:
    """The sentence that stands above all figures, with what it means."""

    level: Level
    title: str
    text: str = ""


@dataclass(frozen=True)
class Now:
    """The figures of the last complete seconds, from `since_s` up to, not including, `until_s`."""

    since_s: int
    until_s: int
    users: int
    done_per_s: float
    #: The rate that the schedule asked for; None where there is no schedule.
    offered_per_s: float | None
    failed: int
    dropped: int
    has_times: bool
    p50_us: float | None
    p99_us: float | None
    #: True if there are so few times that the p99 is the longest of them.
    is_p99_longest: bool
    #: The send lateness of what the schedule wanted; None if it wanted nothing.
    lateness_p99_us: float | None
    #: The share of a core that the generator's busiest process used.
    cpu_share: float | None


@dataclass
class History:
    """The last complete seconds, a list for each figure with a value for each second."""

    t: list[int] = field(default_factory=list)
    users: list[int] = field(default_factory=list)
    done_per_s: list[int] = field(default_factory=list)
    offered_per_s: list[float | None] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    p50_us: list[float | None] = field(default_factory=list)
    p99_us: list[float | None] = field(default_factory=list)
    lateness_p99_us: list[float | None] = field(default_factory=list)


@dataclass(frozen=True)
class _HistorySecond:
    """A complete second of the history, as it is shown. `History` has its fields as lists."""

    t: int
    users: int
    done_per_s: int
    offered_per_s: float | None
    failed: int
    p50_us: float | None
    p99_us: float | None
    lateness_p99_us: float | None

    @classmethod
    def of(cls, second: Interval, offered_per_s: float | None) -> Self:
        """Return what is shown of a second."""
        return cls(
            t=second.first_s,
            users=second.users,
            done_per_s=second.ok,
            offered_per_s=offered_per_s,
            failed=second.failed + second.dropped,
            p50_us=_us(second.percentile_ns(50)),
            p99_us=_us(second.percentile_ns(99)),
            lateness_p99_us=_us(second.lateness.percentile_ns(99)),
        )


@dataclass(frozen=True)
class LiveRow:
    """An operation's row: the counts of the whole run so far, and the times of its steady window."""

    label: str
    #: `response` times of what the schedule wanted, `service` times of all else, or none at all.
    times_of: Literal["response", "service", "none"]
    ok: int
    failed: int
    dropped: int
    #: The replies per second in the last complete seconds; None of what is not in the seconds.
    per_s: float | None
    #: The percentiles of the times by field name, and `max`.
    times_us: dict[str, float | None]
    #: The percentiles that are no other than the longest of the few times that there are.
    longest: list[str]


@dataclass(frozen=True)
class Curve:
    """An operation's times by percentile: `percents` and `times_us` belong together."""

    label: str
    percents: list[float]
    times_us: list[float]


@dataclass(frozen=True)
class LiveFigures:
    """The figures of a load that goes on."""

    now: Now | None
    history: History
    rows: list[LiveRow]
    curves: list[Curve]
    #: The number of processes that are heard of, and of those that have ever been heard of.
    heard: int
    processes: int
    saturation: Saturation | None
    has_verdict: bool
    objectives: list[LiveObjective]


class LiveWatch:
    """The figures of one test, kept between two looks at it: a second is added up once.

    `timeout_us` is the time that replies are awaited.
    """

    def __init__(self, timeout_us: float, objectives: Sequence[Objective] = ()) -> None:
        self._timeout_us = timeout_us
        self._objectives = objectives
        self._generator = GeneratorWatch()
        self._seconds: deque[_HistorySecond] = deque(maxlen=HISTORY_S)
        self._until_s = 0

    def look(
        self,
        processes: Mapping[str, LiveProcess],
        offered_per_s: Callable[[Interval], float | None],
        ended_s: int | None = None,
    ) -> LiveFigures:
        """Return the figures so far, of a test that has ended up to its last whole second, before `ended_s`.

        `offered_per_s` returns the rate that the schedule asked for in an interval.
        """
        everyone = list(processes.values())
        self._take_seconds(everyone, offered_per_s, ended_s)
        now = self._now(everyone, has_ended=ended_s is not None)
        operations = operations_so_far(everyone)
        named = sorted(operations, key=lambda key: -operations[key].ok)[:MOST_ROWS]
        saturation = self._generator.look(processes)
        return LiveFigures(
            now=None if now is None else _figures(now, offered_per_s(now)),
            history=_history(self._seconds),
            rows=[_row(key, operations[key], now, self._timeout_us) for key in named],
            curves=[
                curve
                for key in named[:MOST_CURVES]
                if (curve := _curve(key.label, operations[key], self._timeout_us)) is not None
            ],
            heard=len(everyone) - number_lost(everyone),
            processes=len(everyone),
            saturation=saturation,
            has_verdict=self._generator.has_verdict,
            objectives=so_far(self._objectives, operations, self._timeout_us),
        )

    def _take_seconds(
        self,
        processes: Collection[LiveProcess],
        offered_per_s: Callable[[Interval], float | None],
        ended_s: int | None,
    ) -> None:
        until_s = complete_until_s(heard_of(processes)) if ended_s is None else ended_s
        for number in range(max(self._until_s, until_s - HISTORY_S), until_s):
            second = interval(processes, number, number + 1, has_ended=ended_s is not None)
            if second is not None:
                self._seconds.append(_HistorySecond.of(second, offered_per_s(second)))
        self._until_s = max(self._until_s, until_s) if ended_s is None else until_s
        while self._seconds and self._seconds[-1].t >= self._until_s:  # its end was not known yet
            self._seconds.pop()

    def _now(self, processes: Collection[LiveProcess], has_ended: bool) -> Interval | None:
        """Return the last seconds. They begin with the schedule, if that is younger: nothing was offered before."""
        since_s = max(0, self._until_s - NOW_S)
        scheduled = [second.t for second in self._seconds if second.offered_per_s]
        if scheduled:
            since_s = max(since_s, min(scheduled))
        return interval(processes, since_s, self._until_s, has_ended)


#: The title of the banner of a load whose service is lost, by how it was lost.
LOST_TITLES = {"died": "The service died", "unreachable": "The service cannot be reached"}


def banner(state: State, figures: LiveFigures | None, phase: str, loss: ServiceLoss | None = None) -> Banner:
    """Return the banner of a load that goes on. `loss` is that of the service, as far as it is known by now."""
    if loss is not None:
        return Banner("wrong", LOST_TITLES[loss.how], loss.text)
    if figures is None:
        return Banner("neutral", phase.capitalize() or "The load begins")
    lost = figures.processes - figures.heard
    unheard = f"{lost} of {figures.processes} generator processes cannot be heard" if lost else ""
    if figures.saturation is not None:
        found = figures.saturation
        parts = f"since second {found.since_s}: {found.reason}", spoilt(found.spoils), unheard
        return Banner("wrong", "The generator cannot keep up", "; ".join(filter(None, parts)))
    if unheard:
        return Banner("warning", unheard, "the figures of the last seconds are those of the others")
    if state == "arriving" or not figures.has_verdict:
        return Banner(
            "neutral", phase.capitalize() or "No verdict yet", "the steady window decides about the generator"
        )
    if not any(row.ok for row in figures.rows if row.label != CONNECT):
        return Banner("neutral", "The generator keeps up", "nothing has been answered so far")
    return Banner("good", "The generator keeps up", "the figures are the service's")


def _figures(of: Interval, offered_per_s: float | None) -> Now:
    return Now(
        since_s=of.first_s,
        until_s=of.until_s,
        users=of.users,
        done_per_s=of.ok / of.seconds,
        offered_per_s=offered_per_s,
        failed=of.failed,
        dropped=of.dropped,
        has_times=of.has_times,
        p50_us=_us(of.percentile_ns(50)),
        p99_us=_us(of.percentile_ns(99)),
        is_p99_longest=of.is_longest("p99"),
        lateness_p99_us=_us(of.lateness.percentile_ns(99)),
        cpu_share=of.cpu_share,
    )


def _history(seconds: Collection[_HistorySecond]) -> History:
    history = History()
    for name, values in vars(history).items():
        values.extend(getattr(second, name) for second in seconds)
    return history


def _row(key: OperationKey, operation: LiveOperation, now: Interval | None, timeout_us: float) -> LiveRow:
    shown, censored = operation.shown, operation.censored
    has_per_s = now is not None and key.kind in SCHEDULED_KINDS and key.kind != "emission"
    return LiveRow(
        label=key.label,
        times_of="none" if not shown.count else "response" if operation.has_response else "service",
        ok=operation.ok,
        failed=operation.failed,
        dropped=operation.dropped,
        per_s=now.replies[key] / now.seconds if now is not None and has_per_s else None,
        times_us=dict(zip(TABLE, _percentiles_us(operation, tuple(TABLE.values()), timeout_us), strict=True))
        | {"max": None if censored else _us(shown.max_ns)},
        longest=[name for name in TABLE if shown.count and not censored and is_greatest(name, shown.count)],
    )


def _percentiles_us(operation: LiveOperation, percents: Sequence[float], timeout_us: float) -> Iterator[float | None]:
    """Yield percentiles of an operation's times, as its result will have them; None where they are not known."""
    for value_ns in operation.shown.percentiles_ns(percents, operation.censored):
        value_us = _us(value_ns)
        # Response times may be longer than the timeout, which begins when it is sent: whether those that timed out
        # would have been shorter, nobody knows.
        is_beyond = value_us is not None and operation.censored and operation.timeouts and value_us > timeout_us
        yield None if is_beyond else value_us


def _curve(label: str, operation: LiveOperation, timeout_us: float) -> Curve | None:
    points = list(_points(operation, timeout_us))
    if not points:
        return None
    return Curve(label, [percent for percent, _ in points], [time_us for _, time_us in points])


def _points(operation: LiveOperation, timeout_us: float) -> Iterator[tuple[float, float]]:
    """Yield the percentiles that are known: those beyond the last are all the same, or censored."""
    total = operation.shown.count + operation.censored
    for percent, value_us in zip(_CURVE, _percentiles_us(operation, _CURVE, timeout_us), strict=True):
        if value_us is None:
            return
        yield percent, value_us
        if (100 - percent) / 100 * total < 1:  # it was the longest
            return


def _us(value_ns: float | None) -> float | None:
    return None if value_ns is None else value_ns / _NS_PER_US
