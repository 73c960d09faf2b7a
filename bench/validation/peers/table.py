"""A comparison of generators on a terminal. A result and a console in, text out."""

from collections.abc import Iterator, Sequence

from rich.console import Console

from bench.report.figures import UNKNOWN, count, printable
from bench.report.lines import print_line, print_table
from bench.validation.peers.model import Figures, Peers

_SERVER_FULL_SHARE = 0.95
_GENERATOR_FULL_SHARE = 0.9

_HEADING = (
    "connections",
    "round trips/s",
    "(range)",
    "µs CPU",
    "(range)",
    "times ours",
    "kB/connection",
    "own p50 µs",
    "own p99 µs",
)


def peers_table(result: Peers, console: Console) -> None:
    """Print a table for each number of connections, which servers are left out and why, and what limits the figures.

    Rates and CPU time are medians over the rounds, and so is the ratio to ours within each round.
    """
    for connections in dict.fromkeys(figures.connections for figures in result.figures):
        heading = f"{count(connections)} {_HEADING[0]}"
        print_table(console, [[heading, *_HEADING[1:]], *_rows(result, connections)])
        print_line(console, "")
    for line in _remarks(result):
        print_line(console, printable(line), "yellow")
    print_line(
        console,
        "round trips counted by the server, CPU time by the kernel, over all of a generator's processes;"
        " `own` is what the tool itself reports",
    )


def _rows(result: Peers, connections: int) -> Iterator[list[str]]:
    for figures in result.figures:
        if figures.connections != connections:
            continue
        rates = [one.round_trips_per_s for one in figures.rounds]
        costs = [one.cpu_us_per_round_trip for one in figures.rounds]
        times_ours = result.times_ours(figures)
        memory = figures.memory_per_connection_bytes
        yield [
            figures.title,
            count(round(figures.round_trips_per_s)),
            f"{count(round(min(rates)))}-{count(round(max(rates)))}",
            f"{figures.cpu_us_per_round_trip:.1f}",
            f"{min(costs):.1f}-{max(costs):.1f}",
            UNKNOWN if times_ours is None else f"{times_ours:.2f}",
            UNKNOWN if memory is None else f"{memory / 1000:,.1f}",
            _reported(figures.reported_us("p50")),
            _reported(figures.reported_us("p99")),
        ]


def _reported(value_us: float | None) -> str:
    return UNKNOWN if value_us is None else f"{value_us:,.0f}"


def _remarks(result: Peers) -> Iterator[str]:
    for absent in result.absent:
        where = "" if absent.connections is None else f" at {absent.connections} connections"
        yield f"left out{where}: {absent.title}: {absent.reason}"
    for connections in dict.fromkeys(figures.connections for figures in result.figures):
        yield from _limits(connections, [figures for figures in result.figures if figures.connections == connections])


def _limits(connections: int, all_figures: Sequence[Figures]) -> Iterator[str]:
    """What kept the rates from being the generators' own: CPU per round trip is comparable all the same."""
    held_up = []
    for figures in all_figures:
        for why in dict.fromkeys(one.unreported for one in figures.rounds if one.unreported):
            yield f"{figures.title} at {connections} connections: no figures of its own: {why}"
        if figures.server_cpu_share > _SERVER_FULL_SHARE:
            yield f"{figures.title} at {connections} connections: the echo server was the limit of its rate"
        elif figures.cpu_share < _GENERATOR_FULL_SHARE:
            held_up.append(f"{figures.title} {figures.cpu_share:.0%}")
    if held_up:
        yield f"had less than their whole core at {connections} connections, so could do more: {', '.join(held_up)}"
