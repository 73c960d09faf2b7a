"""Two revisions of a service, live and in alternation, until it is known by how much they differ.

Rules of this file: a trial of both services comes before any measurement. The unit is the restart of both servers. The
luck of a process (memory layout, order of dictionaries) makes a greater difference between two processes than most
commits do. The side that is ahead has no influence on the end.

Ctrl-C ends the measuring with the restarts that are complete. A second Ctrl-C is a KeyboardInterrupt like any other.
"""

import datetime as dt
import time
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import uvloop

from bench.ab.errors import AbFailedError
from bench.ab.news import Notice, Report, State
from bench.ab.notes import notes_on
from bench.ab.objectives import judged_candidate
from bench.ab.origin import check_command
from bench.ab.plan import AbPlan
from bench.ab.restart import DifferentClocksError, Figures
from bench.ab.services import NAMES, Cores, ServicePair
from bench.ab.source import Source, prepared
from bench.ab.summary import stored_scenarios, summary
from bench.ab.worktree import Repository
from bench.interleave.loop import InterruptibleLoop, gc_frozen
from bench.machine.conditions import Conditions
from bench.machine.cores import pinned_to
from bench.machine.descriptors import raise_file_limit
from bench.machine.disturbances import Interference, disturbances_between
from bench.machine.idle import NoIdle, NoIdleError, idle_reason
from bench.machine.interrupts import ended_by_signals
from bench.results.ab import AbResult, AbSettings, StoppedBy
from bench.results.provenance import machine_info, packages
from bench.results.receiving import ReceiveClock
from bench.results.service_logs import ServiceLogs, service_logs
from bench.scenarios.catalogue import Benchmark
from bench.secrets import Secrets
from bench.server.command import without_secrets
from bench.statistics.estimates import estimate
from bench.wire.clock_watch import ClockWatch
from bench.wire.stamps import use_process_clock


def compare_revisions(plan: AbPlan, a: str, b: str, directory: Path, report: Report = lambda _: None) -> AbResult:
    """Compare the revisions of the repository around `directory`.

    `report` is called with the present step as text, and with the State after each restart. Raises AbError if the
    comparison is impossible, AbFailedError if a service fails, and KeyboardInterrupt before the first restart.
    """
    raise_file_limit()
    repository = Repository.around(directory, plan.results)
    revisions = [repository.revision(a), repository.revision(b)]
    if plan.command is not None:
        check_command(plan.command.arguments(0), repository)
    with ended_by_signals(), service_logs() as logs:
        report("checking the revisions out")
        with repository.checkouts(revisions, copy_worktree=plan.writes) as checkouts:
            report(Notice(f"serving {plan.service}; its output: {logs.folder}"))
            try:
                sources = [
                    prepared(plan, checkout, repository, logs.file(f"prepare-{name}"), report)
                    for name, checkout in zip(NAMES, checkouts, strict=True)
                ]
                return _Run(plan, (sources[0], sources[1]), repository, logs, report).result()
            except AbFailedError as error:
                if not logs.keep(plan.hide):
                    raise
                raise AbFailedError(f"{error}; the service's output is kept in {logs.folder}") from error


class _Run:
    """A comparison, from the first trial to the result."""

    def __init__(
        self,
        plan: AbPlan,
        sources: tuple[Source, Source],
        repository: Repository,
        logs: ServiceLogs,
        report: Report,
    ) -> None:
        self._plan = plan
        self._sources = sources
        self._repository = repository
        self._report = report
        self._restarts: list[Figures] = []
        self._cores = Cores.divided()
        log_files = [logs.file(name) for name in NAMES]
        self._services = ServicePair(plan, sources, repository.root, log_files, self._cores)

    def result(self) -> AbResult:
        """Return the result: try both services, measure, and sum up."""
        notes: list[str] = []
        awake = self._cores.used if self._plan.awake else ()
        # If this system does not tell cores apart, none can be kept awake either, for the same reason as core 0.
        if self._plan.awake and (reason := idle_reason(awake or (0,))):
            notes.append(f"the cores were not kept awake: {reason}")
            awake = ()
        described = machine_info(), packages()
        with InterruptibleLoop.open(uvloop.new_event_loop) as loop:
            self._report("trying both services")
            notes += self._try_out(loop)
            sides = self._services.described()
            on_revisions = notes_on(self._plan, self._sources, self._repository, sides)
            notes = [*on_revisions, *self._services.origin_notes, *notes]
            watch = ClockWatch.here()
            before = Conditions.now(self._cores.used)
            started_at = dt.datetime.now(dt.UTC)
            started_s, started_ns = time.monotonic(), perf_counter_ns()
            own_cores = () if self._cores.generator is None else (self._cores.generator,)
            try:
                with NoIdle(awake), pinned_to(own_cores), gc_frozen():
                    stopped_by = self._measure(loop, started_s, watch)
            except DifferentClocksError as error:
                raise AbFailedError(
                    f"{error}: the kernel tells when replies of one side are received, and not those of the other: "
                    "--process-clock times both sides alike"
                ) from error
            except NoIdleError as error:
                raise AbFailedError(str(error)) from error
            duration_s = time.monotonic() - started_s
            after = Conditions.now(self._cores.used)
        service_logs = self._services.service_logs()
        return AbResult(
            datetime=started_at,
            commit_info=sides[1].commit_info,
            machine_info=described[0],
            packages=described[1],
            a=sides[0].with_log(service_logs[0]),
            b=sides[1].with_log(service_logs[1]),
            settings=self._settings(awake),
            restarts=len(self._restarts),
            duration_s=duration_s,
            stopped_by=stopped_by,
            benchmarks=summary(
                self._plan.benchmarks,
                self._restarts,
                self._services.received,
                self._services.times,
                self._plan.rule.confidence,
                self._plan.threshold,
            ),
            receive_clock=ReceiveClock.of(watch, started_ns),
            **self._judged(duration_s),
            notes=tuple([*notes, self._plan.slo.remark] if self._plan.slo.remark else notes),
            spoilers=disturbances_between(before, after, pinned=self._cores.server is not None, awake=awake),
            interference=Interference.between(before, after),
        )

    def _judged(self, duration_s: float) -> dict[str, Any]:
        """Return the objectives as they were judged, if there are any."""
        names = [benchmark.name for benchmark in self._plan.benchmarks]
        judged = judged_candidate(self._plan.slo.objectives, names, self._restarts, duration_s)
        return {"objectives": judged} if judged else {}

    def _try_out(self, loop: InterruptibleLoop) -> list[str]:
        """Try both services, and return notes on that. Both sides have one clock: the process's if they differ.

        They differ if one side takes an upgrade to WebSocket, and the other stays with polling.
        """
        try:
            self._services.try_out(loop)
        except DifferentClocksError:
            use_process_clock()
            self._services.try_out(loop)
            return ["both sides have the process's clock, because the kernel tells the receive times of one side alone"]
        return []

    def _measure(self, loop: InterruptibleLoop, started_s: float, watch: ClockWatch) -> StoppedBy:
        """Measure by restarts until the end. Raises KeyboardInterrupt if there is no answer yet."""
        self._report("measuring")
        try:
            while True:
                self._restarts.append(self._services.restart(loop, first=len(self._restarts) % 2))
                watch.look(perf_counter_ns())
                elapsed_s = time.monotonic() - started_s
                each_s = elapsed_s / len(self._restarts)
                by_name = [(benchmark.name, self._effects(benchmark)) for benchmark in self._plan.benchmarks]
                to_go = max(self._plan.rule.replicates_to_go(effects) for _, effects in by_name)
                self._report(
                    State(
                        restarts=len(self._restarts),
                        elapsed_s=elapsed_s,
                        left_s=max(0.0, min(to_go * each_s, self._plan.max_time_s - elapsed_s)),
                        estimates=tuple(
                            (name, estimate(effects, self._plan.rule.confidence)) for name, effects in by_name
                        ),
                    )
                )
                if to_go == 0:
                    return "precision"
                if elapsed_s + each_s > self._plan.max_time_s:
                    return "time"
        except KeyboardInterrupt as interrupt:
            is_second = isinstance(interrupt.__context__, KeyboardInterrupt)  # while it tidied up after the first
            if is_second or not self._restarts:
                raise
            return "interrupt"

    def _effects(self, benchmark: Benchmark) -> list[float]:
        return [figures[benchmark.name, "p50"].effect for figures in self._restarts]

    def _settings(self, awake: Sequence[int]) -> AbSettings:
        plan = self._plan
        given = Secrets.of(plan.chosen.connection)
        return AbSettings(
            app=plan.app if plan.command is None else None,
            command=None if plan.command is None else plan.command.shown,
            prepare=None if plan.prepare is None else given.hide(without_secrets(plan.prepare)),
            links=tuple(map(str, plan.links)),
            precision=plan.rule.precision,
            threshold=plan.threshold,
            confidence=plan.rule.confidence,
            max_time_s=plan.max_time_s,
            burst=plan.bursts.burst,
            pairs=plan.bursts.pairs,
            saturated_burst=plan.bursts.saturated_burst,
            saturated_pairs=plan.bursts.saturated_pairs,
            in_flight=plan.bursts.in_flight,
            seed=plan.seed,
            server_core=self._cores.server,
            generator_core=self._cores.generator,
            awake=tuple(awake),
            scenarios=stored_scenarios(plan.chosen),
        )
