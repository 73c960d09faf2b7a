"""A restart of `bench ab`: two servers, timed in alternating bursts, and the difference between them.

Rules of this file: only one of the two has anything to do at a time, so whatever disturbs the machine meanwhile
disturbs both. Bursts come in adjacent pairs, A first in one pair and B first in the next (ABBA). The benchmarks take
turns by blocks of some pairs. A restart gives a number for each benchmark and metric: the logarithm of
B / A, positive if B takes longer. `bench.statistics.estimates` takes it in this form. All metrics are times of a round
trip, so the sign always means the same:

- p50: the median of the service times, one in flight. It is compared pair by pair.
- p99: the 99th percentile of all the restart's round trips of a side, because a burst is too short for it.
- cpu: the CPU time of the server's process per round trip, by the kernel's clock, over all the restart's bursts. It is
  read for each block of bursts, so that it includes the server's work after its last reply.
- saturated: the time of a round trip while many are in flight, which is 1 / throughput. It is compared pair by pair.
"""

import asyncio
import gc
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns

import numpy as np
from numpy.typing import ArrayLike

from bench.exchange.outcomes import RoundTripFailed
from bench.exchange.requests import Exchange
from bench.interleave.bursts import is_reversed, timed_burst
from bench.interleave.receive_notes import ReceiveNotes
from bench.results.ab import Metric
from bench.scenarios.catalogue import Benchmark
from bench.scenarios.model import RoundTrip
from bench.statistics.estimates import burst_effect, restart_effect
from bench.statistics.percentiles import is_greatest
from bench.timing.histogram import Histogram
from bench.wire.errors import ClientError


@dataclass(frozen=True)
class BurstPlan:
    """The plan of a restart's bursts, for each benchmark and side.

    First come `warm_up` round trips that do not count. Then come `pairs` pairs of bursts of `burst` round trips, one in
    flight, in blocks of `block` pairs. Last come `saturated_pairs` pairs of bursts of `saturated_burst` round trips,
    with `in_flight` under way all the time.

    The bursts are short and the pairs many, because the machine drifts within milliseconds. The same round trips in
    longer bursts leave more of that drift (docs/measurements.md). More pairs than these cost more time than the
    restarts that they save.
    """

    burst: int = 10
    pairs: int = 80
    block: int = 8
    in_flight: int = 16
    saturated_burst: int = 128
    saturated_pairs: int = 5
    warm_up: int = 50

    @property
    def has_p99(self) -> bool:
        """True if a restart has so many round trips that their p99 is not their maximum."""
        return not is_greatest("p99", self.pairs * self.burst)


def metrics_of(benchmark: Benchmark, plan: BurstPlan) -> tuple[Metric, ...]:
    """Return the metrics of a benchmark: if replies are matched in order, a single round trip may be in flight."""
    metrics: tuple[Metric, ...] = ("p50", "p99", "cpu") if plan.has_p99 else ("p50", "cpu")
    return metrics if benchmark.scenario.matched_in_order else (*metrics, "saturated")


@dataclass(frozen=True)
class Side:
    """A side's server: a connection to it, and a function that returns its CPU time so far, in nanoseconds."""

    exchange: Exchange
    cpu_ns: Callable[[], int]
    #: The receive times of its replies with one in flight, by benchmark's name.
    received: dict[str, ReceiveNotes] = field(default_factory=lambda: defaultdict(ReceiveNotes))
    #: The service times with one in flight, by benchmark's name, after the restart.
    times: dict[str, Histogram] = field(default_factory=lambda: defaultdict(Histogram))


@dataclass(frozen=True)
class Figure:
    """A metric of a restart: the log effect, and the time of a round trip on either side in µs."""

    effect: float
    a_us: float
    b_us: float


#: The figures of a restart, by benchmark's name and metric.
Figures = dict[tuple[str, Metric], Figure]


class DifferentClocksError(Exception):
    """The end of a restart in which the kernel told the receive times of one side, and not those of the other."""


class SideError(Exception):
    """A failed round trip with the server of `side`, which is 0 for A, 1 for B."""

    def __init__(self, side: int, cause: Exception) -> None:
        super().__init__(str(cause))
        self.side = side


async def compare(sides: tuple[Side, Side], benchmarks: tuple[Benchmark, ...], plan: BurstPlan, first: int) -> Figures:
    """Time both sides in alternation; `first` (0 or 1) is the side that begins.

    Raises SideError, or DifferentClocksError: a difference of the clocks would look like one of the sides.
    """
    taken = {benchmark.name: _Taken() for benchmark in benchmarks}
    gc.collect()
    gc.disable()  # it would search in the middle of a burst, of either side
    try:
        for side in _order(first):
            await _warm_up(sides, side, benchmarks, plan)
        for start in range(0, plan.pairs, plan.block):
            for benchmark in benchmarks:
                await _block(sides, benchmark, plan, range(start, min(start + plan.block, plan.pairs)), first, taken)
        for pair in range(plan.saturated_pairs):
            for benchmark in benchmarks:
                if "saturated" not in metrics_of(benchmark, plan):
                    continue
                for side in _order(pair + first):
                    await _saturated_burst(sides, side, benchmark.scenario, plan, taken[benchmark.name])
        await _check_order(sides, benchmarks)
        _check_clocks(sides, benchmarks)
    finally:
        gc.enable()
    for side, connection in enumerate(sides):
        for name, found in taken.items():
            connection.times[name].record(np.concatenate(found.service_ns[side]).astype(np.int64))
    return {
        (benchmark.name, metric): taken[benchmark.name].figure(metric)
        for benchmark in benchmarks
        for metric in metrics_of(benchmark, plan)
    }


class _Taken:
    """The times of a benchmark's bursts, by side, in the order of the pairs."""

    def __init__(self) -> None:
        self.service_ns: tuple[list[list[int]], list[list[int]]] = ([], [])
        self.cpu_ns: tuple[list[float], list[float]] = ([], [])  # by block
        self.saturated_ns: tuple[list[float], list[float]] = ([], [])

    def figure(self, metric: Metric) -> Figure:
        if metric == "p99":
            a_ns, b_ns = (float(np.quantile(np.concatenate(side), 0.99)) for side in self.service_ns)
            return Figure(math.log(b_ns / a_ns), a_ns / 1e3, b_ns / 1e3)
        if metric == "cpu":
            a_ns, b_ns = (float(np.mean(side)) for side in self.cpu_ns)
            for side, used_ns in enumerate((a_ns, b_ns)):
                if used_ns <= 0:
                    raise SideError(side, ValueError("its CPU time does not move: give larger --pairs or --burst"))
            return Figure(math.log(b_ns / a_ns), a_ns / 1e3, b_ns / 1e3)
        taken: dict[Metric, tuple[Sequence[ArrayLike], Sequence[ArrayLike]]] = {
            "p50": self.service_ns,
            "saturated": self.saturated_ns,
        }
        a, b = taken[metric]
        effect = restart_effect([burst_effect(*pair) for pair in zip(a, b, strict=True)])
        return Figure(effect, float(np.median(np.array(a))) / 1e3, float(np.median(np.array(b))) / 1e3)


def _order(turn: int) -> tuple[int, int]:
    return (1, 0) if is_reversed(turn) else (0, 1)


async def _check_order(sides: tuple[Side, Side], benchmarks: tuple[Benchmark, ...]) -> None:
    """Wait a moment for replies that nobody awaits. Raises SideError if matching in order was wrong."""
    await asyncio.gather(*(connection.exchange.settle() for connection in sides))
    for side, connection in enumerate(sides):
        if unexpected := connection.exchange.unexpected:
            replies = " or ".join(
                dict.fromkeys(
                    str(benchmark.scenario.answers) for benchmark in benchmarks if benchmark.scenario.matched_in_order
                )
            )
            raise SideError(
                side,
                ValueError(
                    f"{unexpected} {replies} came while none was awaited: the server sends them unasked, so they "
                    "cannot be matched in order; have the service repeat a {token} of what is emitted"
                ),
            )


def _check_clocks(sides: tuple[Side, Side], benchmarks: tuple[Benchmark, ...]) -> None:
    """Raise DifferentClocksError if most replies of one side have the kernel's times, and most of the other have not.

    A few without are those of a moment in which the machine's clock was set. They move no median.
    """
    for benchmark in benchmarks:
        a, b = (side.received[benchmark.name].times() for side in sides)
        if (a.stamped > a.unstamped) != (b.stamped > b.unstamped):
            raise DifferentClocksError(benchmark.name)


async def _warm_up(sides: tuple[Side, Side], side: int, benchmarks: tuple[Benchmark, ...], plan: BurstPlan) -> None:
    for benchmark in benchmarks:
        await _burst(sides, side, benchmark.scenario, plan.warm_up, _Taken(), ReceiveNotes())
        if "saturated" in metrics_of(benchmark, plan) and plan.saturated_pairs:
            await _saturated_burst(sides, side, benchmark.scenario, plan, _Taken())


async def _block(
    sides: tuple[Side, Side],
    benchmark: Benchmark,
    plan: BurstPlan,
    pairs: range,
    first: int,
    taken: dict[str, _Taken],
) -> None:
    into = taken[benchmark.name]
    before = _cpu_ns(sides)
    for pair in pairs:
        for side in _order(pair + first):
            await _burst(sides, side, benchmark.scenario, plan.burst, into, sides[side].received[benchmark.name])
    after = _cpu_ns(sides)
    for side in (0, 1):
        into.cpu_ns[side].append((after[side] - before[side]) / (len(pairs) * plan.burst))


def _cpu_ns(sides: tuple[Side, Side]) -> tuple[int, int]:
    return sides[0].cpu_ns(), sides[1].cpu_ns()


async def _burst(
    sides: tuple[Side, Side], side: int, round_trip: RoundTrip, count: int, taken: _Taken, received: ReceiveNotes
) -> None:
    exchange = sides[side].exchange

    async def single() -> int:
        done = await exchange(round_trip)
        received.note(done)
        return done.service_ns

    try:
        burst = await timed_burst(single, count)
    except (RoundTripFailed, ClientError) as error:
        raise SideError(side, error) from error
    taken.service_ns[side].append(burst.times_ns)


async def _saturated_burst(
    sides: tuple[Side, Side], side: int, round_trip: RoundTrip, plan: BurstPlan, taken: _Taken
) -> None:
    exchange = sides[side].exchange
    turns = iter(range(plan.saturated_burst))
    started_ns = perf_counter_ns()
    users = [asyncio.ensure_future(_user(exchange, round_trip, turns)) for _ in range(plan.in_flight)]
    try:
        last_ns = max(await asyncio.gather(*users))
    except (RoundTripFailed, ClientError) as error:
        raise SideError(side, error) from error
    finally:
        for user in users:
            user.cancel()
    taken.saturated_ns[side].append((last_ns - started_ns) / plan.saturated_burst)


async def _user(exchange: Exchange, round_trip: RoundTrip, turns: Iterator[int]) -> int:
    """Make round trips in sequence while there are turns; return the time of the last reply, in ns."""
    received_ns = 0
    for _ in turns:
        received_ns = (await exchange(round_trip)).received_ns
    return received_ns
