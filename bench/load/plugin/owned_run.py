"""A test in the process that owns the run: made when the test begins, dropped when its result is written."""

from __future__ import annotations

import datetime as dt
import time
from argparse import Namespace
from dataclasses import dataclass
from time import perf_counter_ns

import gevent

from bench.load.engine.pacing import OpenLoad
from bench.load.metrics.asked_users import AskedUsers
from bench.load.metrics.lacks import LackingWorkers
from bench.load.metrics.merge import Merger
from bench.load.plugin.lifecycle import CurrentTest
from bench.load.plugin.messages import shown
from bench.load.plugin.objectives import AskedObjectives
from bench.load.plugin.own_service import ServiceWatch
from bench.load.plugin.service import Service
from bench.load.plugin.workers_in_run import WorkersInRun
from bench.objectives.precision import AskedPrecision
from bench.results.header import CommitInfo
from bench.results.service_loss import ServiceLoss
from bench.results.steadiness import Precision


@dataclass(frozen=True)
class Preparation:
    """The facts that are settled before a test begins."""

    #: The options as they are now: the web page's form may bring others meanwhile.
    asked: Namespace
    open_load: OpenLoad
    commit: CommitInfo
    packages: dict[str, str]
    labels: dict[str, str]
    note: str | None
    objectives: AskedObjectives
    precisions: tuple[AskedPrecision, ...]


class OwnedRun(CurrentTest):
    """A test in the process that owns the run, and all that becomes known of it."""

    def __init__(self, prepared: Preparation, seed: str, asked_users: AskedUsers, service: Service | None) -> None:
        super().__init__()
        self.prepared = prepared
        #: The seed of the random arrivals: that of the command line, or a new seed for each test.
        self.seed = seed
        self.asked_users = asked_users
        #: The service under test, if this process has started it.
        self.service = service
        self.started_at = dt.datetime.now(dt.UTC)
        self.started_ns = perf_counter_ns()
        self.started_unix_ns = time.time_ns()
        self.merger = Merger()
        #: The workers; None if this process has the users itself.
        self.workers: WorkersInRun | None = None
        self.watch: ServiceWatch | None = None
        #: The time at which the schedule starts, or has started.
        self.load_started_ns: int | None = None
        self.stopped_ns: int | None = None
        #: The greenlet that ends the test after the last stage of its rate.
        self.last_stage: gevent.Greenlet | None = None
        #: The reason why the test is being ended before its time, if an objective is surely missed.
        self.ended_because: str | None = None
        #: The precisions of --until, as they were when they were looked at last.
        self.precisions: tuple[Precision, ...] = ()
        #: True if the test is being ended because its figures are wrong.
        self.is_unsupported = False
        #: True if users were still being spawned when the test was stopped.
        self.was_spawning = False
        #: True if there was no worker any more when the test was stopped.
        self.have_all_workers_left = False

    @property
    def end_ns(self) -> int:
        """The time at which the test was stopped, or now."""
        return self.stopped_ns or perf_counter_ns()

    def service_loss(self) -> ServiceLoss | None:
        """Return the loss of the service, as far as it is known by now; None if it is there."""
        if self.watch is not None and self.watch.death is not None:
            return self.watch.death
        if self.process is not None and not self.merger.processes:  # it reports at the end alone
            lost = self.process.lost_service
            return None if lost is None else lost.stored
        return self.merger.lost_service()

    def lacking_workers(self) -> LackingWorkers:
        """Return the workers that failed the test."""
        if self.workers is None:
            return LackingWorkers()
        return LackingWorkers(
            missing=[shown(worker) for worker in self.workers.missing()],
            have_all_left=self.have_all_workers_left,
            came_back=[shown(worker) for worker in self.workers.came_back()],
            refusals=self.workers.refusals,
        )
