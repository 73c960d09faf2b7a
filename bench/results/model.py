"""What stored results hold: the load result that we write, and what we read of pytest-benchmark's latency result.

Rules of this file: data and its invariants only, no files, no clock. What we write is strict (no unknown field, no
coercion when read back) and its accounting is checked wherever it is built, so a result whose counts do not add up
cannot be stored. What pytest-benchmark writes is read leniently: we take what we use and ignore the rest. Units are in
the names; pytest-benchmark's own statistics are in seconds, and properties give them in microseconds.
"""

import base64
import binascii
import datetime as dt
import itertools
import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    NonNegativeInt,
    PositiveInt,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    field_serializer,
    model_serializer,
    model_validator,
)

from bench.results.spoilers import Spoiler

WRITTEN = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

Kind = Literal["latency", "load"]
"""The two kinds of stored result, and the names of their folders."""

KINDS: tuple[Kind, ...] = ("latency", "load")

LOAD_SCHEMA: Literal["load/2"] = "load/2"
"""The schema that is written. `load/1` lacks the fields that are documented as new; all else of it is still read."""

LoadSchema = Literal["load/1", "load/2"]
LOAD_SCHEMAS: tuple[LoadSchema, ...] = ("load/1", "load/2")

CONNECT = "connect"
"""The operation that every user performs before any round trip."""

MOST_OPERATIONS = 200
"""The number of operations that have a row of their own. A task that names each one differently would fill the
memory."""

OTHER_OPERATIONS = "other operations"
"""The row of all operations that come after these, together."""

NonNegative = Annotated[FiniteFloat, Field(ge=0)]

_HISTOGRAM_V2 = b"\x1c\x84\x93\x14"  # the cookie that a compressed HdrHistogram of version 2 begins with


def _histogram(encoded: str) -> str:
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from None
    if not decoded.startswith(_HISTOGRAM_V2):
        raise ValueError("not an HdrHistogram in V2 form")
    return encoded


Histogram = Annotated[str, AfterValidator(_histogram)]
"""An HdrHistogram of nanoseconds in the standard V2 form: compressed, base64."""


# --- the environment, as pytest-benchmark writes it -----------------------------------------------------------------


class CommitInfo(BaseModel):
    """The commit of the repository that holds the service, with pytest-benchmark's fields.

    `id` is the full hash, "unversioned" outside of a repository, or "unknown" where git could not tell; `error` then
    says why, and is written only then. `dirty` means uncommitted changes to tracked files.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = "unknown"
    time: str | None = None
    author_time: str | None = None
    dirty: bool = False
    project: str | None = None
    branch: str | None = None
    error: str | None = None

    @model_serializer(mode="wrap")
    def _without_absent_error(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        if fields.get("error") is None:
            fields.pop("error", None)
        return fields


class MachineInfo(BaseModel):
    """The machine and its Python, with pytest-benchmark's fields and whatever a plugin added to them."""

    model_config = ConfigDict(frozen=True, extra="allow")

    node: str = ""
    processor: str = ""
    machine: str = ""
    python_compiler: str = ""
    python_implementation: str = ""
    python_implementation_version: str = ""
    python_version: str = ""
    python_build: tuple[str, ...] = ()
    release: str = ""
    system: str = ""
    cpu: dict[str, JsonValue] = {}


# --- the load result ------------------------------------------------------------------------------------------------


class UserStep(BaseModel):
    """The number of users that was asked for from a moment on: `users` Socket.IO users from second `t` of the run."""

    model_config = WRITTEN

    t: NonNegative
    users: NonNegativeInt


class Scenario(BaseModel):
    """The load that was asked for. All about rates is null in a closed load, `duration_s` if none was set.

    `users` is the greatest number of Socket.IO users that was asked for at once. `users_by_class` has every class of
    the run, Locust's other users included. `user_steps` is empty if the number of users never changed.

    `rate_per_s` is over all users. If `rate` has stages, it is the average of the whole schedule. If each user has a
    rate of its own, `rate` is null, and `rate_per_s` is that of as many users as there were at the end. From `seed` the
    same arrivals can be drawn.

    In an open load, `pipelined` names the classes whose tasks may overlap on one connection. A user of another class
    takes an arrival only when it has no task under way. An arrival waits at most `max_wait_s` for such a user.
    `pipelined` is null in results of the schema load/1, where all tasks overlapped, and in a closed load.

    New in load/2: users_by_class, user_steps, pipelined, max_wait_s.
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
    """How the service was started and what it used; only when it was ours. `cpu_share` is of one core (1.0 = full)."""

    model_config = WRITTEN

    app: str
    loop: str | None = None
    http: str | None = None
    ws: str | None = None
    core: NonNegativeInt | None = None
    cpu_us_per_round_trip: NonNegative | None = None
    cpu_share: NonNegative | None = None
    rss_peak_bytes: NonNegativeInt | None = None


class Lateness(BaseModel):
    """By how much the generator was behind its schedule, in microseconds."""

    model_config = WRITTEN

    p50: NonNegative
    p99: NonNegative
    max: NonNegative


class Trust(BaseModel):
    """The verdict on whether a generator's report can be believed, and its evidence, over the steady window.

    `cpu_share` is of one core. `send_lateness_us` is from intended to sent, without the time in which no user was free;
    it is null in a closed load. `loop_lag_us` is the time that anything that wakes the loop waits for its turn.
    `queueing_us` is how long replies, once read, waited for their task. `waited_for_user_share` is the share of the
    arrivals for which no user was free at first, and `waited_for_user_us` how long these waited. Both are null if all
    users are pipelined, and in a closed load. Such a wait is the scenario's, which has too few users, and does not make
    a generator saturated. `verdict` is null if none was reached. `reason` says why it is "saturated",
    `saturated_since_s` from which second of the run on.

    New in load/2: waited_for_user_share, waited_for_user_us.
    """

    model_config = WRITTEN

    cpu_share: NonNegative | None = None
    send_lateness_us: Lateness | None = None
    loop_lag_us: Lateness | None = None
    queueing_us: Lateness | None = None
    waited_for_user_share: NonNegative | None = None
    waited_for_user_us: Lateness | None = None
    verdict: Literal["ok", "saturated"] | None = None
    reason: str | None = None
    saturated_since_s: NonNegative | None = None

    @model_validator(mode="after")
    def _saturation_has_a_reason(self) -> Self:
        if self.verdict == "saturated" and not self.reason:
            raise ValueError("the verdict is saturated but no reason is given")
        return self


class Generator(Trust):
    """What the load generator itself used, and whether it can be believed.

    `cpu_share` is the busiest process's, the other times are over all processes. One process that is saturated makes
    the whole generator so.
    """

    processes: PositiveInt
    cpu_us_per_round_trip: NonNegative | None = None
    per_process: tuple[Trust, ...] = ()


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
        """Length of the window in seconds."""
        return self.end_s - self.start_s


class Distribution(BaseModel):
    """A distribution of times in microseconds, over the steady window.

    A figure is null if it falls into the censored share (timeouts, errors, drops, unfinished). If there were timeouts,
    it is known to lie above their limit, `censored_above_us`. Otherwise it is only known to fall among the failures. In
    load/1 the limit may also be the longest time seen. What was never observed at all has no Distribution but null in
    its place.
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
    """A part of an operation's service time, over the steady window: of the replies whose server told of it."""

    model_config = WRITTEN

    name: LegName
    times_us: Distribution
    histogram: Histogram


class Operation(BaseModel):
    """The account of one operation over the whole run, and its times over the steady window.

    scheduled = sent + dropped, and sent = ok + timeouts + errors + unfinished. For the operation that connects, sent
    counts the attempts. `late` replies belong to emissions that are counted already, as timeouts.

    `dropped` are emissions that were wanted and not sent, in a closed load as well; `dropped_because` counts them by
    reason. `error_replies` counts successes whose reply is an object with an `error` key. `unexpected` counts replies
    that came while no emission waited for them. If replies are matched by their order, the matching is broken then.

    `times_of` is "run" if the times are of the whole run. They are for the operation that connects, and for what was
    only performed outside of the window. It is null if there are no times, and in load/1, where only connecting has the
    run's.

    New in load/2: dropped_because, error_replies, unexpected, times_of.
    """

    model_config = WRITTEN

    name: Annotated[str, Field(min_length=1)]
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
    throughput_per_s: NonNegative | None = None
    times_of: Literal["window", "run"] | None = None
    service_us: Distribution | None = None
    response_us: Distribution | None = None
    service_histogram: Histogram | None = None
    response_histogram: Histogram | None = None
    breakdown: tuple[Leg, ...] = ()

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
    def error_count(self) -> int:
        """Errors of all kinds."""
        return sum(self.errors.values())

    @property
    def failed(self) -> int:
        """Everything that was scheduled and did not end well: dropped, timed out, in error, unfinished."""
        return self.scheduled - self.ok


class SecondTimes(BaseModel):
    """The times of one operation's replies that were received in one second."""

    model_config = WRITTEN

    name: str
    service_histogram: Histogram
    response_histogram: Histogram | None = None


class Second(BaseModel):
    """One second of the run: `t` in seconds since its start, counts of that second, shares of one core.

    `p50_us` and `p99_us` are of all replies received in it, of the response time in an open load, else of the service
    time. `operations` has their distributions; the one that connects is not among them.
    """

    model_config = WRITTEN

    t: NonNegative
    users: NonNegativeInt
    sent: NonNegativeInt
    ok: NonNegativeInt
    failed: NonNegativeInt
    dropped: NonNegativeInt = 0
    p50_us: NonNegative | None = None
    p99_us: NonNegative | None = None
    server_cpu_share: NonNegative | None = None
    generator_cpu_share: NonNegative | None = None
    send_lateness_p99_us: NonNegative | None = None
    loop_lag_p99_us: NonNegative | None = None
    operations: tuple[SecondTimes, ...] = ()


class StageFigures(BaseModel):
    """One stage of the rate: a point of the latency-throughput curve. Counts and times are of its whole seconds.

    Times are response times of all operations together; a figure is null where it falls among what failed or was
    dropped.
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


class TaskException(BaseModel):
    """An exception that a user's own code raised: its text with its type, and how often it was raised."""

    model_config = WRITTEN

    text: str
    count: PositiveInt


class LoadResult(BaseModel):
    """The result of a load run. Its JSON form is `to_json`; `bench.results.store` reads it back.

    `partial` means that figures are missing, such as a worker's; `partial_reason` says which. `forced` means that the
    run was ended without awaiting the outstanding replies. `invalid_reason` says why the figures are wrong, such as
    replies that were matched with emissions to which they do not belong. `exceptions` are those of tasks.

    New in load/2: invalid_reason, exceptions.
    """

    model_config = WRITTEN
    kind: ClassVar[Kind] = "load"

    schema_: LoadSchema = Field(default=LOAD_SCHEMA, alias="schema")
    datetime: AwareDatetime
    commit_info: CommitInfo
    machine_info: MachineInfo
    packages: dict[str, str]
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

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        names = [operation.name for operation in self.operations]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"operation {twice[0]} is there twice")
        if self.partial and not self.partial_reason:
            raise ValueError("the result is partial but no partial_reason is given")
        if self.scenario.model == "closed":
            for operation in self.operations:
                if operation.response_us is not None or operation.response_histogram is not None:
                    raise ValueError(f"{operation.name}: a closed load has no response time")
        return self

    @field_serializer("datetime")
    def _as_pytest_benchmark_writes_it(self, value: dt.datetime) -> str:
        return value.isoformat()

    def to_json(self) -> bytes:
        """The result as it is stored: indented UTF-8 JSON."""
        return self.model_dump_json(by_alias=True, indent=2).encode() + b"\n"


# --- what we read of pytest-benchmark's latency result --------------------------------------------------------------


class LatencyStats(BaseModel):
    """pytest-benchmark's statistics of one benchmark. All times are in **seconds**, `ops` is per second."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    min: FiniteFloat
    max: FiniteFloat
    mean: FiniteFloat
    median: FiniteFloat
    rounds: int
    stddev: float | None = None
    iqr: float | None = None
    q1: float | None = None
    q3: float | None = None
    ops: float | None = None


ControlKind = Literal["same-stack", "bare"]
"""The controls: a trivial service on the same stack and with the same options, and the echo server without a stack."""

_READ = ConfigDict(frozen=True, extra="ignore")


class TimedServer(BaseModel):
    """What was timed with one server. CPU time is the server's, null where it is not known."""

    model_config = _READ

    median_us: NonNegative
    p99_us: NonNegative
    rounds: PositiveInt
    server_cpu_us_per_round_trip: NonNegative | None = None


class TimedProcess(TimedServer):
    """The same of a server process that was started for it: its hash seed, and by how much its environment was padded.

    `warm_up_round_trips` went before and are in no figure; `steady` says whether they became steady by the rule of
    `bench.interleave.warm_up`, or only reached its limit.
    """

    hash_seed: NonNegativeInt
    environment_bytes: NonNegativeInt
    warm_up_round_trips: NonNegativeInt
    steady: bool


class ReplicateProcess(TimedProcess):
    """One process of the service, the unit of replication, and the control process that was timed beside it.

    `log_ratio` is the median, over adjacent bursts of round trips with the service and with a control, of the natural
    logarithm of the ratio of their medians, service / control; `pairs` says of how many. Null where there is no such
    control.
    """

    control: TimedProcess | None
    log_ratio: dict[ControlKind, FiniteFloat | None]
    pairs: dict[ControlKind, NonNegativeInt]


class ControlFigures(TimedServer):
    """All round trips with one control together; `sha256` is that of the frozen control's source, null for the bare."""

    processes: PositiveInt
    sha256: str | None


class BetweenProcesses(BaseModel):
    """How the processes of one benchmark differ; null where there are less than two of them, or no such control.

    `median_cv` is the coefficient of variation of their medians, `log_ratio_sd` the standard deviation of their log
    ratios, both with n - 1.
    """

    model_config = _READ

    median_cv: NonNegative | None
    log_ratio_sd: dict[ControlKind, NonNegative | None]


class KeptAwake(BaseModel):
    """Which cores were kept from halting, and why that is not all that were used."""

    model_config = _READ

    cores: tuple[NonNegativeInt, ...]
    asleep_because: str | None = None


_PROCESSES = TypeAdapter(tuple[ReplicateProcess, ...])
_CONTROLS = TypeAdapter(dict[ControlKind, ControlFigures | None])
_SPOILERS = TypeAdapter(tuple[Spoiler, ...])


class LatencyBenchmark(BaseModel):
    """One benchmark of a latency result. What pytest-benchmark has no field for lies in `extra_info`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    fullname: str
    group: str | None = None
    params: dict[str, Any] | None = None
    extra_info: dict[str, Any] = {}
    stats: LatencyStats

    @model_validator(mode="after")
    def _says_what_we_store(self) -> Self:
        """What the properties below read has its form, so that a damaged file is refused when it is read."""
        try:
            _ = self.processes, self.controls, self.between_processes, self.spoilers, self.awake
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"extra_info of {self.name} is damaged: {where}: {first['msg']}") from None
        return self

    @property
    def p99_us(self) -> float | None:
        """The 99th percentile in microseconds, from `extra_info["p99_us"]` if it is there."""
        value = self.extra_info.get("p99_us")
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None

    @property
    def is_illustrative(self) -> bool:
        """Whether the server ran in the client's own loop: it shows a cost, and is not to be compared."""
        return self.extra_info.get("illustrative") is True

    @property
    def processes(self) -> tuple[ReplicateProcess, ...]:
        """The processes of the service, one figure each; empty where there was none to start (see `unreplicated`)."""
        return _PROCESSES.validate_python(self.extra_info.get("processes") or ())

    @property
    def controls(self) -> dict[ControlKind, ControlFigures | None]:
        """What was timed with the controls, null where there was no such control; empty where none was heard of."""
        return _CONTROLS.validate_python(self.extra_info.get("controls") or {})

    @property
    def between_processes(self) -> BetweenProcesses | None:
        """How the processes differ; null where there was none to start."""
        stored = self.extra_info.get("between_processes")
        return None if stored is None else BetweenProcesses.model_validate(stored)

    def ratio_to(self, kind: ControlKind) -> float | None:
        """Median round trip over the control's: the geometric mean over the processes; null without that control."""
        ratios = [ratio for process in self.processes if (ratio := process.log_ratio.get(kind)) is not None]
        return math.exp(math.fsum(ratios) / len(ratios)) if ratios else None

    @property
    def unreplicated(self) -> str | None:
        """Why there are neither processes nor controls; null where there are, or nothing is said of it."""
        reason = self.extra_info.get("unreplicated")
        return reason if isinstance(reason, str) else None

    @property
    def spoilers(self) -> tuple[Spoiler, ...]:
        """What may have spoilt the measurement; empty also where nothing was looked for (older results)."""
        return _SPOILERS.validate_python(self.extra_info.get("spoilers") or ())

    @property
    def awake(self) -> KeptAwake | None:
        """Which cores were kept from halting; null where nothing is said of it."""
        stored = self.extra_info.get("awake")
        return None if stored is None else KeptAwake.model_validate(stored)

    @property
    def server_cpu_us_per_round_trip(self) -> float | None:
        """CPU time of the server per round trip, in microseconds; null where it is not known."""
        value = self.extra_info.get("server_cpu_us_per_round_trip")
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None

    @property
    def histogram(self) -> str | None:
        """All round trips that pytest-benchmark's statistics are of, as an HdrHistogram in V2 form; null without."""
        value = self.extra_info.get("histogram")
        return value if isinstance(value, str) else None


def _in_utc(value: dt.datetime) -> dt.datetime:
    return value if value.tzinfo else value.replace(tzinfo=dt.UTC)  # pytest-benchmark before 5.0 wrote naive UTC


class LatencyResult(BaseModel):
    """A `pytest bench` session as pytest-benchmark stored it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    kind: ClassVar[Kind] = "latency"

    datetime: Annotated[dt.datetime, AfterValidator(_in_utc)]
    version: str
    commit_info: CommitInfo
    machine_info: MachineInfo
    benchmarks: tuple[LatencyBenchmark, ...]

    @property
    def packages(self) -> dict[str, str]:
        """Versions of what was measured, from the benchmarks' `extra_info["packages"]`; empty where none has any."""
        found: dict[str, str] = {}
        for benchmark in self.benchmarks:
            packages = benchmark.extra_info.get("packages")
            if isinstance(packages, dict):
                found.update({str(name): str(version) for name, version in packages.items()})
        return found


Result = LoadResult | LatencyResult
