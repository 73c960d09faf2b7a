"""A whole check: it chooses the cores, keeps them awake if possible, runs the scenarios, and stores the result."""

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.machine.cores import generator_cores, server_core
from bench.machine.idle import NoIdleError, kept_awake
from bench.machine.interrupts import ended_by_signals
from bench.machine.priority import high_priority
from bench.results.provenance import commit_info, machine_info, packages
from bench.server import ServerError
from bench.validation.accuracy.measuring import AccuracyFailedError, Plan, measure
from bench.validation.accuracy.model import Accuracy
from bench.validation.accuracy.peers import RATE_PER_S, PacedK6, PacedLocustContrib
from bench.validation.accuracy.scenarios import all_groups, chosen
from bench.validation.peers.peer import PROJECT
from bench.validation.storing import stored_as


def check(
    names: Sequence[str], *, quick: bool, with_peers: bool, keep_awake: bool, tell: Callable[[str], None]
) -> Accuracy:
    """Run the scenarios of these names (all for none); `tell` hears of each run.

    Raises UnknownScenarioError, or AccuracyFailedError if a run has no result.
    """
    groups = chosen(all_groups(quick), names)
    started, commit = dt.datetime.now(dt.UTC), commit_info(PROJECT)  # as it is now, not when it is over
    own_cores, of_server = generator_cores()[:1], server_core()
    cores = (*own_cores, *(() if of_server is None else (of_server,)))
    peers = (PacedLocustContrib(), PacedK6()) if with_peers else ()
    try:
        with ended_by_signals(), ExitStack() as stack:
            awake_cores = stack.enter_context(kept_awake(cores, tell)) if keep_awake else ()
            nice = stack.enter_context(high_priority())
            outcome = measure(groups, peers, Plan(own_cores, of_server, awake_cores, quick), tell)
    except (NoIdleError, ServerError) as error:
        raise AccuracyFailedError(str(error)) from error
    return Accuracy(
        datetime=started,
        commit_info=commit,
        machine_info=machine_info(),
        packages=packages(),
        server_core=of_server,
        generator_cores=own_cores,
        awake_cores=awake_cores,
        nice=nice,
        quick=quick,
        peers=outcome.peers,
        peers_rate_per_s=RATE_PER_S,
        scenarios=outcome.scenarios,
        absent=outcome.absent,
    )


def stored(result: Accuracy, results: Path, file: Path | None) -> Path:
    """Store the result, whole, in `file` or numbered below `results`; return the path. Raises NotStoredError."""
    return stored_as("accuracy", result, results, file)
