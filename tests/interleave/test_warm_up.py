"""The rule that ends a warm-up, with clocks that the test turns."""

import asyncio
from collections.abc import Sequence

import pytest

from bench.interleave import warm_up
from bench.interleave.warm_up import WINDOW, is_steady, until_steady


@pytest.mark.parametrize(
    ("medians", "steady"),
    [
        ([], False),
        ([100, 100, 100], False),
        ([100, 100, 100, 100], True),
        ([100, 100, 100, 96], False),
        ([100, 100, 100, 98], True),
        ([200, 150, 120, 110], False),
        ([200, 150, 120, 110, 109, 111], True),
        # other load makes windows slower, and that is no reason to wait
        ([100, 140, 180, 101], True),
        ([100, 100, 130, 130], True),
        # a disturbance that has passed is not the server getting faster, but it is not told from it
        ([130, 130, 100, 100], False),
        ([130, 130, 100, 100, 100, 100], True),
    ],
)
def test_the_rule(medians: Sequence[float], steady: bool) -> None:
    assert is_steady(medians) is steady


def test_what_gets_faster_is_warmed_up_until_it_does_not() -> None:
    done = 0

    async def round_trip() -> int:
        nonlocal done
        done += 1
        return 100_000 + max(0, 1_000 - done) * 1_000

    came_to = asyncio.run(until_steady(round_trip))
    assert came_to.steady
    assert came_to.round_trips == done
    assert done >= 1_000 - 2 * WINDOW
    assert came_to.median_ns < 105_000


def test_what_never_is_steady_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_up, "LIMIT_S", 0.02)
    duration_ns = 10**12

    async def round_trip() -> int:
        nonlocal duration_ns
        duration_ns = duration_ns * 99 // 100 + 1
        await asyncio.sleep(0.0001)
        return duration_ns

    came_to = asyncio.run(until_steady(round_trip))
    assert not came_to.steady
    assert came_to.round_trips > 0


def test_slow_round_trips_are_not_waited_for_by_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_up, "WINDOW_S", 0.001)

    async def round_trip() -> int:
        await asyncio.sleep(0.002)
        return 2_000_000

    came_to = asyncio.run(until_steady(round_trip))
    assert (came_to.steady, came_to.round_trips) == (True, 4)
