"""A benchmark: repeated round trips, timed inside the loop, and the conditions under which they were made.

The timer is virtual: a round advances it by the service time of a single round trip, and by nothing else. The function
that pytest-benchmark calls returns these times in turn. When the next time is missing, `alternation` measures a burst,
and bursts with the controls. pytest-benchmark finds the number of repetitions from the timer:

- Its calibration puts several calls into a round if a call is too short. The bounds are `--benchmark-min-time` (5 µs
  by default) and ten times the timer's precision (1 ns). No round trip does, so each sample is a single round trip.
- The number of rounds is `--benchmark-max-time` divided by the duration of the first call, which is no sample. So that
  call is the warm-up. The timer shows a duration for it after which the rounds make up whole cycles.
- It may ask for less (`--benchmark-precision`); the measurement finishes the cycle all the same. Its last call, whose
  result it returns, is no sample either: that is a round trip by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from time import perf_counter_ns
from typing import NoReturn

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.exchange.outcomes import RoundTripFailed
from bench.latency.alternation import (
    Alternation,
    ControlFailed,
    Subjects,
    VisitPlan,
    between,
    controls_of,
    cpu_us_per_round_trip,
    histogram_of,
    processes_of,
    received_by,
)
from bench.latency.objectives import judged_benchmark
from bench.latency.testbed import ClientKind, Testbed
from bench.machine.disturbances import Interference, disturbances_between
from bench.objectives.model import JudgedObjective
from bench.results.header import way_in_words
from bench.results.latency import LatencyDetails, ScenarioSource, WarmUp
from bench.results.provenance import packages
from bench.results.receiving import ReceiveClock, Receiving
from bench.scenarios.catalogue import Benchmark
from bench.scenarios.model import RoundTrip
from bench.server import ServerError
from bench.server.error import EXIT_GRACE_S, with_last_words
from bench.targets import CONTROL_SHA256
from bench.timing.clocks import READING_NS, VirtualTimer
from bench.wire.clock_watch import ClockWatch
from bench.wire.connection import TransportName
from bench.wire.errors import ClientError

#: The timer of all benchmarks: pytest-benchmark finds out a timer's precision once.
TIMER = VirtualTimer()

#: The reasons why a benchmark has neither several processes nor controls, by the kind of its server.
UNREPLICATED = {
    "in-loop": "the server shares the client's loop: there is no process to start anew, and no control beside it",
    "url": "the server is not ours: it cannot be started anew, and there is no control on its stack",
}

_SHORTEST_NS = 10_000  # a call below pytest-benchmark's shortest round of 5 µs would be repeated within the round


def description(
    testbed: Testbed, measured: Benchmark, client_kind: ClientKind, transport: TransportName
) -> LatencyDetails:
    """Return the first part of a benchmark's details: its settings, with a connection of this kind on this testbed."""
    round_trip = measured.scenario
    source, payload = testbed.options.chosen.stored(measured), testbed.options.chosen.payload_digest
    return LatencyDetails(
        **({} if source is None else {"scenario": ScenarioSource(**source)}),
        **({} if payload is None else {"payload_sha256": payload}),
        service=testbed.options.service,
        event=round_trip.emit,
        reply=round_trip.answers,
        matched_by=round_trip.matched_by,
        client=client_kind,
        transport=way_in_words((transport,), testbed.options.chosen.connection.serializer),
        server=testbed.server_kind,
        **testbed.serving(),
        server_core=getattr(testbed.server, "core", None),
        generator_cores=testbed.cores,
        reply_timeout_s=testbed.options.reply_timeout_ns / 1e9,
        illustrative=testbed.server_kind == "in-loop",
        packages=packages(),
        **({} if testbed.options.trace_field is None else {"trace_context": testbed.options.trace_field}),
    )


def measure(
    benchmark: BenchmarkFixture,
    testbed: Testbed,
    subjects: Subjects,
    round_trip: RoundTrip,
    between_visits: Callable[[], None] = lambda: None,
) -> None:
    """Benchmark the round trip over these connections. Fail in one line if a round trip fails.

    `between_visits` is called between bursts, when nothing is timed.
    """
    with failing_in_one_line(benchmark, testbed):
        if not benchmark.enabled:  # --benchmark-disable: a single call, which is no measurement
            benchmark(lambda: testbed.run(subjects.services[0].single()))
            return
        with observed(benchmark, testbed):
            _measure(benchmark, testbed, subjects, between_visits)
        testbed.run(_settled(subjects))
    if unexpected := sum(subject.exchange.unexpected for subject in subjects.services):
        fail(
            benchmark,
            f"{unexpected} {round_trip.answers} came that no {round_trip.emit} of ours had asked for: others "
            "cause them too, so they cannot be matched in order; have the service repeat a {token} of what is emitted",
        )


async def _settled(subjects: Subjects) -> None:
    """Wait until unexpected replies have had time to come, if they would spoil the matching."""
    await asyncio.gather(*(subject.exchange.settle() for subject in subjects.services))


def _measure(
    benchmark: BenchmarkFixture, testbed: Testbed, subjects: Subjects, between_visits: Callable[[], None]
) -> None:
    alternation: Alternation | None = None
    first_ns = 0

    def once() -> None:
        nonlocal alternation, first_ns
        if alternation is None:
            plan, first_ns = _planned(benchmark, testbed.run(subjects.warm_up()), len(subjects.pairs))
            alternation = Alternation(testbed.run, subjects, plan, between_visits)
        if benchmark.stats is None:  # it calibrates
            TIMER.advance(first_ns)
            return
        position = len(benchmark.stats.stats.data)
        duration_ns = alternation.duration_ns(position)
        if duration_ns is None:
            duration_ns = testbed.run(subjects.services[position % len(subjects.pairs)].single())
        TIMER.advance(duration_ns)

    benchmark(once)
    assert alternation is not None
    alternation.finish()
    samples_s: list[float] = benchmark.stats.stats.data  # type: ignore[union-attr]
    histogram = histogram_of([round(sample_s * 1e9) - READING_NS for sample_s in samples_s])
    p99_ns = histogram.percentile_ns(99)
    assert p99_ns is not None
    processes = processes_of(subjects)
    objectives = _judged(benchmark, testbed, subjects)
    warmed_up = [subject.warmed_up for subject in subjects.services]
    received, of_everyone = received_by(subjects.services), received_by(subjects.everyone)
    store(
        benchmark,
        LatencyDetails(
            p99_us=p99_ns / 1e3,
            histogram=histogram.encode(),
            server_cpu_us_per_round_trip=cpu_us_per_round_trip(subjects.services),
            processes=tuple(processes),
            between_processes=between(processes) if processes else None,
            controls=controls_of(subjects, CONTROL_SHA256),
            unreplicated=UNREPLICATED.get(testbed.server_kind),
            replies=sum(subject.replies for subject in subjects.services),
            error_replies=sum(subject.error_replies for subject in subjects.services),
            received_clock="kernel" if of_everyone.are_kernels else "process",
            receiving=Receiving.of(received),
            **({"objectives": objectives} if objectives else {}),
            burst_round_trips=alternation.plan.burst,
            warm_up=WarmUp(
                round_trips=sum(warm_up.round_trips for warm_up in warmed_up),
                steady=all(warm_up.steady for warm_up in warmed_up),
            ),
        ),
    )


def _judged(benchmark: BenchmarkFixture, testbed: Testbed, subjects: Subjects) -> tuple[JudgedObjective, ...]:
    """Return the objectives that speak of this benchmark. A server in the client's own loop only illustrates."""
    if testbed.server_kind == "in-loop":
        return ()
    times = [[time_ns for burst in subject.bursts for time_ns in burst.times_ns] for subject in subjects.services]
    is_replicated = all(subject.seed is not None for subject in subjects.services)
    scenario = benchmark.name.partition("[")[0]
    return judged_benchmark(testbed.options.slo.objectives, benchmark.name, scenario, times, is_replicated)


def _planned(benchmark: BenchmarkFixture, median_ns: float, processes: int) -> tuple[VisitPlan, int]:
    """Return the plan for round trips of that median, and the first call's duration on the timer, in ns.

    pytest-benchmark makes max(⌈max_time / first call⌉, min_rounds) rounds. Half a round is spared for its rounding.
    """
    max_time_ns = benchmark._max_time * 1e9
    plan = VisitPlan.of(max(ceil(max_time_ns / median_ns), benchmark._min_rounds), processes)
    return plan, max(_SHORTEST_NS, round(max_time_ns / (plan.rounds - 0.5)))


@contextmanager
def observed(benchmark: BenchmarkFixture, testbed: Testbed) -> Iterator[None]:
    """Store the conditions under which a benchmark runs, and the disturbances that may have spoilt it."""
    if not benchmark.enabled:
        yield
        return
    before = testbed.conditions()
    watch, since_ns = ClockWatch.here(), perf_counter_ns()
    yield
    watch.look(perf_counter_ns())
    after, kept_awake = testbed.conditions(), testbed.kept_awake()
    pinned = testbed.pool is not None and bool(testbed.cores)
    store(
        benchmark,
        LatencyDetails(
            awake=kept_awake,
            conditions=before,
            interference=Interference.between(before, after),
            receive_clock=ReceiveClock.of(watch, since_ns),
            spoilers=disturbances_between(before, after, pinned=pinned, awake=kept_awake.cores),
        ),
    )


@contextmanager
def failing_in_one_line(benchmark: BenchmarkFixture, testbed: Testbed) -> Iterator[None]:
    """Fail the benchmark in one line if anything goes wrong between client and server."""
    try:
        yield
        return
    except (RoundTripFailed, ClientError, ControlFailed, ServerError) as error:
        reason, is_of_service = str(error), isinstance(error, (RoundTripFailed, ClientError))
    if (exit_reason := testbed.exit_reason(EXIT_GRACE_S)) is None and is_of_service:
        reason = with_last_words(reason, testbed.wrote_last())
    elif exit_reason is not None and exit_reason != reason:
        reason += f"; {exit_reason}"
    fail(benchmark, reason)


def describe(benchmark: BenchmarkFixture, name: str, group: str, described: LatencyDetails) -> None:
    """Give the benchmark its name and its group in the table, and its description."""
    benchmark.name = name
    benchmark.group = group
    store(benchmark, described)


def store(benchmark: BenchmarkFixture, details: LatencyDetails) -> None:
    """Add these details to the benchmark's result."""
    benchmark.extra_info.update(details.written())


def fail(benchmark: BenchmarkFixture, reason: str) -> NoReturn:
    """Fail in one line, and keep the times so far out of the results."""
    benchmark.has_error = True
    raise pytest.fail.Exception(f"{benchmark.name}: {reason}", pytrace=False) from None
