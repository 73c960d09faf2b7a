"""The measurement of `bench connections`: the connections that a generator process holds, and the cost of each.

One Locust process runs this project's users against the echo server: most are idle, some work without pause. Memory is
the growth of the whole process, all of Locust included, from a single connection to all of them. The server counts how
fast the connections came, and the heartbeats that were answered in time.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

from rich.console import Console

from bench.machine.cores import generator_cores, server_core
from bench.report.formatting import count
from bench.report.lines import print_table
from bench.results.temporary import temporary_folder
from bench.targets.echo import Stats
from bench.targets.process import EchoProcess
from bench.validation.peers.generator import Generator
from bench.validation.peers.peer import PROGRAMS, Command, LeftOut
from bench.validation.peers.tools import script

CONNECTIONS_PER_ADDRESS = 25_000  # Linux's 28,232 ephemeral ports, less what else is open
SPARE_DESCRIPTORS = 200

_CONNECT_TIMEOUT_S = 300.0
_SETTLE_S = 2.0
_POLL_S = 0.05


@dataclass(frozen=True)
class Load:
    """The number of connections, of those that work, and of those that come per second at most."""

    connections: int
    working: int
    spawn_rate_per_s: int


@dataclass(frozen=True)
class Capacity:
    """The figures of a run. Memory in bytes: with one connection, when all were connected, and at the end."""

    load: Load
    one_connection_bytes: int
    connected_bytes: int
    end_bytes: int
    connects_per_s: float
    round_trips_per_s: float
    cpu_share: float
    duration_s: float
    stats: Stats

    @property
    def lost(self) -> int:
        """The connections that were gone before the end."""
        return self.load.connections - self.stats.connections

    def per_connection_bytes(self, memory_bytes: int) -> float:
        """Return the growth from one connection to all of them, per connection."""
        return (memory_bytes - self.one_connection_bytes) / (self.load.connections - 1)


def addresses(connections: int) -> list[str]:
    """Return the server's addresses for so many connections from one machine: 127.0.0.1 and its neighbours."""
    return [f"127.0.0.{number + 1}" for number in range(-(-connections // CONNECTIONS_PER_ADDRESS))]


def hold(load: Load, duration_s: float) -> Capacity:
    """Hold the connections for so many seconds from when all of them are up. Raises LeftOut or ServerError."""
    with (
        EchoProcess(core=server_core(), hosts=addresses(load.connections)) as echo,
        temporary_folder("bench-capacity-") as folder,
    ):
        with _generator(Load(1, 0, 1), echo, folder) as alone:
            _await_all(alone, echo, 1)
            time.sleep(_SETTLE_S)
            one_connection_bytes = alone.memory_bytes()
        with _generator(load, echo, folder) as generator:
            connects_per_s = _await_all(generator, echo, load.connections)
            connected_bytes = generator.memory_bytes()
            before, cpu_before, before_ns = echo.stats(), sum(generator.cpu_ns().values()), perf_counter_ns()
            _watch(generator, duration_s)
            after, cpu_after, after_ns = echo.stats(), sum(generator.cpu_ns().values()), perf_counter_ns()
            return Capacity(
                load=load,
                one_connection_bytes=one_connection_bytes,
                connected_bytes=connected_bytes,
                end_bytes=generator.memory_bytes(),
                connects_per_s=connects_per_s,
                round_trips_per_s=(after.answered - before.answered) / (after_ns - before_ns) * 1e9,
                cpu_share=(cpu_after - cpu_before) / (after_ns - before_ns),
                duration_s=(after_ns - before_ns) / 1e9,
                stats=after,
            )


def capacity_table(capacity: Capacity, console: Console) -> None:
    """Print the figures of a run."""
    load, stats = capacity.load, capacity.stats
    unanswered = stats.pings - stats.pongs - stats.missed
    print_table(
        console,
        [
            [f"{count(load.connections)} connections, {count(load.working)} of them working", ""],
            ["held for", f"{capacity.duration_s:,.0f} s"],
            ["lost", count(capacity.lost)],
            ["connects/s", count(round(capacity.connects_per_s))],
            [
                "kB per connection, all connected",
                f"{capacity.per_connection_bytes(capacity.connected_bytes) / 1000:.1f}",
            ],
            ["kB per connection, at the end", f"{capacity.per_connection_bytes(capacity.end_bytes) / 1000:.1f}"],
            ["MB of the whole process, at the end", f"{capacity.end_bytes / 1e6:,.0f}"],
            ["round trips/s", count(round(capacity.round_trips_per_s))],
            ["share of a core", f"{capacity.cpu_share:.0%}"],
            ["heartbeats answered in time", count(stats.pongs)],
            ["heartbeats missed", count(stats.missed)],
            ["heartbeats under way at the end", count(unanswered)],
            ["slowest answer to a heartbeat", f"{stats.slowest_pong_ms:,.0f} ms"],
        ],
    )


def _generator(load: Load, echo: EchoProcess, folder: Path) -> Generator:
    arguments = [str(script("locust")), "-f", str(PROGRAMS / "capacity_users.py"), "--headless", "--only-summary"]
    arguments += ["--users", str(load.connections), "--spawn-rate", str(load.spawn_rate_per_s)]
    arguments += ["--results", str(folder)]
    hosts = ",".join(f"http://{host}:{echo.port}" for host in echo.hosts)
    environment = {"HOSTS": hosts, "WORKING": str(load.working)}
    return Generator(Command(arguments, environment), generator_cores(), folder / f"{load.connections}.log")


def _await_all(generator: Generator, echo: EchoProcess, connections: int) -> float:
    """Wait until all connections are up; return how many came per second, from when the first was seen."""
    give_up_at = time.monotonic() + _CONNECT_TIMEOUT_S
    first = echo.stats().connected
    seen, seen_ns = first, perf_counter_ns()
    while True:
        stats, now_ns = echo.stats(), perf_counter_ns()
        if seen == first:
            seen, seen_ns = stats.connected, now_ns
        if stats.connections >= connections:
            return (stats.connected - seen) / (now_ns - seen_ns) * 1e9 if now_ns > seen_ns else 0.0
        generator.check()
        if time.monotonic() > give_up_at:
            raise LeftOut(
                f"only {stats.connections} of {connections} connections came up within {_CONNECT_TIMEOUT_S:g} s"
            )
        time.sleep(_POLL_S)


def _watch(generator: Generator, duration_s: float) -> None:
    end_at = time.monotonic() + duration_s
    while (left_s := end_at - time.monotonic()) > 0:
        generator.check()
        time.sleep(min(1.0, left_s))
