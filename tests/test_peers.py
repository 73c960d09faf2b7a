"""The comparison with other generators: what is measured, stored and shown, and what becomes of one that fails."""

import datetime as dt
import io
import json
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
from processes import command_of
from pydantic import ValidationError
from rich.console import Console

from bench.results.header import CommitInfo, MachineInfo
from bench.targets.process import EchoProcess
from bench.validation.peers import connections, measuring, tools
from bench.validation.peers.artillery import Artillery
from bench.validation.peers.async_client import AsyncClient
from bench.validation.peers.epoll_loop import EpollLoop
from bench.validation.peers.k6 import K6
from bench.validation.peers.locust_contrib import LocustContrib
from bench.validation.peers.measuring import Outcome, Plan, measure
from bench.validation.peers.model import Absent, Figures, Peers, Round
from bench.validation.peers.node_loop import NodeLoop
from bench.validation.peers.ours import Ours
from bench.validation.peers.peer import HERE, Command, LeftOut, Peer, Reported, Work
from bench.validation.peers.table import peers_table

SAMPLES = Path(__file__).parent / "samples" / "peers"
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

    def command(self, work: Work) -> Command:
        return Command([sys.executable, "-c", self._script, work.url, str(work.connections)])

    def reported(self, work: Work, output: str) -> Reported:
        raise LeftOut("it has nothing to say")


def outcome_of(*peers: Peer, connections: int = 2, rounds: int = 1) -> tuple[Outcome, list[str]]:
    told: list[str] = []
    with EchoProcess() as echo:
        return measure(peers, echo, Plan([connections], rounds, 0.1, 0.2, ()), told.append), told


def test_a_tool_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "HERE", tmp_path)
    monkeypatch.setattr(tools, "_PACKAGES", tmp_path / "node_modules")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    outcome, told = outcome_of(K6(), Artillery(), NodeLoop(), EpollLoop())
    assert outcome.figures == ()
    assert {absent.peer: absent.reason for absent in outcome.absent} == {
        "k6": "k6 is not installed: `make peers` installs it",
        "artillery": "artillery is not installed: `make peers` installs it",
        "node": "socket.io-client is not installed: `make peers` installs it",
        "epoll": "there is no C compiler (cc, gcc, clang)",
    }
    assert len(told) == 4


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
        def reported(self, work: Work, output: str) -> Reported:
            raise LeftOut("it has nothing to say")

    outcome, _ = outcome_of(Silent())
    (figures,) = outcome.figures
    assert figures.rounds[0].unreported == "it has nothing to say"
    assert figures.rounds[0].answered > 0
    assert figures.reported_us("p50") is None


# --- what the tools report --------------------------------------------------------------------------------------------


def work_in(folder: Path) -> Work:
    return Work("http://127.0.0.1:1", 50, folder)


@pytest.mark.parametrize(
    ("peer", "file", "expected"),
    [
        (K6(), "k6.json", Reported(1000.0, 11000.0, 24299)),
        (Artillery(), "artillery.json", Reported(1100.0, 9900.0, 28386)),
        (LocustContrib(), "locust.json", Reported(0.0, 0.0, 5034)),
    ],
)
def test_reports_as_recorded(tmp_path: Path, peer: Peer, file: str, expected: Reported) -> None:
    with pytest.raises(LeftOut, match="wrote no"):
        peer.reported(work_in(tmp_path), "")
    shutil.copy(SAMPLES / file, tmp_path)
    assert peer.reported(work_in(tmp_path), "") == expected
    (tmp_path / file).write_text("{}")
    with pytest.raises(LeftOut, match="wrote no"):
        peer.reported(work_in(tmp_path), "")


def test_percentiles_of_locusts_counts(tmp_path: Path) -> None:
    report = [{"method": "WSE", "response_times": {"10": 1, "2": 98, "9": 1}}]
    (tmp_path / "locust.json").write_text(json.dumps(report))
    assert LocustContrib().reported(work_in(tmp_path), "") == Reported(2000.0, 9000.0, 100)


def test_several_processes_of_ours_meet_at_a_port_of_their_own(tmp_path: Path) -> None:
    assert "--processes" not in Ours().command(work_in(tmp_path)).arguments
    one, other = (Ours(2).command(work_in(tmp_path)).arguments for _ in range(2))
    assert one[one.index("--master-port") + 1] == one[one.index("--master-bind-port") + 1]
    assert one != other


def test_ours_without_a_result(tmp_path: Path) -> None:
    with pytest.raises(LeftOut, match="stored no result"):
        Ours().reported(work_in(tmp_path), "")


@pytest.mark.parametrize("peer", [AsyncClient(), NodeLoop(), EpollLoop()])
def test_loops_report_in_their_last_line(tmp_path: Path, peer: Peer) -> None:
    line = '{"round_trips": 12, "p50_us": 3.5, "p99_us": null}'
    assert peer.reported(work_in(tmp_path), f"a warning\n\n{line}\n") == Reported(3.5, None, 12)
    for output in ("", "\n", f"{line}\nSegmentation fault", "{}"):
        with pytest.raises(LeftOut, match="without its report"):
            peer.reported(work_in(tmp_path), output)


# --- the result and its table -----------------------------------------------------------------------------------------


def round_of(rate: float, cost_us: float, memory_bytes: int = 100_000_000, **fields: float | str) -> Round:
    given: dict[str, float | str] = {"cpu_share": 1.0, "server_cpu_share": 0.5, "server_cpu_us_per_round_trip": 5.0}
    return Round.model_validate(
        given
        | {"round_trips_per_s": rate, "cpu_us_per_round_trip": cost_us, "memory_bytes": memory_bytes, "answered": 9}
        | fields
    )


def comparison(*figures: Figures, absent: tuple[Absent, ...] = ()) -> Peers:
    return Peers(
        datetime=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        commit_info=CommitInfo(id="0" * 40),
        machine_info=MachineInfo(),
        packages={},
        server_core=1,
        generator_cores=(0,),
        rounds=3,
        warm_up_s=2.0,
        measured_s=5.0,
        figures=figures,
        absent=absent,
    )


def text_of(result: Peers) -> str:
    console = Console(file=io.StringIO(), width=300)
    peers_table(result, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_medians_ranges_and_memory() -> None:
    rounds = (round_of(100_000, 9.0), round_of(80_000, 12.0, 160_000_000), round_of(90_000, 10.0, reported_p50_us=7.6))
    figures = Figures(
        peer="a", title="A tool", version="1", connections=1001, rounds=rounds, one_connection_bytes=40_000_000
    )
    assert figures.round_trips_per_s == 90_000
    assert figures.cpu_us_per_round_trip == 10.0
    assert figures.memory_per_connection_bytes == 60_000
    heading, row = text_of(comparison(figures)).splitlines()[:2]
    assert heading.startswith("1,001 connections")
    assert row.split() == ["A", "tool", "90,000", "80,000-100,000", "10.0", "9.0-12.0", "-", "60.0", "8", "-"]


def test_the_ratio_to_ours_is_taken_within_each_round() -> None:
    ours = Figures(peer="ours", title="O", version="1", connections=5, rounds=(round_of(1, 10.0), round_of(1, 20.0)))
    other = Figures(peer="b", title="B", version="1", connections=5, rounds=(round_of(1, 30.0), round_of(1, 60.0)))
    elsewhere = other.model_copy(update={"connections": 6})
    result = comparison(ours, other, elsewhere)
    assert (result.times_ours(ours), result.times_ours(other), result.times_ours(elsewhere)) == (1.0, 3.0, None)
    cut_short = ours.model_copy(update={"rounds": ours.rounds[:1]})
    assert comparison(cut_short, other).times_ours(other) == 3.0


def test_what_limits_the_figures_is_said() -> None:
    result = comparison(
        Figures(
            peer="a",
            title="A",
            version="1",
            connections=50,
            rounds=(round_of(1, 1, server_cpu_share=0.99, cpu_share=0.5, unreported="it lost its tongue"),),
        ),
        Figures(peer="b", title="B", version="1", connections=50, rounds=(round_of(1, 1, cpu_share=0.5),)),
        absent=(
            Absent(peer="c", title="C", reason="not installed"),
            Absent(peer="d", title="D", connections=50, reason="it died"),
        ),
    )
    text = text_of(result)
    assert "A at 50 connections: the echo server was the limit of its rate" in text
    assert "A at 50 connections: no figures of its own: it lost its tongue" in text
    assert "had less than their whole core at 50 connections, so could do more: B 50%" in text
    assert "left out: C: not installed" in text
    assert "left out at 50 connections: D: it died" in text


def test_the_stored_form_is_strict() -> None:
    result = comparison(Figures(peer="a", title="A", version="1", connections=50, rounds=(round_of(1, 1),)))
    stored = json.loads(result.to_json())
    assert stored["schema"] == "peers/1"
    assert Peers.model_validate_json(result.to_json(), strict=True) == result
    with pytest.raises(ValidationError):
        Peers.model_validate_json(json.dumps(stored | {"schema": "peers/2"}))


# --- what is pinned ---------------------------------------------------------------------------------------------------


def test_locks_pin_everything_and_name_no_registry() -> None:
    python = (HERE / "requirements.lock").read_text()
    assert re.fullmatch(r"(\S+==\S+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+)+", python)
    npm = json.loads((HERE / "package-lock.json").read_text())
    for name, package in npm["packages"].items():
        assert "resolved" not in package, name
        assert not name or package["integrity"].startswith("sha512-")
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    assert all(re.fullmatch(r"[0-9.]+", version) for version in wanted.values())


# --- capacity ---------------------------------------------------------------------------------------------------------


def test_addresses_enough_for_the_ports_that_a_machine_has() -> None:
    assert connections.addresses(15_000) == ["127.0.0.1"]
    assert connections.addresses(60_000) == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]


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
