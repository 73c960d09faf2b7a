"""The end of a run, gone through once at its start, with a few made-up round trips.

Much of what counts and shows results is imported or built at its first use: modules of numpy and rich, validators. At
the end of a run it may be too late for that: the connections may have taken every file that this process may open. So
each process goes through all of it beforehand.
"""

from __future__ import annotations

import datetime as dt
import io
from array import array
from time import perf_counter_ns

import numpy.ma  # noqa: F401  # numpy loads it where it compares long arrays, which a rehearsal has not
import psutil
from locust.env import Environment
from rich.console import Console

from bench.load.metrics.merge import Merger
from bench.load.metrics.recorder import TIMEOUT, LoopDelays, Recorder
from bench.load.metrics.report import Report
from bench.load.metrics.tally import Tally
from bench.load.plugin.locust_statistics import log_batch
from bench.report.formats.text import print_document
from bench.report.lines import print_stored
from bench.report.load import load_document
from bench.results.header import CommitInfo
from bench.results.load import CONNECT, LoadResult, OperationKey, Scenario
from bench.results.provenance import machine_info, packages
from bench.results.store import machine_id
from bench.timing.rates import NS_PER_S, RateProfile

_NAME = "rehearsed →"  # rich has tables of characters that are not ASCII
_TOOK_NS = 1_000_000


def rehearse_report() -> Report:
    """Count a few round trips as each process of a run does, and return its report as it reaches the master."""
    now_ns = perf_counter_ns()
    started_ns = now_ns - 2 * NS_PER_S
    tally = Tally(started_ns, is_open=True)
    tally.open_window(started_ns)
    tally.note_users(now_ns, 1)
    tally.note_cpu(started_ns, 0.5)
    environment = Environment()
    for log in 2 * [_connecting(started_ns)] + [_answered(started_ns), _answered(started_ns + _TOOK_NS)]:
        batch = log.flush()
        if batch is not None:
            tally.add(batch)
            log_batch(environment, batch)
    late = array("q", (started_ns, 1000, started_ns + NS_PER_S, 2000))
    tally.note_delays(LoopDelays(late, late, late))
    tally.close_window(now_ns)
    report = tally.report(
        unfinished={OperationKey(_NAME): 1},
        late={_NAME: 1},
        window_cpu_ns=1,
        final=True,
        forced=False,
    )
    return Report.model_validate(report.model_dump())


def rehearse_result() -> None:
    """Make a result of a few round trips, and show it to nobody."""
    psutil.Process().memory_info()
    machine_id()
    report, merger = rehearse_report(), Merger()
    for process in (_NAME, f"{_NAME} as well"):
        merger.receive(process, report)
    timeline = merger.timeline({0: 0.5})
    result = LoadResult(
        datetime=dt.datetime.now(dt.UTC),
        commit_info=CommitInfo(),
        machine_info=machine_info(),
        packages=packages(),
        scenario=Scenario(user_classes=(_NAME,), users=1, model="open", transport="websocket"),
        generator=merger.generator(),
        window=merger.window(2 * NS_PER_S, 0.0),
        operations=merger.operations(1e6),
        timeline=timeline,
        stages=merger.stages(RateProfile.parse("1:1s,1:1s"), 0.0, 2.0, timeline),
        partial=True,
        partial_reason=_NAME,
    )
    result.to_json()
    for is_terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=is_terminal, width=80)
        print_document(load_document(result), console)
        print_stored(console, None)


def _connecting(started_ns: int) -> Recorder:
    log = Recorder(CONNECT, kind=CONNECT)
    log.succeeded(started_ns, started_ns + _TOOK_NS)
    log.failed(started_ns, started_ns + _TOOK_NS, _NAME)
    return log


def _answered(started_ns: int) -> Recorder:
    log = Recorder(_NAME)
    for sent_ns in range(started_ns, started_ns + NS_PER_S, NS_PER_S // 4):
        log.answered(sent_ns, sent_ns, sent_ns + _TOOK_NS)
        log.handled(sent_ns, (sent_ns, sent_ns), sent_ns + _TOOK_NS)
    for kind in (TIMEOUT, _NAME):
        log.failed(started_ns, started_ns + _TOOK_NS, kind, started_ns)
    log.drop(started_ns, _NAME)
    return log
