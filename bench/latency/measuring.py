"""One benchmark: round trips again and again, timed inside the loop, and the conditions under which that happened.

The timer is virtual: a round advances it by one round trip's own service time, and by nothing else. What
pytest-benchmark calls gives out one service time after the other; they are measured by the burst, with the controls'
bursts between them, whenever the next one is not there yet (`alternation`). pytest-benchmark finds out from the timer
how often to repeat:

- Its calibration puts several calls into a round only where one lasts less than `--benchmark-min-time` (5 µs by
  default) or ten times the timer's precision (1 ns). No round trip does: each sample is one round trip.
- The number of rounds is `--benchmark-max-time` divided by the duration of the first call, which is no sample. So that
  call is the warm-up, and to the timer it lasts just so long that as many rounds follow as make whole cycles.
- It may ask for less (`--benchmark-precision`); then the cycle that was begun is finished all the same. And its last
  call of all, whose result it returns, is no sample either: that is a round trip by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import NoReturn

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.exchange.requests import RoundTripFailed
from bench.latency.alternation import (
    Alternation,
    ControlFailed,
    Parties,
    Plan,
    between,
    controls_of,
    cpu_us_per_round_trip,
    histogram_of,
    processes_of,
)
from bench.latency.stage import ClientKind, Stage
from bench.machine.disturbances import Interference, spoilers
from bench.results.latency import LatencyDetails, ScenarioSource, WarmUp
from bench.results.provenance import packages
from bench.scenarios.catalogue import Benchmark
from bench.scenarios.model import RoundTrip
from bench.server import ServerError
from bench.server.error import DYING_S, with_last_words
from bench.targets import CONTROL_SHA256
from bench.timing.clocks import READING_NS, VirtualTimer
from bench.wire.connection import TransportName
from bench.wire.errors import ClientError

TIMER = VirtualTimer()
"""The one timer of all benchmarks: pytest-benchmark finds out a timer's precision once."""

UNREPLICATED = {
    "in-loop": "the server shares the client's loop: there is no process to start anew, and no control beside it",
    "url": "the server is not ours: it cannot be started anew, and there is no control on its stack",
}

_SHORTEST_NS = 10_000  # a call below pytest-benchmark's shortest round of 5 µs would be repeated within the round


def description(stage: Stage, measured: Benchmark, client_kind: ClientKind, transport: TransportName) -> LatencyDetails:
    """Return the first part of a benchmark's details: how it is made, with such a connection on this stage."""
    round_trip = measured.scenario
    source = stage.options.chosen.stored(measured)
    return LatencyDetails(
        **({} if source is None else {"scenario": ScenarioSource(**source)}),
        service=stage.options.service,
        event=round_trip.emit,
        reply=round_trip.reply,
        matched_by=round_trip.matched_by,
        client=client_kind,
        transport=transport,
        server=stage.server_kind,
        **stage.serving(),
        server_core=getattr(stage.server, "core", None),
        generator_cores=stage.cores,
        reply_timeout_s=stage.options.reply_timeout_ns / 1e9,
        illustrative=stage.server_kind == "in-loop",
        packages=packages(),
    )


def measure(benchmark: BenchmarkFixture, stage: Stage, parties: Parties, round_trip: RoundTrip) -> None:
    """Benchmark the round trip over these connections; fails in one line if a round trip does."""
    with failing_in_one_line(benchmark, stage):
        if not benchmark.enabled:  # --benchmark-disable: one call, which is no measurement
            benchmark(lambda: stage.run(parties.services[0].single()))
            return
        with observed(benchmark, stage):
            _measure(benchmark, stage, parties)
        stage.run(_settled(parties))
    if unexpected := sum(party.exchange.unexpected for party in parties.services):
        fail(
            benchmark,
            f"{unexpected} {round_trip.reply} came that no {round_trip.emit} of ours had asked for: others "
            "cause them too, so they cannot be matched in order; have the service repeat a {token} of what is emitted",
        )


async def _settled(parties: Parties) -> None:
    """Return when replies that nobody asked for have had time to come, if they would spoil the matching."""
    await asyncio.gather(*(party.exchange.settle() for party in parties.services))


def _measure(benchmark: BenchmarkFixture, stage: Stage, parties: Parties) -> None:
    alternation: Alternation | None = None
    first_ns = 0

    def once() -> None:
        nonlocal alternation, first_ns
        if alternation is None:
            plan, first_ns = _planned(benchmark, stage.run(parties.warm_up()), len(parties.pairs))
            alternation = Alternation(stage.run, parties, plan)
        if benchmark.stats is None:  # it calibrates
            TIMER.advance(first_ns)
            return
        position = len(benchmark.stats.stats.data)
        duration_ns = alternation.duration_ns(position)
        if duration_ns is None:
            duration_ns = stage.run(parties.services[position % len(parties.pairs)].single())
        TIMER.advance(duration_ns)

    benchmark(once)
    assert alternation is not None
    alternation.finish()
    samples_s: list[float] = benchmark.stats.stats.data  # type: ignore[union-attr]
    histogram = histogram_of([round(sample_s * 1e9) - READING_NS for sample_s in samples_s])
    p99_ns = histogram.percentile_ns(99)
    assert p99_ns is not None
    processes = processes_of(parties)
    warmed_up = [party.warmed_up for party in parties.services]
    store(
        benchmark,
        LatencyDetails(
            p99_us=p99_ns / 1e3,
            histogram=histogram.encode(),
            server_cpu_us_per_round_trip=cpu_us_per_round_trip(parties.services),
            processes=tuple(processes),
            between_processes=between(processes) if processes else None,
            controls=controls_of(parties, CONTROL_SHA256),
            unreplicated=UNREPLICATED.get(stage.server_kind),
            replies=sum(party.replies for party in parties.services),
            error_replies=sum(party.error_replies for party in parties.services),
            burst_round_trips=alternation.plan.burst,
            warm_up=WarmUp(
                round_trips=sum(one.round_trips for one in warmed_up), steady=all(one.steady for one in warmed_up)
            ),
        ),
    )


def _planned(benchmark: BenchmarkFixture, median_ns: float, processes: int) -> tuple[Plan, int]:
    """The plan for round trips of that median, and how long the first call has to last to the timer, in ns.

    pytest-benchmark does max(⌈max_time / first call⌉, min_rounds) rounds. Half a round to spare, for its rounding.
    """
    max_time_ns = benchmark._max_time * 1e9
    plan = Plan.of(max(ceil(max_time_ns / median_ns), benchmark._min_rounds), processes)
    return plan, max(_SHORTEST_NS, round(max_time_ns / (plan.rounds - 0.5)))


@contextmanager
def observed(benchmark: BenchmarkFixture, stage: Stage) -> Iterator[None]:
    """Store the conditions under which a benchmark runs, and what may have spoilt it."""
    if not benchmark.enabled:
        yield
        return
    before = stage.conditions()
    yield
    after, kept_awake = stage.conditions(), stage.kept_awake()
    pinned = stage.pool is not None and bool(stage.cores)
    store(
        benchmark,
        LatencyDetails(
            awake=kept_awake,
            conditions=before,
            interference=Interference.between(before, after),
            spoilers=spoilers(before, after, pinned=pinned, awake=kept_awake.cores),
        ),
    )


@contextmanager
def failing_in_one_line(benchmark: BenchmarkFixture, stage: Stage) -> Iterator[None]:
    """What goes wrong between client and server fails the benchmark; nothing of it is a mistake of this program."""
    try:
        yield
        return
    except (RoundTripFailed, ClientError, ControlFailed, ServerError) as error:
        reason, is_of_service = str(error), isinstance(error, (RoundTripFailed, ClientError))
    if (death := stage.death(DYING_S)) is None and is_of_service:
        reason = with_last_words(reason, stage.wrote_last())
    elif death is not None and death != reason:
        reason += f"; {death}"
    fail(benchmark, reason)


def describe(benchmark: BenchmarkFixture, name: str, group: str, described: LatencyDetails) -> None:
    """Give the benchmark its name and its group in the table, and its description."""
    benchmark.name = name
    benchmark.group = group
    store(benchmark, described)


def store(benchmark: BenchmarkFixture, details: LatencyDetails) -> None:
    """Put these details into the benchmark's result, beside those that it has."""
    benchmark.extra_info.update(details.written())


def fail(benchmark: BenchmarkFixture, reason: str) -> NoReturn:
    """Fail in one line, and keep what was measured so far out of the results."""
    benchmark.has_error = True
    raise pytest.fail.Exception(f"{benchmark.name}: {reason}", pytrace=False) from None
