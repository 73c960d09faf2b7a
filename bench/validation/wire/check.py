"""A whole check by the observer: it chooses the cores, keeps them awake if possible, and runs the tools."""

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from bench.machine.cores import generator_cores, server_core
from bench.machine.idle import NoIdleError, kept_awake
from bench.machine.interrupts import ended_by_signals
from bench.results.provenance import commit_info, machine_info, packages
from bench.server import ServerError
from bench.validation.peers.peer import PROJECT
from bench.validation.wire.measuring import Plan, measure
from bench.validation.wire.model import Wire
from bench.validation.wire.ring import CaptureError
from bench.validation.wire.tools import Tool

_SECONDS = 2.0
_QUICK_SECONDS = 0.5


class WireFailedError(Exception):
    """The check could not be carried out; the text says why, in one line."""


def check(tools: Sequence[Tool], *, quick: bool, keep_awake: bool, tell: Callable[[str], None]) -> Wire:
    """Have each tool watched; `tell` hears of each run. Raises WireFailedError."""
    started, commit = dt.datetime.now(dt.UTC), commit_info(PROJECT)  # as it is now, not when it is over
    own_cores, of_server = generator_cores()[:1], server_core()
    cores = (*own_cores, *(() if of_server is None else (of_server,)))
    seconds = _QUICK_SECONDS if quick else _SECONDS
    try:
        with ended_by_signals(), ExitStack() as stack:
            awake_cores = stack.enter_context(kept_awake(cores, tell)) if keep_awake else ()
            outcome = measure(tools, Plan(own_cores, of_server, awake_cores, seconds, not quick), tell)
    except (NoIdleError, ServerError, CaptureError) as error:
        raise WireFailedError(str(error)) from error
    return Wire(
        datetime=started,
        commit_info=commit,
        machine_info=machine_info(),
        packages=packages(),
        server_core=of_server,
        generator_cores=own_cores,
        awake_cores=awake_cores,
        quick=quick,
        seconds=seconds,
        tools=tuple(outcome.tools),
        absent=tuple(outcome.absent),
    )
