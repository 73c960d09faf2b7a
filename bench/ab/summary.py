"""The summary of a comparison: what the restarts say together, as it is stored."""

import statistics
from collections.abc import Mapping, Sequence

from bench.ab.restart import Figures
from bench.results.ab import AbBenchmark, AbMetric, AbScenarios, Metric
from bench.results.receiving import Receiving
from bench.scenarios.catalogue import Benchmark
from bench.scenarios.options import Chosen
from bench.statistics.estimates import estimate
from bench.statistics.verdicts import verdicts
from bench.timing.histogram import Histogram
from bench.timing.receive_times import ReceiveTimes


def summary(
    benchmarks: Sequence[Benchmark],
    restarts: Sequence[Figures],
    received: Mapping[str, ReceiveTimes],
    times: tuple[Mapping[str, Histogram], Mapping[str, Histogram]],
    confidence: float,
    threshold: float,
) -> tuple[AbBenchmark, ...]:
    """Return the restarts' figures as estimates and verdicts, all in a single family (see `verdicts`).

    `received` has the receive times of both sides' replies, by benchmark's name, and `times` each side's service times.
    """
    keys: list[tuple[str, Metric]] = list(restarts[0])
    effects = {key: [figures[key].effect for figures in restarts] for key in keys}
    estimates = {key: estimate(effects[key], confidence) for key in keys}
    decided = dict(zip(keys, verdicts(list(estimates.values()), threshold), strict=True))

    def metric_of(key: tuple[str, Metric]) -> AbMetric:
        found = estimates[key]
        return AbMetric(
            metric=key[1],
            a_us=statistics.median(figures[key].a_us for figures in restarts),
            b_us=statistics.median(figures[key].b_us for figures in restarts),
            effect=found.effect,
            low=found.low,
            high=found.high,
            half_width=found.half_width,
            standard_error=found.standard_error,
            verdict=decided[key],
            log_effects=tuple(effects[key]),
        )

    return tuple(
        AbBenchmark(
            name=benchmark.name,
            event=benchmark.scenario.emit,
            reply=benchmark.scenario.answers,
            metrics=tuple(metric_of(key) for key in keys if key[0] == benchmark.name),
            received_clock="kernel" if received[benchmark.name].are_kernels else "process",
            receiving=Receiving.of(received[benchmark.name]),
            a_histogram=times[0][benchmark.name].encode(),
            b_histogram=times[1][benchmark.name].encode(),
        )
        for benchmark in benchmarks
    )


def stored_scenarios(chosen: Chosen) -> AbScenarios | None:
    """Return the stored part of the user's file of scenarios; None without a file."""
    file = chosen.file
    if file is None:
        return None
    definitions = {benchmark.name: file.definition(benchmark.scenario) for benchmark in chosen.benchmarks}
    return AbScenarios(file=file.name, sha256=file.sha256, definitions=definitions)
