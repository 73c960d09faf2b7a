"""The stored comparison of two revisions: the JSON of `bench ab`.

Rules of this file: data and its invariants only, strict, units in the names. Effects are relative changes from A to B,
ratio - 1, and positive if B takes longer. `log_effects` are natural logarithms of that ratio, for each restart of the
servers in their order. All the other figures can be computed from them again.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from bench.machine.disturbances import Disturbance, Interference
from bench.objectives.model import JudgedObjective
from bench.results.header import WRITTEN, CommitInfo, Header, Histogram, IsoDatetime, NonNegative, without_absent_words
from bench.results.receiving import ReceiveClock, ReceivedClock, Receiving
from bench.results.service_log import ServiceLog
from bench.statistics.verdicts import Verdict

#: The schema that is written. ab/1 lacks the receive clock: there it was the process's.
AB_SCHEMA: Literal["ab/3"] = "ab/3"

AbSchema = Literal["ab/1", "ab/2", "ab/3"]
AB_SCHEMAS: tuple[AbSchema, ...] = ("ab/1", "ab/2", "ab/3")

#: The metrics of a benchmark, all times of a round trip. `p50` and `p99` are of the service time with one in flight.
#: `cpu` is the server's CPU time. `saturated` is the time with many in flight (1 / throughput).
Metric = Literal["p50", "p99", "cpu", "saturated"]

#: The names of the metrics, as people see them; all are times of a round trip.
METRIC_NAMES: dict[Metric, str] = {"p50": "p50", "p99": "p99", "cpu": "server CPU", "saturated": "saturated"}

#: The reason for the end: every interval was narrow enough, the time was spent, or the user pressed Ctrl-C.
StoppedBy = Literal["precision", "time", "interrupt"]

Positive = Annotated[FiniteFloat, Field(gt=0)]


def _without(fields: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


class AbSide(BaseModel):
    """A side: `revision` is as the user named it; `environment` says if its packages were its own or shared.

    `service_log` has the lines that its service wrote while it was measured, in all restarts. The time of a line is
    when its restart ended. It is written only if there are any.

    New in ab/3: service_log.
    """

    model_config = WRITTEN

    revision: str
    label: str
    commit_info: CommitInfo
    environment: Literal["shared", "own"]
    packages: dict[str, str]
    service_log: ServiceLog | None = None

    @model_serializer(mode="wrap")
    def _without_an_absent_log(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        return fields if self.service_log is not None else _without(fields, {"service_log"})

    def with_log(self, log: ServiceLog | None) -> Self:
        """Return the side with what its service wrote."""
        return self.model_copy(update={"service_log": log})


class AbScenarios(BaseModel):
    """The user's file of scenarios. `definitions` are digests of what each benchmark sends and awaits, by its name."""

    model_config = WRITTEN

    file: str
    sha256: str
    definitions: dict[str, str]


class AbSettings(BaseModel):
    """The settings of a comparison. `precision`, `threshold` and `confidence` are relative (0.003 is 0.3 %).

    Each benchmark and restart has `pairs` pairs of bursts of `burst` round trips. Then it has `saturated_pairs` pairs
    of bursts of `saturated_burst` round trips with `in_flight` under way. The cores are null if nothing was pinned.
    """

    model_config = WRITTEN

    #: The ASGI app; null if a command serves.
    app: str | None
    precision: Positive
    threshold: NonNegative
    confidence: Positive
    max_time_s: Positive
    burst: PositiveInt
    pairs: PositiveInt
    saturated_burst: PositiveInt
    saturated_pairs: NonNegativeInt
    in_flight: PositiveInt
    seed: NonNegativeInt
    server_core: NonNegativeInt | None
    generator_core: NonNegativeInt | None
    #: The cores that were kept from halting.
    awake: tuple[NonNegativeInt, ...]
    #: The user's file of scenarios; written only with a file.
    scenarios: AbScenarios | None = None
    #: The command that serves, the command that prepares each revision's folder, and what is linked in it. Each is
    #: written only if it was given.
    command: str | None = None
    prepare: str | None = None
    links: tuple[str, ...] = ()

    @model_serializer(mode="wrap")
    def _without_what_is_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        for name in ("scenarios", "command", "prepare", "links"):
            if not fields.get(name):
                fields.pop(name, None)
        return fields


class AbMetric(BaseModel):
    """A metric of a benchmark. `a_us` and `b_us` are medians over the restarts, in microseconds.

    The interval (`low`, `high`, `half_width`) and the standard error are null if there was a single restart.
    """

    model_config = WRITTEN

    metric: Metric
    a_us: NonNegative
    b_us: NonNegative
    effect: FiniteFloat
    low: FiniteFloat | None
    high: FiniteFloat | None
    half_width: NonNegative | None
    standard_error: NonNegative | None
    verdict: Verdict
    log_effects: tuple[FiniteFloat, ...]

    @model_validator(mode="after")
    def _is_within_its_interval(self) -> Self:
        if self.low is not None and self.high is not None and not self.low <= self.effect <= self.high:
            raise ValueError(f"{self.metric}: the effect {self.effect} is not between {self.low} and {self.high}")
        return self


class AbBenchmark(BaseModel):
    """A round trip and its metrics, p50 first. `reply` is null if the acknowledgement is awaited.

    `received_clock` is the clock that told when replies of both sides were received. It is "kernel" only if the kernel
    told it of all of them. `receiving` says how far these times can be trusted: those of both sides with one in flight.

    `a_histogram` and `b_histogram` have the service times of either side with one in flight, of all restarts.

    New in ab/2: received_clock, receiving. New in ab/3: a_histogram, b_histogram.
    """

    model_config = WRITTEN

    name: Annotated[str, Field(min_length=1)]
    event: str
    reply: str | None
    metrics: Annotated[tuple[AbMetric, ...], Field(min_length=1)]
    received_clock: ReceivedClock = "process"
    receiving: Receiving | None = None
    a_histogram: Histogram | None = None
    b_histogram: Histogram | None = None

    @model_serializer(mode="wrap")
    def _without_what_an_older_result_lacks(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        lacking = {"received_clock", "receiving", "a_histogram", "b_histogram"} - self.model_fields_set
        return _without(handler(self), lacking)


class AbResult(Header):
    """A comparison of two revisions. `commit_info` is that of B, the commit in question.

    `restarts` counts the pairs of server processes, and `notes` tell about the two revisions. `spoilers` are the
    disturbances. `receive_clock` tells of the clock of receive times. `objectives` are those of the candidate, as they
    were judged; they are written only if there are some. `command` is the command that compared, as a shell takes it,
    with `...` for secrets.

    New in ab/2: receive_clock. New in ab/3: objectives, command.
    """

    kind: ClassVar[Literal["ab"]] = "ab"

    schema_: AbSchema = Field(default=AB_SCHEMA, alias="schema")
    datetime: IsoDatetime
    a: AbSide
    b: AbSide
    settings: AbSettings
    restarts: PositiveInt
    duration_s: NonNegative
    stopped_by: StoppedBy
    benchmarks: Annotated[tuple[AbBenchmark, ...], Field(min_length=1)]
    notes: tuple[str, ...] = ()
    spoilers: tuple[Disturbance, ...] = ()
    interference: Interference
    receive_clock: ReceiveClock | None = None
    objectives: tuple[JudgedObjective, ...] = ()
    command: str | None = None

    @model_serializer(mode="wrap")
    def _without_what_an_older_result_lacks(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        lacking = {"receive_clock", "objectives", "command"} - self.model_fields_set
        return without_absent_words(_without(handler(self), lacking))

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        names = [benchmark.name for benchmark in self.benchmarks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"benchmark {twice[0]} is there twice")
        for benchmark in self.benchmarks:
            for metric in benchmark.metrics:
                count = len(metric.log_effects)
                if count != self.restarts:
                    raise ValueError(f"{benchmark.name} {metric.metric}: {count} effects of {self.restarts} restarts")
        return self

    @property
    def slower(self) -> tuple[str, ...]:
        """The metrics that became slower, in words: "event p50"."""
        return tuple(
            f"{benchmark.name} {METRIC_NAMES[metric.metric]}"
            for benchmark in self.benchmarks
            for metric in benchmark.metrics
            if metric.verdict == "slower"
        )
