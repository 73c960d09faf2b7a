"""The settings under which a result was measured: a list for each kind, for all commands that compare results.

Rules of this file: a setting is read from a result only here. A difference in a setting has a consequence for each
command: `in_comparison` is that of `bench compare`, `splits` that of `bench trend`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Literal, TypeVar

from bench.results.latency import LatencyBenchmark
from bench.results.load import ROUND_TRIP, LoadResult, Operation
from bench.results.receiving import ReceivedClock
from bench.server.options import UVICORN_OPTIONS

T = TypeVar("T")

#: The consequence of a difference for a comparison: the comparison is void, or only says that there is a difference. If
#: the control differs, it is void if its effects are of ratios to that control.
Consequence = Literal["void", "said", "other control"]

Values = Mapping[str, object]


@dataclass(frozen=True)
class Setting(Generic[T]):
    """A setting: its name, the way to read it, and the consequence if two results differ in it.

    `splits` means that a trend puts these results into two series. `in_title` is the name in a series' title, and
    `unknown` the value that a comparison shows if a result does not tell it. `remedy` says how to measure so that both
    results agree, if that needs saying.
    """

    name: str
    read: Callable[[T], object]
    in_comparison: Consequence = "void"
    splits: bool = True
    in_title: str = ""
    unknown: str = "none"
    remedy: str = ""


#: The way to results with the same receive clock.
SAME_CLOCK = "--process-clock measures with the process's clock, as older versions do"

#: The name of the setting that says whose clock told when replies were received.
CLOCK = "received clock"


def values_of(settings: Sequence[Setting[T]], measured: T, consequence: Consequence) -> Values:
    """Return the values of the settings that have this consequence for a comparison."""
    read = ((setting, setting.read(measured)) for setting in settings if setting.in_comparison == consequence)
    return {setting.name: setting.unknown if value is None else value for setting, value in read}


def series_of(settings: Sequence[Setting[T]], measured: T) -> tuple[tuple[str, str], ...]:
    """Return the known values that all results of a series share, as text."""
    read = ((setting.in_title or setting.name, setting.read(measured)) for setting in settings if setting.splits)
    return tuple((name, str(value)) for name, value in read if value is not None)


# --- latency --------------------------------------------------------------------------------------------------------


def _cores(benchmark: LatencyBenchmark) -> str | None:
    awake = benchmark.awake
    return None if awake is None else "awake" if awake.cores else "may halt"


def _number_of_cores(benchmark: LatencyBenchmark) -> int | None:
    cores = benchmark.details.generator_cores
    return None if cores is None else len(cores)


def _control_source(benchmark: LatencyBenchmark) -> str | None:
    control = benchmark.controls.get("same-stack")
    return control.sha256[:12] if control and control.sha256 else None


def _definition(benchmark: LatencyBenchmark) -> str | None:
    scenario = benchmark.details.scenario
    return None if scenario is None else scenario.definition[:12]


def _payload(benchmark: LatencyBenchmark) -> str | None:
    digest = benchmark.details.payload_sha256
    return None if digest is None else digest[:12]


def _scenarios_file(benchmark: LatencyBenchmark) -> str | None:
    scenario = benchmark.details.scenario
    return None if scenario is None else scenario.sha256[:12]


def _latency_option(name: str, benchmark: LatencyBenchmark) -> object:
    return getattr(benchmark.details, name)


LATENCY_SETTINGS: tuple[Setting[LatencyBenchmark], ...] = (
    Setting("service", lambda benchmark: benchmark.details.service),
    Setting("event", lambda benchmark: benchmark.details.event),
    Setting("reply", lambda benchmark: benchmark.details.reply),
    Setting("definition of the scenario", _definition, in_title="definition"),
    Setting("payload", _payload),
    Setting("matched by", lambda benchmark: benchmark.details.matched_by, in_title="matched_by"),
    Setting("client", lambda benchmark: benchmark.details.client),
    Setting("transport", lambda benchmark: benchmark.details.transport),
    Setting("trace context", lambda benchmark: benchmark.details.trace_context),
    Setting("server", lambda benchmark: benchmark.details.server),
    *(Setting(name, partial(_latency_option, name)) for name in UVICORN_OPTIONS),
    Setting("server pinned", lambda benchmark: benchmark.details.server_core is not None, splits=False),
    Setting("generator cores", _number_of_cores, splits=False),
    Setting("cores", _cores, unknown="unknown"),
    Setting(CLOCK, lambda benchmark: benchmark.details.clock, remedy=SAME_CLOCK),
    # Another control is another unit.
    Setting("control's source", _control_source, "other control", in_title="control"),
    Setting("server core", lambda benchmark: benchmark.details.server_core, "said", splits=False),
    Setting("reply timeout s", lambda benchmark: benchmark.details.reply_timeout_s, "said", splits=False),
    Setting("scenarios file", _scenarios_file, "said", splits=False),
)


# --- load -----------------------------------------------------------------------------------------------------------


def _url(result: LoadResult) -> str | None:
    return result.scenario.url if result.server is None else None  # a server of ours has another port each time


def _load_option(name: str, result: LoadResult) -> object:
    return result.server and getattr(result.server, name)


def _changes_of_users(result: LoadResult) -> str | None:
    return ", ".join(f"{step.t:.0f} s" for step in result.scenario.user_steps[1:]) or None


def received_clocks(result: LoadResult) -> dict[str, ReceivedClock]:
    """Return the receive clock of each operation of which anything was received, by its label.

    It is no setting of the whole result: HTTP requests have the process's clock, whatever the round trips have.
    """
    return {
        operation.label: operation.received_clock
        for operation in result.operations
        if operation.received_clock is not None
    }


def clock_in_series(result: LoadResult, operation: Operation | None) -> ReceivedClock | None:
    """Return the clock of an operation's series, or of the series of the whole run (None).

    Round trips of which none was answered are in the series of the run's others.
    """
    if operation is not None and (operation.received_clock is not None or operation.kind != ROUND_TRIP):
        return operation.received_clock
    told = result.receive_clock is not None and result.receive_clock.process_because is None
    return "kernel" if told or "kernel" in received_clocks(result).values() else "process"


LOAD_SETTINGS: tuple[Setting[LoadResult], ...] = (
    Setting("user classes", lambda result: ", ".join(result.scenario.user_classes)),
    Setting("users", lambda result: result.scenario.users_over_time),
    Setting("other users", lambda result: result.scenario.other_users),
    Setting("model", lambda result: result.scenario.model),
    Setting("rate per second", lambda result: result.scenario.rate_per_s, in_title="rate per s"),
    Setting("rate", lambda result: result.scenario.rate),
    Setting("arrivals", lambda result: result.scenario.arrivals),
    Setting("one task at a time", lambda result: ", ".join(result.scenario.one_at_a_time) or None),
    Setting("most in flight", lambda result: result.scenario.max_in_flight, in_title="max in flight"),
    Setting("longest wait for a user s", lambda result: result.scenario.max_wait_s, in_title="max wait s"),
    Setting("transport", lambda result: result.scenario.transport),
    Setting("trace context", lambda result: result.scenario.trace_context),
    Setting("app", lambda result: result.scenario.app),
    Setting("command", lambda result: result.server and result.server.command),
    Setting("url", _url),
    *(Setting(name, partial(_load_option, name)) for name in UVICORN_OPTIONS),
    Setting("server pinned", lambda result: bool(result.server and result.server.core is not None), splits=False),
    Setting("seconds", lambda result: result.scenario.duration_s, "said", splits=False),
    Setting("users changed at", _changes_of_users, "said", splits=False),
    Setting("server core", lambda result: result.server and result.server.core, "said", splits=False),
    Setting("generator processes", lambda result: result.generator.processes, "said"),
)
