"""The stored result of `pytest bench`: the part of pytest-benchmark's JSON that we read, and our additions to it.

Rules of this file: data and its invariants only, no files, no clock. The models read pytest-benchmark's fields
leniently: they take the fields that we use and ignore the rest. Its own statistics are in seconds.
"""

import datetime as dt
import math
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    Strict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_serializer,
    model_validator,
)

from bench.machine.conditions import Conditions
from bench.machine.disturbances import Disturbance, Interference
from bench.objectives.model import JudgedObjective
from bench.results.header import CommitInfo, Kind, MachineInfo, NonNegative
from bench.results.receiving import ReceiveClock, ReceivedClock, Receiving
from bench.results.service_log import ServiceLog
from bench.statistics.percentiles import is_greatest


class LatencyStats(BaseModel):
    """pytest-benchmark's statistics of a benchmark. All times are in **seconds**, `ops` is per second."""

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


T = TypeVar("T")


def _or_unknown(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return None


#: A field that is None if the file has something else in it. `extra_info` belongs to everybody: another plugin or a
#: user's own benchmark may have written there under the same name.
Unclaimed = Annotated[T | None, WrapValidator(_or_unknown)]

#: The controls: a trivial service on the same stack and with the same options, and the echo server without a stack.
ControlKind = Literal["same-stack", "bare"]

#: The configuration of models that are read leniently.
_READ = ConfigDict(frozen=True, extra="ignore")


class TimedServer(BaseModel):
    """The figures of a server. CPU time is the server's, null if it is not known."""

    model_config = _READ

    median_us: NonNegative
    p99_us: NonNegative
    rounds: PositiveInt
    server_cpu_us_per_round_trip: NonNegative | None = None


class TimedProcess(TimedServer):
    """The figures of a server process that was started for the benchmark, with its seed.

    `environment_bytes` is the padding of its environment. `warm_up_round_trips` went before and are in no figure.
    `steady` is true if they became steady by the rule of `bench.interleave.warm_up`, false if they reached its limit.
    """

    hash_seed: NonNegativeInt
    environment_bytes: NonNegativeInt
    warm_up_round_trips: NonNegativeInt
    steady: bool


class ReplicateProcess(TimedProcess):
    """A process of the service, the unit of replication, and the control process that was timed beside it.

    Each burst with the service stands beside a burst with a control. The logarithm of a pair is the natural logarithm
    of the ratio of their medians, service / control. `log_ratio` is the median of these logarithms, and `pairs` is
    their number. They are null, and 0, without this control.
    """

    control: TimedProcess | None
    log_ratio: dict[ControlKind, FiniteFloat | None]
    pairs: dict[ControlKind, NonNegativeInt]


class ControlFigures(TimedServer):
    """The figures of all round trips with a control; `sha256` is of the frozen control's source, null for the bare.

    `histogram` has these round trips, in V2 form; null in older results.
    """

    processes: PositiveInt
    sha256: str | None
    histogram: Unclaimed[str] = None

    @model_serializer(mode="wrap")
    def _without_absent_histogram(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        if fields.get("histogram") is None:
            fields.pop("histogram", None)
        return fields


class BetweenProcesses(BaseModel):
    """The differences between a benchmark's processes; null if there are fewer than two, or without that control.

    `median_cv` is the coefficient of variation of their medians, `log_ratio_sd` the standard deviation of their log
    ratios, both with n - 1.
    """

    model_config = _READ

    median_cv: NonNegative | None
    log_ratio_sd: dict[ControlKind, NonNegative | None]


class KeptAwake(BaseModel):
    """The cores that were kept from halting, and the reason if these are not all the used cores."""

    model_config = _READ

    cores: tuple[NonNegativeInt, ...]
    asleep_because: str | None = None


class WarmUp(BaseModel):
    """The round trips before the measurement; `steady` is true if they became steady."""

    model_config = _READ

    round_trips: NonNegativeInt | None = None
    steady: bool = True


_Number = Annotated[FiniteFloat, Strict()]
_Flag = Annotated[bool, Strict()]


class ScenarioSource(BaseModel):
    """The user's file of a scenario, and a digest of the events that the scenario sends and awaits."""

    model_config = _READ

    file: str
    sha256: str
    definition: str


class FailedBenchmark(BaseModel):
    """A benchmark that failed, so that it has no figures, and the reason in a line."""

    model_config = _READ

    name: str
    reason: str


class LatencyDetails(BaseModel):
    """The details of a benchmark of ours in `extra_info`: its settings, its figures, its disturbances.

    A benchmark writes it in parts, as it comes to know them (`written`). A reader takes all of it from a stored file. A
    field is None, or empty, if the file lacks it, as in older results and in those of other tools.

    `http`, `ws` and the cores are null if the server is not ours. An `illustrative` benchmark has the server in the
    client's own loop. It shows the software's cost without a second process, and is not to be compared. `processes` are
    those of the service; `unreplicated` says why there are none, and no controls. `histogram` has the round trips of
    pytest-benchmark's statistics, in V2 form. `spoilers` are the disturbances. `scenario` is there for a scenario of a
    user's file, `payload_sha256` for an event that was given a payload on the command line.

    `received_clock` is the clock that told when the replies were received, of the service and of the controls. It is
    "kernel" only if the kernel told it of all of them. `receiving` is of the service's replies alone. `objectives` are
    those that speak of the benchmark, as they were judged.

    `trace_context` is the field of each emission's data that had a W3C trace context; null without.

    `labels` and `note` are what the user gave to the whole result. All its benchmarks have them. `service_log` is of
    the whole result, too: what the processes of the service wrote in all benchmarks. So is `command`, the command that
    measured, as a shell takes it, with `...` for secrets. So are `failures`, the benchmarks that have no figures. The
    first benchmark has all three.
    """

    model_config = _READ

    service: Unclaimed[str] = None
    event: Unclaimed[str] = None
    reply: Unclaimed[str] = None
    payload_sha256: Unclaimed[str] = None
    matched_by: Unclaimed[str] = None
    client: Unclaimed[str] = None
    transport: Unclaimed[str] = None
    server: Unclaimed[str] = None
    loop: Unclaimed[str] = None
    http: Unclaimed[str] = None
    ws: Unclaimed[str] = None
    server_core: Unclaimed[int] = None
    generator_cores: Unclaimed[tuple[int, ...]] = None
    reply_timeout_s: Unclaimed[float] = None
    illustrative: Unclaimed[_Flag] = None
    packages: Unclaimed[dict[str, str]] = None
    p99_us: Unclaimed[_Number] = None
    histogram: Unclaimed[str] = None
    server_cpu_us_per_round_trip: Unclaimed[_Number] = None
    processes: tuple[ReplicateProcess, ...] | None = None
    between_processes: BetweenProcesses | None = None
    controls: dict[ControlKind, ControlFigures | None] | None = None
    unreplicated: Unclaimed[str] = None
    replies: Unclaimed[int] = None
    error_replies: Unclaimed[int] = None
    burst_round_trips: Unclaimed[int] = None
    warm_up: Unclaimed[WarmUp] = None
    awake: KeptAwake | None = None
    conditions: Unclaimed[Conditions] = None
    interference: Unclaimed[Interference] = None
    spoilers: tuple[Disturbance, ...] | None = None
    bias_us: Unclaimed[_Number] = None
    scenario: Unclaimed[ScenarioSource] = None
    received_clock: Unclaimed[ReceivedClock] = None
    receiving: Unclaimed[Receiving] = None
    receive_clock: Unclaimed[ReceiveClock] = None
    objectives: Unclaimed[tuple[JudgedObjective, ...]] = None
    trace_context: Unclaimed[str] = None
    service_log: Unclaimed[ServiceLog] = None
    command: Unclaimed[str] = None
    failures: Unclaimed[tuple[FailedBenchmark, ...]] = None
    labels: Unclaimed[dict[str, str]] = None
    note: Unclaimed[str] = None

    @property
    def clock(self) -> ReceivedClock:
        """The clock that told when replies were received: this process's own in older results."""
        return self.received_clock or "process"

    def written(self) -> dict[str, Any]:
        """Return the fields that were given, in the form in which `extra_info` has them."""
        fields = self.model_dump(mode="json")
        return {name: value for name, value in fields.items() if name in self.model_fields_set}


class LatencyBenchmark(BaseModel):
    """A benchmark of a latency result. `extra_info` has the data for which pytest-benchmark has no field."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    fullname: str
    group: str | None = None
    params: dict[str, Any] | None = None
    extra_info: dict[str, Any] = {}
    stats: LatencyStats
    _read: tuple[dict[str, Any], LatencyDetails] | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _says_what_we_store(self) -> Self:
        """Refuse a damaged file when it is read, and not when its details are asked for."""
        try:
            _ = self.details
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"extra_info of {self.name} is damaged: {where}: {first['msg']}") from None
        return self

    @property
    def details(self) -> LatencyDetails:
        """The part of `extra_info` that is ours."""
        if self._read is None or self._read[0] is not self.extra_info:  # a copy may have another one
            self._read = (self.extra_info, LatencyDetails.model_validate(self.extra_info))
        return self._read[1]

    @property
    def p99_us(self) -> float | None:
        """The 99th percentile in microseconds; null if it is not known."""
        return self.details.p99_us

    @property
    def is_p99_longest(self) -> bool:
        """True if there were so few round trips that the 99th percentile is the longest of them."""
        return is_greatest("p99", self.stats.rounds)

    @property
    def is_illustrative(self) -> bool:
        """True if the server ran in the client's own loop: it shows a cost, and is not to be compared."""
        return self.details.illustrative is True

    @property
    def processes(self) -> tuple[ReplicateProcess, ...]:
        """The processes of the service; empty if there was none to start (see `unreplicated`)."""
        return self.details.processes or ()

    @property
    def controls(self) -> dict[ControlKind, ControlFigures | None]:
        """The figures of the controls, null for a control that was absent; empty if the file tells of none."""
        return self.details.controls or {}

    @property
    def between_processes(self) -> BetweenProcesses | None:
        """The differences between the processes; null if there was none to start."""
        return self.details.between_processes

    def ratio_to(self, kind: ControlKind) -> float | None:
        """Return the median round trip over the control's, as geometric mean of the processes; None without it."""
        ratios = [ratio for process in self.processes if (ratio := process.log_ratio.get(kind)) is not None]
        return math.exp(math.fsum(ratios) / len(ratios)) if ratios else None

    @property
    def unreplicated(self) -> str | None:
        """The reason for neither processes nor controls; null if there are some, or if the file does not tell."""
        return self.details.unreplicated

    @property
    def spoilers(self) -> tuple[Disturbance, ...]:
        """The disturbances; empty also for older results, in which nobody looked for any."""
        return self.details.spoilers or ()

    @property
    def awake(self) -> KeptAwake | None:
        """The cores that were kept from halting; null if the file does not tell."""
        return self.details.awake

    @property
    def server_cpu_us_per_round_trip(self) -> float | None:
        """CPU time of the server per round trip, in microseconds; null if it is not known."""
        return self.details.server_cpu_us_per_round_trip

    @property
    def objectives(self) -> tuple[JudgedObjective, ...]:
        """The objectives that speak of it, as they were judged; empty also for older results."""
        return self.details.objectives or ()

    @property
    def histogram(self) -> str | None:
        """The round trips of pytest-benchmark's statistics, as an HdrHistogram in V2 form; null if there is none."""
        return self.details.histogram


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
        """The versions of the packages, from all benchmarks; empty if none tells any."""
        found: dict[str, str] = {}
        for benchmark in self.benchmarks:
            found.update(benchmark.details.packages or {})
        return found

    @property
    def service_log(self) -> ServiceLog | None:
        """The lines that the service wrote in all benchmarks; None if it wrote none, or if they are not known."""
        return next((found for each in self.benchmarks if (found := each.details.service_log)), None)

    @property
    def failures(self) -> tuple[FailedBenchmark, ...]:
        """The benchmarks of the session that failed; empty also for older results."""
        return next((found for each in self.benchmarks if (found := each.details.failures)), ())

    @property
    def command(self) -> str | None:
        """The command that measured, without secrets; None in older results."""
        return next((found for each in self.benchmarks if (found := each.details.command)), None)

    @property
    def labels(self) -> dict[str, str]:
        """The labels that the user gave to the result."""
        return next((found for each in self.benchmarks if (found := each.details.labels)), {})

    @property
    def note(self) -> str | None:
        """The note that the user gave to the result; None without."""
        return next((found for each in self.benchmarks if (found := each.details.note)), None)
