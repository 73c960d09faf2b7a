"""A comparison of generators as a document."""

from collections.abc import Iterator, Sequence

from bench.report.document import Column, Content, Document, Note, Row, Table
from bench.report.environment import header_facts
from bench.report.formatting import UNKNOWN, amount, count, duration, duration_number, unit_of
from bench.report.labels import label_notes
from bench.results.figure import Figure
from bench.validation.peers.charts import peers_charts
from bench.validation.peers.model import Figures, Peers

_SERVER_FULL_SHARE = 0.95
_GENERATOR_FULL_SHARE = 0.9

_COLUMNS: tuple[tuple[str, Content], ...] = (
    ("round trips/s", "number"),
    ("(range)", "range"),
    ("CPU", "number"),
    ("(range)", "range"),
    ("times ours", "number"),
    ("/connection", "number"),
    ("own p50", "number"),
    ("own p99", "number"),
)


def peers_document(result: Peers) -> Document:
    """Return the document of a comparison: a table for each number of connections, and what limits the figures.

    Rates and CPU time are medians over the rounds, and so is the ratio to ours within each round.
    """
    numbers = tuple(dict.fromkeys(figures.connections for figures in result.figures))
    closing = (
        "round trips counted by the server; CPU: the time for each, by the kernel, over all of a generator's processes;"
        " /connection: memory; own: what the tool itself reports"
    )
    return Document(
        kind="peers",
        title=f"load generators at {' and '.join(map(count, numbers)) or 'no'} connections",
        tables=tuple(_table(result, connections) for connections in numbers),
        notes=(
            *(Note(text, "warning") for text in _remarks(result)),
            Note(closing),
            *label_notes(result.labels, result.note),
        ),
        charts=peers_charts(result),
        environment=tuple(header_facts(result)),
    )


def _table(result: Peers, connections: int) -> Table:
    return Table(
        columns=(
            Column(f"{count(connections)} connections", "name"),
            *(Column(title, content) for title, content in _COLUMNS),
        ),
        rows=tuple(_rows(result, connections)),
    )


def _rows(result: Peers, connections: int) -> Iterator[Row]:
    for figures in result.figures:
        if figures.connections != connections:
            continue
        rates = [measured.round_trips_per_s for measured in figures.rounds]
        costs = [measured.cpu_us_per_round_trip for measured in figures.rounds]
        times_ours = result.times_ours(figures)
        memory = figures.memory_per_connection_bytes
        unit = unit_of([Figure(figures.cpu_us_per_round_trip)])
        least, most = (duration_number(cost_us, unit) for cost_us in (min(costs), max(costs)))
        cells = (
            figures.title,
            count(round(figures.round_trips_per_s)),
            f"{count(round(min(rates)))}-{count(round(max(rates)))}",
            duration(Figure(figures.cpu_us_per_round_trip), unit),
            f"{least}-{most}",
            UNKNOWN if times_ours is None else f"{times_ours:.2f}",
            UNKNOWN if memory is None else amount(memory),
            _reported(figures.reported_us("p50")),
            _reported(figures.reported_us("p99")),
        )
        yield Row(cells)


def _reported(value_us: float | None) -> str:
    return UNKNOWN if value_us is None else duration(Figure(value_us))


def _remarks(result: Peers) -> Iterator[str]:
    for absent in result.absent:
        where = "" if absent.connections is None else f" at {count(absent.connections)} connections"
        yield f"left out{where}: {absent.title}: {absent.reason}"
    for connections in dict.fromkeys(figures.connections for figures in result.figures):
        yield from _limits(connections, [figures for figures in result.figures if figures.connections == connections])


def _limits(connections: int, all_figures: Sequence[Figures]) -> Iterator[str]:
    """Yield the limits that kept the rates from being the generators' own: CPU per round trip is still comparable."""
    held_up = []
    for figures in all_figures:
        for why in dict.fromkeys(measured.unreported for measured in figures.rounds if measured.unreported):
            yield f"{figures.title} at {connections} connections: no figures of its own: {why}"
        if figures.server_cpu_share > _SERVER_FULL_SHARE:
            yield f"{figures.title} at {connections} connections: the echo server was the limit of its rate"
        elif figures.cpu_share < _GENERATOR_FULL_SHARE:
            held_up.append(f"{figures.title} {figures.cpu_share:.0%}")
    if held_up:
        yield f"had less than their whole core at {connections} connections, so could do more: {', '.join(held_up)}"
