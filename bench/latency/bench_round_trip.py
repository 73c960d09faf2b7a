"""The round trip, over both transports, with the server in its own process and in the client's loop, on both loops.

A service that a command starts has a loop of its own, or none: it is measured from a single loop, in its own process.
There is a single definition of the work. Its parameters are the words of a benchmark's name.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.interleave.server_pool import LoopKind
from bench.latency.alternation import Subjects
from bench.latency.measuring import TIMER, describe, description, measure
from bench.latency.options import OPTIONS, Options
from bench.latency.testbed import ClientKind, ServerKind, Testbed
from bench.scenarios.catalogue import Benchmark, ReplyKind
from bench.wire.connection import TransportName

LOOPS: tuple[LoopKind, ...] = ("asyncio", "uvloop")

CONNECTIONS: tuple[tuple[TransportName, ClientKind], ...] = (
    ("websocket", "AsyncClient"),
    ("polling", "AsyncClient"),
    ("websocket", "FastClient"),
)

# A group of the table has the benchmarks that may be compared: the place of the server and the transport make it.
GROUPS: dict[ServerKind, str] = {
    "process": "{transport}, server in its own process",
    "in-loop": "{transport}, server in the same loop (illustrative)",
    "url": "{transport}, server at {url}",
}

pytestmark = pytest.mark.benchmark(timer=TIMER)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make the cases, sorted by testbed, because a single testbed stands at a time."""
    options = metafunc.config.stash[OPTIONS]
    servers: tuple[ServerKind, ...] = ("in-loop", "process") if options.url is None else ("url",)
    loops = LOOPS
    if options.command is not None:
        servers, loops = ("process",), ("uvloop",)
    everything = options.everything or any("in-loop" in str(argument) for argument in metafunc.config.args)
    connections = [(transport, client) for transport, client in CONNECTIONS if options.transport in (None, transport)]
    cases = {
        f"{measured.name}-{words(*case, has_loop=options.command is None)}": (measured.name, *case)
        for server in servers
        for loop in loops
        for measured in options.benchmarks
        for transport, client in connections
        # With the server in the same loop the figures only illustrate: a single client is enough.
        if not (server == "in-loop" and client == "FastClient")
        # They show what the process costs. For that, a single benchmark of each loop is enough.
        if server != "in-loop" or everything or (measured, transport) == (options.benchmarks[0], connections[0][0])
        for case in [(measured.reply, transport, client, server, loop)]
    }
    names = ("scenario", "reply", "transport", "client", "server", "loop")
    metafunc.parametrize(names, cases.values(), ids=cases.keys())


def words(
    reply: ReplyKind,
    transport: TransportName,
    client: ClientKind,
    server: ServerKind,
    loop: LoopKind,
    *,
    has_loop: bool = True,
) -> str:
    """Return a case in the words of its benchmark's name, which does not mention python-socketio's client.

    `has_loop` is false if the loop is that of the client alone, and always the same.
    """
    connection = f"{transport}-fast" if client == "FastClient" else transport
    return f"{reply}-{connection}-{server}" + (f"-{loop}" if has_loop else "")


def bench_round_trip(
    testbed: Testbed,
    measured: Benchmark,
    subjects: Subjects,
    between_visits: Callable[[], None],
    benchmark: BenchmarkFixture,
    options: Options,
    reply: ReplyKind,
    transport: TransportName,
    client: ClientKind,
    server: ServerKind,
    loop: LoopKind,
) -> None:
    """Measure the round trip: emit, and wait for the reply."""
    case = words(reply, transport, client, server, loop, has_loop=options.command is None)
    name = f"{measured.name}[{case}]"
    group = GROUPS[server].format(transport=transport, url=options.url)
    describe(benchmark, name, group, description(testbed, measured, client, transport))
    measure(benchmark, testbed, subjects, measured.scenario, between_visits)
