"""The figures of a load that objectives are about, each with its interval, as far as the processes have reported them.

Rules of this file: pure; reports in, figures out. Without a name a figure is of all operations together that a schedule
can want. Counts are those of the whole run. Times and rates are those of the steady window, as in the result. An
operation that is not performed in the window has the times of the whole run.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from bench.load.metrics.merge import Merger, Parts
from bench.load.metrics.rows import OperationTimes, counted, known_us, rate_per_s, times_of
from bench.load.metrics.seconds import LoadSeconds, WorkingProcess
from bench.mistyped import nearest
from bench.objectives.judging import CONFIDENCE, Measured
from bench.objectives.model import JudgedTimes, Objective
from bench.results.load import CONNECT, REPLIED_KINDS, SCHEDULED_KINDS, OperationKey, Window
from bench.statistics.intervals import (
    FEWEST_SECONDS,
    TOO_SHORT,
    Certainty,
    Interval,
    SteadyTimes,
    rate_interval,
    share_interval,
)
from bench.statistics.order_statistics import interval_ranks
from bench.statistics.shares import independent_share_interval
from bench.timing.durations import span_text
from bench.timing.histogram import Histogram
from bench.timing.rates import NS_PER_S
from bench.timing.receive_times import ReceiveTimes

#: The time by which the clocks of two processes may differ without a second counting as cut, in nanoseconds.
_CLOCKS_NS = 10_000_000

_NS_PER_US = 1_000

#: The greatest number of attempts to connect that is proposed.
_MOST_ATTEMPTS = 100_000


@dataclass(frozen=True)
class Chosen:
    """The operations that an objective speaks of, and what is known of them together."""

    #: The label of the operation; None for all together.
    label: str | None
    keys: frozenset[tuple[str, str]]
    counts: Counter[str]
    #: The times; None if there are no operations with times.
    times: OperationTimes | None
    throughput_per_s: float | None
    #: True if the kernel told all receive times.
    are_kernels: bool

    @property
    def is_open(self) -> bool:
        """True if the times are response times."""
        return self.times is not None and self.times.response is not None

    @property
    def are_connects(self) -> bool:
        """True if they are attempts to connect alone."""
        return all(kind == CONNECT for _, kind in self.keys)


@dataclass(frozen=True)
class SoFar:
    """The part of a load that goes on that is looked at: its seconds before `until_s`.

    `processes` have what is in the seconds; `seconds` is kept between two looks.
    """

    until_s: int
    processes: Mapping[str, WorkingProcess]
    seconds: LoadSeconds


class LoadFigures:
    """The figures of a load. `timeout_us` is the time that replies were awaited.

    `so_far` is given of a load that goes on. The processes of the merger need to have reported no more than their
    counts then.
    """

    def __init__(self, merger: Merger, window: Window, timeout_us: float, so_far: SoFar | None = None) -> None:
        self._merger = merger
        self._parts: Parts = merger.parts()
        self._window = window
        self._timeout_us = timeout_us
        self._so_far = so_far
        self._end_ns = max((received.report.window_end_ns or 0 for received in merger.processes.values()), default=0)
        self._steady: dict[tuple[frozenset[tuple[str, str]], float], SteadyTimes] = {}
        if so_far is not None:  # the load goes on while its figures are found
            so_far.seconds.read(so_far.processes, merger.tasks(), so_far.until_s)

    @property
    def has_window(self) -> bool:
        """True if the steady window has begun."""
        return self._window.duration_s > 0

    def choose(self, objective: Objective) -> Chosen | str:
        """Return the operations that an objective speaks of; or else why there are none, in words."""
        name = CONNECT if objective.metric == "connects" else objective.operation
        if name is None:
            keys = [key for key in self._parts if key.kind in SCHEDULED_KINDS]
            return self._chosen(None, keys) if keys else "no operation was performed"
        by_label, named = self._by_label, self._by_name.get(name, [])
        key = by_label.get(name) or (named[0] if len(named) == 1 else None)
        if key is not None:
            return self._chosen(key.label, [key])
        if named:
            return f"{len(named)} operations have this name: name {' or '.join(sorted(key.label for key in named))}"
        near = nearest(name, by_label)
        others = ", ".join(sorted(by_label)) or "none"
        return f"no such operation was performed: {f'did you mean {near}?' if near else f'there are {others}'}"

    def measured(self, objective: Objective, chosen: Chosen, confidence: float = CONFIDENCE) -> Measured:
        """Return the figure of an objective that speaks of these operations."""
        found = self._figure(objective, chosen, confidence)
        times: JudgedTimes | None = None
        if objective.is_of_times:
            times = "response" if chosen.is_open else "service"
        # All users connect, so no operation is to be told apart.
        operation = None if objective.metric == "connects" else chosen.label
        return replace(found, operation=operation, confidence=confidence, times=times)

    def holds(self, objective: Objective, chosen: Chosen) -> bool:
        """Return true if an objective holds for its figure itself, which lies within its interval.

        An interval takes much longer to compute than the figure. So who asks for misses asks for this first.
        """
        value = self._value(objective, chosen)
        return value is not None and objective.holds(value)

    def _value(self, objective: Objective, chosen: Chosen) -> float | None:
        """Return the figure that `measured` has; None if it is not known."""
        if objective.is_of_times:
            known = self._known(chosen)
            return None if known is None else known.value(objective)
        if objective.metric == "throughput":
            return self._rate(chosen)
        found, of = _share_of(objective, chosen)
        if objective.unit == "count":
            return found
        return found / of if of else None

    def _figure(self, objective: Objective, chosen: Chosen, confidence: float) -> Measured:
        if objective.is_of_times:
            return self._time(objective, chosen, confidence)
        if objective.metric == "throughput":
            return self._throughput(chosen, confidence)
        found, of = _share_of(objective, chosen)
        if objective.metric == "connects":
            return self._share(objective, found, of, confidence, are_connects=True)
        parts, totals = self._lost(chosen, objective.metric)
        return self._share(objective, found, of, confidence, parts, totals, are_connects=chosen.are_connects)

    # ------------------------------------------------------------------ times

    def _known(self, chosen: Chosen) -> _Known | None:
        """Return the times of operations as far as they are known; None if there are none at all."""
        times = chosen.times
        if times is None:
            return None
        histogram = times.service if times.response is None else times.response
        censored = times.failed + (times.dropped if times.response is not None else 0)
        if not histogram.count and not censored:
            return None
        return _Known(histogram, censored, self._timeout_us if chosen.counts["timeouts"] else None)

    def _time(self, objective: Objective, chosen: Chosen, confidence: float) -> Measured:
        if chosen.times is None:
            return Measured(useless_because="no reply is awaited, so there are no times")
        known = self._known(chosen)
        if known is None:
            return Measured(useless_because=self._without_times(chosen.times))
        if objective.metric == "max":
            return known.longest()
        steady = self.steady_times(chosen, confidence)
        measured_s = None if steady is None else float(len(self._seconds_of(chosen))) or None
        if objective.metric == "mean":
            return replace(known.mean(steady), seconds=measured_s)
        assert objective.percent is not None
        return replace(known.percentile(objective.percent, steady, confidence), seconds=measured_s)

    def arrivals(self) -> list[list[int]]:
        """Return the number of scheduled emissions that were sent in each part of each second of the window."""
        return [self._seconds[number].sent_in for number in self.steady_seconds()]

    def _without_times(self, times: OperationTimes) -> str:
        if not self._window.duration_s and not times.are_of_run:
            return "the run ended before its users were there and warm, so it has no times"
        return "nothing of it ended in the steady window, so it has no times"

    def steady_times(self, chosen: Chosen, confidence: float = CONFIDENCE) -> SteadyTimes | None:
        """Return the times second by second, ready for intervals; None for operations that have no part in the seconds.

        Several figures of an operation share them.
        """
        keys = {key for key in chosen.keys if key[1] in REPLIED_KINDS}
        if not keys or chosen.times is None:
            return None
        key = chosen.keys, confidence
        if key not in self._steady:
            joined = self._seconds.of(keys).joined(self._seconds_of(chosen), chosen.is_open)
            self._steady[key] = SteadyTimes.of_joined(joined, confidence)
        return self._steady[key]

    def _seconds_of(self, chosen: Chosen) -> range:
        """Return the seconds of which operations have their times."""
        return self._every_second if chosen.times is not None and chosen.times.are_of_run else self.steady_seconds()

    # ------------------------------------------------------------------ counts

    def _share(
        self,
        objective: Objective,
        found: int,
        of: int,
        confidence: float,
        parts: Sequence[int] = (),
        totals: Sequence[int] = (),
        *,
        are_connects: bool = False,
    ) -> Measured:
        """Return a share, or a count. `parts` and `totals` are its counts in each second, as far as they are known.

        `are_connects` says that it is of attempts to connect: of those more users make more, and not a longer run.
        """
        if objective.unit == "count":
            is_final = self._so_far is None or objective.is_upper_limit
            return Measured.exact(found) if is_final else Measured(found, found, None)
        if not of:
            return Measured(useless_because="nothing was sent")
        value = found / of
        if objective.is_extreme:
            # No run of any length could show that nothing ever fails: it can tell of itself.
            return Measured.exact(value)
        low, high = independent_share_interval(found, of, confidence)
        if len(totals) >= FEWEST_SECONDS and 0 < sum(parts) < sum(totals):
            interval = share_interval(parts, totals, confidence).interval
            if interval is not None and interval.low is not None and interval.high is not None:
                low, high = min(interval.low, value), max(interval.high, value)
        # Without any, the interval shrinks with the number, and not with its root.
        root = 2 if 0 < found < of else 1
        if are_connects:
            reach = None if root == 2 else max(value - low, high - value)
            return Measured(value, low, high, root=root, remedy=partial(_more_attempts, of, reach, confidence))
        return Measured(value, low, high, seconds=self._window.duration_s or None, root=root)

    def _throughput(self, chosen: Chosen, confidence: float) -> Measured:
        if chosen.are_connects:
            return Measured(useless_because="attempts to connect have no throughput")
        value = self._rate(chosen)
        if value is None:
            return Measured(useless_because="the run ended before its users were there and warm, so it has no rate")
        oks = self._oks(chosen, self.steady_seconds())
        if oks is None:
            return Measured(value, lacks="of several kinds of emissions nobody counts each in each second")
        return _with_certainty(value, rate_interval(oks, confidence), 1.0, seconds=float(len(oks)) if oks else None)

    def _rate(self, chosen: Chosen) -> float | None:
        """Return how many ended well in a second of the window; None if there is none, and of attempts to connect."""
        if self._so_far is None or chosen.are_connects:
            return chosen.throughput_per_s
        oks = self._oks(chosen, self.steady_seconds())
        return sum(oks) / len(oks) if oks else None

    def _oks(self, chosen: Chosen, seconds: range) -> list[int] | None:
        """Return how many of them ended well in each second; None if that is not known of these operations."""
        replied = self._seconds.of(chosen.keys).replied[seconds.start : seconds.stop]
        without = {key for key in chosen.keys if key[1] not in REPLIED_KINDS}
        if not without:
            return replied
        scheduled = {key for key in self._parts if key.kind in SCHEDULED_KINDS - REPLIED_KINDS}
        if without != scheduled:
            return None if seconds else []
        works = (self._seconds[number] for number in seconds)
        return [number + work.ok - work.replied for number, work in zip(replied, works, strict=True)]

    def _lost(self, chosen: Chosen, metric: str) -> tuple[list[int], list[int]]:
        """Return how many were lost in each second, by the metric's name, and of how many."""
        seconds = self._every_second
        work, number = self._seconds.of(chosen.keys), len(seconds)
        timeouts, errors, dropped = work.timeouts[:number], work.errors[:number], work.dropped[:number]
        oks = self._oks(chosen, seconds)
        totals = [0] * number if oks is None else [sum(each) for each in zip(oks, timeouts, errors, strict=True)]
        if metric == "dropped":
            totals = [sum(each) for each in zip(totals, dropped, strict=True)]
        return {"timeouts": timeouts, "errors": errors, "dropped": dropped}[metric], totals

    # ------------------------------------------------------------------ seconds

    @cached_property
    def _seconds(self) -> LoadSeconds:
        """The seconds of the load. Those of a load that has ended are read when a figure needs them."""
        if self._so_far is not None:
            return self._so_far.seconds
        seconds, until_s = LoadSeconds(), max(self._every_second.stop, self.steady_seconds().stop)
        seconds.read(self._merger.processes, self._merger.tasks(), until_s)
        return seconds

    def steady_seconds(self) -> range:
        """Return the seconds that lie wholly in the steady window."""
        first = math.ceil(self._window.start_s - _CLOCKS_NS / NS_PER_S)
        return range(first, max(first, math.floor(self._window.end_s + _CLOCKS_NS / NS_PER_S)))

    @cached_property
    def _every_second(self) -> range:
        if self._so_far is not None:
            return range(self._so_far.until_s)
        numbers = (max(received.seconds, default=-1) for received in self._merger.processes.values())
        return range(max(numbers, default=-1) + 1)

    # ------------------------------------------------------------------ operations

    @cached_property
    def _by_label(self) -> dict[str, OperationKey]:
        return {key.label: key for key in self._parts}

    @cached_property
    def _by_name(self) -> dict[str, list[OperationKey]]:
        found: dict[str, list[OperationKey]] = {}
        for key in self._parts:
            found.setdefault(key.name, []).append(key)
        return found

    def _chosen(self, label: str | None, keys: Sequence[OperationKey]) -> Chosen:
        rows = [(key, self._parts[key], counted(key, [part for _, part in self._parts[key]])) for key in keys]
        counts: Counter[str] = Counter()
        for _, _, row in rows:
            counts.update({name: row[name] for name in ("scheduled", "sent", "ok", "timeouts", "dropped")})
            counts["errors"] += sum(row["errors"].values())
        rates = [rate for key, parts, _ in rows if (rate := rate_per_s(parts, self._end_ns)) is not None]
        if self._so_far is not None:
            # What is in flight counts as failed in a report, which it is at the end alone.
            counts["sent"] = counts["ok"] + counts["timeouts"] + counts["errors"]
            counts["scheduled"] = counts["sent"] + counts["dropped"]
            return Chosen(label, frozenset[tuple[str, str]](keys), counts, self._times_so_far(keys), None, False)
        has_times = [row for row in rows if row[0].kind != "emission"]
        if label is None:
            has_times = [row for row in has_times if row[0].kind in REPLIED_KINDS]
        found = [times_of(key, parts, row, has_window=bool(rates)) for key, parts, row in has_times]
        # Of several operations together those are taken that were performed in the steady window, if there are any.
        steady = [times for times in found if not times.are_of_run] or found
        return Chosen(
            label=label,
            keys=frozenset[tuple[str, str]](keys),
            counts=counts,
            times=_together(steady) if steady else None,
            throughput_per_s=sum(rates) if rates else None,
            are_kernels=bool(steady) and all(times.received.are_kernels for times in steady),
        )

    def _times_so_far(self, keys: Sequence[OperationKey]) -> OperationTimes | None:
        """Return the times in the complete seconds of the window of a load that goes on; None of kinds without."""
        replied = [key for key in keys if key.kind in REPLIED_KINDS]
        if not replied:
            return None
        work, seconds = self._seconds.of(replied), self.steady_seconds()
        times, lost = work.times(seconds), work.lost(seconds)
        response = times if self._merger.is_open else None
        failed = lost.timeouts + lost.errors
        return OperationTimes(times, response, ReceiveTimes(), failed, lost.dropped, are_of_run=False)


def _share_of(objective: Objective, chosen: Chosen) -> tuple[int, int]:
    """Return how many operations an objective counts, and of how many."""
    counts = chosen.counts
    if objective.metric == "connects":
        return counts["ok"], counts["sent"]
    return counts[objective.metric], counts["scheduled" if objective.metric == "dropped" else "sent"]


def _together(times: Sequence[OperationTimes]) -> OperationTimes:
    if len(times) == 1:
        return times[0]
    service, response = Histogram(), Histogram()
    received = times[0].received
    for part in times:
        service.merge(part.service)
        if part.response is not None:
            response.merge(part.response)
    is_open = any(part.response is not None for part in times)
    return OperationTimes(
        service,
        response if is_open else None,
        received,
        failed=sum(part.failed for part in times),
        dropped=sum(part.dropped for part in times),
        are_of_run=times[0].are_of_run,
    )


class _Known:
    """The times of operations, where `censored` others failed: those took longer than `limit_us`, or for ever."""

    def __init__(self, times: Histogram, censored: int, limit_us: float | None) -> None:
        self._times = times
        self._censored = censored
        self._limit_us = limit_us

    @property
    def _beyond_us(self) -> float:
        """The time above which a figure lies that falls among the failures."""
        return math.inf if self._limit_us is None else self._limit_us

    def value(self, objective: Objective) -> float | None:
        """Return the figure of an objective in microseconds; None if it is not known."""
        if objective.percent is not None:
            value_ns = self._times.percentile_ns(objective.percent, self._censored)
            return known_us(value_ns, self._censored, self._limit_us)
        if self._censored:
            return None
        time_ns: float | None = self._times.max_ns if objective.metric == "max" else self._times.mean_ns
        return None if time_ns is None else time_ns / _NS_PER_US

    def percentile(self, percent: float, times: SteadyTimes | None, confidence: float) -> Measured:
        """Return a percentile, with its interval by the seconds; without any, by the ranks of independent times."""
        value = known_us(self._times.percentile_ns(percent, self._censored), self._censored, self._limit_us)
        certainty = self._by_ranks(percent, confidence) if times is None else times.percentile(percent)
        interval = certainty.interval or Interval(None, None)
        ends = Interval(self._end(interval.low), self._end(interval.high))
        if value is None:
            low = ends.low
            if low is None and self._is_surely_among_failures(percent, confidence):
                low = self._beyond_us
            return Measured(None, low, None, lacks="it falls among those that failed")
        found = _with_certainty(value, replace(certainty, interval=ends), 1.0)
        if found.high is None and self._censored and found.lacks is None:
            return replace(found, lacks="its interval reaches to those that failed")
        return found

    def mean(self, times: SteadyTimes | None) -> Measured:
        """Return the mean, with its interval by the seconds."""
        if self._censored or self._times.mean_ns is None:
            return Measured(lacks="some failed, so the mean is not known")
        value = self._times.mean_ns / _NS_PER_US
        if times is None:
            return Measured(value, lacks="the order of its times is not known")
        return _with_certainty(value, times.mean(), _NS_PER_US)

    def longest(self) -> Measured:
        """Return the longest time, which was counted and not estimated."""
        longest_us = 0.0 if self._times.max_ns is None else self._times.max_ns / _NS_PER_US
        if not self._censored:
            return Measured.exact(longest_us)
        return Measured(None, max(longest_us, self._beyond_us), None, lacks="some failed")

    def _by_ranks(self, percent: float, confidence: float) -> Certainty:
        number = self._times.count + self._censored
        low, high = (
            None if rank is None else self._times.percentile_ns(100 * rank / number, self._censored)
            for rank in interval_ranks(percent, number, confidence)
        )
        return Certainty(
            Interval(low, high), "" if high is not None else f"there are {number:,} times, which is too few"
        )

    def _end(self, end_ns: float | None) -> float | None:
        return known_us(end_ns, self._censored, self._limit_us)

    def _is_surely_among_failures(self, percent: float, confidence: float) -> bool:
        """Return whether so many failed that the percentile surely falls among them."""
        failed = independent_share_interval(self._censored, self._times.count + self._censored, confidence)
        return failed.low > 1 - percent / 100


def _more_attempts(of: int, reach: float | None, confidence: float, times_longer: float) -> str:
    """Return in words how many attempts to connect would decide an objective.

    `reach` is that of the interval if all attempts ended alike: its end is then known for any number of attempts.
    """
    needed = of * times_longer
    if reach is not None and math.isfinite(times_longer):
        needed = math.log((1 - confidence) / 2) / math.log1p(-reach / times_longer)
    if needed > _MOST_ATTEMPTS:
        return f"the figure is so near to the limit that {_MOST_ATTEMPTS:,} attempts to connect would not decide it"
    return f"about {math.ceil(needed):,} attempts to connect would decide it: give more --users"


def _reason(certainty: Certainty) -> str:
    """Return why an end of an interval is not known, with the length of a run that would know it."""
    if certainty.reason != TOO_SHORT or certainty.needed_s is None:
        return certainty.reason
    return f"{TOO_SHORT}: it would take about {span_text(certainty.needed_s)}"


def _with_certainty(value: float, certainty: Certainty, divisor: float, seconds: float | None = None) -> Measured:
    """Return a figure with its interval, whose ends are divided. It is the whole window's, and always within."""
    interval = certainty.interval or Interval(None, None)
    low, high = (None if end is None else end / divisor for end in (interval.low, interval.high))
    return Measured(
        value,
        None if low is None else min(low, value),
        None if high is None else max(high, value),
        seconds=seconds,
        lacks=_reason(certainty) or None,
        needs_s=certainty.needed_s,
    )
