"""The chart of a check by the observer: what tools report beyond what was between the packets."""

from bench.report.chart import Axis, Effect, Forest
from bench.report.formatting import counted
from bench.validation.wire.measuring import in_words
from bench.validation.wire.model import Wire


def wire_charts(result: Wire) -> tuple[Forest, ...]:
    """Return the chart of the median times that are reported beyond the packets; none without such times."""
    effects = tuple(
        Effect(
            label=f"{tool.title}, {in_words(row.load)}",
            value=row.beyond.p50.value_us,
            low=row.beyond.p50.low_us,
            high=row.beyond.p50.high_us,
            role="good" if tool.is_judged else "plain",
        )
        for tool in result.tools
        for row in tool.rows
        if row.beyond is not None
    )
    if not effects:
        return ()
    return (
        Forest(
            name="beyond-the-packets",
            title="Reported service time beyond that between the packets",
            alt=f"The median excess of {counted(len(effects), 'row')} of tools and loads, with 95 % intervals.",
            x=Axis("reported time minus that between the packets, p50", "µs"),
            effects=effects,
            caption="At the line a tool reports the time between the packets. To the right it adds time of its own.",
        ),
    )
