"""The order in which a benchmark's round trips go to server processes and controls, and the figures of it."""

import asyncio
import math
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any, cast

import pytest

from bench.exchange.requests import Exchange
from bench.interleave.bursts import Burst
from bench.interleave.process_seed import ProcessSeed
from bench.latency.alternation import (
    BURST,
    Alternation,
    Pair,
    Parties,
    Party,
    Plan,
    between,
    controls_of,
    histogram_of,
    processes_of,
)
from bench.scenarios.catalogue import FOO_BAR


class Steady(Party):
    """A party whose round trips all take equally long; it notes whose turn it was."""

    def __init__(self, name: str, time_ns: int, turns: list[str], seed: ProcessSeed | None = None) -> None:
        super().__init__(cast("Exchange", None), FOO_BAR, seed=seed)
        self._noted_as, self._time_ns, self._turns = name, time_ns, turns

    async def time(self, count: int) -> Burst:
        self._turns.append(self._noted_as)
        burst = Burst([self._time_ns] * count, 7_000 * count)
        self.bursts.append(burst)
        return burst


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


def parties(turns: list[str], processes: int = 2, *, controls: bool = True) -> Parties:
    """Return processes i: the service takes (i + 1)·120 µs, its control (i + 1)·100 µs, the echo server 50 µs."""
    return Parties(
        tuple(
            Pair(
                Steady(f"s{i}", (i + 1) * 120_000, turns, ProcessSeed(i + 1, i) if controls else None),
                Steady(f"c{i}", (i + 1) * 100_000, turns, ProcessSeed(i + 11, i)) if controls else None,
            )
            for i in range(processes)
        ),
        Steady("b", 50_000, turns) if controls else None,
    )


@pytest.mark.parametrize("processes", [1, 2, 5, 10])
@pytest.mark.parametrize("rounds", [1, 5, 7, 333, 7_000, 40_000])
def test_a_plan_has_enough_and_all_processes_alike_in_either_order(rounds: int, processes: int) -> None:
    plan = Plan.of(rounds, processes)
    assert plan.rounds == plan.processes * plan.burst * plan.cycles >= rounds
    assert plan.cycles % 2 == 0
    assert 1 <= plan.burst <= BURST
    # no more than is needed: a pair of cycles less would not be enough
    assert plan.rounds - 2 * plan.processes * plan.burst < rounds


def test_long_measurements_have_whole_bursts() -> None:
    assert Plan.of(7_000, 5).burst == BURST


def test_processes_take_turns_each_beside_its_control_forwards_and_backwards() -> None:
    turns: list[str] = []
    alternation = Alternation(run, parties(turns), Plan(processes=2, burst=3, cycles=4))
    durations_ns = [alternation.duration_ns(position) for position in range(24)]
    assert turns == [
        *("s0", "c0", "b", "s1", "c1", "b"),
        *("b", "c0", "s0", "b", "c1", "s1"),
        *("s0", "c0", "s1", "c1"),
        *("c0", "s0", "c1", "s1"),
    ]
    assert durations_ns == [120_000] * 3 + [240_000] * 3 + ([120_000] * 3 + [240_000] * 3) * 3
    assert alternation.duration_ns(24) is None


def test_a_round_trip_that_was_given_out_stays_the_same() -> None:
    turns: list[str] = []
    alternation = Alternation(run, parties(turns), Plan(processes=2, burst=3, cycles=4))
    assert {alternation.duration_ns(0) for _ in range(10)} == {120_000}
    assert turns == ["s0", "c0", "b"]


@pytest.mark.parametrize("asked", [1, 2, 3, 4, 5, 6, 7, 12, 13, 18, 24])
def test_whenever_it_stops_all_processes_were_visited_alike(asked: int) -> None:
    turns: list[str] = []
    present = parties(turns)
    alternation = Alternation(run, present, Plan(processes=2, burst=3, cycles=4))
    for position in range(asked):
        alternation.duration_ns(position)
    alternation.finish()
    visits = [len(party.bursts) for party in present.services]
    assert visits[0] == visits[1] > 0
    assert visits[0] % 2 == 0
    assert visits[0] * 2 * 3 >= asked


def test_without_controls_there_is_the_service_alone() -> None:
    turns: list[str] = []
    present = parties(turns, processes=1, controls=False)
    alternation = Alternation(run, present, Plan(processes=1, burst=2, cycles=2))
    assert [alternation.duration_ns(position) for position in range(4)] == [120_000] * 4
    assert turns == ["s0", "s0"]
    assert processes_of(present) == ()
    assert controls_of(present, "hash") == {"same-stack": None, "bare": None}


def test_the_figures_of_each_process_and_of_the_controls() -> None:
    present = parties([])
    alternation = Alternation(run, present, Plan(processes=2, burst=3, cycles=4))
    alternation.duration_ns(23)
    processes = processes_of(present)
    assert [process.median_us for process in processes] == [120, 240]
    assert [process.rounds for process in processes] == [12, 12]
    assert [process.server_cpu_us_per_round_trip for process in processes] == [7, 7]
    assert [(process.hash_seed, process.environment_bytes) for process in processes] == [(1, 0), (2, 1)]
    assert [process.control and process.control.median_us for process in processes] == [100, 200]
    for process, bare in zip(processes, (120 / 50, 240 / 50), strict=True):
        assert process.log_ratio == pytest.approx({"same-stack": math.log(1.2), "bare": math.log(bare)})
        assert process.pairs == {"same-stack": 4, "bare": 2}
    controls = controls_of(present, "hash")
    assert controls["same-stack"] is not None
    assert controls["bare"] is not None
    assert (controls["same-stack"].rounds, controls["same-stack"].processes, controls["same-stack"].sha256) == (
        *(24, 2),
        "hash",
    )
    assert (controls["bare"].median_us, controls["bare"].rounds, controls["bare"].sha256) == (50, 12, None)
    spread = between(processes)
    assert spread.median_cv == pytest.approx(math.sqrt(2) * 60 / 180)
    assert spread.log_ratio_sd == pytest.approx({"same-stack": 0, "bare": math.log(2) / math.sqrt(2)})
    assert between(processes[:1]).median_cv is None


def test_drift_cancels() -> None:
    """The machine gets slower all the time; service and control are equally fast."""

    class Drifting(Steady):
        moment = 0

        async def time(self, count: int) -> Burst:
            Drifting.moment += 1
            self._time_ns = 100_000 + 1_000 * Drifting.moment
            return await super().time(count)

    turns: list[str] = []
    pair = Pair(Drifting("s0", 0, turns, ProcessSeed(1, 1)), Drifting("c0", 0, turns, ProcessSeed(2, 2)))
    alternation = Alternation(run, Parties((pair,), None), Plan(processes=1, burst=3, cycles=8))
    alternation.duration_ns(23)
    (process,) = processes_of(Parties((pair,), None))
    assert all(abs(ratio) > 0.008 for ratio in pair.log_ratios["same-stack"])
    assert [before * after < 0 for before, after in pairwise(pair.log_ratios["same-stack"])] == [True] * 7
    assert abs(process.log_ratio["same-stack"] or math.nan) < 0.001


def test_layouts_are_drawn_anew_and_reach_the_process() -> None:
    layouts = [ProcessSeed.drawn() for _ in range(50)]
    assert len({seed.hash_seed for seed in layouts}) > 45
    assert len({seed.environment_bytes for seed in layouts}) > 40
    assert all(0 < seed.hash_seed < 2**32 and 0 <= seed.environment_bytes < 4096 for seed in layouts)
    environment = ProcessSeed(17, 100).environment
    assert environment["PYTHONHASHSEED"] == "17"
    assert sorted(map(len, environment.values())) == [2, 100]


def test_a_histogram_holds_all_of_them() -> None:
    histogram = histogram_of([100_000] * 99 + [900_000])
    assert (histogram.count, histogram.min_ns, histogram.max_ns) == (100, 100_000, 900_000)
