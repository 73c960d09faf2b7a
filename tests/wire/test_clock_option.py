"""The choice of the receive clock: here, in what is started from here, and taken back."""

import os
from collections.abc import Iterator

import pytest

from bench.wire.clock_option import take_process_clock
from bench.wire.stamps import is_kernel_clock, process_clock_reason, use_clock_of_system, use_process_clock

ASKED_FOR = "the process's clock was asked for"


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have each test begin, and end, with the clock of this system."""
    monkeypatch.setenv("BENCH_PROCESS_CLOCK", "0")
    use_clock_of_system()
    yield
    monkeypatch.undo()
    use_clock_of_system()


def test_the_process_s_clock_counts_here_and_in_what_is_started_from_here() -> None:
    take_process_clock()
    assert process_clock_reason() == ASKED_FOR
    use_clock_of_system()
    assert process_clock_reason() == ASKED_FOR, "a process that is started has this environment, too"


def test_it_can_be_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    of_system = process_clock_reason()
    use_process_clock()
    assert not is_kernel_clock()
    use_clock_of_system()
    assert process_clock_reason() == of_system
    monkeypatch.setitem(os.environ, "BENCH_PROCESS_CLOCK", "1")
    use_process_clock()
    use_clock_of_system()
    assert process_clock_reason() == ASKED_FOR, "the environment asks for it"
