"""Latency by percentile: each further nine takes the same room, as in HdrHistogram's plots."""

from collections.abc import Iterator

from bench.report.chart import Axis, Chart, Panel, Point, Role, Series
from bench.report.load_charts.operations import Drawn, time_kind
from bench.report.nines import NINES, nines_points
from bench.results.load import LoadResult, Operation
from bench.timing.histogram import Histogram

_NS_PER_US = 1000

#: The number of operations whose service and response times stand beside each other.
_MOST_COMPARED = 3

_CAPTION = "A curve ends where what failed or was dropped begins: it counts as the longest, and has no time."


def latency_by_percentile(result: LoadResult, drawn: Drawn) -> Chart | None:
    """Return the chart with a curve for each operation; None if there are no times. Raises HistogramError."""
    series = [
        Series(
            operation.label, tuple(percentile_points(operation, of_response=operation.response_histogram is not None))
        )
        for operation in drawn.operations
    ]
    known = tuple(curve for curve in series if curve.points)
    if not known:
        return None
    kind = time_kind(result)
    return Chart(
        name="latency-by-percentile",
        title=f"{kind.capitalize()} by percentile",
        alt=f"Curves of the {kind} by percentile of {', '.join(curve.label for curve in known)}.",
        x=NINES,
        panels=(Panel(Axis(kind, "µs", "logarithmic"), known),),
        caption=" ".join(filter(None, ("Of the steady window.", _ending(drawn), drawn.remark))),
    )


def service_and_response(drawn: Drawn) -> Chart | None:
    """Return the chart of both times of each operation; None of a closed load. Raises HistogramError."""
    both = [operation for operation in drawn.operations if operation.response_histogram is not None]
    chosen = sorted(both, key=lambda operation: -operation.sent)[:_MOST_COMPARED]
    panels = []
    for operation in chosen:
        curves = (
            _curve("response time", operation, of_response=True, role="candidate"),
            _curve("service time", operation, of_response=False, role="baseline"),
        )
        known = tuple(curve for curve in curves if curve.points)
        if known:
            panels.append(Panel(Axis("time", "µs", "logarithmic"), known, operation.label))
    if not panels:
        return None
    caption = (
        "Response time counts from the moment at which the schedule wanted the emission. Service time counts from the "
        "moment at which it was sent. The gap between both is waiting: for a free user, or in the generator."
    )
    if len(both) > len(chosen):
        caption += f" It shows the {len(chosen)} most frequent operations."
    return Chart(
        name="service-and-response",
        title="Service time and response time",
        alt=f"Two curves by percentile for each of {', '.join(panel.title for panel in panels)}.",
        x=NINES,
        panels=tuple(panels),
        caption=caption,
    )


def parts_of_service_time(drawn: Drawn) -> Chart | None:
    """Return the chart of the ways to and from the handler, and of the handler; None if no reply told of them.

    Raises HistogramError.
    """
    panels = []
    for operation in drawn.operations:
        series = [Series(leg.name, tuple(_points(Histogram.decode(leg.histogram), 0))) for leg in operation.breakdown]
        known = tuple(curve for curve in series if curve.points)
        if known:
            panels.append(Panel(Axis("time", "µs", "logarithmic"), known, operation.label))
    if not panels:
        return None
    return Chart(
        name="parts-of-service-time",
        title="Parts of the service time",
        alt=f"Curves by percentile of the ways to and from the handler: {', '.join(panel.title for panel in panels)}.",
        x=NINES,
        panels=tuple(panels),
        caption="From sending to the handler, the handler itself, and from its end to the reply.",
    )


def percentile_points(operation: Operation, *, of_response: bool) -> Iterator[Point]:
    """Yield the points of an operation's curve up to where it is known: what failed is beyond. Raises HistogramError.

    The share of the failures is that of the whole run, the times are those of the steady window.
    """
    encoded = operation.response_histogram if of_response else operation.service_histogram
    if encoded is None:
        return
    times = Histogram.decode(encoded)
    # Service times know nothing of what was never sent.
    of = operation.scheduled if of_response else operation.sent
    share = (of - operation.ok) / of if of else 0.0
    censored = round(times.count * share / (1 - share)) if share < 1 else 0
    yield from _points(times, censored)


def _curve(label: str, operation: Operation, *, of_response: bool, role: Role) -> Series:
    return Series(label, tuple(percentile_points(operation, of_response=of_response)), role=role)


def _points(times: Histogram, censored: int) -> Iterator[Point]:
    """Yield the points of a curve, and the longest time at its end if that is known."""
    share, time_us = 0.0, 0.0
    for point in nines_points(times, censored):
        share, time_us = point.x, point.y or 0.0
        yield point
    if times.max_ns and not censored and times.max_ns / _NS_PER_US > time_us:
        yield Point(max(share, 1 - 1 / times.count), times.max_ns / _NS_PER_US, text="the longest")


def _ending(drawn: Drawn) -> str:
    return _CAPTION if any(operation.failed for operation in drawn.operations) else ""
