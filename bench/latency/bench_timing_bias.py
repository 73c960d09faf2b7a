"""The bias of timing around the loop: the same call, timed inside and around `run_until_complete`.

The empty coroutine takes a single turn of the loop. `bias_us` in `extra_info` is the median of the difference between
both times of the same call. From a benchmark to the next the machine may drift by more than this difference.
"""

from __future__ import annotations

import asyncio
from statistics import median
from time import perf_counter_ns

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.exchange.requests import Exchange
from bench.interleave.server_pool import LoopKind
from bench.interleave.warm_up import until_steady
from bench.latency.measuring import TIMER, describe, description, failing_in_one_line, observed, store
from bench.latency.testbed import ClientKind, ServerKind, Testbed
from bench.results.latency import LatencyDetails
from bench.scenarios.catalogue import LATENCY_BENCHMARKS
from bench.wire.connection import TransportName

# A round is a single call, however short: nothing is calibrated, and a second of calls would be too many.
EMPTY = {"min_time": 0, "max_time": 0.05}
INSIDE = {"timer": TIMER}


@pytest.fixture
def server() -> ServerKind:
    """Return the kind of server that the comparable benchmarks of the round trip have."""
    return "process"


@pytest.fixture
def replicated() -> bool:
    """Return false: a single process is enough to compare two ways of timing."""
    return False


@pytest.fixture
def client() -> ClientKind:
    """Return the client that users have."""
    return "AsyncClient"


@pytest.fixture
def transport() -> TransportName:
    """Return the transport that users have."""
    return "websocket"


@pytest.mark.parametrize(
    ("work", "timed"),
    [
        pytest.param("empty_coroutine", "inside", marks=pytest.mark.benchmark(**EMPTY, **INSIDE)),
        pytest.param("empty_coroutine", "around", marks=pytest.mark.benchmark(**EMPTY)),
        pytest.param("round_trip", "inside", marks=pytest.mark.benchmark(**INSIDE)),
        pytest.param("round_trip", "around"),
    ],
)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def bench_timing_bias(
    testbed: Testbed,
    exchange: Exchange,
    benchmark: BenchmarkFixture,
    work: str,
    timed: str,
    loop: LoopKind,
    client: ClientKind,
    transport: TransportName,
) -> None:
    """Time the same call by the virtual timer and by pytest-benchmark's own."""
    measured = LATENCY_BENCHMARKS[0]
    described = description(testbed, measured, client, transport)
    describe(benchmark, f"{work}[{timed}-{loop}]", f"timing bias: {work} on {loop}", described)

    async def single() -> int:
        return await _empty() if work == "empty_coroutine" else (await exchange(measured.scenario)).service_ns

    biases_ns: list[int] = []

    def inside() -> None:
        TIMER.advance(testbed.run(single()))

    def around() -> None:
        started_ns = perf_counter_ns()
        inside_ns = testbed.run(single())
        biases_ns.append(perf_counter_ns() - started_ns - inside_ns)

    with failing_in_one_line(benchmark, testbed), observed(benchmark, testbed):
        if benchmark.enabled:
            testbed.run(until_steady(single))
        benchmark(inside if timed == "inside" else around)
    if biases_ns:
        store(benchmark, LatencyDetails(bias_us=median(biases_ns) / 1e3))


async def _empty() -> int:
    """Take a turn of the loop; return its duration in ns."""
    started_ns = perf_counter_ns()
    await asyncio.sleep(0)
    return perf_counter_ns() - started_ns
