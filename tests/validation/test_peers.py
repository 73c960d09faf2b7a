"""Other generators' reports, the figures of a comparison with them, and its stored form."""

import datetime as dt
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError
from rich.console import Console

from bench.report.formats.text import print_document
from bench.results.header import CommitInfo, MachineInfo
from bench.validation.peers import connections
from bench.validation.peers.aiolocust import AioLocust
from bench.validation.peers.artillery import Artillery
from bench.validation.peers.async_client import AsyncClient
from bench.validation.peers.document import peers_document
from bench.validation.peers.epoll_loop import EpollLoop
from bench.validation.peers.k6 import K6
from bench.validation.peers.locust_contrib import LocustContrib
from bench.validation.peers.model import Absent, Figures, Peers, Round
from bench.validation.peers.node_loop import NodeLoop
from bench.validation.peers.ours import Ours
from bench.validation.peers.peer import HERE, ClosedLoad, LeftOut, Peer, ToolReport
from tests.support.folders import SAMPLES

PEERS = SAMPLES / "peers"


def load_in(folder: Path) -> ClosedLoad:
    return ClosedLoad("http://127.0.0.1:1", 50, folder)


@pytest.mark.parametrize(
    ("peer", "file", "expected"),
    [
        (K6(), "k6.json", ToolReport.of(1000.0, 11000.0, 24299)),
        (Artillery(), "artillery.json", ToolReport.of(1100.0, 9900.0, 28386)),
        (LocustContrib(), "locust.json", ToolReport.of(0.0, 0.0, 5034)),
        (AioLocust(), "aiolocust.json", ToolReport({"mean": 806.4294872999558, "max": 18131.877}, 6811)),
    ],
)
def test_reports_as_recorded(tmp_path: Path, peer: Peer[ClosedLoad], file: str, expected: ToolReport) -> None:
    with pytest.raises(LeftOut, match="wrote no"):
        peer.report(load_in(tmp_path), "")
    shutil.copy(PEERS / file, tmp_path)
    assert peer.report(load_in(tmp_path), "") == expected
    (tmp_path / file).write_text("{}")
    with pytest.raises(LeftOut, match="wrote no"):
        peer.report(load_in(tmp_path), "")


def test_percentiles_of_locusts_counts(tmp_path: Path) -> None:
    report = [{"method": "WSE", "response_times": {"10": 1, "2": 98, "9": 1}}]
    (tmp_path / "locust.json").write_text(json.dumps(report))
    assert LocustContrib().report(load_in(tmp_path), "") == ToolReport.of(2000.0, 9000.0, 100)


def test_several_processes_of_ours_meet_at_a_port_of_their_own(tmp_path: Path) -> None:
    assert "--processes" not in Ours().command(load_in(tmp_path)).arguments
    one, other = (Ours(2).command(load_in(tmp_path)).arguments for _ in range(2))
    assert one[one.index("--master-port") + 1] == one[one.index("--master-bind-port") + 1]
    assert one != other


def test_ours_without_a_result(tmp_path: Path) -> None:
    with pytest.raises(LeftOut, match="stored no result"):
        Ours().report(load_in(tmp_path), "")


@pytest.mark.parametrize("peer", [AsyncClient(), NodeLoop(), EpollLoop()])
def test_loops_report_in_their_last_line(tmp_path: Path, peer: Peer[ClosedLoad]) -> None:
    line = '{"round_trips": 12, "p50_us": 3.5, "p99_us": null}'
    assert peer.report(load_in(tmp_path), f"a warning\n\n{line}\n") == ToolReport.of(3.5, None, 12)
    for output in ("", "\n", f"{line}\nSegmentation fault", "{}"):
        with pytest.raises(LeftOut, match="without its report"):
            peer.report(load_in(tmp_path), output)


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
    print_document(peers_document(result), console)
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
    assert " ".join(row.split()) == "A tool 90,000 80,000-100,000 10.00 µs 9.000-12.00 - 60 kB 7.600 µs -"


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


def test_locks_pin_everything_and_name_no_registry() -> None:
    python = (HERE / "requirements.lock").read_text()
    assert re.fullmatch(r"(\S+==\S+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+)+", python)
    npm = json.loads((HERE / "package-lock.json").read_text())
    for name, package in npm["packages"].items():
        assert "resolved" not in package, name
        assert not name or package["integrity"].startswith("sha512-")
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    assert all(re.fullmatch(r"[0-9.]+", version) for version in wanted.values())


def test_processes_and_addresses_enough_for_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "local_ports", lambda: 28_232)
    assert connections.source_addresses(14_000) == ""
    assert connections.source_addresses(50_000) == "127.0.0.1-127.0.0.4"
    assert [connections.processes_needed(number, 20_000) for number in (15_000, 19_801, 50_000)] == [1, 2, 3]
    assert connections.processes_needed(50_000, None) == 1
