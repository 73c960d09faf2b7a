"""The scenarios: a server and a load each, and the comparison of their figures with the truth.

Rules of this file: data and pure functions. `RunEvidence` is everything known after a run: the result as it was stored,
the server's own counts, and the notes of the run's users. The number of arrivals comes from the schedule that was asked
for, drawn again from its seed. Each schedule ends in a pause, in which the last replies come.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from bench.results.load import LoadResult, Operation
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER
from bench.targets.faults import Bimodal, Faults, Stall
from bench.targets.truth import Truth
from bench.timing.arrivals import Shape, schedule
from bench.timing.histogram import Histogram
from bench.timing.rates import RateProfile, Share
from bench.validation.accuracy.expected import (
    HISTOGRAM_BOUND_SHARE,
    KNEE_BOUND_PERCENT,
    STALL_BOUND_SHARE,
    NothingSeenError,
    nearest_rank,
    network_overhead_us,
    percentile_us,
    share_within_percent,
    stall_quantile_us,
    time_bound_us,
)
from bench.validation.accuracy.model import FigureCheck, Quantity, Unit

#: The number of runs of a delay scenario. Its times are as short as a round trip, so everything else that the machine
#: does is a part of them.
REPETITIONS = 5

#: The number of repetitions that are judged: those in which others took least of the cores' time. It is odd, so that
#: there is a median repetition.
JUDGED_REPETITIONS = 3

#: The share of a core up to which the generator has to keep the bounds on times.
TRUSTED_CPU_SHARE = 0.5

_MS = 1_000_000
_SHORT_TIMEOUT_S = 2.0


class UnknownScenarioError(Exception):
    """A name that no scenario has; the text says so."""


@dataclass(frozen=True)
class Load:
    """The load of our generator. Arrivals come for `seconds`; a pause of `pause_s` follows."""

    rate_per_s: int
    seconds: float
    shape: Shape = "poisson"
    pause_s: float = 0.5
    warmup_s: int = 0
    processes: int = 1
    users: int = 10
    #: The time that a user waits for a reply; None for the time in locustfile.py.
    timeout_s: float | None = None
    #: True if the users keep every sample, in addition to the result.
    is_sampled: bool = False

    @property
    def rate(self) -> str:
        """The rate in the form of `--rate`."""
        return f"{self.rate_per_s}:{self.seconds:g}s,0:{self.pause_s:g}s"

    def arrivals(self, seed: str) -> int:
        """Return the number of arrivals, over all processes."""
        profile = RateProfile.parse(self.rate)
        shares = (Share(index, self.processes) for index in range(self.processes))
        return sum(1 for share in shares for _ in schedule(profile, self.shape, share, seed))


@dataclass(frozen=True)
class RunEvidence:
    """The evidence after a run. `timeouts` are the tokens that the users waited for in vain, if they noted these."""

    seed: str
    result: LoadResult
    truth: Truth
    timeouts: Sequence[str] = ()
    samples_ns: Sequence[int] = ()

    @property
    def operation(self) -> Operation:
        """The round trip's row. Raises NothingSeenError without one."""
        for operation in self.result.operations:
            if operation.name == FOO_BAR_TO_SENDER.name:
                return operation
        raise NothingSeenError("the result has no round trips")

    @property
    def service(self) -> Histogram:
        """The service times as they were stored. Raises NothingSeenError without any."""
        if self.operation.service_histogram is None:
            raise NothingSeenError("the result has no service times")
        return Histogram.decode(self.operation.service_histogram)

    @property
    def response(self) -> Histogram:
        """The response times as they were stored. Raises NothingSeenError without any."""
        if self.operation.response_histogram is None:
            raise NothingSeenError("the result has no response times")
        return Histogram.decode(self.operation.response_histogram)


@dataclass(frozen=True)
class Measurement:
    """A figure of a run, with its comparison with the truth."""

    figure: str
    unit: Unit
    check: FigureCheck
    is_exact: bool = False


@dataclass(frozen=True)
class Scenario:
    """A server, its load, and the figures that are measured.

    With `needs_baseline`, the same load also runs on a server with no delay, in alternation. Other tools do the same
    for `peers_s`; None: they do not take part.
    """

    name: str
    title: str
    faults: Faults
    load: Load
    measurements: Callable[[RunEvidence, RunEvidence | None], list[Measurement]]
    needs_baseline: bool = False
    peers_s: float | None = None


@dataclass(frozen=True)
class Group:
    """Scenarios that run in alternation, and the number of repetitions."""

    scenarios: Sequence[Scenario]
    repetitions: int = 1


# --- measurements ----------------------------------------------------------------------------------------------------


def accounting(load: Load, evidence: RunEvidence, _: RunEvidence | None) -> list[Measurement]:
    """Measure the counts: every scheduled arrival is accounted for, and the server has read all that we sent."""
    operation = evidence.operation
    return [
        _exactly("scheduled", load.arrivals(evidence.seed), operation.scheduled),
        _exactly("sent", evidence.truth.foos, operation.sent),
    ]


def delayed(load: Load, evidence: RunEvidence, baseline: RunEvidence | None) -> list[Measurement]:
    """Measure p50 and p99. The truth: the server's own stamps, plus the network overhead at a server with no delay."""
    stamps, ours = evidence.truth.histogram(), evidence.response
    measurements = []
    for percent in (50.0, 99.0):
        truth_us = percentile_us(stamps, percent) + _overhead_us(baseline, percent)
        measurements.append(_time(f"p{percent:g}", truth_us, percentile_us(ours, percent), time_bound_us(truth_us)))
    return [*measurements, *_service(evidence), *_lateness(evidence), *accounting(load, evidence, None)]


def _service(evidence: RunEvidence) -> list[Measurement]:
    """Measure the service time's p50 and p99. The truth: the server's account from when its kernel received each FOO.

    Nothing is measured if either kernel does not tell when it received what.
    """
    arrived = evidence.truth.since_arrival()
    if arrived is None or evidence.operation.received_clock != "kernel":
        return []
    measurements = []
    for percent in (50.0, 99.0):
        truth_us = percentile_us(arrived, percent)
        said_us = percentile_us(evidence.service, percent)
        measurements.append(_time(f"service p{percent:g}", truth_us, said_us, time_bound_us(truth_us)))
    return measurements


def _lateness(evidence: RunEvidence) -> list[Measurement]:
    """Measure what the response time adds to the service time, at the mean. The truth is the recorded send lateness."""
    late_us, operation = evidence.result.generator.send_lateness_us, evidence.operation
    response_us, service_us = operation.response_us, operation.service_us
    if late_us is None or late_us.mean is None or response_us is None or service_us is None:
        return []
    added_us = None
    if response_us.mean is not None and service_us.mean is not None:
        added_us = response_us.mean - service_us.mean
    return [_time("added, mean", late_us.mean, added_us, time_bound_us(late_us.mean))]


def bimodal(load: Load, modes: Bimodal, evidence: RunEvidence, baseline: RunEvidence | None) -> list[Measurement]:
    """Measure both modes, of the rare mode the median, and the share of replies below the middle between them.

    Both modes add the baseline's median overhead to the server's own stamps: half of the replies in the rare mode, too,
    have less overhead than that.
    """
    stamps, ours = evidence.truth.histogram(), evidence.response
    overhead_us = _overhead_us(baseline, 50)
    measurements = []
    for percent in (50.0, 100 * (1 - modes.rare_share / 2)):
        truth_us = percentile_us(stamps, percent) + overhead_us
        measurements.append(_time(f"p{percent:g}", truth_us, percentile_us(ours, percent), time_bound_us(truth_us)))
    middle_ns = (modes.usual_ns + modes.rare_ns) // 2
    within = Quantity(value=share_within_percent(stamps, middle_ns))
    said = Quantity(value=share_within_percent(ours, middle_ns))
    knee = FigureCheck(truth=within, ours=said, bound=KNEE_BOUND_PERCENT)
    return [
        *measurements,
        Measurement(f"share within {middle_ns / _MS:g} ms", "percent", knee),
        *accounting(load, evidence, None),
    ]


def stalled(load: Load, stall: Stall, evidence: RunEvidence, _: RunEvidence | None) -> list[Measurement]:
    """Measure percentiles and the maximum. The truth is the closed form."""
    ours, response_us = evidence.response, evidence.operation.response_us
    measurements = []
    for percent in (90.0, 95.0, 99.0):
        truth_us = stall_quantile_us(stall, percent)
        measurements.append(
            _time(f"p{percent:g}", truth_us, percentile_us(ours, percent), STALL_BOUND_SHARE * truth_us)
        )
    longest_us = response_us.max if response_us is not None else None
    truth_us = stall_quantile_us(stall, 100)
    return [
        *measurements,
        _time("max", truth_us, longest_us, STALL_BOUND_SHARE * truth_us),
        *accounting(load, evidence, None),
    ]


def stalled_beyond(load: Load, evidence: RunEvidence, _: RunEvidence | None) -> list[Measurement]:
    """Measure p95 and p99 if more than a twentieth was given up: they lie beyond the timeout."""
    operation, response_us = evidence.operation, evidence.operation.response_us
    assert load.timeout_s is not None, "what is given up after it"
    p95_ns = evidence.response.percentile_ns(95, censored=operation.failed)
    measurements = []
    for figure, said_us in (
        ("p95", None if p95_ns is None else p95_ns / 1000),
        ("p99", response_us.p99 if response_us is not None else None),
    ):
        ours = None
        if said_us is not None:
            ours = Quantity(value=said_us)
        elif response_us is not None and response_us.censored_above_us is not None:
            ours = Quantity(value=response_us.censored_above_us, is_above=True)
        check = FigureCheck(truth=Quantity(value=load.timeout_s * 1e6, is_above=True), ours=ours, bound=0)
        measurements.append(Measurement(figure, "us", check, is_exact=True))
    return [*measurements, *accounting(load, evidence, None)]


def lossy(load: Load, evidence: RunEvidence, _: RunEvidence | None) -> list[Measurement]:
    """Measure the timeouts: exactly the lost replies timed out, token by token, and nothing else went wrong."""
    operation, truth = evidence.operation, evidence.truth
    otherwise = operation.error_count + operation.unfinished + operation.dropped + operation.late
    return [
        _exactly("timeouts", truth.lost, operation.timeouts),
        _exactly("timeouts of what was lost", truth.lost, len(set(evidence.timeouts) & set(truth.lost_names))),
        _exactly("answered", truth.replies, operation.ok),
        _exactly("failed otherwise", 0, otherwise),
        *accounting(load, evidence, None),
    ]


def merged(load: Load, evidence: RunEvidence, _: RunEvidence | None) -> list[Measurement]:
    """Measure percentiles of the merged workers. The truth is that of all their samples put together."""
    if not evidence.samples_ns:
        raise NothingSeenError("the workers kept no samples")
    samples, ours = sorted(evidence.samples_ns), evidence.response
    measurements = [_exactly("samples", len(samples), ours.count)]
    for percent in (50.0, 90.0, 99.0, 99.9):
        truth_us = nearest_rank(samples, percent) / 1000
        check = _check(truth_us, percentile_us(ours, percent), HISTOGRAM_BOUND_SHARE * truth_us)
        measurements.append(Measurement(f"p{percent:g}", "us", check, is_exact=True))
    response_us = evidence.operation.response_us
    longest = _check(samples[-1] / 1000, response_us.max if response_us is not None else None, 0)
    same = Histogram()
    same.record(np.array(samples, dtype=np.int64))
    return [
        *measurements,
        Measurement("max", "us", longest, is_exact=True),
        _exactly("histograms that differ", 0, int(same.encode() != ours.encode())),
        *accounting(load, evidence, None),
    ]


def _overhead_us(baseline: RunEvidence | None, percent: float) -> float:
    assert baseline is not None, "asked for by needs_baseline"
    return network_overhead_us(baseline.response, baseline.truth.histogram(), percent)


def _check(truth: float, ours: float | None, bound: float) -> FigureCheck:
    return FigureCheck(truth=Quantity(value=truth), ours=None if ours is None else Quantity(value=ours), bound=bound)


def _time(figure: str, truth_us: float, ours_us: float | None, bound_us: float) -> Measurement:
    return Measurement(figure, "us", _check(truth_us, ours_us, bound_us))


def _exactly(figure: str, truth: int, ours: int) -> Measurement:
    return Measurement(figure, "count", _check(truth, ours, 0), is_exact=True)


# --- scenarios ------------------------------------------------------------------------------------------------------

BASELINE = "baseline"

_RATE_PER_S = 1_000
#: The arrivals per second at each user of a delay, at most. On a connection with many, messages would wait beside each
#: other, and the kernel keeps the time of the last alone.
_ARRIVALS_PER_USER = 10
_STALL_RATE_PER_S = 500


def all_groups(quick: bool) -> tuple[Group, ...]:
    """Return all groups, in the order in which they run."""
    return (_delays(quick), _stalls(quick), _exact(quick))


def _delays(quick: bool) -> Group:
    # What is warm differs from the first hundreds of round trips in its tail, so they are left out of p99.
    users = _RATE_PER_S // _ARRIVALS_PER_USER
    load = Load(_RATE_PER_S, 1, users=users) if quick else Load(_RATE_PER_S, 8, warmup_s=1, users=users)
    peers_s = 1.0 if quick else 3.0
    none = Scenario(BASELINE, "no delay", Faults(), load, partial(accounting, load))
    constant = [
        Scenario(
            f"delay-{delay_ms}ms",
            f"a delay of {delay_ms} ms",
            Faults(delay_ns=delay_ms * _MS),
            load,
            partial(delayed, load),
            needs_baseline=True,
            peers_s=peers_s,
        )
        for delay_ms in (2, 5, 20)
    ]
    # The share that is rare is compared with the one that the server drew: both of the whole run.
    modes = Bimodal(1 * _MS, 50 * _MS, 0.01)
    whole = Load(_RATE_PER_S, 1.0 if quick else 3.0, users=users)
    rare = Scenario(
        "bimodal",
        "99 % after 1 ms, 1 % after 50 ms",
        Faults(bimodal=modes),
        whole,
        partial(bimodal, whole, modes),
        needs_baseline=True,
        peers_s=peers_s,
    )
    return Group((none, *constant, rare), 1 if quick else REPETITIONS)


def _stalls(quick: bool) -> Group:
    stall = Stall(200 * _MS, 1000 * _MS) if quick else Stall(1000 * _MS, 5000 * _MS)
    length_s, period_s = stall.length_ns / 1e9, stall.period_ns / 1e9
    lasting_s = 2 * period_s  # whole periods, wherever in one they begin
    load = Load(_STALL_RATE_PER_S, lasting_s, "constant", pause_s=length_s + 0.2)
    limit_s = length_s / 2
    impatient = Load(_STALL_RATE_PER_S, lasting_s, "constant", pause_s=length_s + 0.2, timeout_s=limit_s)
    title = f"a stall of {length_s:g} s every {period_s:g} s"
    return Group(
        (
            Scenario("stall", title, Faults(stall=stall), load, partial(stalled, load, stall), peers_s=lasting_s),
            Scenario(
                "stall-timeout",
                f"{title}, timeout {limit_s * 1000:g} ms",
                Faults(stall=stall),
                impatient,
                partial(stalled_beyond, impatient),
                peers_s=lasting_s,
            ),
        )
    )


def _exact(quick: bool) -> Group:
    lossy_load = Load(2000, 1.0 if quick else 5.0, "constant", timeout_s=_SHORT_TIMEOUT_S)
    workers_load = Load(2000, 1.0 if quick else 4.0, processes=2, is_sampled=True)
    return Group(
        (
            Scenario(
                "lost",
                "1 reply in 1,000 lost",
                Faults(lose=1000),
                lossy_load,
                partial(lossy, lossy_load),
                peers_s=2.0 if quick else 5.0,
            ),
            Scenario(
                "workers",
                "two workers, merged",
                Faults(bimodal=Bimodal(1 * _MS, 50 * _MS, 0.01)),
                workers_load,
                partial(merged, workers_load),
            ),
        )
    )


def chosen(groups: Sequence[Group], names: Sequence[str]) -> tuple[Group, ...]:
    """Return only the scenarios of these names (all for none), with the baseline if they need it.

    Raises UnknownScenarioError.
    """
    known = [scenario.name for group in groups for scenario in group.scenarios]
    for name in names:
        if name not in known:
            raise UnknownScenarioError(f"there is no scenario {name!r}; there are {', '.join(known)}")
    if not names:
        return tuple(groups)
    found = []
    for group in groups:
        wanted = [scenario for scenario in group.scenarios if scenario.name in names]
        if any(scenario.needs_baseline for scenario in wanted):
            wanted = [scenario for scenario in group.scenarios if scenario in wanted or scenario.name == BASELINE]
        if wanted:
            found.append(Group(wanted, group.repetitions))
    return tuple(found)
