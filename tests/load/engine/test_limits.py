"""The limits to a user's arrivals: those of the command line, else those of its class."""

from dataclasses import dataclass

import pytest

from bench.load.engine.pacing import ArrivalLimits, OpenLoad


@dataclass
class SomeUser:
    pipelined: bool = False
    max_in_flight: int = 1000
    longest_wait: float | None = None
    reply_timeout: float = 10.0


@pytest.mark.parametrize(
    ("load", "user", "limits"),
    [
        (OpenLoad(), SomeUser(), ArrivalLimits(1, 10.0)),
        (OpenLoad(), SomeUser(longest_wait=0.0), ArrivalLimits(1, 0.0)),
        (OpenLoad(max_wait_s=0.0), SomeUser(longest_wait=3.0), ArrivalLimits(1, 0.0)),
        (OpenLoad(max_wait_s=5.0, max_in_flight=7), SomeUser(), ArrivalLimits(1, 5.0)),
        (OpenLoad(), SomeUser(pipelined=True), ArrivalLimits(1000, None)),
        (OpenLoad(max_in_flight=7, max_wait_s=5.0), SomeUser(pipelined=True), ArrivalLimits(7, None)),
    ],
)
def test_limits(load: OpenLoad, user: SomeUser, limits: ArrivalLimits) -> None:
    assert load.limits_of(user) == limits


def test_limits_of_a_class() -> None:
    class Users:
        pipelined = True
        max_in_flight = 3
        longest_wait = None
        reply_timeout = 1.0

    assert OpenLoad().limits_of(Users).most_at_once == 3  # type: ignore[arg-type]
