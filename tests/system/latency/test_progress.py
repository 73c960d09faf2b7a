"""The lines of `pytest bench` while it measures, on a terminal and elsewhere, and its default benchmarks."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.support.folders import ROOT
from tests.support.terminal import OnTerminal, screen
from tests.system.latency.test_runs import INTERRUPTED, LIMIT_S, Bench, at

PLACE = re.compile(
    r"\[(?P<number>\d)/2\] foo_bar\[event-websocket-(fast-process|in-loop)-uvloop\]  about (\d+ min )?\d+ s left"
)
TWO = ("-k", "event-websocket and uvloop and (fast or in-loop)", "--color=no")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "stored")


@pytest.mark.slow
def test_a_terminal_has_a_line_in_place(bench: Bench) -> None:
    with OnTerminal(bench.command(*TWO), ROOT, bench.environment) as run:
        assert run.wait(LIMIT_S) == 0, run.written
        written = run.written
    assert {found["number"] for found in PLACE.finditer(written)} == {"1", "2"}
    shown = screen(written)
    assert not [line for line in shown if PLACE.search(line)]
    assert not [line for line in shown if line.startswith("bench/latency/")]  # nor pytest's dots


def test_ctrl_c_takes_the_line_away(bench: Bench) -> None:
    with OnTerminal(bench.command(*TWO), ROOT, bench.environment) as run:
        at(lambda: PLACE.search(run.written) is not None or run.process.poll() is not None)
        os.killpg(run.process.pid, signal.SIGINT)
        assert run.wait(LIMIT_S) == INTERRUPTED
        written = run.written
    assert not [line for line in screen(written) if PLACE.search(line)]
    assert "Nothing was stored" in written
    assert "--all" not in written
    assert bench.stored() == []


@pytest.mark.parametrize(
    ("option", "begun", "passed"),
    [
        (None, 2, 0),
        pytest.param("-q", 1, 0, marks=pytest.mark.slow),
        pytest.param("-qq", 0, 0, marks=pytest.mark.slow),
        pytest.param("-v", 0, 2, marks=pytest.mark.slow),
    ],
)
def test_elsewhere_each_benchmark_has_a_line(bench: Bench, option: str | None, begun: int, passed: int) -> None:
    """With -q a run of less than ten seconds may have a single line."""
    run = bench.run(*TWO, *([option] if option else []))
    assert run.returncode == 0, run.stdout
    assert "\x1b" not in run.stdout
    assert "\r" not in run.stdout
    lines = run.stdout.splitlines()
    found = [line for line in lines if PLACE.fullmatch(line)]
    assert len(found) == begun if option != "-q" else 1 <= len(found) <= 2
    assert (
        len([line for line in lines if re.search(r"\] PASSED(, about (\d+ min )?\d+ s left)? +\[ *\d+%\]$", line)])
        == passed
    )


@pytest.mark.slow
def test_a_benchmark_that_fails_is_told_at_once(bench: Bench) -> None:
    run = bench.run("--event", "NOBODY", "--reply", "NOTHING", "--reply-timeout", "0.2", "-k", "fast and asyncio")
    assert run.returncode == 1
    assert re.search(r"^\[1/1\] \S+\[event-websocket-fast-process-asyncio\] failed$", run.stdout, re.MULTILINE), (
        run.stdout
    )


@pytest.mark.parametrize(
    ("arguments", "in_loop", "timing_bias"),
    [
        ([], ["event-websocket-in-loop-asyncio", "event-websocket-in-loop-uvloop"], 0),
        (["--transport", "polling"], ["event-polling-in-loop-asyncio", "event-polling-in-loop-uvloop"], 0),
        (
            ["--all"],
            [
                f"{reply}-{transport}-in-loop-{loop}"
                for loop in ("asyncio", "uvloop")
                for reply in ("event", "acknowledged")
                for transport in ("websocket", "polling")
            ],
            8,
        ),
    ],
)
@pytest.mark.slow
def test_by_default_what_compares_is_measured_and_one_of_each_loop_here(
    bench: Bench, arguments: list[str], in_loop: list[str], timing_bias: int
) -> None:
    run = bench.run("--collect-only", "-q", *arguments)
    assert run.returncode == 0, run.stdout
    collected = [line.partition("::")[2] for line in run.stdout.splitlines() if "::" in line]
    cases = [name.removeprefix("bench_round_trip[foo_bar-").removesuffix("]") for name in collected]
    assert [case for case in cases if "-in-loop-" in case] == in_loop
    compared = [case for case in cases if "-process-" in case]
    assert len(compared) == (4 if "polling" in arguments else 12)
    assert len([name for name in collected if name.startswith("bench_timing_bias")]) == timing_bias


def test_a_file_that_is_named_is_measured(bench: Bench) -> None:
    file = ROOT / "bench" / "latency" / "bench_timing_bias.py"
    run = bench.run("--collect-only", "-q", "--deselect", str(ROOT / "bench"), str(file))
    assert "bench_timing_bias[asyncio-empty_coroutine-inside]" in run.stdout
