"""All charts of a load run, in the order in which a reader asks: what came of it and when, and how slow it was."""

from collections.abc import Callable
from dataclasses import replace

from bench.report.chart import AnyChart
from bench.report.load_charts.by_rate import latency_by_rate, stages
from bench.report.load_charts.errors import errors_over_time
from bench.report.load_charts.heat import heat_map
from bench.report.load_charts.operations import drawn_operations
from bench.report.load_charts.over_time import operations_over_time, over_time
from bench.report.load_charts.percentiles import latency_by_percentile, parts_of_service_time, service_and_response
from bench.report.load_charts.seconds import SecondsRead, read_seconds
from bench.results.load import LoadResult
from bench.timing.histogram import HistogramError


def load_charts(result: LoadResult) -> tuple[AnyChart, ...]:
    """Return the charts of a load.

    The caption of the first chart tells of those that cannot be made of a damaged file.
    """
    drawn = drawn_operations(result)
    missing: list[str] = []
    try:
        read = read_seconds(result, drawn.operations)
    except HistogramError as error:
        missing.append(_missing("the seconds' times", error))
        read = SecondsRead.unknown(result, drawn.operations)
    makers: list[tuple[str, Callable[[], AnyChart | None]]] = [
        ("the run over time", lambda: over_time(result, read)),
        ("the stages", lambda: stages(result)),
        ("the errors", lambda: errors_over_time(result)),
        ("the percentiles", lambda: latency_by_percentile(result, drawn)),
        ("service and response times", lambda: service_and_response(drawn)),
        ("the parts of the service time", lambda: parts_of_service_time(drawn)),
        ("the heat map", lambda: heat_map(result, read)),
        ("the times by rate", lambda: latency_by_rate(result, read, drawn)),
        ("the operations over time", lambda: operations_over_time(result, read, drawn)),
    ]
    charts: list[AnyChart] = []
    for what, make in makers:
        try:
            chart = make()
        except HistogramError as error:
            missing.append(_missing(what, error))
        else:
            charts += [] if chart is None else [chart]
    if missing and charts:
        first = charts[0]
        charts[0] = replace(first, caption=" ".join(filter(None, (first.caption, *missing))))
    return tuple(charts)


def _missing(what: str, error: HistogramError) -> str:
    return f"The file is damaged, so {what} cannot be shown: {error}."
