"""`bench connections`: the connections that a generator process holds."""

from typing import Annotated

import typer

from bench.commands.output import FAILED, MISUSE, fail


def connections(
    count: Annotated[int, typer.Option("--connections", metavar="N", min=2, help="Connections to hold.")] = 15_000,
    working: Annotated[int, typer.Option(metavar="N", min=0, help="Those that work without pause.")] = 1_000,
    seconds: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="The time that all are held.")] = 60.0,
    spawn_rate: Annotated[
        int, typer.Option("--spawn-rate", metavar="N", min=1, help="Users that Locust spawns per second.")
    ] = 5_000,
) -> int:
    """Hold many connections, and tell what each of them costs.

    One generator process holds them all. Exit code 1 if a connection or a heartbeat is lost. Most of the
    connections are idle, some work without pause. Memory is the growth of the whole process.
    """
    # Late: it imports what measures, which the other commands need not wait for.
    from bench.commands.console import Console
    from bench.machine.descriptors import raise_file_limit
    from bench.machine.interrupts import ended_by_signals
    from bench.server import ServerError
    from bench.validation.peers.connections import SPARE_DESCRIPTORS, Load, capacity_table, hold
    from bench.validation.peers.peer import LeftOut

    if working > count:
        return fail(f"--working {working}: there are {count} connections", MISUSE)
    allowed = raise_file_limit()  # the processes that are started inherit it
    if allowed is not None and count + SPARE_DESCRIPTORS > allowed:
        return fail(f"{count} connections need as many open files, and {allowed} are allowed (ulimit -Hn)", MISUSE)
    try:
        with ended_by_signals():
            capacity = hold(Load(count, working, spawn_rate), seconds)
    except (LeftOut, ServerError) as error:
        return fail(str(error), FAILED)
    capacity_table(capacity, Console())
    return FAILED if capacity.lost or capacity.stats.missed else 0
