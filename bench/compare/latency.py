"""The comparison of latency results: each benchmark's ratios to its control, process by process.

The unit of replication is the server process. The processes of a run share the state of the machine at that time: see
`bench.statistics.estimates.ratio_estimate`. A benchmark is compared by these metrics, always as ratios to the same
metric of its control:

- p50: `log_ratio` of each process, from bursts that alternated with the control's. This is the primary metric. With a
  single run on a side its interval contains the deviation from run to run that was measured elsewhere
  (`BETWEEN_RUNS_AWAKE`).
- p99 and server CPU: the process's value over that of the control process beside it. Nobody has measured how these
  ratios differ from run to run. So with a single run on a side they have no interval, and no verdict but
  "inconclusive".

If versions of packages differ, all three are against the bare echo control, which is one process for all. Then p99 and
CPU have a single ratio for each run.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from bench.compare.conditions import CONSEQUENCES, package_changes, setting_changes
from bench.compare.model import Difference, DifferenceKind, IncomparableError, NotCompared, RowVerdict
from bench.compare.rows import FEWEST_RUNS, Runs, UnjudgedRow, common_names, make_row, some_of, with_fixed_verdict
from bench.machine.disturbances import Disturbance, DisturbanceKind
from bench.results.figure import Unit, exact
from bench.results.latency import ControlKind, LatencyBenchmark, LatencyResult
from bench.results.settings import LATENCY_SETTINGS, Consequence
from bench.statistics.estimates import CONFIDENCE
from bench.statistics.percentiles import FEWEST_VALUES, is_greatest

#: The standard deviation of the log ratio to the same-stack control from one run to the next of the same code, with the
#: cores kept awake. It and the three that follow are measured: docs/measurements.md, "Differences from run to run".
BETWEEN_RUNS_AWAKE = 0.009

#: The same with cores that may halt.
BETWEEN_RUNS_HALTING = 0.014

#: The same of the ratio to the bare echo server. It is another mix of work, so that much of the drift stays.
BETWEEN_RUNS_BARE = 0.058

#: The disturbances that make runs differ by more than that. So a single run that one of these spoilt shows its interval
#: and claims nothing; of several runs their own spread says how much they differ.
BREAKING: tuple[DisturbanceKind, ...] = ("steal", "load", "throttled", "stopped", "swap")

#: The factor by which a ratio to the same-stack control has to change to be a change even in a disturbed single run: 7
#: standard deviations of the logarithm of the ratio of two such runs.
FAR = 1.5

_US_PER_S = 1e6

Benchmarks = tuple[LatencyBenchmark, ...]


@dataclass(frozen=True)
class ComparedLatency:
    """The rows of one benchmark, and the control of its ratios.

    `control` is None if the benchmark has no control, which happens only in a forced comparison.
    """

    name: str
    label: str
    control: ControlKind | None
    rows: tuple[UnjudgedRow, ...]


@dataclass(frozen=True)
class LatencyComparison:
    """Everything that a comparison of latency results says."""

    compared: tuple[ComparedLatency, ...]
    not_compared: tuple[NotCompared, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    differences: tuple[Difference, ...]
    remarks: tuple[str, ...]


def compare_latency(
    baselines: Sequence[LatencyResult], candidates: Sequence[LatencyResult], *, force: bool
) -> LatencyComparison:
    """Pair the benchmarks by pytest's full name. With `force`, unreplicated benchmarks are put side by side as well.

    Raises IncomparableError if no benchmark is on both sides, or if none of these can be compared.
    """
    baseline_runs, candidate_runs = _by_name(baselines), _by_name(candidates)
    common = common_names(baseline_runs, candidate_runs)
    labels = _labels(candidates[-1])
    not_compared: list[NotCompared] = []
    pairs: dict[str, tuple[Benchmarks, Benchmarks]] = {}
    for name in common:
        pair = baseline_runs[name], candidate_runs[name]
        reason = _why_not(pair[0], pair[1], force=force)
        if reason is None:
            pairs[name] = pair
        else:
            not_compared.append(NotCompared(name=name, label=labels.get(name, name), reason=reason))
    if not pairs:
        reasons = "; ".join(
            f"{reason} ({count} of {len(common)})"
            for reason, count in Counter(benchmark.reason for benchmark in not_compared).items()
        )
        can_be_forced = any(_why_not(baseline_runs[name], candidate_runs[name], force=True) is None for name in common)
        hint = "; --force shows them side by side, without a verdict" if can_be_forced else ""
        raise IncomparableError(f"nothing to compare: {reasons}{hint}")
    changed_packages = package_changes(baselines, candidates)
    controls = {name: _control(*pair, is_bare=bool(changed_packages)) for name, pair in pairs.items()}
    return LatencyComparison(
        compared=tuple(
            ComparedLatency(name, labels.get(name, name), controls[name], _unjudged_rows(*pair, controls[name]))
            for name, pair in pairs.items()
        ),
        not_compared=tuple(not_compared),
        only_old=tuple(name for name in baseline_runs if name not in candidate_runs),
        only_new=tuple(name for name in candidate_runs if name not in baseline_runs),
        differences=tuple(_differences(pairs, controls, changed_packages)),
        remarks=(
            *_precision(pairs, controls, changed_packages),
            *_few(pairs, labels, controls),
            *_incomplete(pairs, labels, len(baselines), len(candidates)),
            *_spoiled("old", [baseline for baseline, _ in pairs.values()]),
            *_spoiled("new", [candidate for _, candidate in pairs.values()]),
        ),
    )


def _by_name(results: Sequence[LatencyResult]) -> dict[str, Benchmarks]:
    """Return the runs of each benchmark, in the order of the newest result, which comes last."""
    names = dict.fromkeys(benchmark.fullname for result in reversed(results) for benchmark in result.benchmarks)
    return {
        name: tuple(benchmark for result in results for benchmark in result.benchmarks if benchmark.fullname == name)
        for name in names
    }


def _labels(result: LatencyResult) -> dict[str, str]:
    """Return the name of each benchmark by its full name, if no other benchmark has that name."""
    times = Counter(benchmark.name for benchmark in result.benchmarks)
    return {benchmark.fullname: benchmark.name for benchmark in result.benchmarks if times[benchmark.name] == 1}


def _why_not(baselines: Benchmarks, candidates: Benchmarks, *, force: bool) -> str | None:
    """Return the reason why a benchmark cannot be compared; None if it can."""
    runs = (*baselines, *candidates)
    if any(run.is_illustrative for run in runs):
        return "the server was in the client's own loop: it illustrates"
    if force:
        return None
    for run in runs:
        if run.unreplicated:
            return run.unreplicated
    if not all(run.processes for run in runs):
        return "not replicated: no server processes are stored with it"
    if not all(_log_ratios(run, "same-stack") or _log_ratios(run, "bare") for run in runs):
        return "no control was timed beside it"
    return None


def _control(baselines: Benchmarks, candidates: Benchmarks, *, is_bare: bool) -> ControlKind | None:
    """Return the control that all runs have: the same-stack control for the same stack, else the bare one."""
    order: tuple[ControlKind, ...] = ("bare", "same-stack") if is_bare else ("same-stack", "bare")
    return next((kind for kind in order if all(_log_ratios(run, kind) for run in (*baselines, *candidates))), None)


# --- the rows -------------------------------------------------------------------------------------------------------


def _unjudged_rows(
    baselines: Benchmarks, candidates: Benchmarks, control: ControlKind | None
) -> tuple[UnjudgedRow, ...]:
    def row(
        metric: str,
        measured: Callable[[LatencyBenchmark], float | None],
        log_ratios: Callable[[LatencyBenchmark], tuple[float, ...]],
        between_runs: float | None,
        blocked_because: str | None = None,
    ) -> UnjudgedRow:
        figures = ([exact(measured(run)) for run in baselines], [exact(measured(run)) for run in candidates])
        runs: tuple[Runs, Runs] = (tuple(map(log_ratios, baselines)), tuple(map(log_ratios, candidates)))
        if control is None:
            alone = "no control, and no server processes to see a spread from"
            runs = (_log_medians(baselines, measured), _log_medians(candidates, measured))
            return make_row(metric, Unit.MICROSECONDS, figures, runs, between_runs=None, blocked_because=alone)
        return make_row(
            metric, Unit.MICROSECONDS, figures, runs, between_runs=between_runs, blocked_because=blocked_because
        )

    p50 = row(
        "p50",
        lambda run: run.stats.median * _US_PER_S,
        lambda run: _log_ratios(run, control) if control else (),
        control and _between_runs(control, baselines, candidates),
        _broken(baselines, candidates),
    )
    if control == "same-stack" and p50.estimate is not None and p50.estimate.low is not None:
        low, high = p50.estimate.low, p50.estimate.high
        beyond: RowVerdict | None = (
            "slower" if 1 + low > FAR else "faster" if high is not None and 1 + high < 1 / FAR else None
        )
        p50 = with_fixed_verdict(p50, beyond, f"{p50.blocked_because}, but not by so much")
    p99 = row("p99", lambda run: run.p99_us, lambda run: _log_p99_ratios(run, control), None)
    if _too_few_for_p99((*baselines, *candidates), control):
        p99 = replace(p99, baseline=None, candidate=None)
    cpu = row(
        "server CPU", lambda run: run.server_cpu_us_per_round_trip, lambda run: _log_cpu_ratios(run, control), None
    )
    return tuple(row for row in (p50, p99, cpu) if row.baseline is not None or row.candidate is not None)


def _between_runs(control: ControlKind, baselines: Benchmarks, candidates: Benchmarks) -> float:
    if control == "bare":
        return BETWEEN_RUNS_BARE
    kept = [run.awake for run in (*baselines, *candidates)]
    return BETWEEN_RUNS_AWAKE if all(awake and awake.cores for awake in kept) else BETWEEN_RUNS_HALTING


def _broken(baselines: Benchmarks, candidates: Benchmarks) -> str | None:
    """Return the reason why a single run may differ by more than the known deviation; None if there is none."""
    single = [side[0] for side in (baselines, candidates) if len(side) < FEWEST_RUNS]
    found = {spoiler.kind for run in single for spoiler in run.spoilers}
    kinds = [kind for kind in BREAKING if kind in found]
    return (
        f"a single run that was spoilt by {' and '.join(kinds)} may differ more than runs usually do" if kinds else None
    )


def _log_ratios(benchmark: LatencyBenchmark, kind: ControlKind) -> tuple[float, ...]:
    return tuple(ratio for process in benchmark.processes if (ratio := process.log_ratio.get(kind)) is not None)


def _log_p99_ratios(benchmark: LatencyBenchmark, control: ControlKind | None) -> tuple[float, ...]:
    bare = benchmark.controls.get("bare")
    if control == "bare":
        return _logs([(benchmark.p99_us, bare.p99_us if bare else None)])
    return _logs([(process.p99_us, process.control.p99_us) for process in benchmark.processes if process.control])


def _too_few_for_p99(runs: Benchmarks, control: ControlKind | None) -> bool:
    """Return true if some p99 that a ratio takes is the longest of its round trips."""
    timed: list[int] = [run.stats.rounds for run in runs]
    for run in runs:
        bare = run.controls.get("bare")
        if control == "bare" and bare:
            timed.append(bare.rounds)
        if control == "same-stack":
            for process in run.processes:
                timed += [process.rounds, *([process.control.rounds] if process.control else [])]
    return any(is_greatest("p99", rounds) for rounds in timed)


def _log_cpu_ratios(benchmark: LatencyBenchmark, control: ControlKind | None) -> tuple[float, ...]:
    bare = benchmark.controls.get("bare")
    if control == "bare":
        return _logs([(benchmark.server_cpu_us_per_round_trip, bare.server_cpu_us_per_round_trip if bare else None)])
    return _logs(
        [
            (process.server_cpu_us_per_round_trip, process.control.server_cpu_us_per_round_trip)
            for process in benchmark.processes
            if process.control
        ]
    )


def _logs(pairs: Sequence[tuple[float | None, float | None]]) -> tuple[float, ...]:
    """Return the logarithms of the ratios of pairs in which both values are known and positive.

    A short run may have used less CPU time than the clock can tell, and then its value is 0.
    """
    return tuple(math.log(service / control) for service, control in pairs if service and control)


def _log_medians(runs: Benchmarks, measured: Callable[[LatencyBenchmark], float | None]) -> Runs:
    return tuple((math.log(value),) for run in runs if (value := measured(run)))


# --- what to know about it ------------------------------------------------------------------------------------------


def _differences(
    pairs: dict[str, tuple[Benchmarks, Benchmarks]],
    controls: dict[str, ControlKind | None],
    changed_packages: str,
) -> Iterator[Difference]:
    if changed_packages:
        without = [name for name in pairs if controls[name] != "bare"]
        lacking = f"; no bare control was timed beside {some_of(without)}" if without else ""
        yield Difference(kind=DifferenceKind.PACKAGES, detail=f"{changed_packages}{lacking}", void=bool(without))
    for consequence in CONSEQUENCES:
        for changed in dict.fromkeys(filter(None, (_changed(pair, consequence) for pair in pairs.values()))):
            yield Difference(kind=DifferenceKind.SETTINGS, detail=changed, void=consequence == "void")
    sources = {_changed(pair, "other control"): controls[name] == "same-stack" for name, pair in pairs.items()}
    for changed, is_used in sources.items():
        if changed:
            yield Difference(kind=DifferenceKind.CONTROL, detail=changed, void=is_used)


def _changed(pair: tuple[Benchmarks, Benchmarks], consequence: Consequence) -> str:
    return setting_changes(LATENCY_SETTINGS, *pair, consequence)


def _precision(
    pairs: dict[str, tuple[Benchmarks, Benchmarks]],
    controls: dict[str, ControlKind | None],
    changed_packages: str,
) -> Iterator[str]:
    """Yield the control of the ratios, if it is the bare one, and the narrowest possible interval of p50."""
    if changed_packages and "bare" in controls.values():
        times = BETWEEN_RUNS_BARE / BETWEEN_RUNS_AWAKE
        yield (
            "versions differ, so ratios are to the bare echo server, not to the control on the same stack: that would "
            f"hide what an upgrade of the stack costs. Intervals are about {times:.0f} times as wide: this ratio "
            f"varies by {BETWEEN_RUNS_BARE * 100:.1f} % from run to run, the other by {BETWEEN_RUNS_AWAKE * 100:.1f} %"
        )
    widths = {
        best_half_width(between, single): (between, single)
        for name, (baseline, candidate) in pairs.items()
        if (control := controls[name]) is not None
        and (between := _between_runs(control, baseline, candidate))
        and (single := sum(len(side) < FEWEST_RUNS for side in (baseline, candidate)))
    }
    if widths:
        width = max(widths)
        between, single = widths[width]
        side = "one run a side" if single == 2 else "one run on one side"
        yield (
            f"{side}: no interval of p50 can be narrower than ±{width * 100:.1f} %, because runs of the same code "
            f"differ by {between * 100:.1f} %; several runs a side (--last 5) narrow it, and give p99 and CPU intervals"
        )


def _few(
    pairs: dict[str, tuple[Benchmarks, Benchmarks]], labels: dict[str, str], controls: dict[str, ControlKind | None]
) -> Iterator[str]:
    """Yield the benchmarks without a row for the p99, because that is the longest time of some process."""
    few = [
        labels.get(name, name) for name, pair in pairs.items() if _too_few_for_p99((*pair[0], *pair[1]), controls[name])
    ]
    if few:
        yield (
            f"no row for the p99 of {some_of(few)}: of fewer than {FEWEST_VALUES['p99']} round trips with a process it "
            "is their maximum"
        )


def best_half_width(between_runs: float, single_sides: int) -> float:
    """Return the smallest half width that an interval of p50 can have, as a share.

    `single_sides` is the number of sides that are a single run: 1 or 2. `between_runs` is the known standard deviation
    of the log ratio from run to run.
    """
    reach = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt(single_sides) * between_runs
    return math.expm1(reach)


def _incomplete(
    pairs: dict[str, tuple[Benchmarks, Benchmarks]], labels: dict[str, str], baseline_count: int, candidate_count: int
) -> Iterator[str]:
    for name, runs in pairs.items():
        for side, found, count in zip(("old", "new"), runs, (baseline_count, candidate_count), strict=True):
            if len(found) < count:
                yield f"{labels.get(name, name)} is in {len(found)} of the {count} {side} results"


def _spoiled(side: str, benchmarks: Sequence[Benchmarks]) -> Iterator[str]:
    """Yield the disturbances of one side's measurements: each kind once, with its worst case."""
    runs = [run for of_one in benchmarks for run in of_one]
    worst: dict[str, Disturbance] = {}
    times: Counter[str] = Counter()
    for run in runs:
        for spoiler in run.spoilers:
            times[spoiler.kind] += 1
            known = worst.get(spoiler.kind)
            if known is None or (spoiler.value or 0) > (known.value or 0):
                worst[spoiler.kind] = spoiler
    for kind, spoiler in worst.items():
        share = "" if times[kind] == len(runs) else f" (in {times[kind]} of {len(runs)} measurements, the worst)"
        yield f"{side} results, {kind}{share}: {spoiler.text}"
