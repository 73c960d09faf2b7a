"""`python -m bench.peers`: measure the other load generators and this project in alternation, and store the result."""

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.compiled import is_enabled
from bench.machine.cores import generator_cores, server_core
from bench.machine.interrupts import ended_by_signals
from bench.report.lines import print_line, print_stored
from bench.results.header import CommitInfo
from bench.results.provenance import commit_info, machine_info, packages
from bench.results.store import DEFAULT_ROOT, ResultError, machine_id, result_name, write_numbered
from bench.server import ServerError
from bench.targets.process import EchoProcess
from bench.validation.peers.artillery import Artillery
from bench.validation.peers.async_client import AsyncClient
from bench.validation.peers.epoll_loop import EpollLoop
from bench.validation.peers.k6 import K6
from bench.validation.peers.locust_contrib import LocustContrib
from bench.validation.peers.measuring import Outcome, Plan, measure
from bench.validation.peers.model import Peers
from bench.validation.peers.node_loop import NodeLoop
from bench.validation.peers.ours import Ours
from bench.validation.peers.peer import PROJECT, Peer
from bench.validation.peers.table import peers_table

_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 if every peer came through or said why not, 1 if nothing could be measured."""
    options = _options(arguments)
    console = Console()
    started, commit = dt.datetime.now(dt.UTC), commit_info(PROJECT)  # as it is now, not when it is over
    # One core for everybody, however many threads or processes a generator has.
    plan = Plan(options.connections, options.rounds, options.warm_up, options.seconds, generator_cores()[:1])
    try:
        with ended_by_signals(), EchoProcess(core=server_core()) as echo:
            outcome = measure(options.peers, echo, plan, lambda line: print_line(console, line, "dim"))
        result = _result(started, commit, plan, echo.core, outcome)
        print_line(console, "")
        peers_table(result, console)
        path = write_numbered(
            options.results / "peers" / machine_id(), result_name(result.commit_info, started), result.to_json()
        )
        print_stored(console, path)
    except (ServerError, ResultError) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0 if result.figures else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--connections", type=_positive_numbers, default=[50, 1000], help="numbers of them (50,1000)")
    parser.add_argument("--rounds", type=_positive, default=3, help="runs of each generator (3)")
    parser.add_argument("--seconds", type=_seconds, default=5.0, help="measured in each run (5)")
    parser.add_argument("--warm-up", type=_seconds, default=2.0, help="seconds before that, all connections up (2)")
    parser.add_argument("--only", metavar="NAMES", help="such as ours,node")
    parser.add_argument("--processes", type=_positive, default=1, help="ours in so many processes besides")
    parser.add_argument("--results", type=Path, default=DEFAULT_ROOT, help="where results are stored (results)")
    options = parser.parse_args(arguments)
    ours = [
        Ours(),
        *([Ours(options.processes)] if options.processes > 1 else []),
        *([Ours(is_plain=True)] if is_enabled() else []),
    ]
    peers: list[Peer] = [*ours, LocustContrib(), AsyncClient(), K6(), Artillery(), NodeLoop(), EpollLoop()]
    if options.only:
        wanted = options.only.split(",")
        names = [peer.name for peer in peers]
        for name in wanted:
            if name not in names:
                parser.error(f"--only {name}: there is none of that name; there are {', '.join(names)}")
        peers = [peer for peer in peers if peer.name in wanted]
    options.peers = peers
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _positive_numbers(text: str) -> list[int]:
    return [_positive(number) for number in text.split(",")]


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 86400:
        raise argparse.ArgumentTypeError(f"{text} seconds is no time to measure in")
    return seconds


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


def _fail(message: str) -> int:
    print(f"python -m bench.peers: error: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
