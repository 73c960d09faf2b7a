"""The measurement of the peers in alternation: one after the other, and all of them again in the next round.

A run begins with the start of the generator. When all connections are up and answered, the generator warms up. At the
beginning and at the end of an interval, the run reads the server's count and everybody's CPU time. A peer that fails is
left out from then on at that number of connections, with its reason. The rounds that it came through stay.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

from bench.results.temporary import temporary_folder
from bench.server import ServerError
from bench.targets.process import EchoProcess
from bench.validation.peers.generator import Generator
from bench.validation.peers.model import Absent, Figures, Round
from bench.validation.peers.peer import ClosedLoad, LeftOut, Peer, ToolReport

#: The time in which all connections of a run have to come up.
CONNECT_TIMEOUT_S = 120.0

#: The number of connections from which memory is told. The memory of fewer connections drowns in the heap's own
#: variation.
MEMORY_FROM_CONNECTIONS = 200

_POLL_S = 0.05


@dataclass(frozen=True)
class Plan:
    """The extent of a measurement: times in seconds."""

    connections: Sequence[int]
    rounds: int
    warm_up_s: float
    measured_s: float
    generator_cores: Sequence[int]


@dataclass(frozen=True)
class Outcome:
    """The figures of the peers, and the peers that were left out."""

    figures: tuple[Figures, ...]
    absent: tuple[Absent, ...]


def measure(peers: Sequence[Peer[ClosedLoad]], echo: EchoProcess, plan: Plan, tell: Callable[[str], None]) -> Outcome:
    """Measure all peers as planned; `tell` hears of each run. Raises ServerError if the echo server is gone."""
    with temporary_folder("bench-peers-") as folder:
        return _Comparison(echo, plan, tell, folder).of(peers)


class _Comparison:
    def __init__(self, echo: EchoProcess, plan: Plan, tell: Callable[[str], None], folder: Path) -> None:
        self._echo = echo
        self._plan = plan
        self._tell = tell
        self._folder = folder
        self._runs = 0
        self._versions: dict[str, str] = {}
        self._one_connection_bytes: dict[str, int] = {}
        self._absent: list[Absent] = []

    def of(self, peers: Sequence[Peer[ClosedLoad]]) -> Outcome:
        ready = [peer for peer in peers if self._prepared(peer)]
        figures = [found for connections in self._plan.connections for found in self._at(connections, ready)]
        return Outcome(tuple(figures), tuple(self._absent))

    def _prepared(self, peer: Peer[ClosedLoad]) -> bool:
        try:
            self._versions[peer.name] = peer.prepare(self._folder)
        except LeftOut as reason:
            self._leave_out(peer, None, reason)
            return False
        return True

    def _at(self, connections: int, peers: Sequence[Peer[ClosedLoad]]) -> list[Figures]:
        taking_part = list(peers)
        rounds: dict[str, list[Round]] = {peer.name: [] for peer in peers}
        for number in range(self._plan.rounds):
            # There and back again: whoever came first comes last in the next round.
            for peer in taking_part[:: 1 if number % 2 == 0 else -1]:
                try:
                    if connections >= MEMORY_FROM_CONNECTIONS and peer.name not in self._one_connection_bytes:
                        self._one_connection_bytes[peer.name] = self._run(peer, 1, 0.0).memory_bytes
                    measured = self._run(peer, connections, self._plan.measured_s)
                except LeftOut as reason:
                    self._leave_out(peer, connections, reason)
                    taking_part = [other for other in taking_part if other is not peer]
                    continue
                rounds[peer.name].append(measured)
                self._tell(
                    f"{connections} connections, round {number + 1} of {self._plan.rounds}: {peer.title}:"
                    f" {measured.round_trips_per_s:,.0f}/s, {measured.cpu_us_per_round_trip:.1f} µs"
                )
        return [
            Figures(
                peer=peer.name,
                title=peer.title,
                version=self._versions[peer.name],
                connections=connections,
                rounds=tuple(rounds[peer.name]),
                one_connection_bytes=(
                    self._one_connection_bytes[peer.name] if connections >= MEMORY_FROM_CONNECTIONS else None
                ),
            )
            for peer in peers
            if rounds[peer.name]
        ]

    def _leave_out(self, peer: Peer[ClosedLoad], connections: int | None, reason: LeftOut) -> None:
        self._absent.append(Absent(peer=peer.name, title=peer.title, connections=connections, reason=str(reason)))
        self._tell(f"{peer.title} is left out: {reason}")

    # ------------------------------------------------------------------ one run

    def _run(self, peer: Peer[ClosedLoad], connections: int, measured_s: float) -> Round:
        self._runs += 1
        folder = self._folder / f"{self._runs}-{peer.name}"
        folder.mkdir()
        load = ClosedLoad(self._echo.url, connections, folder)
        self._await_nobody()
        answered_before = self._echo.stats().answered
        with Generator(peer.command(load), self._plan.generator_cores, folder / "output.log") as generator:
            self._await_all(generator, connections)
            time.sleep(self._plan.warm_up_s)
            memory_bytes = generator.memory_bytes()
            used_before, before, before_ns = generator.cpu_ns(), self._echo.stats(), perf_counter_ns()
            time.sleep(measured_s)
            used_after, after, after_ns = generator.cpu_ns(), self._echo.stats(), perf_counter_ns()
            generator.check()
            if after.connections < connections:
                raise LeftOut(f"it lost {connections - after.connections} of {connections} connections")
            reported, unreported = _stopped(peer, generator, load)
        answered = after.answered - before.answered
        if not answered:
            raise LeftOut(f"nothing was answered for {measured_s:g} s")
        cpu_ns = sum(used - used_before.get(process, 0) for process, used in used_after.items())
        server_cpu_ns = after.cpu_ns - before.cpu_ns
        duration_ns = after_ns - before_ns
        return Round(
            round_trips_per_s=answered / duration_ns * 1e9,
            cpu_us_per_round_trip=cpu_ns / answered / 1000,
            cpu_share=cpu_ns / duration_ns,
            server_cpu_us_per_round_trip=server_cpu_ns / answered / 1000,
            server_cpu_share=server_cpu_ns / duration_ns,
            memory_bytes=memory_bytes,
            answered=self._echo.stats().answered - answered_before,
            reported_round_trips=reported.round_trips,
            reported_p50_us=reported.times_us.get("p50"),
            reported_p99_us=reported.times_us.get("p99"),
            unreported=unreported,
        )

    def _await_nobody(self) -> None:
        """Wait until the connections of the run before are gone. Raises ServerError if they stay."""
        give_up_at = time.monotonic() + CONNECT_TIMEOUT_S
        while self._echo.stats().connections:
            if time.monotonic() > give_up_at:
                raise ServerError("the echo server still has connections of an earlier run")
            time.sleep(_POLL_S)

    def _await_all(self, generator: Generator, connections: int) -> None:
        give_up_at = time.monotonic() + CONNECT_TIMEOUT_S
        while (there := self._echo.stats().connections) < connections:
            generator.check()
            if time.monotonic() > give_up_at:
                raise LeftOut(f"only {there} of {connections} connections came up within {CONNECT_TIMEOUT_S:g} s")
            time.sleep(_POLL_S)


def _stopped(peer: Peer[ClosedLoad], generator: Generator, load: ClosedLoad) -> tuple[ToolReport, str | None]:
    """Stop the generator; return its report, or the reason why it has none. The measurement is valid without it."""
    try:
        generator.stop()
        return peer.report(load, generator.output), None
    except LeftOut as reason:
        return ToolReport(), str(reason)
