"""The stored result of a load run.

Rules of this file: data and its invariants only, no files, no clock. Each result checks its accounting when it is
built, so a result with counts that do not add up cannot be stored. Units are in the names.
"""

import itertools
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import (
    BaseModel,
    Field,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from bench.objectives.model import JudgedObjective
from bench.results.header import WRITTEN, Header, Histogram, IsoDatetime, Kind, NonNegative
from bench.results.lateness import Lateness
from bench.results.receiving import ReceiveClock, ReceivedClock, Receiving
from bench.results.service_log import ServiceLog
from bench.results.service_loss import ServiceLoss
from bench.results.steadiness import Precision, RunTest, TimeIntervals
from bench.statistics.percentiles import is_greatest
from bench.timing.histogram import Histogram as Times
from bench.timing.histogram import HistogramError

#: The schema that is written. Older schemas lack the fields that are documented as new; their others are still read.
LOAD_SCHEMA: Literal["load/5"] = "load/5"

LoadSchema = Literal["load/1", "load/2", "load/3", "load/4", "load/5"]
LOAD_SCHEMAS: tuple[LoadSchema, ...] = ("load/1", "load/2", "load/3", "load/4", "load/5")

#: The operation that every user performs before any round trip. It is the name and the kind of its row.
CONNECT: Literal["connect"] = "connect"

#: The kinds of operations, in the order of their rows.
#:
#: An `emission` awaits no reply: it is sent, or not. A `transaction` is a block of a task, with all that happens in it.
OperationKind = Literal["connect", "disconnect", "http", "round trip", "emission", "transaction"]

#: The kind of an operation that nobody gives another kind, and of all operations of load/1 and load/2 but `connect`.
ROUND_TRIP: Literal["round trip"] = "round trip"

#: The reasons of drops of arrivals that the end of the run, or of its users, cut off while they waited for a user. How
#: long they would have taken, nobody knows: they need not have waited longer than others.
ENDED, NO_USER_LEFT = "the run ended while it waited for a user", "the last user stopped while it waited for a user"

#: The kinds that a schedule of arrivals can want. Only these are in the timeline and in the stages.
SCHEDULED_KINDS: frozenset[str] = frozenset(("http", "round trip", "emission"))

#: The kinds that end with a reply: their times are service times and, in an open load, response times.
REPLIED_KINDS: frozenset[str] = frozenset(("http", "round trip"))

#: The figures that a saturated generator may spoil. Where the kernel told some of the receive times, those that the
#: process told are spoilt alone.
Spoilt = Literal["service times", "response times", "throughput", "times by the process's clock"]

#: The number of operations that have a row of their own. A task that makes up names without end would fill the memory.
MOST_OPERATIONS = 200

#: The row of all operations of a kind that come after these, together.
OTHER_OPERATIONS = "other operations"


class OperationKey(NamedTuple):
    """The two things that tell operations apart: a transaction may have the name of a round trip."""

    name: str
    kind: OperationKind = ROUND_TRIP

    @property
    def label(self) -> str:
        """The name with the kind, where the name alone would not say the kind."""
        is_plain = self.kind == self.name if self.name in (CONNECT, "disconnect") else self.kind == ROUND_TRIP
        return self.name if is_plain else f"{self.name} ({self.kind})"


class UserStep(BaseModel):
    """The number of users from a moment on: `users` Socket.IO users were asked for from second `t` of the run."""

    model_config = WRITTEN

    t: NonNegative
    users: NonNegativeInt


class Scenario(BaseModel):
    """The load that was asked for. The fields of rates are null in a closed load, `duration_s` if none was set.

    `users` is the greatest number of Socket.IO users that was asked for at once. `users_by_class` has every class of
    the run, Locust's other users included. `user_steps` is empty if the number of users never changed.

    `rate_per_s` is over all users. If `rate` has stages, it is the average of the whole schedule. If each user has a
    rate of its own, `rate` is null, and `rate_per_s` is that of all users at the end. `seed` gives the same arrivals
    again.

    In an open load, `pipelined` names the classes whose tasks may overlap on the same connection. A user of another
    class takes an arrival only when it has no task under way. An arrival waits at most `max_wait_s` for a free user.
    `pipelined` is null in a closed load, and in results of the schema load/1, in which all tasks overlapped.

    `trace_context` is the field of each emission's data that had a W3C trace context; null without.

    New in load/2: users_by_class, user_steps, pipelined, max_wait_s. New in load/5: trace_context.
    """

    model_config = WRITTEN

    user_classes: tuple[str, ...]
    users: NonNegativeInt
    users_by_class: dict[str, NonNegativeInt] = {}
    user_steps: tuple[UserStep, ...] = ()
    model: Literal["open", "closed"]
    rate_per_s: NonNegative | None = None
    rate: str | None = None
    arrivals: Literal["poisson", "constant"] | None = None
    seed: str | None = None
    max_in_flight: PositiveInt | None = None
    pipelined: tuple[str, ...] | None = None
    max_wait_s: NonNegative | None = None
    duration_s: NonNegative | None = None
    transport: str
    url: str | None = None
    app: str | None = None
    trace_context: str | None = None

    @property
    def users_over_time(self) -> str:
        """The number of Socket.IO users, or all the numbers in turn if it changed during the run."""
        return ", ".join(str(step.users) for step in self.user_steps) or str(self.users)

    @property
    def other_users(self) -> str | None:
        """The users of Locust's other classes, by class; None if there were none."""
        others = {name: users for name, users in self.users_by_class.items() if name not in self.user_classes}
        return ", ".join(f"{users} {name}" for name, users in sorted(others.items()) if users) or None

    @property
    def one_at_a_time(self) -> tuple[str, ...]:
        """The classes whose users take an arrival only when they have no task under way; empty in a closed load."""
        if self.pipelined is None:
            return ()
        return tuple(name for name in self.user_classes if name not in self.pipelined)


class Server(BaseModel):
    """The service's options and use, if the service was ours. `cpu_share` is of a single core (1.0 = full).

    `app` is null if a `command` started the service. The options of uvicorn are then not known. CPU time and memory are
    those of all its processes.

    New in load/3: command.
    """

    model_config = WRITTEN

    app: str | None
    command: str | None = None
    loop: str | None = None
    http: str | None = None
    ws: str | None = None
    core: NonNegativeInt | None = None
    cpu_us_per_round_trip: NonNegative | None = None
    cpu_share: NonNegative | None = None
    rss_peak_bytes: NonNegativeInt | None = None


class GeneratorHealth(BaseModel):
    """The verdict on a generator, saturated or not, and the evidence, over the steady window.

    `cpu_share` is of a single core. `send_lateness_us` is from intended to sent, without the time in which no user was
    free; it is null in a closed load. `loop_lag_us` is the time that anything that wakes the loop waits for its turn.
    `reading_delay_us` is how long replies that the machine had received waited to be read; null where the kernel told
    no receive times. `queueing_us` is how long replies, once read, waited for their task. `waited_for_user_share` is
    the share of the arrivals for which no user was free at first, and `waited_for_user_us` how long these waited. Both
    are null if all users are pipelined, and in a closed load. Such a wait is the scenario's, which has too few users,
    and does not make a generator saturated.

    `verdict` is null if none was reached. `reason` says why it is "saturated", `saturated_since_s` from which second of
    the run on, and `spoils` which figures are then the generator's, not the service's. It is empty otherwise, and in
    older results, in which saturation spoils all of them.

    New in load/2: waited_for_user_share, waited_for_user_us. New in load/4: reading_delay_us, spoils.
    """

    model_config = WRITTEN

    cpu_share: NonNegative | None = None
    send_lateness_us: Lateness | None = None
    loop_lag_us: Lateness | None = None
    reading_delay_us: Lateness | None = None
    queueing_us: Lateness | None = None
    waited_for_user_share: NonNegative | None = None
    waited_for_user_us: Lateness | None = None
    verdict: Literal["ok", "saturated"] | None = None
    reason: str | None = None
    saturated_since_s: NonNegative | None = None
    spoils: tuple[Spoilt, ...] = ()

    @model_validator(mode="after")
    def _saturation_has_a_reason(self) -> Self:
        if self.verdict == "saturated" and not self.reason:
            raise ValueError("the verdict is saturated but no reason is given")
        return self


class Generator(GeneratorHealth):
    """The use and the health of the whole load generator.

    `cpu_share` is the busiest process's, the other times are over all processes. A single saturated process makes the
    whole generator saturated.
    """

    processes: PositiveInt
    cpu_us_per_round_trip: NonNegative | None = None
    per_process: tuple[GeneratorHealth, ...] = ()


class Window(BaseModel):
    """The steady part of the run, in seconds since its start; `warmup_s` lies between all users there and `start_s`."""

    model_config = WRITTEN

    start_s: NonNegative
    end_s: NonNegative
    warmup_s: NonNegative

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.end_s < self.start_s:
            raise ValueError(f"the window ends at {self.end_s} s, before its start at {self.start_s} s")
        return self

    @property
    def duration_s(self) -> float:
        """The length of the window in seconds."""
        return self.end_s - self.start_s


class Distribution(BaseModel):
    """A distribution of times in microseconds, over the steady window.

    A figure is null if it falls into the censored share (timeouts, errors, drops, unfinished). If there were timeouts,
    it is known to lie above their limit, `censored_above_us`. Otherwise it is only known to fall among the failures. In
    load/1 the limit may also be the longest time seen. A time that was never observed has null in place of a
    Distribution.
    """

    model_config = WRITTEN
    percentiles: ClassVar[tuple[str, ...]] = ("p50", "p90", "p99", "p99_9")

    min: NonNegative | None
    mean: NonNegative | None
    p50: NonNegative | None
    p90: NonNegative | None
    p99: NonNegative | None
    p99_9: NonNegative | None
    max: NonNegative | None
    censored_above_us: NonNegative | None = None

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        known = [(name, getattr(self, name)) for name in (*self.percentiles, "max")]
        for (lower, low), (upper, high) in itertools.pairwise(known):
            if low is None and high is not None:
                raise ValueError(f"{lower} is censored but {upper}, above it, is {high}")
            # max is exact, percentiles carry the histogram's rounding: they may pass it by a fraction
            if low is not None and high is not None and low > high and upper != "max":
                raise ValueError(f"{lower} is {low}, above {upper} at {high}")
        if self.censored_above_us is None:
            if self.min is None:
                raise ValueError("no figure is known, and censored_above_us does not say above what they lie")
            if (self.mean is None) != (self.max is None):
                raise ValueError(
                    "mean and max are both null where some failed: of the null one, censored_above_us does not say"
                )
        return self


LegName = Literal["to the handler", "handler", "from the handler"]
LEGS: tuple[LegName, ...] = ("to the handler", "handler", "from the handler")


class Leg(BaseModel):
    """A part of an operation's service time, over the steady window, from the replies that tell of it."""

    model_config = WRITTEN

    name: LegName
    times_us: Distribution
    histogram: Histogram

    def longest(self) -> frozenset[str]:
        """Return the percentiles, by field name, that are the longest time, because there are so few times."""
        return _longest(self.times_us, self.histogram)


#: The kinds of times of an operation.
TimesKind = Literal["service", "response"]


class Operation(BaseModel):
    """The account of an operation over the whole run, and its times over the steady window.

    scheduled = sent + dropped, and sent = ok + timeouts + errors + unfinished. For the operation that connects, sent
    counts the attempts; for a transaction, the blocks that were entered. An emission that awaits no reply is `ok` when
    it was handed to the transport: nothing else is known of it. `late` replies belong to emissions that are counted
    already, as timeouts.

    `dropped` are emissions that were wanted and not sent, in a closed load as well; `dropped_because` counts them by
    reason. `error_replies` counts successes whose reply is an object with an `error` key. `unexpected` counts replies
    that came while no emission waited for them. If replies are matched by their order, the matching is broken then.

    `times_of` is "run" if the times are of the whole run. That is so for the operation that connects, and for an
    operation that was only performed outside of the window. It is null if there are no times, and in load/1, in which
    only connecting has the run's.

    `sent_bytes` and `received_bytes` are of the whole run: of the messages that were emitted, and of their replies. A
    message is a Socket.IO packet with its attachments, as it is handed to the transport or comes from it. They are null
    for kinds without messages, and in older results.

    `received_clock` is the clock that told when the replies were received of which there are times. It is "kernel" only
    if the kernel told it of each of them. It is "process" for all kinds but round trips, of which the kernel tells
    nothing, and in older results. It is null if there are no times. `receiving` says how far the kernel's times can be
    trusted; it is null for other kinds than round trips.

    `intervals` are those of the times of the window, of kinds that end with a reply. It is null for others.

    New in load/2: dropped_because, error_replies, unexpected, times_of. New in load/3: kind, sent_bytes,
    received_bytes. New in load/4: received_clock, receiving. New in load/5: intervals. In older results `connect` is of
    the kind of that name, and all else are round trips.
    """

    model_config = WRITTEN

    name: Annotated[str, Field(min_length=1)]
    kind: OperationKind = ROUND_TRIP
    scheduled: NonNegativeInt
    dropped: NonNegativeInt
    dropped_because: dict[str, NonNegativeInt] = {}
    sent: NonNegativeInt
    ok: NonNegativeInt
    timeouts: NonNegativeInt
    errors: dict[str, NonNegativeInt]
    unfinished: NonNegativeInt
    late: NonNegativeInt
    error_replies: NonNegativeInt = 0
    unexpected: NonNegativeInt = 0
    sent_bytes: NonNegativeInt | None = None
    received_bytes: NonNegativeInt | None = None
    throughput_per_s: NonNegative | None = None
    received_clock: ReceivedClock | None = "process"
    receiving: Receiving | None = None
    times_of: Literal["window", "run"] | None = None
    service_us: Distribution | None = None
    response_us: Distribution | None = None
    service_histogram: Histogram | None = None
    response_histogram: Histogram | None = None
    breakdown: tuple[Leg, ...] = ()
    intervals: TimeIntervals | None = None

    @model_validator(mode="after")
    def _has_a_kind(self) -> Self:
        # A default that depends on another field needs a newer pydantic than many services have.
        if self.name == CONNECT and "kind" not in self.model_fields_set:
            object.__setattr__(self, "kind", CONNECT)
        return self

    @model_validator(mode="after")
    def _has_a_clock_if_anything_is_received(self) -> Self:
        if self.kind == "emission":
            object.__setattr__(self, "received_clock", None)
        return self

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.scheduled != self.sent + self.dropped:
            raise ValueError(
                f"{self.name}: scheduled {self.scheduled} is not sent {self.sent} + dropped {self.dropped}"
            )
        accounted = self.ok + self.timeouts + self.error_count + self.unfinished
        if self.sent != accounted:
            raise ValueError(
                f"{self.name}: sent {self.sent} is not {accounted}: ok {self.ok} + timeouts {self.timeouts}"
                f" + errors {self.error_count} + unfinished {self.unfinished}"
            )
        if self.dropped_because and self.dropped != sum(self.dropped_because.values()):
            raise ValueError(f"{self.name}: dropped {self.dropped} is not the sum of its reasons")
        return self

    @property
    def key(self) -> OperationKey:
        """The name and the kind."""
        return OperationKey(self.name, self.kind)

    @property
    def label(self) -> str:
        """The name as it is shown."""
        return self.key.label

    @property
    def error_count(self) -> int:
        """The number of errors of all kinds."""
        return sum(self.errors.values())

    @property
    def failed(self) -> int:
        """The number of failures among the scheduled: dropped, timed out, in error, unfinished."""
        return self.scheduled - self.ok

    @property
    def cut_off(self) -> int:
        """The number whose time is unknown because the run ended: dropped while they waited, or unfinished."""
        return self.unfinished + cut_off_drops(self.dropped_because)

    def longest(self, kind: TimesKind) -> frozenset[str]:
        """Return the percentiles, by field name, that are the longest time, because there are so few times.

        It is empty if the result has no histogram: then it does not tell how many there are.
        """
        if kind == "service":
            return _longest(self.service_us, self.service_histogram)
        return _longest(self.response_us, self.response_histogram)


def cut_off_drops(dropped_because: Mapping[str, int]) -> int:
    """Return the number of dropped arrivals, of these by reason, that the end of the run cut off."""
    return sum(dropped_because.get(reason, 0) for reason in (ENDED, NO_USER_LEFT))


def _longest(times: Distribution | None, histogram: str | None) -> frozenset[str]:
    # Where some failed, the longest is not known, and a percentile that is known has the rank that its name says.
    if times is None or times.max is None or histogram is None:
        return frozenset()
    names = [name for name in times.percentiles if getattr(times, name) == times.max]
    if not names:  # reading a histogram takes milliseconds
        return frozenset()
    try:
        number = Times.decode(histogram).count
    except HistogramError:
        return frozenset()
    return frozenset(name for name in names if is_greatest(name, number))


class SecondTimes(BaseModel):
    """The times of the replies to an operation that were received in a second of the run."""

    model_config = WRITTEN

    name: str
    kind: OperationKind = ROUND_TRIP
    service_histogram: Histogram
    response_histogram: Histogram | None = None


class Second(BaseModel):
    """A second of the run: `t` in seconds since its start, counts of that second, shares of a single core.

    `p50_us` and `p99_us` are of all replies received in it, of the response time in an open load, else of the service
    time. `operations` has their distributions: of round trips and HTTP requests. `errors` has what failed by kind, the
    most frequent kinds first and `other errors` for the rest. It is empty in older results.

    `sent_bytes` and `received_bytes` are of the messages of all operations, and of the events that came unasked.

    New in load/3: sent_bytes, received_bytes. New in load/4: reading_delay_p99_us. New in load/5: errors.
    """

    model_config = WRITTEN

    t: NonNegative
    users: NonNegativeInt
    sent: NonNegativeInt
    ok: NonNegativeInt
    failed: NonNegativeInt
    errors: dict[str, NonNegativeInt] = {}
    dropped: NonNegativeInt = 0
    p50_us: NonNegative | None = None
    p99_us: NonNegative | None = None
    server_cpu_share: NonNegative | None = None
    generator_cpu_share: NonNegative | None = None
    send_lateness_p99_us: NonNegative | None = None
    loop_lag_p99_us: NonNegative | None = None
    reading_delay_p99_us: NonNegative | None = None
    sent_bytes: NonNegativeInt | None = None
    received_bytes: NonNegativeInt | None = None
    operations: tuple[SecondTimes, ...] = ()


class StageFigures(BaseModel):
    """A stage of the rate: a point of the latency-throughput curve. Counts and times are of its whole seconds.

    Times are response times of all operations together. A figure is null if it falls among failures or drops.
    """

    model_config = WRITTEN

    stage: str
    start_s: NonNegative
    end_s: NonNegative
    offered_per_s: NonNegative
    throughput_per_s: NonNegative
    failed: NonNegativeInt
    dropped: NonNegativeInt
    p50_us: NonNegative | None = None
    p90_us: NonNegative | None = None
    p99_us: NonNegative | None = None
    server_cpu_share: NonNegative | None = None
    generator_cpu_share: NonNegative | None = None

    @property
    def ended(self) -> int:
        """The number of arrivals that ended in it, well or not."""
        return round(self.throughput_per_s * (self.end_s - self.start_s)) + self.failed + self.dropped


class TaskException(BaseModel):
    """An exception that a user's own code raised: its text with its type, and how often it was raised."""

    model_config = WRITTEN

    text: str
    count: PositiveInt


class SlowRoundTrip(BaseModel):
    """A slow round trip of the steady window, by which it is found in the service's logs and traces.

    `t` is when it was intended, in seconds since the start of the run; in a closed load, when it was sent. `token` is
    unique to its emission. `trace_id` is that of its W3C trace context, null without. The times are null if it timed
    out, and the response time also in a closed load.
    """

    model_config = WRITTEN

    operation: str
    t: NonNegative
    timed_out: bool = False
    service_us: NonNegative | None = None
    response_us: NonNegative | None = None
    token: str
    trace_id: str | None = None


class ReceivedEvent(BaseModel):
    """An event that users received, and that was no reply to an operation of theirs. Counts are of the whole run.

    `per_s` is in the steady window.
    """

    model_config = WRITTEN

    name: str
    count: PositiveInt
    received_bytes: NonNegativeInt
    per_s: NonNegative | None = None


class LoadResult(Header):
    """The result of a load run. Its JSON form is `to_json`; `bench.results.store` reads it back.

    `partial` means that figures are missing, such as a worker's; `partial_reason` says which. `forced` means that the
    run was ended without awaiting the outstanding replies. `invalid_reason` says why the figures are wrong, such as
    replies that were matched with emissions to which they do not belong. `exceptions` are those of tasks. `received`
    are the events that came unasked, the most frequent first. `receive_clock` tells of the clock of receive times; it
    is null in older results. `command` is the command that started the run, as a shell takes it, with `...` for
    secrets. It is null if Locust's page started the run, and in older results. `objectives` are those of the run, as
    they were judged. `ended_because` says why the run ended before its time, if it missed an objective surely.
    `slowest` has the slowest round trips of each operation, where the run was asked for them. `service_log` has the
    lines that the service wrote during the run, if the run started the service and it wrote any. `service_loss` says
    when and how the service was lost during the run. It is null if the service was there to the end.

    `tests` say whether arrivals came as scheduled, and whether times were independent and steady. `precisions` are
    those that the run was to reach.

    New in load/2: invalid_reason, exceptions. New in load/3: received. New in load/4: receive_clock. New in load/5:
    command, objectives, ended_because, slowest, service_log, service_loss, tests, precisions.
    """

    kind: ClassVar[Kind] = "load"

    schema_: LoadSchema = Field(default=LOAD_SCHEMA, alias="schema")
    datetime: IsoDatetime
    command: str | None = None
    scenario: Scenario
    server: Server | None = None
    generator: Generator
    window: Window
    operations: tuple[Operation, ...]
    timeline: tuple[Second, ...] = ()
    stages: tuple[StageFigures, ...] = ()
    partial: bool = False
    partial_reason: str | None = None
    forced: bool = False
    invalid_reason: str | None = None
    exceptions: tuple[TaskException, ...] = ()
    received: tuple[ReceivedEvent, ...] = ()
    receive_clock: ReceiveClock | None = None
    objectives: tuple[JudgedObjective, ...] = ()
    ended_because: str | None = None
    tests: tuple[RunTest, ...] = ()
    precisions: tuple[Precision, ...] = ()
    slowest: tuple[SlowRoundTrip, ...] = ()
    service_log: ServiceLog | None = None
    service_loss: ServiceLoss | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        labels = [operation.label for operation in self.operations]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"operation {twice[0]} is there twice")
        if self.partial and not self.partial_reason:
            raise ValueError("the result is partial but no partial_reason is given")
        if self.scenario.model == "closed":
            for operation in self.operations:
                if operation.response_us is not None or operation.response_histogram is not None:
                    raise ValueError(f"{operation.name}: a closed load has no response time")
        return self

    @property
    def has_figures(self) -> bool:
        """True if anything was sent beside attempts to connect."""
        return any(operation.sent for operation in self.operations if operation.kind != CONNECT)
