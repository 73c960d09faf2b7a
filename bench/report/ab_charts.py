"""The charts of a comparison of two revisions: all effects with their intervals, and each restart's effect."""

import math
from collections.abc import Iterator

from bench.report.chart import Axis, Chart, Charts, Effect, Forest, Panel, Point, Role, Series
from bench.report.comparison_charts import ROLES
from bench.report.formatting import counted, durations, percent
from bench.report.nines import NINES, nines_points
from bench.results.ab import METRIC_NAMES, AbBenchmark, AbMetric, AbResult
from bench.results.figure import Figure
from bench.timing.histogram import Histogram, HistogramError


def ab_charts(result: AbResult) -> Charts:
    """Return the charts: the effects, both distributions, and the effects of each restart if there were several.

    A distribution that cannot be read is left out.
    """
    distributions: list[Chart] = []
    missing = []
    for number, benchmark in enumerate(result.benchmarks, 1):
        try:
            distributions += _distribution(benchmark, number, result)
        except HistogramError as error:
            missing.append(f"{benchmark.name}: its distributions cannot be drawn: {error}")
    restarts = [_restarts(result)] if result.restarts > 1 else []
    return Charts((_effects(result), *distributions, *restarts), tuple(missing))


def _effects(result: AbResult) -> Forest:
    effects = tuple(_effect(benchmark, metric) for benchmark in result.benchmarks for metric in benchmark.metrics)
    slower = ", ".join(result.slower) or "none is known to be slower"
    confidence = f"{result.settings.confidence:.0%}"
    return Forest(
        name="effects",
        title=f"Effects: {result.b.label} against {result.a.label}",
        alt=f"{counted(len(effects), 'effect')} with {confidence} intervals; slower: {slower}.",
        x=Axis("change from A to B", "share"),
        effects=effects,
        caption=(
            f"Right of the line B takes longer. A bar is the {confidence} interval over the restarts. Slower is what "
            f"lies wholly beyond {percent(result.settings.threshold)}. Measured {result.datetime:%Y-%m-%d %H:%M %Z}"
            f"{f' on {result.machine_info.node}' if result.machine_info.node else ''}."
        ),
    )


def _effect(benchmark: AbBenchmark, metric: AbMetric) -> Effect:
    a, b = durations([Figure(metric.a_us), Figure(metric.b_us)])
    return Effect(
        label=f"{benchmark.name}: {METRIC_NAMES[metric.metric]}",
        value=metric.effect,
        low=metric.low,
        high=metric.high,
        role=ROLES.get(metric.verdict, "plain"),
        text=f"{metric.verdict}, A {a}, B {b}",
    )


def _distribution(benchmark: AbBenchmark, number: int, result: AbResult) -> Iterator[Chart]:
    """Yield both sides' distributions over each other; nothing of an older result, which lacks them."""
    if benchmark.a_histogram is None or benchmark.b_histogram is None:
        return
    sides: tuple[tuple[str, str, Role], ...] = (
        (f"A: {result.a.label}", benchmark.a_histogram, "baseline"),
        (f"B: {result.b.label}", benchmark.b_histogram, "candidate"),
    )
    series = tuple(
        Series(label, tuple(nines_points(Histogram.decode(encoded))), role=role) for label, encoded, role in sides
    )
    yield Chart(
        name=f"distribution-{number}",
        title=f"Service time of {benchmark.name} by percentile",
        alt=f"Two curves of the service time by percentile, of {result.a.label} and of {result.b.label}.",
        x=NINES,
        panels=(Panel(Axis("service time", "µs", "logarithmic"), series, "service time, logarithmic"),),
        caption="All round trips of all restarts with one in flight. The verdicts compare restart by restart instead.",
    )


def _restarts(result: AbResult) -> Chart:
    panels = tuple(_panel(benchmark) for benchmark in result.benchmarks)
    return Chart(
        name="restarts",
        title="The effect on p50 in each restart of both servers",
        alt=f"A point for each of {counted(result.restarts, 'restart')}, around the mean with its interval.",
        x=Axis("restart", "place", labels=tuple(str(number) for number in range(1, result.restarts + 1))),
        panels=panels,
        caption="Each point is a start of both servers, the unit of replication. The band is the interval of the mean.",
    )


def _panel(benchmark: AbBenchmark) -> Panel:
    metric = benchmark.metrics[0]
    ends = (0, len(metric.log_effects) - 1)
    points = tuple(Point(place, math.expm1(effect)) for place, effect in enumerate(metric.log_effects))
    mean = Series("mean", tuple(Point(x, metric.effect) for x in ends), "line", "faint")
    band = Series("interval of the mean", tuple(Point(x, None, metric.low, metric.high) for x in ends), "band", "faint")
    known = (band,) if metric.low is not None else ()
    return Panel(Axis("effect", "share"), (*known, mean, Series("restart", points, "points")), benchmark.name)
