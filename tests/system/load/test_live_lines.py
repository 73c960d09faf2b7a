"""The lines of a load as it goes on: in place on a terminal, below each other elsewhere."""

import os
import re
import signal
from pathlib import Path

import pytest

from bench.report.formatting import per_second
from tests.support.folders import ROOT
from tests.support.locust_process import LIMIT_S, LOCUST, LOCUSTFILE, run, wait_until
from tests.support.ports import free_port
from tests.support.terminal import OnTerminal, screen

LIVE = re.compile(
    r"(?P<elapsed>\d+) s( of \d+ s)?  (?P<users>\d+) users?  (?P<rate>[\d.,]+)/s of 100/s  p50 [\d.,]+ (µs|ms)  "
    r"p99 [\d.,]+ (µs|ms)  0 failed  generator \d+%"
)


def command(folder: Path, *arguments: str) -> list[str]:
    ours = ["--headless", "--only-summary", "--results", str(folder / "results")]
    return [str(LOCUST), "-f", str(LOCUSTFILE), *ours, "--users", "4", "--spawn-rate", "4", *arguments]


def test_a_terminal_has_a_line_in_place_that_ctrl_c_takes_away(tmp_path: Path) -> None:
    with OnTerminal(command(tmp_path, "--rate", "100", "--warmup", "1s"), ROOT) as locust:
        wait_until(lambda: LIVE.search(locust.written) is not None or locust.process.poll() is not None, "a line")
        os.killpg(locust.process.pid, signal.SIGINT)
        assert locust.wait(LIMIT_S) == 0, locust.written
        written = locust.written
    live = LIVE.search(written)
    assert live is not None
    assert live["users"] == "4"
    assert "s  warm-up, 1 s left" in written
    shown = screen(written)
    assert not [line for line in shown if LIVE.search(line) or "warm-up" in line]
    assert any(line.startswith("operation ") for line in shown)


@pytest.mark.slow
def test_elsewhere_there_is_a_line_every_ten_seconds_of_all_workers(tmp_path: Path) -> None:
    code, locust = run(
        *(tmp_path, "--users", "4", "--spawn-rate", "4", "--rate", "100", "--run-time", "16s", "--processes", "2")
    )
    assert code == 0, locust.output
    assert "\x1b" not in locust.output
    assert "\r" not in locust.output
    (live,) = LIVE.finditer(locust.output)
    assert (live["elapsed"], live["users"]) == ("10", "4")
    # It is that of whole seconds in which the schedule was on, of both workers.
    stored = {int(second.t): second for second in locust.result().timeline}
    first = next(t for t, second in stored.items() if second.sent)
    rates = [sum(stored[t].ok for t in range(first, until)) / (until - first) for until in range(first + 1, 10)]
    assert live["rate"] in map(per_second, rates)


def test_who_wants_no_lines_has_none(tmp_path: Path) -> None:
    with OnTerminal(command(tmp_path, "--rate", "100", "--run-time", "3s", "--no-progress"), ROOT) as locust:
        assert locust.wait(LIMIT_S) == 0, locust.written
        written = locust.written
    assert "\x1b[K" not in written
    assert "of 3 s" not in written


@pytest.mark.slow
def test_workers_beside_a_terminal_are_in_the_line(tmp_path: Path) -> None:
    port = str(free_port())
    ports = ("--processes", "2", "--master-bind-port", port, "--master-port", port)
    with OnTerminal(command(tmp_path, "--rate", "100", *ports), ROOT) as locust:
        wait_until(lambda: LIVE.search(locust.written) is not None or locust.process.poll() is not None, "a line")
        os.killpg(locust.process.pid, signal.SIGINT)
        assert locust.wait(LIMIT_S) == 0, locust.written
        written = locust.written
    assert {live["users"] for live in LIVE.finditer(written)} == {"4"}
    assert not [line for line in screen(written) if LIVE.search(line)]
