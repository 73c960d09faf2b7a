"""The runs of a check by the observer: each tool under each load, against one echo server.

A run is observed from before its first connection until after its last. Ours takes turns, load by load; the peers
follow. Everything that was started is gone when this returns, however it does. The capacity of a tool is the rate that
it reached in the closed load with as many connections.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns

from bench.machine.child import Child
from bench.machine.conditions import Conditions
from bench.machine.disturbances import disturbances_between
from bench.results.temporary import temporary_folder
from bench.targets.process import EchoProcess
from bench.validation.peers.generator import Program
from bench.validation.peers.peer import LeftOut
from bench.validation.wire.differences import (
    NothingMatchedError,
    between_copies_us,
    differences,
    reported_beyond,
    wire_span,
)
from bench.validation.wire.model import Absent, Load, ReceivedClock, Row, Sights
from bench.validation.wire.model import Tool as StoredTool
from bench.validation.wire.observation import Observation, Seen
from bench.validation.wire.tools import Asked, Reported, Tool

#: The loads of ours with one emission in flight, for each number of connections.
CONNECTIONS = (1, 50)
CAPACITY_SHARES = (0.1, 0.5, 0.9)
#: The share of the capacity beside another process on the same core.
HOGGED_SHARE = 0.5
#: The numbers of emissions in flight on one connection, in addition to one.
IN_FLIGHT = (10, 100)

_ENDING_S = 60.0
_CONNECTING_S = 60.0
_WARM_UP_S = 1.0
_POLL_S = 0.05

_HOG = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    for _ in range(100_000):\n        pass\n"


@dataclass(frozen=True)
class Plan:
    """The cores of a check, and how long each load is. The caller keeps `awake_cores` from halting."""

    generator_cores: Sequence[int]
    server_core: int | None
    awake_cores: Sequence[int]
    seconds: float
    #: True if the loads are long enough to be judged.
    is_judged: bool = True

    @property
    def cores(self) -> list[int]:
        """The cores of the generators and of the server."""
        return [*self.generator_cores, *([] if self.server_core is None else [self.server_core])]


@dataclass
class Outcome:
    """The tools with their rows, and what is left out."""

    tools: list[StoredTool] = field(default_factory=list)
    absent: list[Absent] = field(default_factory=list)


def our_loads() -> list[Load]:
    """Return the loads of ours, in the order in which they run: the closed load of a number of connections first."""
    loads = []
    for connections in CONNECTIONS:
        loads.append(Load(connections=connections))
        loads += [Load(connections=connections, capacity_share=share) for share in CAPACITY_SHARES]
        loads.append(Load(connections=connections, capacity_share=HOGGED_SHARE, is_hogged=True))
    return [*loads, *(Load(connections=1, in_flight=in_flight) for in_flight in IN_FLIGHT)]


def peer_loads() -> list[Load]:
    """Return the loads of the other tools: those of ours with one emission in flight, but for the hog."""
    return [load for load in our_loads() if load.in_flight == 1 and not load.is_hogged]


def measure(tools: Sequence[Tool], plan: Plan, tell: Callable[[str], None]) -> Outcome:
    """Run all of it; `tell` hears of each run. Raises CaptureError or ServerError."""
    with temporary_folder("bench-wire-") as folder, EchoProcess(core=plan.server_core) as echo:
        return _Check(plan, echo, folder, tell).of(tools)


class _Check:
    def __init__(self, plan: Plan, echo: EchoProcess, folder: Path, tell: Callable[[str], None]) -> None:
        self._plan = plan
        self._echo = echo
        self._folder = folder
        self._tell = tell
        self._runs = 0
        self._outcome = Outcome()
        self._rows: dict[str, list[Row]] = {}
        self._clocks: dict[str, ReceivedClock | None] = {}
        #: By tool and number of connections: the rate of the closed load.
        self._capacity_per_s: dict[tuple[str, int], float] = {}

    def of(self, tools: Sequence[Tool]) -> Outcome:
        versions = self._prepared(tools)
        ready = [tool for tool in tools if tool.name in versions]
        for load in our_loads():
            for tool in ready:
                if tool.ends_by_itself:
                    self._try(tool, load)
        for tool in ready:
            if not tool.ends_by_itself:
                for load in peer_loads():
                    self._try(tool, load)
        for tool in ready:
            if tool.name in self._rows:
                self._outcome.tools.append(self._stored(tool, versions[tool.name]))
        return self._outcome

    def _prepared(self, tools: Sequence[Tool]) -> dict[str, str]:
        versions = {}
        for tool in tools:
            try:
                versions[tool.name] = tool.prepare(self._folder)
            except LeftOut as reason:
                self._leave_out(tool, None, reason)
        return versions

    def _stored(self, tool: Tool, version: str) -> StoredTool:
        clock = self._clocks.get(tool.name)
        return StoredTool(
            name=tool.name,
            title=tool.title,
            version=version,
            asked_clock=tool.asked_clock,
            received_clock=clock,
            is_judged=self._plan.is_judged and tool.asked_clock == clock == "kernel",
            rows=tuple(self._rows[tool.name]),
        )

    def _leave_out(self, tool: Tool, load: Load | None, reason: Exception) -> None:
        self._outcome.absent.append(Absent(tool=tool.name, title=tool.title, load=load, reason=str(reason)))
        self._tell(f"{tool.title} is left out: {reason}")

    # ------------------------------------------------------------------ a run

    def _try(self, tool: Tool, load: Load) -> None:
        rate_per_s = None
        if load.capacity_share is not None:
            capacity_per_s = self._capacity_per_s.get((tool.name, load.connections))
            if capacity_per_s is None:  # the closed load was left out, and is said to be
                return
            rate_per_s = load.capacity_share * capacity_per_s
        try:
            row = self._run(tool, load, rate_per_s)
        except (LeftOut, NothingMatchedError) as reason:
            self._leave_out(tool, load, reason)
            return
        if load.capacity_share is None and load.in_flight == 1:
            self._capacity_per_s[tool.name, load.connections] = row.rate_per_s
        self._rows.setdefault(tool.name, []).append(row)
        late = "" if row.to_received is None else f", p99 {row.to_received.p99.value_us:,.1f} µs after the packet"
        self._tell(f"{tool.title}: {in_words(load)}: {row.rate_per_s:,.0f}/s{late}")

    def _run(self, tool: Tool, load: Load, rate_per_s: float | None) -> Row:
        self._runs += 1
        folder = self._folder / f"{self._runs}-{tool.name}"
        folder.mkdir()
        asked = Asked(self._echo.url, load, rate_per_s, self._plan.seconds, folder)
        before = Conditions.now(self._plan.cores)
        with Observation(self._echo.port, folder) as observation:
            with _hog(self._plan.generator_cores) if load.is_hogged else nullcontext():
                reported, since_ns = self._performed(tool, asked)
            seen = observation.end()
        after = Conditions.now(self._plan.cores)
        spoilers = disturbances_between(
            before, after, pinned=self._plan.server_core is not None, awake=self._plan.awake_cores
        )
        self._clocks[tool.name] = reported.received_clock
        return row_of(load, reported, seen, since_ns).model_copy(update={"spoilers": spoilers})

    def _performed(self, tool: Tool, asked: Asked) -> tuple[Reported, int]:
        """Perform a load; return the tool's report, and when the part of it began that counts. Raises LeftOut."""
        with Program(tool.command(asked), self._plan.generator_cores, asked.folder / "output.log") as program:
            if tool.ends_by_itself:
                program.wait(asked.seconds + _ENDING_S)
                return tool.report(asked, program.output), 0
            self._await_all(program, asked.load.connections)
            time.sleep(_WARM_UP_S)
            since_ns, answered, used = perf_counter_ns(), self._echo.stats().answered, program.cpu_ns()
            time.sleep(asked.seconds)
            took_ns, answered = perf_counter_ns() - since_ns, self._echo.stats().answered - answered
            cpu_ns = sum(now - used.get(process, 0) for process, now in program.cpu_ns().items())
            program.check()
            program.stop()
            reported = tool.report(asked, program.output)
        return _with_rate(reported, answered / took_ns * 1e9, cpu_ns / took_ns), since_ns

    def _await_all(self, program: Program, connections: int) -> None:
        give_up_at = time.monotonic() + _CONNECTING_S
        while (there := self._echo.stats().connections) < connections:
            program.check()
            if time.monotonic() > give_up_at:
                raise LeftOut(f"only {there} of {connections} connections came up within {_CONNECTING_S:g} s")
            time.sleep(_POLL_S)


def row_of(load: Load, reported: Reported, seen: Seen, since_ns: int) -> Row:
    """Return the row of a run; of each round trip's times, those count that were sent from `since_ns` on.

    Raises NothingMatchedError.
    """
    rate_per_s = reported.rate_per_s or 0.0
    copies_us = between_copies_us(seen.round_trips.values())
    if reported.records:
        found = differences([record for record in reported.records if record.sent_ns >= since_ns], seen.round_trips)
        return Row(
            load=load,
            rate_per_s=rate_per_s,
            cpu_share=reported.cpu_share,
            wire=found.wire,
            beyond=found.beyond,
            to_packet=found.to_packet,
            to_received=found.to_received,
            send_us=reported.send_us,
            stamps=found.stamps,
            sights=_sights(seen, found.matched, found.unseen, copies_us),
        )
    wire = wire_span(seen.round_trips.values())
    return Row(
        load=load,
        rate_per_s=rate_per_s,
        cpu_share=reported.cpu_share,
        wire=wire,
        beyond=reported_beyond(reported.times_us, wire),
        sights=_sights(seen, len(seen.round_trips), 0, copies_us),
    )


def _sights(seen: Seen, matched: int, unseen: int, copies_us: float | None) -> Sights:
    counts = seen.counts
    return Sights(
        segments=counts["segments"],
        dropped=counts["dropped"],
        cut=counts["cut"],
        retransmitted=counts["retransmitted"],
        lost_streams=counts["lost_streams"],
        matched=matched,
        unseen=unseen,
        between_copies_us=copies_us,
        clock_error_us=counts["clock_error_ns"] / 1000,
        clock_step_us=counts["clock_step_ns"] / 1000,
    )


def _with_rate(reported: Reported, rate_per_s: float, cpu_share: float) -> Reported:
    return Reported(records=reported.records, times_us=reported.times_us, rate_per_s=rate_per_s, cpu_share=cpu_share)


def in_words(load: Load) -> str:
    """Return a load in a few words: 50 at 90 %."""
    if load.capacity_share is not None:
        return f"{load.connections} at {load.capacity_share:.0%}" + (", hog" if load.is_hogged else "")
    return f"{load.connections}, {'closed' if load.in_flight == 1 else f'{load.in_flight} in flight'}"


@contextmanager
def _hog(cores: Sequence[int]) -> Iterator[None]:
    """Run a process that takes all that it gets of these cores. It ends with its owner."""
    hog = Child([sys.executable, "-I", "-S", "-c", _HOG, str(os.getpid())], cores=cores)
    try:
        yield
    finally:
        hog.kill_and_reap()
