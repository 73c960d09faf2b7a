"""Round trips with several server processes in turn, each burst beside a burst with the controls.

The unit of replication is the server process: all round trips with a process are a single observation of how that
process came up. So a benchmark goes to all processes of the service in turn, a burst at a time. Whatever disturbs the
machine for a while disturbs them all. A visit of a process is a burst with it, and next to that a burst with its
control on the same stack. Every other visit also has a burst with the bare echo server. The order is reversed from
visit to visit (service, control, bare; bare, control, service), so that a linear drift cancels in two visits (ABBA).

Rules of this file: a `VisitPlan` decides on the number and size of visits before the measurement. The first
round trips of a burst are not timed (`LEAD_IN`), because the caches are cold after other processes used them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from math import ceil
from statistics import fmean, median, stdev
from typing import Any, TypeVar

import numpy as np

from bench.exchange.outcomes import Completed, RoundTripFailed, carries_error
from bench.exchange.requests import Exchange
from bench.interleave.bursts import Burst, is_reversed, timed_burst
from bench.interleave.process_seed import ProcessSeed
from bench.interleave.receive_notes import ReceiveNotes
from bench.interleave.warm_up import WarmUp, until_steady
from bench.results.latency import (
    BetweenProcesses,
    ControlFigures,
    ControlKind,
    ReplicateProcess,
    TimedProcess,
    TimedServer,
)
from bench.scenarios.model import RoundTrip
from bench.server import OwnedServer
from bench.statistics.estimates import burst_effect, restart_effect
from bench.timing.histogram import Histogram
from bench.timing.receive_times import ReceiveTimes
from bench.wire.errors import ClientError

#: The most round trips of a burst: 5 to 10 ms, in which the machine hardly drifts.
BURST = 50

#: The round trips that a burst begins with and does not time. After bursts with others, the first of them take longer
#: (docs/measurements.md).
LEAD_IN = 5

#: The number of visits of each process that a short measurement makes, with shorter bursts instead.
VISITS_AIMED_AT = 8

CONTROL_NAMES: dict[ControlKind, str] = {"same-stack": "the control on the same stack", "bare": "the bare echo server"}

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]


class ControlFailed(Exception):
    """A round trip with a control that failed, which is no fault of the service. Its text is a line."""


# --- what is to be done ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VisitPlan:
    """The plan by which a benchmark visits its processes: in each cycle, a burst with each process."""

    processes: int
    burst: int
    cycles: int

    @classmethod
    def of(cls, rounds: int, processes: int) -> VisitPlan:
        """Return a plan of at least `rounds` round trips, in an even number of cycles: every order has its reverse."""
        burst = min(BURST, max(1, rounds // (VISITS_AIMED_AT * processes)))
        return cls(processes, burst, max(2, 2 * ceil(rounds / (2 * burst * processes))))

    @property
    def rounds(self) -> int:
        """The number of round trips with the service."""
        return self.processes * self.burst * self.cycles


def controls_of_visit(cycle: int) -> tuple[ControlKind, ...]:
    """Return the controls that are timed in a visit in that cycle; first the nearest to the service's burst."""
    return ("same-stack", "bare") if cycle % 4 < 2 else ("same-stack",)


def begins_with_service(cycle: int) -> bool:
    """Return true if the service's burst comes before the controls', false if after them."""
    return not is_reversed(cycle)


# --- who takes part -------------------------------------------------------------------------------------------------


class Subject:
    """A server, the connection to it, and the round trip that it is asked for.

    Raises RoundTripFailed and ClientError, or ControlFailed if it is the control that is called `name`.
    """

    def __init__(
        self,
        exchange: Exchange,
        round_trip: RoundTrip,
        *,
        server: OwnedServer | None = None,
        seed: ProcessSeed | None = None,
        name: str | None = None,
    ) -> None:
        self.exchange = exchange
        self.seed = seed
        self.bursts: list[Burst] = []
        self.warmed_up = WarmUp(0, 0, False)
        #: The receive times of the replies that were timed.
        self.received = ReceiveNotes()
        #: The number of all replies, and of those that are an object with an `error` in it.
        self.replies = self.error_replies = 0
        self._round_trip = round_trip
        self._server = server
        self._name = name

    async def single(self) -> int:
        """Make a round trip and return its service time in ns. Raises as the class says."""
        return (await self._done()).service_ns

    async def _noted(self) -> int:
        done = await self._done()
        self.received.note(done)
        return done.service_ns

    async def _done(self) -> Completed:
        try:
            done = await self.exchange(self._round_trip)
        except (RoundTripFailed, ClientError) as error:
            if self._name is None:
                raise
            raise ControlFailed(f"{self._name}: {error}") from error
        self.replies += 1
        if carries_error(done.reply) and self._round_trip.check is None:
            self.error_replies += 1
        return done

    async def time(self, count: int) -> Burst:
        """Make a burst of `count` round trips, keep it in `bursts`, and return it."""
        cpu_ns = None if self._server is None else self._server.cpu_ns
        lead_in = min(LEAD_IN, count)
        burst = await timed_burst(self._noted, count, lead_in=lead_in, cpu_ns=cpu_ns)
        self.received.leave_out(lead_in, before=count)
        self.bursts.append(burst)
        return burst

    async def warm_up(self) -> float:
        """Make round trips until they are steady; return the median of the last window in ns."""
        self.warmed_up = await until_steady(self.single)
        return self.warmed_up.median_ns


@dataclass
class SubjectWithControl:
    """A process of the service, the control process beside it if there is one, and how their bursts compared."""

    service: Subject
    control: Subject | None
    log_ratios: dict[ControlKind, list[float]] = field(default_factory=lambda: {"same-stack": [], "bare": []})


@dataclass(frozen=True)
class Subjects:
    """The subjects of a benchmark."""

    pairs: tuple[SubjectWithControl, ...]
    bare: Subject | None

    @property
    def services(self) -> tuple[Subject, ...]:
        """The service's processes, or the single server that is not ours to start anew."""
        return tuple(pair.service for pair in self.pairs)

    @property
    def everyone(self) -> tuple[Subject, ...]:
        """The subjects of the service, and the controls."""
        controls = (pair.control for pair in self.pairs)
        return tuple(subject for subject in (*self.services, *controls, self.bare) if subject is not None)

    async def warm_up(self) -> float:
        """Warm all subjects up; return the median of a round trip with the service, over its processes, in ns."""
        return median([await subject.warm_up() for subject in self.everyone][: len(self.pairs)])


# --- doing it -------------------------------------------------------------------------------------------------------


class Alternation:
    """The round trips of a benchmark: `duration_ns` returns their times in turn, and makes the visits that it needs."""

    def __init__(
        self, run: Run[None], subjects: Subjects, plan: VisitPlan, between_visits: Callable[[], None] = lambda: None
    ) -> None:
        self._run = run
        self._between_visits = between_visits
        self._parties = subjects
        self.plan = plan
        self._durations_ns: list[int] = []
        self._visits = 0

    def duration_ns(self, position: int) -> int | None:
        """Return the service time in ns of the round trip at that position, from 0; None beyond the plan."""
        if position >= self.plan.rounds:
            return None
        while len(self._durations_ns) <= position:
            self._visit()
        return self._durations_ns[position]

    def finish(self) -> None:
        """Visit all processes alike, in either order, if fewer times were asked for than planned."""
        while self._visits % (2 * self.plan.processes):
            self._visit()

    def _visit(self) -> None:
        self._between_visits()
        cycle, turn = divmod(self._visits, self.plan.processes)
        self._run(self._visited(self._parties.pairs[turn], cycle))
        self._visits += 1

    async def _visited(self, pair: SubjectWithControl, cycle: int) -> None:
        present: dict[ControlKind, Subject | None] = {"same-stack": pair.control, "bare": self._parties.bare}
        controls = [(kind, subject) for kind in controls_of_visit(cycle) if (subject := present[kind]) is not None]
        if begins_with_service(cycle):
            service = await pair.service.time(self.plan.burst)
            timed = {kind: await subject.time(self.plan.burst) for kind, subject in controls}
        else:
            timed = {kind: await subject.time(self.plan.burst) for kind, subject in reversed(controls)}
            service = await pair.service.time(self.plan.burst)
        for kind, control in timed.items():
            pair.log_ratios[kind].append(burst_effect(control.times_ns, service.times_ns))
        self._durations_ns += service.times_ns


# --- what came of it ------------------------------------------------------------------------------------------------


def processes_of(subjects: Subjects) -> tuple[ReplicateProcess, ...]:
    """Return the figures of each process of the service that was started for this benchmark."""
    return tuple(
        ReplicateProcess(
            **dict(_process(pair.service)),
            control=None if pair.control is None else _process(pair.control),
            log_ratio={kind: restart_effect(ratios) if ratios else None for kind, ratios in pair.log_ratios.items()},
            pairs={kind: len(ratios) for kind, ratios in pair.log_ratios.items()},
        )
        for pair in subjects.pairs
        if pair.service.seed is not None
    )


def controls_of(subjects: Subjects, sha256: str) -> dict[ControlKind, ControlFigures | None]:
    """Return the figures of each control; `sha256` is of the source of the control on the same stack."""
    same_stack = [pair.control for pair in subjects.pairs if pair.control is not None]
    bare = [] if subjects.bare is None else [subjects.bare]
    return {
        "same-stack": _control(same_stack, sha256) if same_stack else None,
        "bare": _control(bare, None) if bare else None,
    }


def between(processes: tuple[ReplicateProcess, ...]) -> BetweenProcesses:
    """Return how these processes differ."""
    medians = [process.median_us for process in processes]
    kinds: tuple[ControlKind, ...] = ("same-stack", "bare")
    ratios = {
        kind: [ratio for process in processes if (ratio := process.log_ratio[kind]) is not None] for kind in kinds
    }
    return BetweenProcesses(
        median_cv=stdev(medians) / fmean(medians) if len(medians) > 1 else None,
        log_ratio_sd={kind: stdev(values) if len(values) > 1 else None for kind, values in ratios.items()},
    )


def received_by(subjects: Iterable[Subject]) -> ReceiveTimes:
    """Return the receive times of the replies of these subjects."""
    together = ReceiveTimes()
    for subject in subjects:
        together.merge(subject.received.times())
    return together


def cpu_us_per_round_trip(subjects: tuple[Subject, ...]) -> float | None:
    """Return the CPU time of their servers per round trip, in microseconds; None if it is not known."""
    bursts = [burst for subject in subjects for burst in subject.bursts]
    known_ns = [burst.cpu_ns for burst in bursts if burst.cpu_ns is not None]
    if not bursts or len(known_ns) < len(bursts):
        return None
    return sum(known_ns) / sum(len(burst.times_ns) for burst in bursts) / 1e3


def histogram_of(times_ns: list[int]) -> Histogram:
    """Return the histogram of these service times, in ns."""
    histogram = Histogram()
    histogram.record(np.array(times_ns, dtype=np.int64))
    return histogram


def _times_ns(subjects: Iterable[Subject]) -> list[int]:
    return [time_ns for subject in subjects for burst in subject.bursts for time_ns in burst.times_ns]


def _timed(subjects: tuple[Subject, ...]) -> TimedServer:
    times_ns = _times_ns(subjects)
    p99_ns = histogram_of(times_ns).percentile_ns(99)
    assert p99_ns is not None
    return TimedServer(
        median_us=median(times_ns) / 1e3,
        p99_us=p99_ns / 1e3,
        rounds=len(times_ns),
        server_cpu_us_per_round_trip=cpu_us_per_round_trip(subjects),
    )


def _process(subject: Subject) -> TimedProcess:
    assert subject.seed is not None
    return TimedProcess(
        **dict(_timed((subject,))),
        hash_seed=subject.seed.hash_seed,
        environment_bytes=subject.seed.environment_bytes,
        warm_up_round_trips=subject.warmed_up.round_trips,
        steady=subject.warmed_up.steady,
    )


def _control(subjects: list[Subject], sha256: str | None) -> ControlFigures:
    return ControlFigures(
        **dict(_timed(tuple(subjects))),
        processes=len(subjects),
        sha256=sha256,
        histogram=histogram_of(_times_ns(subjects)).encode(),
    )
