"""`bench selfcheck`: does `bench ab` say the truth on this machine?"""

import subprocess
from typing import Annotated

import typer

from bench.checkout import need_checkout
from bench.commands.output import FAILED, MISUSE, fail


def selfcheck(
    aa: Annotated[int, typer.Option("--aa", metavar="N", min=0, help="Comparisons of the service with itself.")] = 20,
    injected: Annotated[int, typer.Option(metavar="N", min=0, help="Comparisons for each slowdown.")] = 5,
    max_time: Annotated[
        float, typer.Option("--max-time", metavar="SECONDS", min=1, help="The time that a comparison may take.")
    ] = 120.0,
    slowdowns: Annotated[
        str, typer.Option(metavar="SHARE,…", help="Shares of a round trip, or times as in 5us.")
    ] = "1%,2%,5%",
    no_stored: Annotated[bool, typer.Option("--no-stored", help="Leave out what `pytest bench` stores.")] = False,
) -> int:
    """Check that `bench ab` says the truth on this machine.

    It compares the service with itself, and with itself made slower, for 40 to 60 minutes. Exit code 1 if `bench
    ab` claims a change where there is none, or misses one, more often than it promises. The machine should have
    nothing else to do.
    """
    need_checkout("bench selfcheck")
    # Late: it imports what measures, which the other commands need not wait for.
    from bench.commands.console import Console
    from bench.validation.selfcheck import Extent, selfcheck, slowdown_us

    if not (aa or injected or not no_stored):
        return fail("--aa and --injected are numbers of runs, not both 0 without the stored ones", MISUSE)
    try:
        for text in slowdowns.split(","):
            slowdown_us(text.strip(), 1.0)
    except ValueError as error:
        return fail(f"--slowdowns {slowdowns}: {error}", MISUSE)
    extent = Extent(aa, injected, max_time, tuple(text.strip() for text in slowdowns.split(",")), not no_stored)
    try:
        return 0 if selfcheck(extent, Console()) else FAILED
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "").strip().splitlines()
        return fail(f"{error.cmd[0]} failed: {said[-1] if said else ''}", FAILED)
