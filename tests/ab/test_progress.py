"""The progress of `bench ab`, on a terminal and elsewhere."""

import io

from rich.console import Console

from bench.ab.news import State
from bench.ab.progress import AbProgress
from bench.statistics.estimates import estimate


def state(count: int, elapsed_s: float) -> State:
    return State(count, elapsed_s, 30.0, (("event", estimate([0.01 + 0.001 * i for i in range(count)])),))


def test_progress_is_a_bar_on_a_terminal() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with AbProgress(console) as report:
        report("measuring")
        report(state(2, 3.0))
    assert isinstance(console.file, io.StringIO)
    written = console.file.getvalue()
    assert "measuring" in written
    assert "2 restarts, event p50 +1.06 ± 0.64 %" in written
    assert "30 s left" in written


def test_progress_is_a_line_now_and_then_elsewhere() -> None:
    console = Console(file=io.StringIO(), width=100)
    with AbProgress(console) as report:
        for count in range(1, 11):
            report(state(count, 3.0 * count))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == ["1 restart", "6 restarts"]
    assert lines[0] == "1 restart, event p50 +1.01 %; 30 s left"
