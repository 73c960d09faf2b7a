"""The charts of a latency result: each benchmark's distribution beside its controls, and its server processes."""

from collections.abc import Iterator, Sequence

from bench.report.chart import Axis, Chart, Charts, Panel, Point, Role, Series
from bench.report.formatting import count
from bench.report.latency_tables import compared
from bench.report.nines import NINES, nines_points
from bench.results.latency import ControlFigures, ControlKind, LatencyBenchmark, LatencyResult
from bench.timing.histogram import Histogram, HistogramError

_CONTROLS: dict[ControlKind, str] = {
    "same-stack": "control on the same stack",
    "bare": "bare echo server",
}
_ROLES: dict[ControlKind, Role] = {"same-stack": "control", "bare": "good"}


def latency_charts(result: LatencyResult) -> Charts:
    """Return the charts of a result. A distribution that cannot be read is left out."""
    distributions, missing = [], []
    for number, benchmark in enumerate(result.benchmarks, 1):
        if benchmark.histogram is None:
            continue
        try:
            distributions.append(_distribution(benchmark, number))
        except HistogramError as error:
            missing.append(f"{benchmark.name}: its distribution cannot be drawn: {error}")
    return Charts((*distributions, *_processes(compared(result.benchmarks))), tuple(missing))


def _distribution(benchmark: LatencyBenchmark, number: int) -> Chart:
    series = tuple(_curves(benchmark))
    beside = " beside its controls" if len(series) > 1 else ""
    return Chart(
        name=f"distribution-{number}",
        title=f"{benchmark.name} by percentile{beside}",
        alt=f"Curves of the round trip's time by percentile: {', '.join(line.label for line in series)}.",
        x=NINES,
        panels=(Panel(Axis("round trip", "µs", "logarithmic"), series, "round trip, logarithmic"),),
        caption=f"{count(benchmark.stats.rounds)} round trips; the controls were timed in alternation.",
    )


def _curves(benchmark: LatencyBenchmark) -> Iterator[Series]:
    if benchmark.histogram is not None:
        yield Series("service", tuple(nines_points(Histogram.decode(benchmark.histogram))), role="baseline")
    for kind, control in benchmark.controls.items():
        if control is not None:
            yield _control(kind, control)


def _control(kind: ControlKind, control: ControlFigures) -> Series:
    """Return the curve of a control; of an older result, which lacks the distribution, the two points that it has."""
    if control.histogram is not None:
        points = tuple(nines_points(Histogram.decode(control.histogram)))
        return Series(_CONTROLS[kind], points, role=_ROLES[kind])
    known = (Point(0.5, control.median_us), Point(0.99, control.p99_us))
    return Series(f"{_CONTROLS[kind]}, p50 and p99", known, "points", _ROLES[kind])


def _processes(benchmarks: Sequence[LatencyBenchmark]) -> Iterator[Chart]:
    """Yield the chart of the server processes, if there were several of any benchmark."""
    panels = tuple(_process_panel(benchmark) for benchmark in benchmarks if len(benchmark.processes) > 1)
    if panels:
        most = max(len(benchmark.processes) for benchmark in benchmarks)
        yield Chart(
            name="restarts",
            title="Median round trip of each server process",
            alt=f"A point for each of up to {most} server processes of the service, beside its control's.",
            x=Axis("server process", "place", labels=tuple(str(number) for number in range(1, most + 1))),
            panels=panels,
            caption="Each point is a start of the server, the unit of replication, and the control that ran beside it.",
        )


def _process_panel(benchmark: LatencyBenchmark) -> Panel:
    service = tuple(
        Point(place, process.median_us, text=f"hash seed {process.hash_seed}")
        for place, process in enumerate(benchmark.processes)
    )
    controls = tuple(
        Point(place, process.control.median_us)
        for place, process in enumerate(benchmark.processes)
        if process.control is not None
    )
    series = [Series("service", service, "points", "baseline")]
    if controls:
        series.append(Series("control on the same stack", controls, "points", "control"))
    return Panel(Axis("median", "µs"), tuple(series), benchmark.name)
