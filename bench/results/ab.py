"""What a stored comparison of two revisions holds: the JSON of `bench ab`.

Rules of this file: data and its invariants only, strict, units in the names. Effects are
relative changes from A to B, ratio - 1, and positive where B takes longer. `log_effects` are natural logarithms of that
ratio, one for each restart of the servers and in their order: all the other figures can be found from them again.
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
from bench.results.header import WRITTEN, CommitInfo, Header, IsoDatetime, NonNegative
from bench.statistics.verdicts import Verdict

AB_SCHEMA: Literal["ab/1"] = "ab/1"

#: What is compared of a benchmark, each a time of one round trip: median and 99th percentile of the service time with
#: one in flight, CPU time of the server, and the time that one takes with many in flight (1 / throughput).
Metric = Literal["p50", "p99", "cpu", "saturated"]

#: Why no more was measured: every interval was as narrow as asked, the time was spent, or the user had enough.
StoppedBy = Literal["precision", "time", "interrupt"]

Positive = Annotated[FiniteFloat, Field(gt=0)]


class AbSide(BaseModel):
    """One of the two revisions. `revision` is as the user named it, `environment` whose packages it ran with."""

    model_config = WRITTEN

    revision: str
    label: str
    commit_info: CommitInfo
    environment: Literal["shared", "own"]
    packages: dict[str, str]


class AbScenarios(BaseModel):
    """The user's file of scenarios. `definitions` are digests of what each benchmark sends and awaits, by its name."""

    model_config = WRITTEN

    file: str
    sha256: str
    definitions: dict[str, str]


class AbSettings(BaseModel):
    """What was asked for and how it was measured. `precision` and `threshold` are relative (0.003 is 0.3 %).

    `pairs` of bursts of `burst` round trips for each benchmark and restart, `saturated_pairs` of `saturated_burst` with
    `in_flight` under way. The cores are null where nothing could be pinned.
    """

    model_config = WRITTEN

    app: str
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
    #: The user's file of scenarios; written only if there was one.
    scenarios: AbScenarios | None = None

    @model_serializer(mode="wrap")
    def _without_absent_file(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        if fields.get("scenarios") is None:
            fields.pop("scenarios", None)
        return fields


class AbMetric(BaseModel):
    """One metric of one benchmark. `a_us` and `b_us` are medians over the restarts, in microseconds.

    The interval (`low`, `high`, `half_width`) and what it is made of are null where there was a single restart.
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
    """One round trip, and what was compared of it; p50 first. `reply` is null where the acknowledgement is awaited."""

    model_config = WRITTEN

    name: Annotated[str, Field(min_length=1)]
    event: str
    reply: str | None
    metrics: Annotated[tuple[AbMetric, ...], Field(min_length=1)]


class AbResult(Header):
    """One comparison of two revisions. `commit_info` is B's: the commit that the question is about.

    `restarts` counts the pairs of server processes, and `notes` are the things to know about the two revisions.
    """

    kind: ClassVar[Literal["ab"]] = "ab"

    schema_: Literal["ab/1"] = Field(default=AB_SCHEMA, alias="schema")
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
        """What became slower, in words: "event p50"."""
        return tuple(
            f"{benchmark.name} {metric.metric}"
            for benchmark in self.benchmarks
            for metric in benchmark.metrics
            if metric.verdict == "slower"
        )
