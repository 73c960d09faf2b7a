"""The charts of a comparison of generators: the CPU time of a round trip, and the rate, of each."""

from bench.report.chart import Axis, Effect, Forest
from bench.report.formatting import count
from bench.validation.peers.model import OURS, Figures, Peers


def peers_charts(result: Peers) -> tuple[Forest, ...]:
    """Return a chart for each number of connections."""
    numbers = dict.fromkeys(figures.connections for figures in result.figures)
    return tuple(_chart(result, connections) for connections in numbers)


def _chart(result: Peers, connections: int) -> Forest:
    chosen = [figures for figures in result.figures if figures.connections == connections]
    ours = next((figures.cpu_us_per_round_trip for figures in chosen if figures.peer == OURS), None)
    least = min(chosen, key=lambda figures: figures.cpu_us_per_round_trip)
    return Forest(
        name=f"cpu-{connections}",
        title=f"CPU time of a round trip at {count(connections)} connections",
        alt=f"The CPU time of {len(chosen)} generators; {least.title} takes least.",
        x=Axis("CPU time of a round trip", "µs", "logarithmic"),
        effects=tuple(_effect(figures) for figures in chosen),
        neutral=least.cpu_us_per_round_trip if ours is None else ours,
        caption="The axis is logarithmic, and the line is at ours. A bar is from the least to the greatest round.",
    )


def _effect(figures: Figures) -> Effect:
    costs = [measured.cpu_us_per_round_trip for measured in figures.rounds]
    return Effect(
        label=figures.title,
        value=figures.cpu_us_per_round_trip,
        low=min(costs),
        high=max(costs),
        role="good" if figures.peer == OURS else "plain",
        text=f"{count(round(figures.round_trips_per_s))} round trips per second",
    )
