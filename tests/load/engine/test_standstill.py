"""A loop stands still if it has not gone round while this side did. Loop and time are made up."""

import pytest

from bench.load.engine.standstill import Standstill


class FakeLoop:
    def __init__(self) -> None:
        self.beats = 0
        self.where: str | None = None

    def place(self) -> str | None:
        return self.where


def test_a_loop_that_goes_round_does_not_stand_still() -> None:
    loop = FakeLoop()
    standstill = Standstill(loop, 0.0)
    for now_s in (0.5, 1.0, 1.5):
        loop.beats += 1
        assert standstill.seconds(now_s) == 0
    assert standstill.reason(2.0) is None


def test_a_loop_that_stands_still_says_where() -> None:
    loop = FakeLoop()
    standstill = Standstill(loop, 0.0)
    for tenth in range(1, 60):
        standstill.seconds(tenth / 10)
    assert standstill.seconds(6.0) == pytest.approx(6.0)
    assert standstill.reason(6.0) == "the engine's event loop has been blocked for 6 s by a task"
    loop.where = "users.py:3 in foo"
    assert standstill.reason(6.0) == "the engine's event loop has been blocked for 6 s by a task: users.py:3 in foo"
    loop.beats += 1
    assert standstill.seconds(6.1) == 0


def test_a_process_that_was_stopped_does_not_blame_its_loop() -> None:
    standstill = Standstill(FakeLoop(), 0.0)
    assert standstill.seconds(0.5) == 0.5
    assert standstill.seconds(100.0) == pytest.approx(0.5)
    assert standstill.seconds(100.5) == pytest.approx(1.0)
