"""The comparison with other generators: what is measured, stored and shown, and what becomes of one that fails."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench.targets.process import EchoProcess
from bench.validation.peers import measuring, tools
from bench.validation.peers.aiolocust import AioLocust
from bench.validation.peers.artillery import Artillery
from bench.validation.peers.async_client import AsyncClient
from bench.validation.peers.epoll_loop import EpollLoop
from bench.validation.peers.k6 import K6
from bench.validation.peers.measuring import Outcome, Plan, measure
from bench.validation.peers.model import Peers
from bench.validation.peers.node_loop import NodeLoop
from bench.validation.peers.peer import ClosedLoad, Command, LeftOut, Peer, ToolReport
from tests.support.processes import command_of

COMMAND = [sys.executable, "-m", "bench.peers"]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"COLUMNS": "200"},
    )


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_small_comparison(tmp_path: Path) -> None:
    names = "ours,asyncclient,epoll"
    ended = run(
        "--only", names, "--rounds", "1", "--seconds", "0.5", "--warm-up", "0.2", "--connections", "5",
        "--results", str(tmp_path),
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    (path,) = tmp_path.glob("peers/*/0001_*.json")
    result = Peers.model_validate_json(path.read_text(), strict=True)
    expected = names.split(",") if shutil.which("cc") else ["ours", "asyncclient"]
    assert [figures.peer for figures in result.figures] == expected
    for figures in result.figures:
        assert figures.connections == 5
        assert figures.title in ended.stdout
        assert figures.memory_per_connection_bytes is None, "so few do not tell"
        (one,) = figures.rounds
        assert one.round_trips_per_s > 0
        assert one.cpu_us_per_round_trip > 0
        assert one.reported_p50_us
        assert one.unreported is None
    ours = result.figures[0].rounds[0]
    assert ours.reported_round_trips == ours.answered, "every round trip is counted, by both sides"
    assert str(path) in ended.stdout.replace("\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "ours,nonsense"], "nonsense"),
        (["--rounds", "0"], "--rounds"),
        (["--connections", "10,x"], "10,x"),
        (["--seconds", "-1"], "--seconds"),
    ],
)
def test_misuse(arguments: list[str], said: str) -> None:
    ended = run(*arguments)
    assert ended.returncode == 2
    assert said in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    arguments = ["--only", "asyncclient", "--connections", "3", "--seconds", "60", "--results", str(tmp_path)]
    with subprocess.Popen([*COMMAND, *arguments], start_new_session=True) as process:
        children: list[psutil.Process] = []

        def both_there() -> bool:
            children[:] = psutil.Process(process.pid).children(recursive=True)
            commands = [" ".join(command_of(child)) for child in children]
            return len(commands) == 2 and any("async_client_loop.py" in command for command in commands)

        until(both_there)  # echo server and generator, and nothing else
        process.send_signal(number)
        assert process.wait(10) == 130
        until(lambda: not any(child.is_running() for child in children))
    assert not list(tmp_path.iterdir())


# --- those that fail --------------------------------------------------------------------------------------------------


class Scripted:
    """A peer that is a line of Python."""

    def __init__(self, name: str, script: str) -> None:
        self.name = self.title = name
        self._script = script

    def prepare(self, folder: Path) -> str:
        return "1"

    def command(self, load: ClosedLoad) -> Command:
        return Command([sys.executable, "-c", self._script, load.url, str(load.connections)])

    def report(self, load: ClosedLoad, output: str) -> ToolReport:
        raise LeftOut("it has nothing to say")


def outcome_of(*peers: Peer[ClosedLoad], connections: int = 2, rounds: int = 1) -> tuple[Outcome, list[str]]:
    told: list[str] = []
    with EchoProcess() as echo:
        return measure(peers, echo, Plan([connections], rounds, 0.1, 0.2, ()), told.append), told


def test_a_tool_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "HERE", tmp_path)
    monkeypatch.setattr(tools, "_PACKAGES", tmp_path / "node_modules")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    outcome, told = outcome_of(K6(), Artillery(), NodeLoop(), EpollLoop(), AioLocust())
    assert outcome.figures == ()
    assert {absent.peer: absent.reason for absent in outcome.absent} == {
        "k6": "k6 is not installed: `make peers` installs it",
        "artillery": "artillery is not installed: `make peers` installs it",
        "node": "socket.io-client is not installed: `make peers` installs it",
        "epoll": "there is no C compiler (cc, gcc, clang)",
        "aiolocust": (
            "aiolocust is not installed: `make peers` installs it where a free-threaded Python 3.14 can be had"
        ),
    }
    assert len(told) == 5


def test_a_generator_that_fails_is_left_out_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "CONNECT_TIMEOUT_S", 0.5)
    outcome, _ = outcome_of(
        Scripted("dies", "print('before'); raise SystemExit('no such luck')"),
        Scripted("sleeps", "import time; time.sleep(60)"),
        rounds=2,
    )
    reasons = {absent.peer: absent.reason for absent in outcome.absent}
    assert reasons["dies"] == "it ended with exit code 1; it wrote last: before | no such luck"
    assert reasons["sleeps"] == "only 0 of 2 connections came up within 0.5 s"
    assert len(outcome.absent) == 2, "once each"


def test_a_generator_without_a_report_is_measured_all_the_same() -> None:
    class Silent(AsyncClient):
        def report(self, load: ClosedLoad, output: str) -> ToolReport:
            raise LeftOut("it has nothing to say")

    outcome, _ = outcome_of(Silent())
    (figures,) = outcome.figures
    assert figures.rounds[0].unreported == "it has nothing to say"
    assert figures.rounds[0].answered > 0
    assert figures.reported_us("p50") is None


# --- what the tools report --------------------------------------------------------------------------------------------


# --- the result and its table -----------------------------------------------------------------------------------------


# --- what is pinned ---------------------------------------------------------------------------------------------------


# --- capacity ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_small_capacity_run() -> None:
    command = [
        sys.executable,
        "-m",
        "bench.peers.capacity",
        "--connections",
        "20",
        "--working",
        "5",
        "--seconds",
        "3",  # those who work look every half second whether all are there
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    lines = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in ended.stdout.splitlines()[1:])
    assert lines["lost"] == lines["heartbeats missed"] == "0"
    assert float(lines["round trips/s"].replace(",", "")) > 0


@pytest.mark.parametrize("arguments", [["--connections", "100000000"], ["--connections", "5", "--working", "6"]])
def test_capacity_that_is_not_possible(arguments: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bench.peers.capacity", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
