"""One benchmark: a round trip again and again, timed inside the loop, and the conditions under which that happened.

The timer is virtual: a round advances it by the round trip's own service time, and by nothing else. pytest-benchmark
finds out from it how often to repeat:

- Its calibration puts several calls into a round only where one lasts less than `--benchmark-min-time` (5 µs by
  default) or ten times the timer's precision (1 ns). No round trip does: each sample is one round trip.
- The number of rounds is `--benchmark-max-time` divided by the duration of the first call, which is no sample. One that
  happens to be slow would make them too few, so the first call is the warm-up, and to the timer it lasts as long as
  the median of its round trips.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median_low
from time import perf_counter_ns
from typing import NoReturn

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.latency.options import Definition
from bench.latency.stage import HTTP, WS, ClientKind, Stage
from bench.results.environment import packages
from bench.roundtrip import Exchange, RoundTrip, RoundTripFailed
from bench.timing.clock import VirtualTimer
from bench.wire.interface import ClientError, Transport

TIMER = VirtualTimer()
"""The one timer of all benchmarks: pytest-benchmark finds out a timer's precision once."""

WARM_UP_NS = 100_000_000
SETTLING_S = 0.05  # for a reply that nobody asked for, after the last one that somebody did


@dataclass(frozen=True)
class Conditions:
    """What a result has to say besides pytest-benchmark's figures; stored as a benchmark's `extra_info`.

    `http`, `ws` and the cores are null where they are not ours to know. What is `illustrative` has the server in the
    client's own loop: it shows the software's cost without a second process, and is not to be compared.
    """

    service: str
    event: str
    reply: str | None
    matched_by: str
    client: str
    transport: str
    server: str
    loop: str
    http: str | None
    ws: str | None
    server_core: int | None
    generator_cores: tuple[int, ...]
    reply_timeout_s: float
    illustrative: bool
    packages: dict[str, str]


def conditions(stage: Stage, definition: Definition, client_kind: ClientKind, transport: Transport) -> Conditions:
    """The conditions of a definition's benchmark over such a connection on this stage."""
    ours = stage.server is not None
    round_trip = definition.round_trip
    return Conditions(
        service=stage.options.service,
        event=round_trip.event,
        reply=round_trip.reply,
        matched_by=_matched_by(round_trip),
        client=client_kind,
        transport=transport,
        server=stage.server_kind,
        loop=stage.loop_kind,
        http=HTTP if ours else None,
        ws=WS if ours else None,
        server_core=getattr(stage.server, "core", None),
        generator_cores=stage.cores,
        reply_timeout_s=stage.options.reply_timeout_ns / 1e9,
        illustrative=stage.server_kind == "in-loop",
        packages=packages(),
    )


def _matched_by(round_trip: RoundTrip) -> str:
    if round_trip.reply is None:
        return "acknowledgement"
    return "order" if round_trip.matched_in_order else "token"


def measure(benchmark: BenchmarkFixture, stage: Stage, exchange: Exchange, definition: Definition) -> None:
    """Benchmark the definition over that connection; fails in one line if a round trip does."""
    round_trip = definition.round_trip
    is_warm = not benchmark.enabled  # with --benchmark-disable the one call is no measurement

    def call() -> int:
        return stage.run(exchange(round_trip)).service_ns

    def once() -> None:
        nonlocal is_warm
        if is_warm:
            TIMER.advance(call())
        else:
            TIMER.advance(warm_up(call))
            is_warm = True

    with failing_in_one_line(benchmark, stage):
        benchmark(once)
        if round_trip.matched_in_order:
            stage.run(asyncio.sleep(SETTLING_S))
    if exchange.unexpected:
        fail(
            benchmark,
            f"{exchange.unexpected} {round_trip.reply} came that no {round_trip.event} of ours had asked for: others "
            "cause them too, so they cannot be matched in order; have the service repeat a {token} of the --payload",
        )


def warm_up(call: Callable[[], int]) -> int:
    """Call again and again for 0.1 s; return the median of what it returns."""
    until_ns = perf_counter_ns() + WARM_UP_NS
    durations_ns = [call()]
    while perf_counter_ns() < until_ns:
        durations_ns.append(call())
    return median_low(durations_ns)


@contextmanager
def failing_in_one_line(benchmark: BenchmarkFixture, stage: Stage) -> Iterator[None]:
    """What goes wrong between client and server fails the benchmark; nothing of it is a mistake of this program."""
    try:
        yield
        return
    except (RoundTripFailed, ClientError) as error:
        reason = str(error)
    if (death := stage.death()) is not None:
        reason += f"; {death}"
    fail(benchmark, reason)


def describe(benchmark: BenchmarkFixture, name: str, group: str, described: Conditions) -> None:
    """Give the benchmark its name and its group in the table, and its conditions."""
    benchmark.name = name
    benchmark.group = group
    benchmark.extra_info.update(dataclasses.asdict(described))


def fail(benchmark: BenchmarkFixture, reason: str) -> NoReturn:
    """Fail in one line, and keep what was measured so far out of the results."""
    benchmark.has_error = True
    raise pytest.fail.Exception(f"{benchmark.name}: {reason}", pytrace=False) from None
