"""Round trips with several server processes in turn, each burst beside one with the controls.

The unit of replication is the server process: round trips with one process are one observation of how that process came
up. So a benchmark goes to all processes of the service in turn, a burst at a time, and whatever disturbs the machine
for a while disturbs them all. A visit of a process is a burst with it and, next to that, one with its control on the
same stack; every other time also one with the bare echo server. The order turns round from visit to visit (service,
control, bare; bare, control, service), so that in two visits a linear drift adds as much as it takes (ABBA).

Rules of this file: what a visit consists of and how many there are is decided before (`Plan`); the first round trips of
a burst find caches cold that other processes have used meanwhile, and are not timed (`LEAD_IN`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from math import ceil
from statistics import fmean, median, stdev
from typing import Any, TypeVar

import numpy as np

from bench.exchange.requests import Exchange, RoundTripFailed, carries_error
from bench.interleave.bursts import Burst, is_reversed, timed_burst
from bench.interleave.process_seed import ProcessSeed
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
from bench.server import ServerProcess
from bench.statistics.estimates import burst_effect, restart_effect
from bench.timing.histogram import Histogram
from bench.wire.errors import ClientError

BURST = 50
"""Round trips of a burst at most: 5 to 10 ms, in which the machine hardly drifts."""

#: The round trips that a burst begins with and does not time. After bursts with others, the first of them take longer
#: (docs/measurements.md).
LEAD_IN = 5

VISITS_AIMED_AT = 8
"""Of each process, in short measurements, whose bursts are shorter instead."""

CONTROL_NAMES: dict[ControlKind, str] = {"same-stack": "the control on the same stack", "bare": "the bare echo server"}

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]


class ControlFailed(Exception):
    """A round trip with a control failed, which is no fault of the service. One line."""


# --- what is to be done ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """How a benchmark's round trips are dealt out: in each cycle a burst of each process."""

    processes: int
    burst: int
    cycles: int

    @classmethod
    def of(cls, rounds: int, processes: int) -> Plan:
        """At least that many round trips, in an even number of cycles, so that every order has its reverse."""
        burst = min(BURST, max(1, rounds // (VISITS_AIMED_AT * processes)))
        return cls(processes, burst, max(2, 2 * ceil(rounds / (2 * burst * processes))))

    @property
    def rounds(self) -> int:
        """How many round trips with the service that makes."""
        return self.processes * self.burst * self.cycles


def controls_of_visit(cycle: int) -> tuple[ControlKind, ...]:
    """Which controls are timed when a process is visited in that cycle, by their nearness to the service's burst."""
    return ("same-stack", "bare") if cycle % 4 < 2 else ("same-stack",)


def begins_with_service(cycle: int) -> bool:
    """Whether the service's burst comes before the controls', or after them."""
    return not is_reversed(cycle)


# --- who takes part -------------------------------------------------------------------------------------------------


class Party:
    """A server, the connection to it, and the round trip that it is asked for.

    Raises RoundTripFailed and ClientError, or ControlFailed if it is the control that is called `name`.
    """

    def __init__(
        self,
        exchange: Exchange,
        round_trip: RoundTrip,
        *,
        server: ServerProcess | None = None,
        seed: ProcessSeed | None = None,
        name: str | None = None,
    ) -> None:
        self.exchange = exchange
        self.seed = seed
        self.bursts: list[Burst] = []
        self.warmed_up = WarmUp(0, 0, False)
        self.replies = self.error_replies = 0
        """The number of all replies, and of those that are an object with an `error` in it."""
        self._round_trip = round_trip
        self._server = server
        self._name = name

    async def single(self) -> int:
        """One round trip; returns its service time in ns."""
        try:
            done = await self.exchange(self._round_trip)
        except (RoundTripFailed, ClientError) as error:
            if self._name is None:
                raise
            raise ControlFailed(f"{self._name}: {error}") from error
        self.replies += 1
        if carries_error(done.reply):
            self.error_replies += 1
        return done.service_ns

    async def time(self, count: int) -> Burst:
        """A burst of that many, kept in `bursts`."""
        cpu_ns = None if self._server is None else self._server.cpu_ns
        burst = await timed_burst(self.single, count, lead_in=min(LEAD_IN, count), cpu_ns=cpu_ns)
        self.bursts.append(burst)
        return burst

    async def warm_up(self) -> float:
        """Make round trips until they are steady; returns the median of the last of them in ns."""
        self.warmed_up = await until_steady(self.single)
        return self.warmed_up.median_ns


@dataclass
class Pair:
    """A process of the service, the control process beside it if there is one, and how their bursts compared."""

    service: Party
    control: Party | None
    log_ratios: dict[ControlKind, list[float]] = field(default_factory=lambda: {"same-stack": [], "bare": []})


@dataclass(frozen=True)
class Parties:
    """All who take part in a benchmark."""

    pairs: tuple[Pair, ...]
    bare: Party | None

    @property
    def services(self) -> tuple[Party, ...]:
        """The service's processes, or the one server that is not ours to start anew."""
        return tuple(pair.service for pair in self.pairs)

    @property
    def everyone(self) -> tuple[Party, ...]:
        """The service's and the controls."""
        controls = (pair.control for pair in self.pairs)
        return tuple(party for party in (*self.services, *controls, self.bare) if party is not None)

    async def warm_up(self) -> float:
        """Warm everyone up; returns the median of a round trip with the service, over its processes, in ns."""
        return median([await party.warm_up() for party in self.everyone][: len(self.pairs)])


# --- doing it -------------------------------------------------------------------------------------------------------


class Alternation:
    """The round trips of a benchmark: `duration_ns` gives them out, measuring as many as it takes."""

    def __init__(self, run: Run[None], parties: Parties, plan: Plan) -> None:
        self._run = run
        self._parties = parties
        self.plan = plan
        self._durations_ns: list[int] = []
        self._visits = 0

    def duration_ns(self, position: int) -> int | None:
        """The service time of the round trip at that position, from 0; None beyond the plan."""
        if position >= self.plan.rounds:
            return None
        while len(self._durations_ns) <= position:
            self._visit()
        return self._durations_ns[position]

    def finish(self) -> None:
        """Where less was asked for than planned: let all processes be visited alike, in either order."""
        while self._visits % (2 * self.plan.processes):
            self._visit()

    def _visit(self) -> None:
        cycle, turn = divmod(self._visits, self.plan.processes)
        self._run(self._visited(self._parties.pairs[turn], cycle))
        self._visits += 1

    async def _visited(self, pair: Pair, cycle: int) -> None:
        present: dict[ControlKind, Party | None] = {"same-stack": pair.control, "bare": self._parties.bare}
        controls = [(kind, party) for kind in controls_of_visit(cycle) if (party := present[kind]) is not None]
        if begins_with_service(cycle):
            service = await pair.service.time(self.plan.burst)
            timed = {kind: await party.time(self.plan.burst) for kind, party in controls}
        else:
            timed = {kind: await party.time(self.plan.burst) for kind, party in reversed(controls)}
            service = await pair.service.time(self.plan.burst)
        for kind, control in timed.items():
            pair.log_ratios[kind].append(burst_effect(control.times_ns, service.times_ns))
        self._durations_ns += service.times_ns


# --- what came of it ------------------------------------------------------------------------------------------------


def processes_of(parties: Parties) -> tuple[ReplicateProcess, ...]:
    """The figures of each process of the service that was started for this."""
    return tuple(
        ReplicateProcess(
            **dict(_process(pair.service)),
            control=None if pair.control is None else _process(pair.control),
            log_ratio={kind: restart_effect(ratios) if ratios else None for kind, ratios in pair.log_ratios.items()},
            pairs={kind: len(ratios) for kind, ratios in pair.log_ratios.items()},
        )
        for pair in parties.pairs
        if pair.service.seed is not None
    )


def controls_of(parties: Parties, sha256: str) -> dict[ControlKind, ControlFigures | None]:
    """What was timed with each control; `sha256` is of the source of the one on the same stack."""
    same_stack = [pair.control for pair in parties.pairs if pair.control is not None]
    bare = [] if parties.bare is None else [parties.bare]
    return {
        "same-stack": _control(same_stack, sha256) if same_stack else None,
        "bare": _control(bare, None) if bare else None,
    }


def between(processes: tuple[ReplicateProcess, ...]) -> BetweenProcesses:
    """How these processes differ."""
    medians = [process.median_us for process in processes]
    kinds: tuple[ControlKind, ...] = ("same-stack", "bare")
    ratios = {
        kind: [ratio for process in processes if (ratio := process.log_ratio[kind]) is not None] for kind in kinds
    }
    return BetweenProcesses(
        median_cv=stdev(medians) / fmean(medians) if len(medians) > 1 else None,
        log_ratio_sd={kind: stdev(values) if len(values) > 1 else None for kind, values in ratios.items()},
    )


def cpu_us_per_round_trip(parties: tuple[Party, ...]) -> float | None:
    """CPU time of their servers per round trip, in microseconds; None where it is not known."""
    bursts = [burst for party in parties for burst in party.bursts]
    known_ns = [burst.cpu_ns for burst in bursts if burst.cpu_ns is not None]
    if not bursts or len(known_ns) < len(bursts):
        return None
    return sum(known_ns) / sum(len(burst.times_ns) for burst in bursts) / 1e3


def histogram_of(times_ns: list[int]) -> Histogram:
    """Of service times in ns."""
    histogram = Histogram()
    histogram.record(np.array(times_ns, dtype=np.int64))
    return histogram


def _timed(parties: tuple[Party, ...]) -> TimedServer:
    times_ns = [time_ns for party in parties for burst in party.bursts for time_ns in burst.times_ns]
    p99_ns = histogram_of(times_ns).percentile_ns(99)
    assert p99_ns is not None
    return TimedServer(
        median_us=median(times_ns) / 1e3,
        p99_us=p99_ns / 1e3,
        rounds=len(times_ns),
        server_cpu_us_per_round_trip=cpu_us_per_round_trip(parties),
    )


def _process(party: Party) -> TimedProcess:
    assert party.seed is not None
    return TimedProcess(
        **dict(_timed((party,))),
        hash_seed=party.seed.hash_seed,
        environment_bytes=party.seed.environment_bytes,
        warm_up_round_trips=party.warmed_up.round_trips,
        steady=party.warmed_up.steady,
    )


def _control(parties: list[Party], sha256: str | None) -> ControlFigures:
    return ControlFigures(**dict(_timed(tuple(parties))), processes=len(parties), sha256=sha256)
