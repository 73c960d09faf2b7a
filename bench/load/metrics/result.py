"""The result of a run: what its processes reported, and what is known of the run, become a `LoadResult`. Pure.

A part of the result that cannot be made is left out, noted as a trouble, and makes the result partial. Only the counts
are indispensable.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.load.metrics.asked_users import AskedUsers
from bench.load.metrics.figures import LoadFigures
from bench.load.metrics.merge import Merger
from bench.load.metrics.objectives import judged_load
from bench.load.metrics.steadiness import AskedSteadiness, precisions, run_tests, with_intervals
from bench.load.metrics.troubles import Troubles
from bench.objectives.judging import not_judged
from bench.objectives.model import Objective
from bench.objectives.precision import AskedPrecision
from bench.results.header import CommitInfo, MachineInfo, way_in_words
from bench.results.load import Generator, LoadResult, Scenario, Second, Server, SlowRoundTrip, Window
from bench.results.service_log import ServiceLog
from bench.results.service_loss import ServiceLoss
from bench.results.steadiness import Precision, RunTest
from bench.scenarios.tracing import trace_id
from bench.timing.arrivals import Arrivals, Shape
from bench.timing.rates import NS_PER_S, RateProfile


@dataclass(frozen=True)
class UserClass:
    """A class of Socket.IO users, as far as a result tells of it."""

    name: str
    transports: tuple[str, ...] = ("websocket",)
    host: str | None = None
    reply_timeout_s: float = 10.0
    pipelined: bool = False
    #: The number of a user's tasks that may be on their way at the same time in an open load.
    most_at_once: int = 1
    #: The longest time that an arrival may wait for such a user, in seconds; None for pipelined users.
    max_wait_s: float | None = None
    #: The arrivals that each user has of its own, if any.
    arrivals: Arrivals | None = None
    #: The format of messages.
    serializer: str = "json"

    @property
    def transport(self) -> str:
        """The way that messages go, in a word."""
        return way_in_words(self.transports, self.serializer)


@dataclass(frozen=True)
class AskedLoad:
    """The load that a run was asked for."""

    classes: Sequence[UserClass]
    users: AskedUsers
    is_open: bool = False
    profile: RateProfile | None = None
    shape: Shape = "poisson"
    seed: str = ""
    duration_s: float | None = None
    url: str | None = None
    #: The app that the run started for itself, as `module:attribute`.
    app: str | None = None
    #: The field of the data that has the trace context of each emission; None: there is none.
    trace_field: str | None = None
    #: The number of the slowest round trips of each operation that the result names.
    slowest: int = 0
    #: The number of users of each class at the end.
    counts: Callable[[], Mapping[str, int]] = dict


@dataclass(frozen=True)
class RunFacts:
    """The facts about a run that none of its processes reports. Times of `time.perf_counter_ns`."""

    load: AskedLoad
    started_at: dt.datetime
    started_ns: int
    stopped_ns: int
    #: The time at which the schedule of `--rate` started, if it did.
    load_started_ns: int | None
    warmup_s: float
    commit: CommitInfo
    packages: dict[str, str]
    #: The command that started it, without secrets; None if a page did.
    command: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    note: str | None = None
    #: What the service wrote during the run; None if nothing is known of that.
    service_log: ServiceLog | None = None
    #: The loss of the service during the run; None if it was there to the end.
    service_loss: ServiceLoss | None = None
    #: The reasons why the result is partial, but for the troubles.
    lacks: Sequence[str] = ()
    objectives: Sequence[Objective] = ()
    precisions: Sequence[AskedPrecision] = ()
    #: The reason why the run ended before its time, if it did so by itself.
    ended_because: str | None = None

    @property
    def load_start_s(self) -> float:
        """The time at which the schedule started, in seconds since the start of the run; inf if it did not."""
        return math.inf if self.load_started_ns is None else (self.load_started_ns - self.started_ns) / NS_PER_S


class ServiceUse(Protocol):
    """The service that a run started for itself, as far as its result tells of it."""

    def shares(self, started_ns: int) -> dict[int, float]:
        """Return the share of a core that it took in each second since `started_ns`."""

    def described(self, window_start_ns: int, window_end_ns: int, round_trips: int) -> Server:
        """Return how it was started, and what it used in a window in which it answered that many round trips."""


def make_result(
    facts: RunFacts,
    merger: Merger,
    troubles: Troubles,
    service: ServiceUse | None,
    machine: Callable[[], MachineInfo],
) -> LoadResult:
    """Return the result. Only its counts are indispensable."""
    attempt = troubles.attempt
    ran_ns = facts.stopped_ns - facts.started_ns
    window = attempt("the window", lambda: merger.window(ran_ns, facts.warmup_s), lambda: _no_window(ran_ns))
    shares: dict[int, float] = attempt(
        "the service's CPU", lambda: {} if service is None else service.shares(facts.started_ns), dict
    )
    timeline: tuple[Second, ...] = attempt("the timeline", lambda: merger.timeline(shares), tuple)
    profile = facts.load.profile
    stages = attempt(
        "the stages",
        lambda: () if profile is None else merger.stages(profile, facts.load_start_s, window.end_s, timeline),
        tuple,
    )
    server = attempt("the service", lambda: _server(facts, merger, window, service), lambda: None)
    scenario = attempt(
        "the scenario", lambda: scenario_of(facts.load), lambda: _least_scenario(facts.load, merger.is_open)
    )
    timeout_us = max(user_class.reply_timeout_s for user_class in facts.load.classes) * 1e6
    operations = attempt(
        "the times of the operations",
        lambda: merger.operations(timeout_us),
        lambda: merger.operations(timeout_us, counts_only=True),
    )
    generator = attempt(
        "the generator",
        merger.generator,
        lambda: Generator(processes=max(1, len(merger.processes))),
    )
    machine_info = attempt("the machine", machine, MachineInfo)
    figures = LoadFigures(merger, window, timeout_us)
    objectives = attempt(
        "the objectives",
        lambda: judged_load(
            facts.objectives, figures, generator, _refusal(facts, merger, troubles), _loss_within(facts, window)
        ),
        lambda: tuple(not_judged(objective, "judging it failed") for objective in facts.objectives),
    )
    asked = AskedSteadiness(
        profile=profile,
        shape=facts.load.shape,
        load_start_s=facts.load_start_s,
        changed_users=bool(facts.load.users.steps),
    )
    rows = operations
    operations = attempt("the intervals", lambda: with_intervals(rows, figures), lambda: rows)
    tests: tuple[RunTest, ...] = attempt("the tests of the run", lambda: run_tests(rows, figures, asked), tuple)
    reached: tuple[Precision, ...] = attempt("the precisions", lambda: precisions(facts.precisions, figures), tuple)
    reasons = [*facts.lacks, *troubles.reasons]
    return LoadResult(
        datetime=facts.started_at,
        commit_info=facts.commit,
        machine_info=machine_info,
        packages=facts.packages,
        command=facts.command,
        labels=facts.labels,
        note=facts.note,
        scenario=scenario,
        server=server,
        generator=generator,
        window=window,
        operations=operations,
        timeline=timeline,
        stages=stages,
        partial=bool(reasons),
        partial_reason="; ".join(reasons) or None,
        forced=merger.forced,
        exceptions=merger.exceptions(),
        invalid_reason=merger.invalid_reason,
        received=attempt("the received events", merger.received, tuple),
        receive_clock=attempt("the clock", merger.receive_clock, lambda: None),
        objectives=objectives,
        ended_because=facts.ended_because,
        tests=tests,
        precisions=reached,
        service_log=facts.service_log,
        service_loss=facts.service_loss,
        slowest=attempt("the slowest round trips", lambda: _slowest(facts.load, merger), tuple),
    )


def _slowest(load: AskedLoad, merger: Merger) -> tuple[SlowRoundTrip, ...]:
    """Return the slowest round trips of each operation, with the ids of their traces if they have any."""
    return tuple(
        SlowRoundTrip(
            operation=operation.name,
            t=max(0, slow.at_ns) / NS_PER_S,
            timed_out=slow.service_ns is None,
            service_us=None if slow.service_ns is None else slow.service_ns / 1000,
            response_us=None if slow.response_ns is None else slow.response_ns / 1000,
            token=slow.token,
            trace_id=None if load.trace_field is None else trace_id(slow.token),
        )
        for operation, slow in merger.slowest(load.slowest)
    )


def _refusal(facts: RunFacts, merger: Merger, troubles: Troubles) -> str | None:
    """Return why no objective can be judged by the figures, if none can."""
    if merger.invalid_reason is not None:
        return f"the figures are wrong: {merger.invalid_reason}"
    if facts.lacks or troubles.reasons:
        return f"the result is partial: {next(iter((*facts.lacks, *troubles.reasons)))}"
    return "the run was ended by force: replies were still awaited" if merger.forced else None


def _loss_within(facts: RunFacts, window: Window) -> str | None:
    """Return in words that the service was lost before the window ended: its figures are not of the load asked for."""
    loss = facts.service_loss
    return loss.text if loss is not None and loss.t < window.end_s else None


def scenario_of(load: AskedLoad) -> Scenario:
    """Return the scenario of a result."""
    classes = load.classes
    return Scenario(
        user_classes=tuple(sorted(user_class.name for user_class in classes)),
        users=load.users.users,
        users_by_class=load.users.by_class,
        user_steps=load.users.steps,
        **_model(load),
        duration_s=load.duration_s,
        transport=", ".join(sorted({user_class.transport for user_class in classes})),
        url=load.url or next((user_class.host for user_class in classes if user_class.host), None),
        app=load.app,
        trace_context=load.trace_field,
    )


def _model(load: AskedLoad) -> dict[str, Any]:
    """Return what the scenario says of the model: closed, or open with its rate and limits."""
    if not load.is_open:
        return {"model": "closed"}
    pipelined = [user_class for user_class in load.classes if user_class.pipelined]
    waits_s = [user_class.max_wait_s for user_class in load.classes if user_class.max_wait_s is not None]
    described = {
        "model": "open",
        "seed": load.seed,
        "pipelined": tuple(sorted(user_class.name for user_class in pipelined)),
        "max_in_flight": max((user_class.most_at_once for user_class in pipelined), default=None),
        "max_wait_s": max(waits_s, default=None),
    }
    profile = load.profile
    if profile is not None:
        rate_per_s = profile.stages[-1].from_per_s
        if profile.duration_s is not None:
            rate_per_s = profile.expected(profile.duration_s) / profile.duration_s
        return {**described, "rate": str(profile), "rate_per_s": rate_per_s, "arrivals": load.shape}
    counts = load.counts()
    own = {user_class.name: user_class.arrivals for user_class in load.classes if user_class.arrivals is not None}
    shapes = {arrivals.shape for arrivals in own.values()}
    return {
        **described,
        "rate_per_s": sum(arrivals.rate_per_s * counts.get(name, 0) for name, arrivals in own.items()),
        "arrivals": shapes.pop() if len(shapes) == 1 else None,
    }


def _least_scenario(load: AskedLoad, is_open: bool) -> Scenario:
    names = tuple(sorted(user_class.name for user_class in load.classes))
    return Scenario(user_classes=names, users=0, model="open" if is_open else "closed", transport="unknown")


def _server(facts: RunFacts, merger: Merger, window: Window, service: ServiceUse | None) -> Server | None:
    if service is None:
        return None
    return service.described(
        facts.started_ns + round(window.start_s * NS_PER_S),
        facts.started_ns + round(window.end_s * NS_PER_S),
        merger.round_trips_in_window(),
    )


def _no_window(end_ns: int) -> Window:
    return Window(start_s=end_ns / NS_PER_S, end_s=end_ns / NS_PER_S, warmup_s=0.0)
