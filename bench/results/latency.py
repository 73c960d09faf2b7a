"""The stored result of `pytest bench`: what we read of pytest-benchmark's JSON, and what we add to it.

Rules of this file: data and its invariants only, no files, no clock. What pytest-benchmark writes is read leniently: we
take what we use and ignore the rest. Its own statistics are in seconds, and properties give them in microseconds.
"""

import datetime as dt
import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from bench.machine.disturbances import Spoiler
from bench.results.header import CommitInfo, Kind, MachineInfo, NonNegative


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
