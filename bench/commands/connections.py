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
    processes: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processes that hold them; by default as few as their open files allow."),
    ] = None,
) -> int:
    """Hold many connections, and tell what each of them costs.

    Most of the connections are idle, some work without pause. Memory is the growth of all processes. Exit code 1 if a
    connection or a heartbeat is lost.
    """
    # Late: it imports what measures, which the other commands need not wait for.
    from bench.commands.console import Console
    from bench.machine.descriptors import raise_file_limit
    from bench.machine.interrupts import ended_by_signals
    from bench.server import ServerError
    from bench.validation.peers.connections import Load, capacity_table, hold, processes_needed, source_addresses
    from bench.validation.peers.peer import LeftOut
    from bench.wire.source_addresses import SourceAddressError, check_source_addresses, parse_source_addresses

    if working > count:
        return fail(f"--working {working}: there are {count} connections", MISUSE)
    allowed = raise_file_limit()  # the processes that are started inherit it
    needed = processes_needed(count, allowed)
    if processes is not None and processes < needed:
        return fail(
            f"--processes {processes}: {count:,} connections are as many open files, and a process may open "
            f"{allowed:,} (ulimit -Hn): give --processes {needed}, or raise the limit",
            MISUSE,
        )
    addresses = source_addresses(count)
    try:
        if addresses:
            check_source_addresses(parse_source_addresses(addresses))
    except SourceAddressError as error:
        return fail(
            f"{count:,} connections need the ports of {addresses}, and {error}: add the address to the loopback "
            "interface, or widen the sysctl net.ipv4.ip_local_port_range",
            MISUSE,
        )
    try:
        with ended_by_signals():
            capacity = hold(Load(count, working, spawn_rate, processes or needed, needed), seconds)
    except (LeftOut, ServerError) as error:
        return fail(str(error), FAILED)
    capacity_table(capacity, Console())
    return FAILED if capacity.lost or capacity.stats.missed else 0
