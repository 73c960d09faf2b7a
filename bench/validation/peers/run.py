"""`bench peers`: the other load generators and this project, measured in alternation."""

import datetime as dt
from collections.abc import Callable, Sequence

from bench.compiled import is_enabled
from bench.machine.cores import generator_cores, server_core
from bench.machine.interrupts import ended_by_signals
from bench.results.header import CommitInfo
from bench.results.provenance import commit_info, machine_info, packages
from bench.targets.process import EchoProcess
from bench.validation.peers.aiolocust import AioLocust
from bench.validation.peers.artillery import Artillery
from bench.validation.peers.async_client import AsyncClient
from bench.validation.peers.epoll_loop import EpollLoop
from bench.validation.peers.k6 import K6
from bench.validation.peers.locust_contrib import LocustContrib
from bench.validation.peers.measuring import Outcome, Plan, measure
from bench.validation.peers.model import Peers
from bench.validation.peers.node_loop import NodeLoop
from bench.validation.peers.ours import Ours
from bench.validation.peers.peer import PROJECT, ClosedLoad, Peer


def chosen(only: Sequence[str], processes: int) -> list[Peer[ClosedLoad]]:
    """Return the generators of these names, all where none is named. Raises ValueError for an unknown name.

    With `processes` above 1, this project takes part with that many processes as well.
    """
    ours = [
        Ours(),
        *([Ours(processes)] if processes > 1 else []),
        *([Ours(is_plain=True)] if is_enabled() else []),
    ]
    others: list[Peer[ClosedLoad]] = [LocustContrib(), AioLocust(), AsyncClient(), K6(), Artillery(), NodeLoop()]
    peers: list[Peer[ClosedLoad]] = [*ours, *others, EpollLoop()]
    names = [peer.name for peer in peers]
    plain = Ours(is_plain=True).name
    for name in only:
        if name == plain and not is_enabled():
            raise ValueError(f"{name}: nothing is compiled here, so ours is plain Python: `make compiled`")
        if name not in names:
            raise ValueError(f"{name}: there is none of that name; there are {', '.join(names)}")
    return [peer for peer in peers if peer.name in only] if only else peers


def compare_peers(
    peers: Sequence[Peer[ClosedLoad]],
    connections: Sequence[int],
    *,
    rounds: int,
    warm_up_s: float,
    measured_s: float,
    tell: Callable[[str], None],
) -> Peers:
    """Measure the generators in alternation. Raises ServerError.

    `connections` are the numbers of connections that each of them opens in turn. `tell` is given a line of progress.
    """
    started, commit = dt.datetime.now(dt.UTC), commit_info(PROJECT)  # as it is now, not when it is over
    # One core for everybody, however many threads or processes a generator has.
    plan = Plan(list(connections), rounds, warm_up_s, measured_s, generator_cores()[:1])
    with ended_by_signals(), EchoProcess(core=server_core()) as echo:
        outcome = measure(list(peers), echo, plan, tell)
    return _result(started, commit, plan, echo.core, outcome)


def _result(started: dt.datetime, commit: CommitInfo, plan: Plan, core: int | None, outcome: Outcome) -> Peers:
    return Peers(
        datetime=started,
        commit_info=commit,
        machine_info=machine_info(),
        packages=packages(),
        server_core=core,
        generator_cores=tuple(plan.generator_cores),
        rounds=plan.rounds,
        warm_up_s=plan.warm_up_s,
        measured_s=plan.measured_s,
        figures=outcome.figures,
        absent=outcome.absent,
    )
