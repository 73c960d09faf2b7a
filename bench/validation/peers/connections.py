"""The measurement of `bench connections`: the connections that a generator holds, and the cost of each.

A Locust run of this project's users loads the echo server: most users are idle, some work without pause. Memory is the
growth of all processes of a side, all of Locust included, from a connection for each process to all of them. The server
counts how fast the connections came, and the heartbeats that were answered in time.

A process may open so many files, and an address has so many ports. So the generator and the server each have as many
processes, and the generator as many addresses, as the connections need.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

import psutil
from rich.console import Console

from bench.machine.child import process_cpu_ns
from bench.machine.cores import generator_cores, server_core
from bench.machine.descriptors import local_ports
from bench.report.formatting import common_unit, count, duration_number
from bench.report.lines import print_table
from bench.results.load import CONNECT, LoadResult, Operation
from bench.results.store import ResultError
from bench.results.store import load as load_result
from bench.results.temporary import temporary_folder
from bench.targets.echo import Stats
from bench.targets.process import EchoProcesses
from bench.validation.peers.generator import Generator
from bench.validation.peers.peer import PROGRAMS, Command, LeftOut
from bench.validation.peers.tools import script
from bench.validation.processes import processes_options

#: The files of a process that are no connections.
SPARE_DESCRIPTORS = 200

#: The share of an address's ports that this measurement takes at most.
#:
#: Other programs have some. And where most are taken, the kernel looks long for a free one: with nine tenths of them
#: taken, that was most of the CPU time of a connect.
_PORTS_TAKEN = 0.5

_CONNECT_TIMEOUT_S = 300.0
_SETTLE_S = 2.0
_POLL_S = 0.1
_STOP_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class Load:
    """The number of connections, of those that work, and of those that come per second at most."""

    connections: int
    working: int
    spawn_rate_per_s: int
    #: The number of the generator's processes that have users, and of the server's.
    processes: int = 1
    server_processes: int = 1


@dataclass(frozen=True)
class Capacity:
    """The figures of a run. Memory in bytes: with a connection a process, when all were connected, and at the end."""

    load: Load
    one_connection_bytes: int
    connected_bytes: int
    end_bytes: int
    #: The growth of the server's processes, from their start to the end.
    server_bytes: int
    connects_per_s: float
    #: The CPU time of a connection that came, in microseconds: of the generator, and of the server.
    connect_cpu_us: float
    connect_server_cpu_us: float
    round_trips_per_s: float
    cpu_share: float
    server_cpu_share: float
    duration_s: float
    stats: Stats
    #: The result that the generator stored; None, and why, if it stored none.
    result: LoadResult | None
    unreported: str = ""

    @property
    def lost(self) -> int:
        """The connections that were gone before the end."""
        return self.load.connections - self.stats.connections

    def per_connection_bytes(self, memory_bytes: int) -> float:
        """Return the growth from a connection for each process to all of them, per connection."""
        return (memory_bytes - self.one_connection_bytes) / (self.load.connections - self.load.processes)


def processes_needed(connections: int, files: int | None) -> int:
    """Return how many processes hold so many connections if each may open so many files; None: as many as it likes."""
    return 1 if files is None else -(-connections // max(1, files - SPARE_DESCRIPTORS))


def source_addresses(connections: int) -> str:
    """Return the addresses that so many connections to one address and port come from; empty: any address will do."""
    number = -(-connections // round(local_ports() * _PORTS_TAKEN))
    return f"127.0.0.1-127.0.0.{number}" if number > 1 else ""


def hold(load: Load, duration_s: float) -> Capacity:
    """Hold the connections for so many seconds from when all of them are up. Raises LeftOut or ServerError."""
    with (
        EchoProcesses(load.server_processes, core=server_core()) as echo,
        temporary_folder("bench-capacity-") as folder,
    ):
        server_before_bytes = _memory_bytes(echo)
        with _generator(Load(load.processes, 0, load.processes, load.processes), echo, folder) as alone:
            _await_all(alone, echo, load.processes)
            time.sleep(_SETTLE_S)
            one_connection_bytes = alone.memory_bytes()
        with _generator(load, echo, folder) as generator:
            came = _await_all(generator, echo, load.connections)
            time.sleep(_SETTLE_S)
            connected_bytes = generator.memory_bytes()
            _go(folder).touch()
            before, before_ns = _Use.now(generator, echo), perf_counter_ns()
            _watch(generator, duration_s)
            after, after_ns = _Use.now(generator, echo), perf_counter_ns()
            end_bytes, server_bytes = generator.memory_bytes(), _memory_bytes(echo) - server_before_bytes
            generator.stop(_STOP_TIMEOUT_S)
            result, unreported = _stored(folder)
            used = after - before
            return Capacity(
                load=load,
                one_connection_bytes=one_connection_bytes,
                connected_bytes=connected_bytes,
                end_bytes=end_bytes,
                server_bytes=server_bytes,
                connects_per_s=came.connects_per_s,
                connect_cpu_us=came.cpu_us,
                connect_server_cpu_us=came.server_cpu_us,
                round_trips_per_s=used.stats.answered / (after_ns - before_ns) * 1e9,
                cpu_share=used.cpu_ns / (after_ns - before_ns),
                server_cpu_share=used.server_cpu_ns / (after_ns - before_ns),
                duration_s=(after_ns - before_ns) / 1e9,
                stats=after.stats,
                result=result,
                unreported=unreported,
            )


def capacity_table(capacity: Capacity, console: Console) -> None:
    """Print the figures of a run."""
    load, stats = capacity.load, capacity.stats
    unanswered = stats.pings - stats.pongs - stats.missed
    print_table(
        console,
        [
            [f"{count(load.connections)} connections, {count(load.working)} of them working", ""],
            ["processes of the generator, of the server", f"{load.processes}, {load.server_processes}"],
            ["held for", f"{capacity.duration_s:,.0f} s"],
            ["lost", count(capacity.lost)],
            ["connects/s", count(round(capacity.connects_per_s))],
            [
                "CPU of a connect, generator and server",
                f"{capacity.connect_cpu_us:,.0f} and {capacity.connect_server_cpu_us:,.0f} µs",
            ],
            [
                "kB per connection, all connected",
                f"{capacity.per_connection_bytes(capacity.connected_bytes) / 1000:.1f}",
            ],
            ["kB per connection, at the end", f"{capacity.per_connection_bytes(capacity.end_bytes) / 1000:.1f}"],
            ["MB of the whole generator, at the end", f"{capacity.end_bytes / 1e6:,.0f}"],
            ["kB per connection, server", f"{capacity.server_bytes / load.connections / 1000:.1f}"],
            ["round trips/s", count(round(capacity.round_trips_per_s))],
            *_working_rows(capacity),
            ["share of a core, generator and server", f"{capacity.cpu_share:.0%} and {capacity.server_cpu_share:.0%}"],
            ["heartbeats answered in time", count(stats.pongs)],
            ["heartbeats missed", count(stats.missed)],
            ["heartbeats under way at the end", count(unanswered)],
            ["slowest answer to a heartbeat", f"{stats.slowest_pong_ms:,.0f} ms"],
        ],
    )


def _working_rows(capacity: Capacity) -> list[list[str]]:
    """Return what the generator itself says of those that worked, and of its failures."""
    result = capacity.result
    if result is None:
        return [["the generator's own figures", capacity.unreported]]
    rows = []
    for row in result.operations:
        times = row.service_us
        if row.kind != CONNECT and times is not None and times.p50 is not None and times.p99 is not None:
            unit = common_unit([times.p50, times.p99])
            both = " and ".join(duration_number(time_us, unit) for time_us in (times.p50, times.p99))
            rows.append(["service time, p50 and p99", f"{both} {unit.name}"])
    failed = sum(_failed(row) for row in result.operations)
    return [*rows, ["connects and round trips that failed", count(failed)]]


def _failed(row: Operation) -> int:
    return row.timeouts + sum(row.errors.values()) + row.dropped


@dataclass(frozen=True)
class _Use:
    """The use of both sides so far, or between two moments."""

    cpu_ns: int
    server_cpu_ns: int
    stats: Stats

    @classmethod
    def now(cls, generator: Generator, echo: EchoProcesses) -> "_Use":
        stats = echo.stats()
        return cls(sum(generator.cpu_ns().values()), sum(map(process_cpu_ns, echo.pids)), stats)

    def __sub__(self, before: "_Use") -> "_Use":
        stats = Stats(
            answered=self.stats.answered - before.stats.answered,
            connected=self.stats.connected - before.stats.connected,
        )
        return _Use(self.cpu_ns - before.cpu_ns, self.server_cpu_ns - before.server_cpu_ns, stats)


@dataclass(frozen=True)
class _Arrival:
    """The connections as they came. CPU in microseconds for each."""

    connects_per_s: float
    cpu_us: float
    server_cpu_us: float


def _go(folder: Path) -> Path:
    """Return the file that has the working users begin."""
    return folder / "all-there"


def _generator(load: Load, echo: EchoProcesses, folder: Path) -> Generator:
    arguments = [str(script("locust")), "-f", str(PROGRAMS / "capacity_users.py"), "--headless", "--only-summary"]
    arguments += ["--users", str(load.connections), "--spawn-rate", str(load.spawn_rate_per_s), "--host", echo.url]
    arguments += ["--results", str(folder / f"of-{load.connections}")]
    if addresses := source_addresses(load.connections):
        arguments += ["--source-addresses", addresses]
    arguments += processes_options(load.processes)
    environment = {"WORKING": str(load.working), "ALL_THERE": str(_go(folder))}
    return Generator(Command(arguments, environment), generator_cores(), folder / f"{load.connections}.log")


def _await_all(generator: Generator, echo: EchoProcesses, connections: int) -> _Arrival:
    """Wait until all connections are up; return how they came, from when the first was seen."""
    give_up_at = time.monotonic() + _CONNECT_TIMEOUT_S
    began_ns, began = perf_counter_ns(), _Use.now(generator, echo)
    already = began.stats.connected
    has_begun = False
    while True:
        now_ns, now = perf_counter_ns(), _Use.now(generator, echo)
        if now.stats.connections >= connections:
            came = now - began
            number = max(1, came.stats.connected)
            took_ns = max(1, now_ns - began_ns)
            return _Arrival(number / took_ns * 1e9, came.cpu_ns / number / 1e3, came.server_cpu_ns / number / 1e3)
        if not has_begun and now.stats.connected > already:
            has_begun, began_ns, began = True, now_ns, now
        generator.check()
        if time.monotonic() > give_up_at:
            raise LeftOut(
                f"only {now.stats.connections} of {connections} connections came up within {_CONNECT_TIMEOUT_S:g} s"
            )
        time.sleep(_POLL_S)


def _watch(generator: Generator, duration_s: float) -> None:
    end_at = time.monotonic() + duration_s
    while (left_s := end_at - time.monotonic()) > 0:
        generator.check()
        time.sleep(min(1.0, left_s))


def _memory_bytes(echo: EchoProcesses) -> int:
    """Return the memory of the server's processes. What they share counts once, if the system tells."""
    total = 0
    for pid in echo.pids:
        with suppress(psutil.Error):
            memory = psutil.Process(pid).memory_full_info()
            total += getattr(memory, "pss", memory.uss)
    return total


def _stored(folder: Path) -> tuple[LoadResult | None, str]:
    """Return the result of the last run, or why there is none."""
    try:
        newest = max(folder.rglob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        result = load_result(newest)
    except (ResultError, ValueError) as error:
        return None, f"it stored no result: {error}"
    assert isinstance(result, LoadResult)
    return result, ""
